//! Reading a backup: its manifest, its facts, and the bytes of its files.
//!
//! Invariants: what comes out is what was captured, or an error: every frame is
//! verified, and the end of a file is told only after its size and its hash were
//! found right. Frames are read ahead and decompressed on all cores, through
//! bounded queues.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{
    Damage, Extent, FileEntry, FormatError, FrameDecoder, FrameEntry, Hash, Hasher, Identities,
    Manifest, PackReader, RecordKind,
};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::object_reader::{ObjectReader, storage_error};
use crate::{ReadAccess, Repository, RepositoryError, records};

/// A backup that is open for reading.
#[derive(Clone, Debug)]
pub struct OpenBackup {
    repository: Repository,
    access: ReadAccess,
    record: BackupRecord,
    manifest: Arc<Manifest>,
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
        let identities = access.identities.as_ref();
        let part = BackupPart::Manifest;
        let (name, plain) = self.hidden(record, part, identities).await?;
        let wrong = |source| records::in_object(self.storage.as_ref(), &name, source);
        let manifest = Manifest::from_bytes(&plain).map_err(wrong)?;
        let size: u64 = manifest.files.iter().map(|file| file.size).sum();
        if size != record.raw_bytes {
            return Err(wrong(FormatError::Damaged {
                offset: 0,
                damage: Damage::Length {
                    expected: record.raw_bytes,
                    found: size,
                },
            }));
        }
        Ok(OpenBackup {
            repository: self.clone(),
            access: access.clone(),
            record: record.clone(),
            manifest: Arc::new(manifest),
        })
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
        let sealed = self.encryption() == pgkeep_format::Encryption::Age;
        let identities = sealed.then_some(identities);
        let (_, plain) = self.hidden(record, BackupPart::Facts, identities).await?;
        Ok(plain)
    }

    /// The sealed part of a record that `record` cites, opened.
    async fn hidden(
        &self,
        record: &BackupRecord,
        part: BackupPart,
        identities: Option<&Identities>,
    ) -> Result<(ObjectName, Vec<u8>), RepositoryError> {
        let (kind, cited) = match part {
            BackupPart::Manifest => (RecordKind::Manifest, record.records.manifest),
            BackupPart::Facts | BackupPart::Backup => (RecordKind::Facts, record.records.facts),
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
        match read.hidden(identities) {
            Ok(plain) => Ok((name, plain)),
            Err(FormatError::NoIdentity) => Err(self.no_identity()),
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

    /// The backup's facts, as JSON.
    ///
    /// # Errors
    /// Where they cannot be had, opened or verified.
    pub async fn facts(&self) -> Result<Vec<u8>, RepositoryError> {
        let none = Identities::default();
        let identities = self.access.identities.as_ref().unwrap_or(&none);
        self.repository.facts(&self.record, identities).await
    }

    /// The size of a file, in bytes.
    ///
    /// # Errors
    /// `NoFile` where the backup has none of that name.
    pub fn size(&self, path: &str) -> Result<u64, RepositoryError> {
        self.file(path).map(|file| file.size)
    }

    fn file(&self, path: &str) -> Result<&FileEntry, RepositoryError> {
        self.manifest
            .file(path)
            .ok_or_else(|| RepositoryError::NoFile {
                backup: self.record.id.clone(),
                path: path.to_owned(),
            })
    }

    /// Starts reading a file from its beginning.
    ///
    /// # Errors
    /// `NoFile` where the backup has none of that name, `Thread` where a thread
    /// cannot be started.
    pub fn read(&self, path: &str) -> Result<FileReader, RepositoryError> {
        let file = self.file(path)?.clone();
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (jobs, queue) = sync_channel::<Job>(workers);
        let (slots, order) = sync_channel::<Slot>(workers * 2);
        let (pieces, out) = mpsc::channel(4);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let (queue, key) = (Arc::clone(&queue), self.access.secret.content_key());
            spawn("decompress", move || {
                decompress(&queue, FrameDecoder::new(key));
            })?;
        }
        let fetcher = Fetcher {
            backup: self.clone(),
            runtime: Handle::current(),
            pack: None,
        };
        let extents = file.extents.clone();
        spawn("fetch", move || fetcher.run(&extents, &jobs, &slots))?;
        let check = Check {
            hasher: self.access.secret.content_key().hasher(),
            size: file.size,
            hash: file.hash,
            seen: 0,
            backup: self.clone(),
        };
        spawn("deliver", move || check.deliver(&order, &pieces))?;
        Ok(FileReader { pieces: out })
    }

    fn pack_name(&self, pack: u32) -> Result<(ObjectName, u64), FormatError> {
        let cites = || {
            let pack = self.manifest.packs.get(pack as usize)?;
            let needs = self.record.needs.iter().filter(|n| n.backup == pack.backup);
            let mut packs = needs.flat_map(|need| &need.packs);
            let summary = packs.find(|p| p.number == pack.number)?;
            let name = names::pack(&self.record.cluster, &pack.backup, pack.number);
            Some((name.ok()?, summary.length))
        };
        cites().ok_or(FormatError::Damaged {
            offset: 0,
            damage: Damage::Range("pack"),
        })
    }
}

/// The bytes of a file, in order.
#[derive(Debug)]
pub struct FileReader {
    pieces: mpsc::Receiver<Result<Option<Bytes>, RepositoryError>>,
}

impl FileReader {
    /// The next bytes; none once the whole file was read and found right.
    ///
    /// # Errors
    /// Where anything is missing or damaged; what came before is then not to be
    /// taken for the file.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RepositoryError> {
        // A queue that ends without a word means that a stage has died.
        let piece = self.pieces.recv().await;
        piece.unwrap_or(Err(RepositoryError::GivenUp))
    }
}

type Decoded = Result<Vec<u8>, RepositoryError>;

struct Job {
    stored: Vec<u8>,
    entry: FrameEntry,
    object: ObjectName,
    location: String,
    slot: SyncSender<Decoded>,
}

/// Where an extent's bytes will come from.
enum Slot {
    Frame(Receiver<Decoded>, Vec<Extent>),
    End,
}

/// Fetches the stored frames, in order.
struct Fetcher {
    backup: OpenBackup,
    runtime: Handle,
    pack: Option<(u32, ObjectName, PackReader<ObjectReader>)>,
}

impl Fetcher {
    fn run(mut self, extents: &[Extent], jobs: &SyncSender<Job>, slots: &SyncSender<Slot>) {
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
        let frame = run.first().map_or(u32::MAX, |extent| extent.frame);
        let Some(entry) = manifest.frames.get(frame as usize) else {
            return Err(RepositoryError::GivenUp);
        };
        let (object, stored) = self.stored(entry)?;
        Ok((stored, entry.clone(), object))
    }

    fn stored(&mut self, entry: &FrameEntry) -> Result<(ObjectName, Vec<u8>), RepositoryError> {
        let backup = &self.backup;
        if self.pack.as_ref().is_none_or(|open| open.0 != entry.pack) {
            let (name, length) = backup.pack_name(entry.pack).map_err(|source| {
                let part = BackupPart::Manifest;
                match names::backup(&backup.record.cluster, &backup.record.id, part) {
                    Ok(name) => self.failed(&name, source),
                    Err(error) => error.into(),
                }
            })?;
            self.check_length(&name, length)?;
            let object = ObjectReader::new(
                Arc::clone(&backup.repository.storage),
                self.runtime.clone(),
                name.clone(),
                length,
            );
            let reader = PackReader::new(object, backup.access.identities.as_ref())
                .map_err(|source| self.failed(&name, source))?;
            self.pack = Some((entry.pack, name, reader));
        }
        let Some((_, name, reader)) = &mut self.pack else {
            return Err(RepositoryError::GivenUp);
        };
        match reader.frame(entry.offset, entry.stored_length) {
            Ok(stored) => Ok((name.clone(), stored)),
            Err(source) => {
                let name = name.clone();
                Err(self.failed(&name, source))
            }
        }
    }

    /// Holds a pack's length against what the backup cites: bytes that nobody
    /// reads could have been added or cut off.
    fn check_length(&self, name: &ObjectName, expected: u64) -> Result<(), RepositoryError> {
        let storage = &self.backup.repository.storage;
        let found = self.runtime.block_on(storage.head(name))?.size;
        if found == expected {
            return Ok(());
        }
        Err(self.failed(
            name,
            FormatError::Damaged {
                offset: found.min(expected),
                damage: Damage::Length { expected, found },
            },
        ))
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

fn decompress(queue: &Mutex<Receiver<Job>>, decoder: Result<FrameDecoder, FormatError>) {
    let mut decoder = decoder;
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let decoded = match &mut decoder {
            Ok(decoder) => decoder.decode(&job.stored, &job.entry),
            Err(_) => Err(FormatError::Key {
                what: "decompressor",
            }),
        };
        let decoded = decoded.map_err(|source| RepositoryError::Object {
            object: job.object.to_string(),
            location: job.location,
            source,
        });
        // Nobody waits for the slot any more: the reader was dropped.
        let _ = job.slot.send(decoded);
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
    fn deliver(
        mut self,
        order: &Receiver<Slot>,
        out: &mpsc::Sender<Result<Option<Bytes>, RepositoryError>>,
    ) {
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
                return Err(RepositoryError::GivenUp);
            }
            let piece = frame.slice(start..end);
            self.seen += piece.len() as u64;
            self.hasher.update(&piece);
            pieces.push(piece);
        }
        Ok(pieces)
    }

    fn end(&self) -> Result<Option<Bytes>, RepositoryError> {
        if self.seen == self.size && self.hasher.finish() == self.hash {
            return Ok(None);
        }
        let record = &self.backup.record;
        let name = names::backup(&record.cluster, &record.id, BackupPart::Manifest)?;
        let source = FormatError::Damaged {
            offset: 0,
            damage: Damage::Hash,
        };
        Err(records::in_object(
            self.backup.repository.storage.as_ref(),
            &name,
            source,
        ))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), RepositoryError> {
    let spawned = std::thread::Builder::new()
        .name(format!("pgkeep-{name}"))
        .spawn(work);
    spawned
        .map(drop)
        .map_err(|error: io::Error| RepositoryError::Thread(error))
}
