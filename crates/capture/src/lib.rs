//! Reading backups out of PostgreSQL into a repository.
//!
//! Invariants: a capture that fails anywhere commits nothing; whether it
//! succeeded is decided by the exit status of every program that took part and
//! by what arrived, never by one of them alone. This crate and `restore` do not
//! know each other: they speak through the repository's records.

mod archive;
mod dump;
mod error;
mod excluded;
mod facts;
mod globals;
mod lacking;
mod locks;
mod progress;
mod unmatched;

pub use dump::{Dump, StopSignal};
pub use error::{CaptureError, GlobalsError};
pub use excluded::Excluded;
pub use globals::Globals;
pub use lacking::kept_empty;
pub use pgkeep_repository::Pace;
pub use progress::{Phase, Progress};
pub use unmatched::{Lacking, Unmatched};
