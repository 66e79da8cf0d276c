//! Handing files' bytes on, in order, and holding each whole against the manifest.
//!
//! Invariant: a file's end is told once, after size and hash were found right.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use pgkeep_format::{Damage, FileEnd, FrameDecoder, Hasher};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::backup::OpenBackup;
use super::decode::{self, Job};
use super::plan::{Planner, Step};
use super::unseal::{self, Permit, ToUnseal};
use crate::{RepositoryError, threads};

/// How many requests are on their way, or have come and wait for their turn. More than
/// fill a line: what comes early waits for the slowest in front of it, and the rest has
/// to go on meanwhile.
const REQUESTS: usize = 14;
/// How many frames are on their way behind them.
const FRAMES: usize = 12;
/// How many steps wait to be taken.
const STEPS: usize = 256;

/// What comes of reading files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A file begins: its path.
    File(String),
    /// The file's next bytes.
    Bytes(Bytes),
    /// The whole file was read and found right.
    End,
}

type Told = Result<Option<Piece>, RepositoryError>;

/// The bytes of one file, in order.
#[derive(Debug)]
pub struct FileReader(FilesReader);

impl FileReader {
    pub(super) fn start(backup: &OpenBackup, path: &str) -> Result<Self, RepositoryError> {
        FilesReader::start(backup, vec![path.to_owned()]).map(Self)
    }

    /// The next bytes; none once the whole file was read and found right.
    ///
    /// # Errors
    /// Where anything is missing or damaged; what came before is then not to be
    /// taken for the file.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        loop {
            match self.0.next().await? {
                Some(Piece::Bytes(bytes)) => return Ok(Some(bytes)),
                Some(Piece::File(_) | Piece::End) => {}
                None => return Ok(None),
            }
        }
    }
}

/// The bytes of files, one file after the other.
#[derive(Debug)]
pub struct FilesReader {
    pieces: mpsc::Receiver<Told>,
    ended: bool,
}

impl FilesReader {
    /// Must be called inside of a runtime.
    pub(super) fn start(backup: &OpenBackup, paths: Vec<String>) -> Result<Self, RepositoryError> {
        let workers = threads::cores();
        let (requests, fetched) = sync_channel::<ToUnseal>(REQUESTS);
        let (jobs, queue) = sync_channel::<Job>(workers);
        let (permits, returned) = sync_channel::<Permit>(FRAMES);
        let (steps, order) = sync_channel::<Step>(STEPS);
        let (pieces, out) = mpsc::channel(4);

        let planner = Planner::new(backup, &Handle::current(), paths, requests, steps);
        threads::spawn("plan", move || planner.run())?;
        let sealed = backup.clone();
        threads::spawn("unseal", move || {
            unseal::run(&sealed, &fetched, &jobs, &permits);
        })?;
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let decoder = FrameDecoder::new(backup.access.secret.content_key());
            let decoder = decoder.map_err(|source| RepositoryError::Make {
                what: "a decompressor",
                source,
            })?;
            let (queue, location) = (Arc::clone(&queue), backup.repository.location());
            threads::spawn("decompress", move || {
                decode::work(&queue, decoder, &location);
            })?;
        }
        let delivery = Delivery {
            hasher: backup.access.secret.content_key().hasher(),
            seen: 0,
            frames: HashMap::new(),
            permits: returned,
            backup: backup.clone(),
        };
        threads::spawn("deliver", move || delivery.run(&order, &pieces))?;
        Ok(Self {
            pieces: out,
            ended: false,
        })
    }

    /// What comes next; nothing once all files were read and found right.
    ///
    /// # Errors
    /// Where anything is missing or damaged; what came of that file is then not to be
    /// taken for it, and no more comes.
    pub async fn next(&mut self) -> Told {
        if self.ended {
            return Ok(None);
        }
        // A queue that ends without a word means that a stage has died.
        let told = self.pieces.recv().await;
        let told = told.unwrap_or(Err(RepositoryError::GivenUp));
        self.ended = !matches!(told, Ok(Some(_)));
        told
    }
}

/// Hands bytes on, and holds the whole against the manifest.
struct Delivery {
    hasher: Hasher,
    seen: u64,
    /// Frames that may be needed again.
    frames: HashMap<u64, Bytes>,
    permits: Receiver<Permit>,
    backup: OpenBackup,
}

impl Delivery {
    fn run(mut self, order: &Receiver<Step>, out: &mpsc::Sender<Told>) {
        while let Ok(step) = order.recv() {
            let told = match step {
                Step::End => Ok(None),
                step => match self.take(step) {
                    Ok(None) => continue,
                    told => told,
                },
            };
            let last = !matches!(told, Ok(Some(_)));
            if out.blocking_send(told).is_err() || last {
                return;
            }
        }
    }

    /// Takes a step; tells what there is to hand on, if anything.
    fn take(&mut self, step: Step) -> Told {
        match step {
            Step::Frame { number, slot } => {
                let frame = slot.recv().unwrap_or(Err(RepositoryError::GivenUp))?;
                // Another frame may come. Whoever gave the permit may be gone.
                let _ = self.permits.recv();
                self.frames.insert(number, frame);
                Ok(None)
            }
            Step::Forget(number) => {
                self.frames.remove(&number);
                Ok(None)
            }
            Step::File(path) => {
                self.hasher = self.backup.access.secret.content_key().hasher();
                self.seen = 0;
                Ok(Some(Piece::File(path)))
            }
            Step::Bytes { frame, range } => {
                let bytes = self.bytes(frame, range)?;
                Ok(Some(Piece::Bytes(bytes)))
            }
            Step::FileEnd(end) => {
                self.end(end)?;
                Ok(Some(Piece::End))
            }
            Step::End => Ok(None),
            Step::Failed(error) => Err(error),
        }
    }

    fn bytes(&mut self, frame: u64, range: Range<usize>) -> Result<Bytes, RepositoryError> {
        let frame = self.frames.get(&frame);
        let frame = frame.filter(|frame| range.start <= range.end && range.end <= frame.len());
        let wrong = || {
            self.backup
                .index
                .wrong_manifest(Damage::Range("extent's end"))
        };
        let bytes = frame.ok_or_else(wrong)?.slice(range);
        self.seen += bytes.len() as u64;
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn end(&self, end: FileEnd) -> Result<(), RepositoryError> {
        if self.seen == end.size && self.hasher.finish() == end.hash {
            return Ok(());
        }
        Err(self.backup.index.wrong_manifest(Damage::Hash))
    }
}
