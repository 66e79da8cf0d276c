//! Packs that frames are fetched from.
//!
//! Invariants: what was fetched of a pack is opened only after its length was found to
//! be the one that the backup cites; a bounded number of them is open. Nobody waits for
//! that before the frames are asked for: how long a pack is is known, and where they lie
//! in it nearly.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use pgkeep_format::{Damage, Encryption, FormatError, OpenPack, PackLayout, PackRef, names};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::backup::OpenBackup;
use crate::{RepositoryError, records};

/// How many packs are open at once.
const OPEN: usize = 64;

/// An answer that is on its way.
type Coming<T> = oneshot::Receiver<Result<T, RepositoryError>>;
/// Bytes that are on their way.
pub(super) type Fetched = Coming<Bytes>;

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
    unopened: PackLayout,
    opened: Arc<OnceLock<PackLayout>>,
}

impl Known {
    /// Where its frames lie, as well as that is known by now.
    pub(super) fn layout(&self) -> PackLayout {
        self.opened.get().copied().unwrap_or(self.unopened)
    }
}

/// A pack that was asked for just now.
pub(super) struct Asked {
    pub(super) known: Known,
    pub(super) opening: Opening,
    /// The number of one that is closed for it.
    pub(super) closed: Option<u64>,
}

/// A pack that is to be opened once its size and its head have come.
pub(super) struct Opening {
    name: Arc<ObjectName>,
    /// As the backup cites it.
    length: u64,
    size: Coming<u64>,
    /// None where the first request begins with it.
    head: Option<Fetched>,
    opened: Arc<OnceLock<PackLayout>>,
}

impl Opening {
    /// Opens the pack, of which the first request has brought `first`. Waits; hands
    /// that back.
    pub(super) fn finish(
        self,
        backup: &OpenBackup,
        first: Result<Bytes, RepositoryError>,
    ) -> Result<(OpenPack, Bytes), RepositoryError> {
        let wrong = |source| failed(backup, &self.name, source);
        let found = arrived(self.size)?;
        if found != self.length {
            let expected = self.length;
            let damage = Damage::Length { expected, found };
            let offset = found.min(expected);
            return Err(wrong(FormatError::Damaged { offset, damage }));
        }
        let first = first?;
        let head = match self.head {
            Some(head) => arrived(head)?,
            None => {
                let head = usize::try_from(OpenPack::HEAD).unwrap_or(usize::MAX);
                first.slice(..first.len().min(head))
            }
        };
        let identities = backup.access.identities.as_ref();
        let opened = OpenPack::open(head, self.length, identities).map_err(wrong)?;
        // A pack is opened once: nothing was said of it before.
        let _ = self.opened.set(opened.layout());
        Ok((opened, first))
    }
}

/// Waits for what is on its way.
pub(super) fn arrived<T>(coming: Coming<T>) -> Result<T, RepositoryError> {
    coming
        .blocking_recv()
        .unwrap_or(Err(RepositoryError::GivenUp))
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

    /// Starts opening a pack, of which `plain` is wanted first.
    pub(super) fn open(
        &mut self,
        pack: &PackRef,
        plain: &Range<u64>,
    ) -> Result<Asked, RepositoryError> {
        let (name, length) = self
            .cited(pack)
            .ok_or_else(|| self.backup.index.wrong_manifest(Damage::Range("pack")))?;
        let name = Arc::new(name);
        let sealed = self.backup.repository.encryption() == Encryption::Age;
        let unopened = PackLayout::unopened(length, sealed);
        let first = unopened.sealed_range(plain);
        let first = first.map_err(|source| self.failed(&name, source))?;
        let opened = Arc::default();
        let opening = Opening {
            size: self.size(&name),
            // Where nothing is sealed, nothing is in front of the frames.
            head: (sealed && first.start > 0)
                .then(|| self.get(&name, 0..OpenPack::HEAD.min(length))),
            name: Arc::clone(&name),
            length,
            opened: Arc::clone(&opened),
        };
        let known = Known {
            pack: pack.clone(),
            number: self.next,
            name,
            unopened,
            opened,
        };
        self.next += 1;
        let full = self.open.len() >= OPEN;
        let closed = if full { self.open.pop_front() } else { None };
        self.open.push_back(known.clone());
        Ok(Asked {
            known,
            opening,
            closed: closed.map(|closed| closed.number),
        })
    }

    /// Starts fetching some of a pack's bytes.
    pub(super) fn fetch(&self, known: &Known, range: Range<u64>) -> Fetched {
        self.get(&known.name, range)
    }

    fn get(&self, name: &Arc<ObjectName>, range: Range<u64>) -> Fetched {
        let storage = Arc::clone(&self.backup.repository.storage);
        let name = Arc::clone(name);
        self.ask(async move { Ok(storage.get(&name, Some(range)).await?) })
    }

    fn size(&self, name: &Arc<ObjectName>) -> Coming<u64> {
        let storage = Arc::clone(&self.backup.repository.storage);
        let name = Arc::clone(name);
        self.ask(async move { Ok(storage.head(&name).await?.size) })
    }

    fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, RepositoryError>> + Send + 'static,
    ) -> Coming<T> {
        let (sender, coming) = oneshot::channel();
        self.runtime.spawn(async move {
            // Nobody waits any more: the reader was dropped.
            let _ = sender.send(question.await);
        });
        coming
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
