//! Opening a backup: its manifest's root and its facts.
//!
//! Invariant: a record that a backup cites is the very object that it cites, by
//! hash; a second one under the same name is refused however well it is signed.

use std::sync::Arc;

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Damage, Encryption, FormatError, Identities, Manifest, RecordKind};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;

use super::deliver::{FileReader, FilesReader};
use crate::index::IndexReader;
use crate::{ReadAccess, Repository, RepositoryError, records};

/// A backup that is open for reading.
#[derive(Clone, Debug)]
pub struct OpenBackup {
    pub(super) repository: Repository,
    pub(super) access: ReadAccess,
    pub(super) record: Arc<BackupRecord>,
    pub(super) root: Arc<Manifest>,
    pub(super) index: IndexReader,
}

/// A record with a sealed part that a backup cites.
#[derive(Clone, Copy)]
enum Cited {
    Manifest,
    Facts,
}

impl Repository {
    /// Opens a backup's manifest.
    ///
    /// # Errors
    /// Where it cannot be had, opened or verified.
    pub async fn open_backup(
        &self,
        access: &ReadAccess,
        record: &BackupRecord,
    ) -> Result<OpenBackup, RepositoryError> {
        let identities = access.identities.clone();
        let index = IndexReader::new(self, record, identities.clone(), &access.secret);
        // Beside the manifest, as the first leaf is wanted next.
        index.prefetch_first(&Handle::current());
        let root = self.manifest(record, identities).await?;
        Ok(OpenBackup {
            repository: self.clone(),
            access: access.clone(),
            index,
            record: Arc::new(record.clone()),
            root: Arc::new(root),
        })
    }

    /// The root of a backup's manifest.
    pub(crate) async fn manifest(
        &self,
        record: &BackupRecord,
        identities: Option<Identities>,
    ) -> Result<Manifest, RepositoryError> {
        let (name, plain) = self.hidden(record, Cited::Manifest, identities).await?;
        let parsed = records::blocking(move || Manifest::from_bytes(&plain)).await?;
        let wrong = |source| records::in_object(self.storage.as_ref(), &name, source);
        let root = parsed.map_err(wrong)?;
        if root.raw_bytes() != record.raw_bytes {
            let (expected, found) = (record.raw_bytes, root.raw_bytes());
            let damage = Damage::Length { expected, found };
            return Err(wrong(FormatError::Damaged { offset: 0, damage }));
        }
        Ok(root)
    }

    /// The facts of a backup, as JSON; opened with `identities`.
    ///
    /// # Errors
    /// Where they cannot be had, opened or verified.
    pub async fn facts(
        &self,
        record: &BackupRecord,
        identities: &Identities,
    ) -> Result<Vec<u8>, RepositoryError> {
        let sealed = self.encryption() == Encryption::Age;
        let identities = sealed.then(|| identities.clone());
        let (_, plain) = self.hidden(record, Cited::Facts, identities).await?;
        Ok(plain)
    }

    /// The sealed part of a record that `record` cites, opened.
    async fn hidden(
        &self,
        record: &BackupRecord,
        which: Cited,
        identities: Option<Identities>,
    ) -> Result<(ObjectName, Vec<u8>), RepositoryError> {
        let (part, kind, cited) = match which {
            Cited::Manifest => (
                BackupPart::Manifest,
                RecordKind::Manifest,
                record.records.manifest,
            ),
            Cited::Facts => (BackupPart::Facts, RecordKind::Facts, record.records.facts),
        };
        let name = names::backup(&record.cluster, &record.id, part)?;
        let read = self.verified(kind, &name).await?;
        if read.object_hash != cited {
            return Err(RepositoryError::Uncited {
                object: name.to_string(),
                location: self.location(),
                backup: record.id.clone(),
            });
        }
        let keys = identities.clone().unwrap_or_default();
        let opened = records::blocking(move || read.hidden(identities.as_ref())).await?;
        match opened {
            Ok(plain) => Ok((name, plain)),
            Err(FormatError::NoIdentity) => Err(self.shut(record, &keys)),
            Err(source) => Err(records::in_object(self.storage.as_ref(), &name, source)),
        }
    }
}

impl OpenBackup {
    /// The backup's record.
    #[must_use]
    pub fn record(&self) -> &BackupRecord {
        &self.record
    }

    /// Why it could not be read: where somebody has deleted it meanwhile, that.
    pub async fn explain(&self, error: RepositoryError) -> RepositoryError {
        self.repository.explain(&self.record, error).await
    }

    /// The backup's facts, as JSON.
    ///
    /// # Errors
    /// Where they cannot be had, opened or verified.
    pub async fn facts(&self) -> Result<Vec<u8>, RepositoryError> {
        let none = Identities::default();
        let identities = self.access.identities.as_ref().unwrap_or(&none);
        self.repository.facts(&self.record, identities).await
    }

    /// Starts reading a file from its beginning.
    ///
    /// # Errors
    /// `Thread` where a thread cannot be started. That the backup has no file of
    /// that name is told by the first bytes.
    pub fn read(&self, path: &str) -> Result<FileReader, RepositoryError> {
        FileReader::start(self, path)
    }

    /// Starts reading files, one after the other: quicker than each by itself where
    /// they are small.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_all(&self, paths: Vec<String>) -> Result<FilesReader, RepositoryError> {
        FilesReader::start(self, paths)
    }
}
