//! Verifying and decompressing frames, on as many threads as there are cores.
//!
//! Invariant: every job is answered in its slot, unless the reader is gone.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_format::{FrameDecoder, FrameEntry};
use pgkeep_types::ObjectName;

use crate::RepositoryError;

/// A frame's plaintext.
pub(super) type Decoded = Result<Bytes, RepositoryError>;

/// A stored frame that is to be decoded.
pub(super) struct Job {
    pub(super) stored: Bytes,
    pub(super) entry: FrameEntry,
    /// The pack that it came from.
    pub(super) object: Arc<ObjectName>,
    /// Where the answer goes; it has room for one.
    pub(super) slot: SyncSender<Decoded>,
}

/// Decodes jobs until no more can come.
pub(super) fn work(queue: &Mutex<Receiver<Job>>, mut decoder: FrameDecoder, location: &str) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let decoded = decoder.decode(&job.stored, &job.entry);
        let decoded = decoded.map(Bytes::from);
        let decoded = decoded.map_err(|source| RepositoryError::Object {
            object: job.object.to_string(),
            location: location.to_owned(),
            source,
        });
        // Nobody waits for the slot any more: the reader was dropped.
        let _ = job.slot.send(decoded);
    }
}
