//! Handing a file's bytes on, in order, and holding the whole against the
//! manifest.
//!
//! Invariant: the end is told once, after size and hash were found right.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use pgkeep_format::{Damage, Extent, FileEntry, FrameDecoder, Hash, Hasher};
use tokio::sync::mpsc;

use super::backup::OpenBackup;
use super::decode::{self, Job};
use super::fetch::{Fetcher, Slot};
use crate::{RepositoryError, threads};

type Piece = Result<Option<Bytes>, RepositoryError>;

/// The bytes of a file, in order.
#[derive(Debug)]
pub struct FileReader {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

impl FileReader {
    pub(super) fn start(backup: &OpenBackup, file: &FileEntry) -> Result<Self, RepositoryError> {
        let workers = threads::cores();
        let (jobs, queue) = sync_channel::<Job>(workers);
        let (slots, order) = sync_channel::<Slot>(workers * 2);
        let (pieces, out) = mpsc::channel(4);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let decoder = FrameDecoder::new(backup.access.secret.content_key());
            let decoder = decoder.map_err(|source| RepositoryError::Make {
                what: "a decompressor",
                source,
            })?;
            let queue = Arc::clone(&queue);
            threads::spawn("decompress", move || decode::work(&queue, decoder))?;
        }
        let fetcher = Fetcher::new(backup);
        let extents = file.extents.clone();
        threads::spawn("fetch", move || fetcher.run(&extents, &jobs, &slots))?;
        let check = Check {
            hasher: backup.access.secret.content_key().hasher(),
            size: file.size,
            hash: file.hash,
            seen: 0,
            backup: backup.clone(),
        };
        threads::spawn("deliver", move || check.deliver(&order, &pieces))?;
        Ok(Self {
            pieces: out,
            ended: false,
        })
    }

    /// The next bytes; none once the whole file was read and found right.
    ///
    /// # Errors
    /// Where anything is missing or damaged; what came before is then not to be
    /// taken for the file.
    pub async fn next(&mut self) -> Piece {
        if self.ended {
            return Ok(None);
        }
        // A queue that ends without a word means that a stage has died.
        let piece = self.pieces.recv().await;
        let piece = piece.unwrap_or(Err(RepositoryError::GivenUp));
        self.ended = matches!(piece, Ok(None));
        piece
    }
}

/// Hands the extents on, and holds the whole against the manifest.
struct Check {
    hasher: Hasher,
    size: u64,
    hash: Hash,
    seen: u64,
    backup: OpenBackup,
}

impl Check {
    fn deliver(mut self, order: &Receiver<Slot>, out: &mpsc::Sender<Piece>) {
        while let Ok(slot) = order.recv() {
            let pieces = match slot {
                Slot::End => {
                    let _ = out.blocking_send(self.end());
                    return;
                }
                Slot::Frame(frame, extents) => {
                    let frame = frame.recv().unwrap_or(Err(RepositoryError::GivenUp));
                    frame.and_then(|frame| self.pieces(&frame.into(), &extents))
                }
            };
            match pieces {
                Ok(pieces) => {
                    for piece in pieces {
                        if out.blocking_send(Ok(Some(piece))).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    let _ = out.blocking_send(Err(error));
                    return;
                }
            }
        }
    }

    fn pieces(&mut self, frame: &Bytes, extents: &[Extent]) -> Result<Vec<Bytes>, RepositoryError> {
        let mut pieces = Vec::with_capacity(extents.len());
        for extent in extents {
            let start = extent.offset as usize;
            let end = start + extent.length as usize;
            if end > frame.len() {
                return Err(self.backup.wrong_manifest(Damage::Range("extent's end")));
            }
            let piece = frame.slice(start..end);
            self.seen += piece.len() as u64;
            self.hasher.update(&piece);
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn end(&self) -> Piece {
        if self.seen == self.size && self.hasher.finish() == self.hash {
            Ok(None)
        } else {
            Err(self.backup.wrong_manifest(Damage::Hash))
        }
    }
}
