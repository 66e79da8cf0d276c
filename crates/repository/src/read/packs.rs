//! Packs that frames are fetched from.
//!
//! Invariants: a pack is opened only after its length was found to be the one that
//! the backup cites; a bounded number of them is open.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::{Damage, FormatError, OpenPack, PackLayout, PackRef, names};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::backup::OpenBackup;
use crate::{RepositoryError, records};

/// How many packs are open at once.
const OPEN: usize = 64;

/// Bytes that are on their way.
pub(super) type Fetched = oneshot::Receiver<Result<Bytes, RepositoryError>>;

/// Opens packs and fetches their bytes.
pub(super) struct Packs {
    backup: OpenBackup,
    runtime: Handle,
    open: VecDeque<Known>,
    next: u64,
}

#[derive(Clone)]
pub(super) struct Known {
    pack: PackRef,
    /// What the stage behind knows it by.
    pub(super) number: u64,
    pub(super) name: Arc<ObjectName>,
    pub(super) layout: PackLayout,
}

/// A pack that was opened just now.
pub(super) struct Opened {
    pub(super) known: Known,
    pub(super) pack: OpenPack,
    /// The number of one that is closed for it.
    pub(super) closed: Option<u64>,
}

impl Packs {
    pub(super) fn new(backup: &OpenBackup, runtime: &Handle) -> Self {
        Self {
            backup: backup.clone(),
            runtime: runtime.clone(),
            open: VecDeque::new(),
            next: 0,
        }
    }

    /// The pack, if it is open.
    pub(super) fn known(&mut self, pack: &PackRef) -> Option<Known> {
        let at = self.open.iter().rposition(|known| known.pack == *pack)?;
        let known = self.open.remove(at)?;
        self.open.push_back(known.clone());
        Some(known)
    }

    /// Opens a pack.
    pub(super) fn open(&mut self, pack: &PackRef) -> Result<Opened, RepositoryError> {
        let (name, length) = self
            .cited(pack)
            .ok_or_else(|| self.backup.index.wrong_manifest(Damage::Range("pack")))?;
        let storage = Arc::clone(&self.backup.repository.storage);
        let identities = self.backup.access.identities.as_ref();
        let head = async {
            match identities {
                // Nothing is in front of the frames.
                None => Ok(Bytes::new()),
                Some(_) => {
                    storage
                        .get(&name, Some(0..OpenPack::HEAD.min(length)))
                        .await
                }
            }
        };
        let size = storage.head(&name);
        let (found, head) = self.runtime.block_on(async { tokio::join!(size, head) });
        let found = found?.size;
        if found != length {
            let expected = length;
            let damage = Damage::Length { expected, found };
            let offset = found.min(expected);
            return Err(self.failed(&name, FormatError::Damaged { offset, damage }));
        }
        let opened = OpenPack::open(head?, length, identities);
        let opened = opened.map_err(|source| self.failed(&name, source))?;
        let known = Known {
            pack: pack.clone(),
            number: self.next,
            name: Arc::new(name),
            layout: opened.layout(),
        };
        self.next += 1;
        let full = self.open.len() >= OPEN;
        let closed = if full { self.open.pop_front() } else { None };
        self.open.push_back(known.clone());
        Ok(Opened {
            known,
            pack: opened,
            closed: closed.map(|closed| closed.number),
        })
    }

    /// Starts fetching some of a pack's bytes.
    pub(super) fn fetch(&self, known: &Known, range: Range<u64>) -> Fetched {
        let storage = Arc::clone(&self.backup.repository.storage);
        let name = Arc::clone(&known.name);
        let (sender, fetched) = oneshot::channel();
        self.runtime.spawn(async move {
            let bytes = storage.get(&name, Some(range)).await;
            // Nobody waits any more: the reader was dropped.
            let _ = sender.send(bytes.map_err(Into::into));
        });
        fetched
    }

    /// The name and the length of a pack, as the backup cites it.
    fn cited(&self, pack: &PackRef) -> Option<(ObjectName, u64)> {
        let record = &self.backup.record;
        let needs = record.needs.iter().filter(|n| n.backup == pack.backup);
        let mut packs = needs.flat_map(|need| &need.packs);
        let summary = packs.find(|p| p.number == pack.number)?;
        let name = names::pack(&record.cluster, &pack.backup, pack.number).ok()?;
        Some((name, summary.length))
    }

    /// What is wrong with a pack.
    pub(super) fn failed(&self, name: &ObjectName, source: FormatError) -> RepositoryError {
        failed(&self.backup, name, source)
    }
}

/// What is wrong with a pack.
pub(super) fn failed(
    backup: &OpenBackup,
    name: &ObjectName,
    source: FormatError,
) -> RepositoryError {
    let storage = backup.repository.storage.as_ref();
    match source {
        // These keys opened the manifest, and packs are sealed to them too.
        FormatError::NoIdentity => {
            let damage = Damage::Sealed("no part of its header opens with the recovery key");
            records::in_object(storage, name, FormatError::Damaged { offset: 0, damage })
        }
        other => records::in_object(storage, name, other),
    }
}
