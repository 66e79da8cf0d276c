//! Cutting a stream and making frames of it, on all cores.
//!
//! Invariant: frames leave in the order of the stream: each goes through a slot
//! that is queued in that order before the work on it begins.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_format::cut::Cutter;
use pgkeep_format::{FormatError, Frame, FrameEncoder, Hash, RepositorySecret};
use tokio::sync::mpsc;

use crate::{RepositoryError, threads};

/// What the source sends: bytes, and in the end the word that it was the end.
pub(super) enum Input {
    Bytes(Bytes),
    End,
}

/// What leaves here: a slot for each frame, and in the end the file's summary.
pub(super) enum Output {
    Frame(Receiver<Result<Frame, FormatError>>),
    End(Summary),
}

/// What was seen of the whole stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) size: u64,
    pub(super) hash: Hash,
}

struct Job {
    plain: Vec<u8>,
    slot: SyncSender<Result<Frame, FormatError>>,
}

/// The stage behind this one is gone.
struct Gone;

/// Starts the cutter and `workers` compressors.
pub(super) fn start(
    secret: &RepositorySecret,
    level: i32,
    workers: usize,
    input: mpsc::Receiver<Input>,
) -> Result<Receiver<Output>, RepositoryError> {
    let (jobs, queue) = sync_channel::<Job>(workers);
    let (output, frames) = sync_channel(workers * 2);
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
                let _ = job.slot.send(encoder.encode(&job.plain));
            }
        })?;
    }
    let cutter = Cutter::new(secret.cut_seed());
    let hasher = secret.content_key().hasher();
    threads::spawn("cut", move || {
        // Whoever is gone has told why.
        let _ = cut(cutter, hasher, input, &jobs, &output);
    })?;
    Ok(frames)
}

fn next(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .recv()
        .ok()
}

fn cut(
    mut cutter: Cutter,
    mut hasher: pgkeep_format::Hasher,
    mut input: mpsc::Receiver<Input>,
    jobs: &SyncSender<Job>,
    output: &SyncSender<Output>,
) -> Result<(), Gone> {
    let mut size = 0;
    let mut emit = |plain: Vec<u8>| {
        let (slot, frame) = sync_channel(1);
        output.send(Output::Frame(frame)).map_err(|_| Gone)?;
        jobs.send(Job { plain, slot }).map_err(|_| Gone)
    };
    loop {
        match input.blocking_recv() {
            Some(Input::Bytes(bytes)) => {
                size += bytes.len() as u64;
                hasher.update(&bytes);
                cutter.push(&bytes, &mut emit)?;
            }
            Some(Input::End) => break,
            None => return Err(Gone),
        }
    }
    cutter.finish(&mut emit)?;
    let hash = hasher.finish();
    let summary = Summary { size, hash };
    output.send(Output::End(summary)).map_err(|_| Gone)
}
