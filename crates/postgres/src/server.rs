//! Throwaway servers of this machine: made, started, asked, stopped, removed.
//!
//! Invariants: nobody but the account that the server runs as can reach it
//! without a password; it never touches a directory that it did not make; it is
//! stopped by its own process id.

mod account;
mod entry;
mod error;
mod initdb;
mod isolation;
mod log;
mod mishap;
mod obstacle;
mod options;
mod postmaster;
mod throwaway;
mod workspace;

pub use error::ServerError;
pub use isolation::{Isolation, can_isolate};
pub use mishap::Mishap;
pub use obstacle::Obstacle;
pub use options::{LoopbackTcp, ServerOptions};
pub use throwaway::ThrowawayServer;
pub use workspace::{Leftover, Workspace, free_bytes, remove_leftovers};
