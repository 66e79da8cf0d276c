//! The engine's two ends: what a capture feeds, and what it comes to.
//!
//! Invariant: [`Written`] exists only when every pack was finished in the storage;
//! an engine that is dropped leaves unfinished uploads to be aborted and finished
//! packs as litter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use pgkeep_format::Manifest;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::Need;
use pgkeep_types::{BackupId, ClusterName};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::buffers::Buffers;
use super::compress;
use super::cutting::{Cutter, Input};
use super::index_pack::IndexPacker;
use super::limits::Limits;
use super::packing::{self, Packer};
use super::root::Contents;
use super::upload::Target;
use crate::{Parent, Repository, RepositoryError, WriteAccess, threads};

/// How many pieces of input wait for the cutter.
const INPUT: usize = 4;

/// Takes files and stores them.
#[derive(Debug)]
pub(crate) struct Engine {
    input: mpsc::Sender<Input>,
    upload: JoinHandle<Result<Written, RepositoryError>>,
    packed: Arc<AtomicU64>,
}

/// Files that are stored.
#[derive(Debug)]
pub(crate) struct Written {
    /// How many bytes the files have.
    pub(crate) raw_bytes: u64,
    /// How many bytes the frames have that they lie in.
    pub(crate) stored_bytes: u64,
    /// How many bytes were stored for them, index packs included.
    pub(crate) new_bytes: u64,
    /// Every pack that is needed.
    pub(crate) needs: Vec<Need>,
    pub(crate) manifest: Manifest,
    /// Why the parent was not compared with to the end.
    pub(crate) parent_lost: Option<RepositoryError>,
}

impl Engine {
    /// Starts all stages. Must be called inside of a runtime.
    pub(crate) fn start(
        repository: &Repository,
        access: &WriteAccess,
        cluster: &ClusterName,
        backup: &BackupId,
        limits: Limits,
        parent: Option<Parent>,
    ) -> Result<Self, RepositoryError> {
        let workers = limits.workers.get();
        let (input, source) = mpsc::channel(INPUT);
        let (output, cut) = sync_channel(workers * 2);
        let (upload, queue) = mpsc::channel(2);

        let jobs = compress::start(&access.secret, limits.level, workers)?;
        let reader = parent.as_ref().map(Parent::reader);
        let cutter = Cutter::new(&access.secret, reader, jobs, output);
        threads::spawn("cut", move || cutter.run(source))?;

        let packed = Arc::new(AtomicU64::new(0));
        let seal = repository.host_seal(&access.recipient);
        let index = IndexPacker::new(&access.secret, seal, upload.clone());
        let packer = Packer {
            backup: backup.clone(),
            seal: repository.pack_seal(),
            limits,
            buffers: Buffers::new(limits.part),
            index: index.map_err(|source| RepositoryError::Make {
                what: "a compressor",
                source,
            })?,
            upload,
            contents: Contents::new(parent.as_ref()),
            pack: None,
            next: 0,
            packed: Arc::clone(&packed),
            prints: Vec::new(),
            placed: BTreeMap::new(),
            waiting: Vec::new(),
        };
        threads::spawn("pack", move || packing::pack(&cut, packer))?;

        let target = Target {
            storage: Arc::clone(&repository.storage),
            cluster: cluster.clone(),
            backup: backup.clone(),
        };
        Ok(Self {
            input,
            upload: tokio::spawn(target.store(queue, parent)),
            packed,
        })
    }

    /// How many bytes of new frames were packed so far.
    pub(crate) fn packed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.packed)
    }

    /// Begins a file.
    pub(crate) async fn file(&self, path: &str, cutting: Cutting) -> Result<(), RepositoryError> {
        let path = path.to_owned();
        self.send(Input::File { path, cutting }).await
    }

    /// Takes the file's next bytes; waits while the stages behind are busy.
    pub(crate) async fn write(&self, bytes: Bytes) -> Result<(), RepositoryError> {
        self.send(Input::Bytes(bytes)).await
    }

    /// Says that something begins here.
    pub(crate) async fn hint(&self) -> Result<(), RepositoryError> {
        self.send(Input::Hint).await
    }

    /// Ends the file.
    pub(crate) async fn end_file(&self) -> Result<(), RepositoryError> {
        self.send(Input::FileEnd).await
    }

    async fn send(&self, input: Input) -> Result<(), RepositoryError> {
        let sent = self.input.send(input).await;
        sent.map_err(|_| RepositoryError::GivenUp)
    }

    /// Ends the last file and waits until all of it is durable.
    ///
    /// # Errors
    /// The first failure of any stage.
    pub(crate) async fn finish(self) -> Result<Written, RepositoryError> {
        // Where the stages are gone, the upload knows why.
        let _ = self.input.send(Input::End).await;
        drop(self.input);
        self.upload.await.unwrap_or(Err(RepositoryError::GivenUp))
    }

    /// Ends as what came to nothing, and waits until nothing more is stored.
    pub(crate) async fn abandon(self) {
        drop(self.input);
        // It was given up: how that ended changes nothing.
        let _ = self.upload.await;
    }
}
