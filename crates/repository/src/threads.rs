//! The engine's own threads: work on the processor never runs on the runtime's.
//!
//! Invariant: each is named, and ends when the queues that it works on end.

use std::thread;

use crate::RepositoryError;

/// How many threads do the same work side by side.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Starts a thread.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<(), RepositoryError> {
    thread::Builder::new()
        .name(format!("pgkeep-{name}"))
        .spawn(work)
        .map(drop)
        .map_err(RepositoryError::Thread)
}
