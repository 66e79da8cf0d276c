//! Cutting a stream and making frames of it, on all cores.
//!
//! Invariant: frames leave in the order of the stream: each goes through a slot
//! that is queued in that order before the work on it begins.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use pgkeep_format::cut::Cutter;
use pgkeep_format::{FormatError, Frame, FrameEncoder, Hash, RepositorySecret};
use tokio::sync::mpsc;

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
) -> io::Result<(Receiver<Output>, Vec<JoinHandle<()>>)> {
    let (jobs, queue) = sync_channel::<Job>(workers);
    let (output, frames) = sync_channel(workers * 2);
    let queue = Arc::new(Mutex::new(queue));
    let mut threads = Vec::new();
    for _ in 0..workers {
        let (queue, key) = (Arc::clone(&queue), secret.content_key());
        threads.push(spawn("compress", move || {
            // A compressor that cannot be made is reported in each slot.
            let mut encoder = FrameEncoder::new(key, level);
            while let Some(job) = next(&queue) {
                let frame = match &mut encoder {
                    Ok(encoder) => encoder.encode(&job.plain),
                    Err(_) => Err(FormatError::Key {
                        what: "compression level",
                    }),
                };
                // Nobody waits for the slot any more: the work was given up.
                let _ = job.slot.send(frame);
            }
        })?);
    }
    let cutter = Cutter::new(secret.cut_seed());
    let hasher = secret.content_key().hasher();
    threads.push(spawn("cut", move || {
        // Whoever is gone has told why.
        let _ = cut(cutter, hasher, input, &jobs, &output);
    })?);
    Ok((frames, threads))
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

/// Starts a thread of the engine.
pub(super) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name(format!("pgkeep-{name}"))
        .spawn(work)
}
