//! Throwaway servers of this machine: made, started, asked, stopped, removed.
//!
//! Invariants: nobody but the account that the server runs as can reach it
//! without a password; it never touches a directory that it did not make; it is
//! stopped by its own process id.

mod account;
mod error;
mod initdb;
mod log;
mod options;
mod postmaster;
mod throwaway;

pub use error::ServerError;
pub use options::{LoopbackTcp, ServerOptions};
pub use throwaway::ThrowawayServer;
