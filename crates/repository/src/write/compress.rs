//! Making frames of gathered chunks, on all cores.
//!
//! Invariant: every job is answered in its slot, unless whoever waits for it has
//! given up.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_format::{FormatError, Frame, FrameEncoder, RepositorySecret};

use crate::{RepositoryError, threads};

/// A frame in the making.
pub(super) type Slot = Receiver<Result<Frame, FormatError>>;

/// A frame's plaintext, in pieces.
pub(super) struct Job {
    pub(super) pieces: Vec<Bytes>,
    /// Where the frame goes; it has room for one.
    pub(super) slot: SyncSender<Result<Frame, FormatError>>,
}

/// Starts so many compressors, and tells where they take their work from.
pub(super) fn start(
    secret: &RepositorySecret,
    level: i32,
    workers: usize,
) -> Result<SyncSender<Job>, RepositoryError> {
    let (jobs, queue) = sync_channel::<Job>(workers);
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..workers {
        let encoder = FrameEncoder::new(secret.content_key(), level);
        let mut encoder = encoder.map_err(|source| RepositoryError::Make {
            what: "a compressor",
            source,
        })?;
        let queue = Arc::clone(&queue);
        threads::spawn("compress", move || {
            while let Some(job) = next(&queue) {
                // Nobody waits for the slot any more: the work was given up.
                let _ = job.slot.send(encode(&mut encoder, &job.pieces));
            }
        })?;
    }
    Ok(jobs)
}

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

fn encode(encoder: &mut FrameEncoder, pieces: &[Bytes]) -> Result<Frame, FormatError> {
    match pieces {
        [whole] => encoder.encode(whole),
        pieces => encoder.encode(&pieces.concat()),
    }
}
