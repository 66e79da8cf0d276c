//! The writer that a capture feeds, and the upload at the other end.
//!
//! Invariant: [`Written`] exists only when every pack was finished in the
//! storage; a writer that is dropped leaves unfinished uploads to be aborted and
//! finished packs as litter.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::records::PackSummary;
use pgkeep_format::{Extent, FileEntry, FrameEntry, Hash, Manifest, PackRef, names};
use pgkeep_storage::{Storage, Upload};
use pgkeep_types::{BackupId, ClusterName};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::frames::{self, Input};
use super::packs::{self, Packed};
use crate::{Repository, RepositoryError, WriteAccess, threads};

/// Sizes that a writer keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A pack is closed once it has so many bytes of frames.
    pub pack: u64,
    /// How many bytes go to the storage at a time; a multipart upload's part.
    pub part: usize,
    /// The zstd level.
    pub level: i32,
    /// How many threads compress.
    pub workers: NonZeroUsize,
}

impl Default for Limits {
    /// Packs of 256 MiB in parts of 8 MiB (so 32 parts, well under every
    /// provider's limit), zstd 1, a thread a core.
    fn default() -> Self {
        Self {
            pack: 256 << 20,
            part: 8 << 20,
            level: 1,
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}

/// Takes a stream's bytes and stores them.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    input: mpsc::Sender<Input>,
    upload: JoinHandle<Result<Written, RepositoryError>>,
}

/// A stream that is stored.
#[derive(Debug)]
pub(crate) struct Written {
    /// How many bytes the stream had.
    pub(crate) raw_bytes: u64,
    /// The packs that were written.
    pub(crate) packs: Vec<PackSummary>,
    hash: Hash,
    frames: Vec<FrameEntry>,
}

impl Written {
    /// The manifest of a backup `id` that is this one stream, as file `path`.
    #[must_use]
    pub(crate) fn into_manifest(self, id: &BackupId, path: &str) -> Manifest {
        let extent = |(frame, entry): (u32, &FrameEntry)| Extent {
            frame,
            offset: 0,
            length: entry.plain_length,
        };
        let pack = |pack: &PackSummary| PackRef {
            backup: id.clone(),
            number: pack.number,
        };
        Manifest {
            packs: self.packs.iter().map(pack).collect(),
            files: vec![FileEntry {
                path: path.to_owned(),
                size: self.raw_bytes,
                hash: self.hash,
                extents: (0..).zip(&self.frames).map(extent).collect(),
            }],
            frames: self.frames,
        }
    }
}

impl StreamWriter {
    pub(crate) fn start(
        repository: &Repository,
        access: &WriteAccess,
        cluster: &ClusterName,
        backup: &BackupId,
        limits: Limits,
    ) -> Result<Self, RepositoryError> {
        let (input, source) = mpsc::channel(16);
        let workers = limits.workers.get();
        let output = frames::start(&access.secret, limits.level, workers, source)?;
        let (packed, queue) = mpsc::channel(2);
        let seal = repository.pack_seal();
        threads::spawn("pack", move || packs::pack(&output, &seal, limits, &packed))?;
        let target = Target {
            storage: Arc::clone(&repository.storage),
            cluster: cluster.clone(),
            backup: backup.clone(),
        };
        Ok(Self {
            input,
            upload: tokio::spawn(target.upload(queue)),
        })
    }

    /// Takes the stream's next bytes; waits while the stages behind are busy.
    ///
    /// # Errors
    /// `GivenUp` where a later stage has failed; `finish` tells why.
    pub(crate) async fn write(&self, bytes: Bytes) -> Result<(), RepositoryError> {
        self.input
            .send(Input::Bytes(bytes))
            .await
            .map_err(|_| RepositoryError::GivenUp)
    }

    /// Ends the stream and waits until all of it is durable.
    ///
    /// # Errors
    /// The first failure of any stage.
    pub(crate) async fn finish(self) -> Result<Written, RepositoryError> {
        // Where the stages are gone, the upload knows why.
        let _ = self.input.send(Input::End).await;
        drop(self.input);
        self.upload.await.unwrap_or(Err(RepositoryError::GivenUp))
    }

    /// Ends the stream as one that came to nothing, and waits until nothing more is
    /// stored.
    pub(crate) async fn abandon(self) {
        drop(self.input);
        // It was given up: how that ended changes nothing.
        let _ = self.upload.await;
    }
}

struct Target {
    storage: Arc<dyn Storage>,
    cluster: ClusterName,
    backup: BackupId,
}

impl Target {
    /// Stores what is packed until the stream is done.
    async fn upload(self, mut queue: mpsc::Receiver<Packed>) -> Result<Written, RepositoryError> {
        let mut open: Option<Box<dyn Upload>> = None;
        let mut packs = Vec::new();
        let ended = loop {
            let step = match queue.recv().await {
                Some(Packed::Part { number, bytes }) => self.part(&mut open, number, bytes).await,
                Some(Packed::End(summary)) => {
                    packs.push(summary);
                    match open.take() {
                        Some(upload) => upload.finish().await.map_err(Into::into),
                        None => Err(RepositoryError::GivenUp),
                    }
                }
                Some(Packed::Done(contents)) => {
                    break Ok(Written {
                        raw_bytes: contents.summary.size,
                        hash: contents.summary.hash,
                        frames: contents.frames,
                        packs,
                    });
                }
                Some(Packed::Failed(source)) => Err(RepositoryError::Make {
                    what: "a pack",
                    source,
                }),
                None => Err(RepositoryError::GivenUp),
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        if let Some(upload) = open {
            // What is left behind is litter; the first failure is what counts.
            let _ = upload.abort().await;
        }
        ended
    }

    async fn part(
        &self,
        open: &mut Option<Box<dyn Upload>>,
        number: u32,
        bytes: Bytes,
    ) -> Result<(), RepositoryError> {
        let upload = match open {
            Some(upload) => upload,
            None => {
                let name = names::pack(&self.cluster, &self.backup, number)?;
                open.insert(self.storage.upload(&name).await?)
            }
        };
        Ok(upload.part(bytes).await?)
    }
}
