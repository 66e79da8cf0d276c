//! Writing one backup: its files, then manifest and facts, then the commit.
//!
//! Invariants: each step takes the value of the step before it, so that no order
//! but packs, manifest and facts, `backup` can be written down. [`Committed`]
//! exists only once the `backup` record is durable.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use jiff::Timestamp;
use pgkeep_format::cut::Cutting;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{BackupRecord, PlannedBackup, RecordHashes};
use pgkeep_format::{Manifest, RecordKind};
use pgkeep_types::{ObjectName, SystemId};

use crate::write::{Engine, Written};
use crate::{Repository, RepositoryError, Run, WriteAccess, records};

/// A backup in the making: takes files. Dropped, it comes to nothing.
#[derive(Debug)]
pub struct BackupWriter<'a> {
    run: &'a Run,
    planned: PlannedBackup,
    engine: Engine,
}

/// What else a dump's `backup` record says.
#[derive(Clone, Debug)]
pub struct DumpMeta {
    /// The cluster's system identifier, where the server told it.
    pub system_id: Option<SystemId>,
    /// The server's version.
    pub server_version: String,
    /// When the snapshot was taken.
    pub started: Timestamp,
    /// Whether the globals are with it.
    pub globals: bool,
    /// Whether it has a part of the database alone.
    pub selected: bool,
    /// The facts, as JSON.
    pub facts: Vec<u8>,
}

/// A backup whose every byte is durable.
#[derive(Clone, Debug)]
pub struct Committed(BackupRecord);

impl Committed {
    /// The backup's record.
    #[must_use]
    pub fn record(&self) -> &BackupRecord {
        &self.0
    }

    /// The backup's record.
    #[must_use]
    pub fn into_record(self) -> BackupRecord {
        self.0
    }
}

impl<'a> BackupWriter<'a> {
    pub(crate) fn new(run: &'a Run, planned: PlannedBackup, engine: Engine) -> Self {
        Self {
            run,
            planned,
            engine,
        }
    }

    /// Begins a file. Files come in the order of their paths, as bytes; one that is
    /// not finished makes the backup come to nothing.
    ///
    /// # Errors
    /// `GivenUp` where a later stage has failed; [`failure`](Self::failure) tells
    /// why.
    pub async fn file(
        &mut self,
        path: &str,
        cutting: Cutting,
    ) -> Result<FileWriter<'_>, RepositoryError> {
        self.engine.file(path, cutting).await?;
        Ok(FileWriter(&self.engine))
    }

    /// Counts what is newly stored, in bytes, for whoever looks on: frames that were
    /// packed so far. Which of them are durable it does not say.
    #[must_use]
    pub fn newly_packed(&self) -> Arc<AtomicU64> {
        self.engine.packed()
    }

    /// Gives the backup up, and waits until nothing more is stored for it.
    pub async fn abandon(self) {
        self.engine.abandon().await;
    }

    /// Why a later stage has failed.
    pub async fn failure(self) -> RepositoryError {
        let failed = self.engine.finish().await.err();
        failed.unwrap_or(RepositoryError::GivenUp)
    }

    /// Ends the last file, and waits until every pack is durable. May be dropped
    /// while it waits: then the backup comes to nothing.
    ///
    /// # Errors
    /// Where any stage has failed.
    pub async fn finish(self) -> Result<StoredBackup<'a>, RepositoryError> {
        Ok(StoredBackup {
            run: self.run,
            planned: self.planned,
            written: self.engine.finish().await?,
        })
    }
}

/// Takes a file's bytes.
#[derive(Debug)]
pub struct FileWriter<'a>(&'a Engine);

impl FileWriter<'_> {
    /// Takes the file's next bytes; waits while the stages behind are busy.
    ///
    /// # Errors
    /// `GivenUp` where a later stage has failed.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), RepositoryError> {
        self.0.write(bytes).await
    }

    /// Says that something begins here, such as a table's data: it is found again in
    /// the next backup, whatever has changed before it.
    ///
    /// # Errors
    /// `GivenUp` where a later stage has failed.
    pub async fn hint(&mut self) -> Result<(), RepositoryError> {
        self.0.hint().await
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `GivenUp` where a later stage has failed.
    pub async fn finish(self) -> Result<(), RepositoryError> {
        self.0.end_file().await
    }
}

/// A backup whose packs are durable; nothing cites them yet.
#[derive(Debug)]
pub struct StoredBackup<'a> {
    run: &'a Run,
    planned: PlannedBackup,
    written: Written,
}

impl StoredBackup<'_> {
    /// Why the parent was not compared with to the end, though there is one: what it
    /// would have spared is stored anew.
    #[must_use]
    pub fn parent_lost(&self) -> Option<&RepositoryError> {
        self.written.parent_lost.as_ref()
    }

    /// Writes manifest and facts, commits, and looks whether anybody has given the run
    /// up before that. To be waited for to its end: dropped, it may have committed or
    /// not.
    ///
    /// # Errors
    /// Where any of it fails. The `backup` record may be there all the same; the run
    /// has to say that the backup failed, which is what counts then.
    pub async fn commit(
        self,
        meta: DumpMeta,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<Committed, RepositoryError> {
        let Self {
            run:
                Run {
                    repository,
                    access,
                    plan,
                    ..
                },
            planned,
            written,
        } = self;
        let place = |part| names::backup(&plan.cluster, &planned.id, part);

        let Written {
            raw_bytes,
            stored_bytes,
            new_bytes,
            needs,
            manifest,
            parent_lost: _,
        } = written;
        let manifest = records::blocking(move || encode(&manifest)).await??;
        let name = place(BackupPart::Manifest)?;
        let (manifest, manifest_length) = repository
            .write(access, RecordKind::Manifest, &name, (), Some(manifest))
            .await?;
        let name = place(BackupPart::Facts)?;
        let (facts, facts_length) = repository
            .write(access, RecordKind::Facts, &name, (), Some(meta.facts))
            .await?;

        let record = BackupRecord {
            id: planned.id.clone(),
            run: plan.id.clone(),
            cluster: plan.cluster.clone(),
            kind: plan.kind,
            database: planned.database.clone(),
            globals: meta.globals,
            selected: meta.selected,
            parent: planned.parent.clone(),
            system_id: meta.system_id,
            server_version: meta.server_version,
            started: meta.started,
            finished: now(),
            raw_bytes,
            stored_bytes,
            new_bytes,
            needs,
            records: RecordHashes {
                manifest,
                manifest_length,
                facts,
                facts_length,
            },
            sealed_to: repository.readers(),
        };
        let name = place(BackupPart::Backup)?;
        commit(repository, access, &name, &record).await?;
        repository
            .confirm(access, plan, &record, record.finished)
            .await?;
        Ok(Committed(record))
    }
}

/// Writes the `backup` record. An answer that is lost is asked for again: the
/// name is this writer's alone, so what is there is what was written.
async fn commit(
    repository: &Repository,
    access: &WriteAccess,
    name: &ObjectName,
    record: &BackupRecord,
) -> Result<(), RepositoryError> {
    let written = repository
        .write(access, RecordKind::Backup, name, record.clone(), None)
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(RepositoryError::Storage(error)) => {
            let there = repository.verified(RecordKind::Backup, name).await;
            let there = there
                .ok()
                .and_then(|read| read.clear::<BackupRecord>().ok());
            if there.as_ref() == Some(record) {
                Ok(())
            } else {
                Err(error.into())
            }
        }
        Err(error) => Err(error),
    }
}

fn encode(manifest: &Manifest) -> Result<Vec<u8>, RepositoryError> {
    manifest.to_bytes().map_err(|source| RepositoryError::Make {
        what: "the manifest",
        source,
    })
}
