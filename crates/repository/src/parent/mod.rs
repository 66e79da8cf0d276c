//! The parent of a backup: the one that it is compared with.
//!
//! Invariants: nothing of the parent's data is read, only its manifest and its
//! fingerprints; memory does not grow with the parent's size. What is found there is
//! cited as the parent cites it.

mod chunks;
mod pages;
mod prints;

use std::collections::HashMap;
use std::sync::Arc;

use pgkeep_format::records::{BackupRecord, PackSummary};
use pgkeep_format::{
    Encryption, FingerprintRef, Identities, Leaf, LeafRef, Manifest, PackRef, RepositorySecret,
};
use pgkeep_types::BackupId;
use tokio::runtime::Handle;

pub(crate) use chunks::ChunkWindow;
pub(crate) use pages::PageCursor;

use crate::index::IndexReader;
use crate::write::OldFrame;
use crate::{Repository, RepositoryError, WriteAccess};
use prints::Prints;

/// A backup that the next one is compared with.
#[derive(Clone, Debug)]
pub struct Parent {
    pub(crate) record: Arc<BackupRecord>,
    pub(crate) root: Arc<Manifest>,
    /// The place of each pack in the root.
    places: Arc<HashMap<PackRef, usize>>,
    /// Every pack, and whether it is one of the index, as the record cites it.
    cited: Arc<HashMap<(PackRef, bool), PackSummary>>,
    index: IndexReader,
}

impl Repository {
    /// Opens what the next backup reads of `record`: its manifest's root. This host's
    /// key opens what it wrote itself, and what hosts wrote that share its key.
    ///
    /// # Errors
    /// `ShutToSome` where somebody who is to read the next backup does not open its
    /// packs; where it cannot be had, opened or verified.
    pub async fn open_parent(
        &self,
        access: &WriteAccess,
        record: &BackupRecord,
    ) -> Result<Parent, RepositoryError> {
        if !self.opens_to_all(record) {
            return Err(RepositoryError::ShutToSome {
                backup: record.id.clone(),
            });
        }
        let sealed = self.encryption() == Encryption::Age;
        let identities = sealed.then(|| access.identities.clone());
        Parent::open(self, identities, &access.secret, record).await
    }
}

impl Parent {
    async fn open(
        repository: &Repository,
        identities: Option<Identities>,
        secret: &RepositorySecret,
        record: &BackupRecord,
    ) -> Result<Self, RepositoryError> {
        let root = repository.manifest(record, identities.clone()).await?;
        let packs = root.packs.iter().enumerate();
        let parent = Self {
            places: Arc::new(packs.map(|(at, entry)| (entry.pack.clone(), at)).collect()),
            cited: Arc::new(cited(record)),
            index: IndexReader::new(repository, record, identities, secret),
            record: Arc::new(record.clone()),
            root: Arc::new(root),
        };
        for entry in &parent.root.packs {
            parent.cited(&entry.pack, false)?;
        }
        for pack in &parent.root.index {
            parent.cited(pack, true)?;
        }
        Ok(parent)
    }

    /// The backup.
    #[must_use]
    pub fn id(&self) -> &BackupId {
        &self.record.id
    }

    /// How the parent cites one of the packs that it needs.
    ///
    /// # Errors
    /// `NotNeeded` where it does not.
    pub(crate) fn cited(
        &self,
        pack: &PackRef,
        is_index: bool,
    ) -> Result<PackSummary, RepositoryError> {
        let cited = self.cited.get(&(pack.clone(), is_index));
        cited.copied().ok_or_else(|| RepositoryError::NotNeeded {
            backup: self.record.id.clone(),
            holder: pack.backup.clone(),
            number: pack.number,
        })
    }

    /// Where the fingerprints of one of its packs are.
    pub(crate) fn fingerprints_of(&self, pack: &PackRef) -> Vec<FingerprintRef> {
        let place = self
            .places
            .get(pack)
            .and_then(|at| self.root.packs.get(*at));
        place.map_or_else(Vec::new, |entry| entry.fingerprints.clone())
    }

    /// For the thread that cuts. Must be called inside of a runtime.
    pub(crate) fn reader(&self) -> ParentReader {
        ParentReader {
            parent: self.clone(),
            prints: Prints::new(self),
            runtime: Handle::current(),
        }
    }
}

/// Every pack that a backup cites, and whether it is one of the index.
fn cited(record: &BackupRecord) -> HashMap<(PackRef, bool), PackSummary> {
    let of_need = record.needs.iter().flat_map(|need| {
        let packs = need.packs.iter().map(|pack| (pack, false));
        let packs = packs.chain(need.index.iter().map(|pack| (pack, true)));
        packs.map(|(pack, is_index)| {
            let (backup, number) = (need.backup.clone(), pack.number);
            ((PackRef { backup, number }, is_index), *pack)
        })
    });
    of_need.collect()
}

/// Reads the parent from a thread that may wait.
#[derive(Clone)]
pub(crate) struct ParentReader {
    parent: Parent,
    prints: Prints,
    runtime: Handle,
}

impl ParentReader {
    /// The pages of a file, to be compared in their order.
    pub(crate) fn pages(&self, path: &str) -> PageCursor {
        PageCursor::new(self.clone(), path)
    }

    /// The chunks of a file, to be found wherever they are.
    pub(crate) fn chunks(&self, path: &str) -> Result<ChunkWindow, RepositoryError> {
        ChunkWindow::new(self.clone(), path)
    }

    /// One of the parent's leaves.
    fn leaf(&self, place: &LeafRef) -> Result<Leaf, RepositoryError> {
        let leaf = self.parent.index.leaf(&self.parent.root, place);
        self.runtime.block_on(leaf)
    }
}

/// The frames of a leaf, to be referred to.
fn frames_of(leaf: &Leaf) -> Vec<Arc<OldFrame>> {
    let frames = leaf.frames.iter().filter_map(|entry| {
        let pack = leaf.packs.get(entry.pack as usize)?.clone();
        let entry = entry.clone();
        Some(Arc::new(OldFrame { pack, entry }))
    });
    frames.collect()
}
