//! Fetching the stored frames of a file, in order, on a thread of its own.
//!
//! Invariants: one pack is open at a time, with its unwrapped key; a slot is
//! queued for every frame before the next one is fetched, so what comes behind
//! keeps the file's order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use pgkeep_format::{Damage, Extent, FormatError, FrameEntry, PackReader, names};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;

use super::backup::OpenBackup;
use super::decode::{Decoded, Job};
use crate::object_reader::{ObjectReader, storage_error};
use crate::{RepositoryError, records};

/// Where the bytes of a run of extents will come from.
pub(super) enum Slot {
    /// A frame, and the extents in it.
    Frame(Receiver<Decoded>, Vec<Extent>),
    /// The file is whole.
    End,
}

/// Fetches frames.
pub(super) struct Fetcher {
    backup: OpenBackup,
    runtime: Handle,
    pack: Option<OpenPack>,
}

struct OpenPack {
    /// Which of the manifest's packs it is.
    index: u32,
    name: ObjectName,
    length: u64,
    reader: PackReader<ObjectReader>,
}

impl Fetcher {
    /// A fetcher for frames of `backup`. Must be called inside of a runtime.
    pub(super) fn new(backup: &OpenBackup) -> Self {
        Self {
            backup: backup.clone(),
            runtime: Handle::current(),
            pack: None,
        }
    }

    /// Fetches what `extents` need, until the end or the first failure.
    pub(super) fn run(
        mut self,
        extents: &[Extent],
        jobs: &SyncSender<Job>,
        slots: &SyncSender<Slot>,
    ) {
        for run in extents.chunk_by(|a, b| a.frame == b.frame) {
            let (sender, slot) = sync_channel(1);
            let stop = match self.fetch(run) {
                Ok((stored, entry, object)) => {
                    let job = Job {
                        stored,
                        entry,
                        object,
                        location: self.backup.repository.location(),
                        slot: sender,
                    };
                    jobs.send(job).is_err()
                }
                Err(error) => {
                    // The slot has room for one: this never waits.
                    let _ = sender.send(Err(error));
                    true
                }
            };
            if slots.send(Slot::Frame(slot, run.to_vec())).is_err() || stop {
                return;
            }
        }
        // Nobody may be waiting any more.
        let _ = slots.send(Slot::End);
    }

    fn fetch(
        &mut self,
        run: &[Extent],
    ) -> Result<(Vec<u8>, FrameEntry, ObjectName), RepositoryError> {
        let manifest = Arc::clone(&self.backup.manifest);
        let frame = run.first().map(|extent| extent.frame as usize);
        let entry = frame.and_then(|frame| manifest.frames.get(frame));
        let entry =
            entry.ok_or_else(|| self.backup.wrong_manifest(Damage::Range("extent's frame")))?;
        let stored = self.stored(entry)?;
        Ok((stored.1, entry.clone(), stored.0))
    }

    fn stored(&mut self, entry: &FrameEntry) -> Result<(ObjectName, Vec<u8>), RepositoryError> {
        let mut pack = match self.pack.take() {
            Some(pack) if pack.index == entry.pack => pack,
            Some(_) | None => self.open(entry.pack)?,
        };
        let end = entry.offset.saturating_add(u64::from(entry.stored_length));
        let stored = if end > pack.length {
            let damage = Damage::Range("frame's end");
            let offset = entry.offset;
            Err(FormatError::Damaged { offset, damage })
        } else {
            pack.reader.frame(entry.offset, entry.stored_length)
        };
        match stored {
            Ok(stored) => {
                let name = pack.name.clone();
                self.pack = Some(pack);
                Ok((name, stored))
            }
            Err(source) => Err(self.failed(&pack.name, source)),
        }
    }

    fn open(&self, index: u32) -> Result<OpenPack, RepositoryError> {
        let (name, length) = self
            .cited(index)
            .ok_or_else(|| self.backup.wrong_manifest(Damage::Range("pack")))?;
        self.check_length(&name, length)?;
        let object = ObjectReader::new(
            Arc::clone(&self.backup.repository.storage),
            self.runtime.clone(),
            name.clone(),
            length,
        );
        let reader = PackReader::new(object, self.backup.access.identities.as_ref())
            .map_err(|source| self.failed(&name, source))?;
        Ok(OpenPack {
            index,
            name,
            length,
            reader,
        })
    }

    /// The name and the length of one of the manifest's packs, as the backup
    /// cites it.
    fn cited(&self, index: u32) -> Option<(ObjectName, u64)> {
        let record = &self.backup.record;
        let pack = self.backup.manifest.packs.get(index as usize)?;
        let needs = record.needs.iter().filter(|n| n.backup == pack.backup);
        let mut packs = needs.flat_map(|need| &need.packs);
        let summary = packs.find(|p| p.number == pack.number)?;
        let name = names::pack(&record.cluster, &pack.backup, pack.number).ok()?;
        Some((name, summary.length))
    }

    /// Holds a pack's length against what the backup cites: bytes that nobody
    /// reads could have been added or cut off.
    fn check_length(&self, name: &ObjectName, expected: u64) -> Result<(), RepositoryError> {
        let storage = &self.backup.repository.storage;
        let found = self.runtime.block_on(storage.head(name))?.size;
        if found == expected {
            return Ok(());
        }
        let damage = Damage::Length { expected, found };
        let offset = found.min(expected);
        Err(self.failed(name, FormatError::Damaged { offset, damage }))
    }

    fn failed(&self, name: &ObjectName, source: FormatError) -> RepositoryError {
        let storage = self.backup.repository.storage.as_ref();
        match source {
            FormatError::Read { source } => match storage_error(source) {
                Ok(error) => error.into(),
                Err(source) => records::in_object(storage, name, FormatError::Read { source }),
            },
            // These keys opened the manifest, and packs are sealed to them too.
            FormatError::NoIdentity => {
                let damage = Damage::Sealed("no part of its header opens with the recovery key");
                records::in_object(storage, name, FormatError::Damaged { offset: 0, damage })
            }
            other => records::in_object(storage, name, other),
        }
    }
}
