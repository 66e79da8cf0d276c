//! Filling packs with frames, and writing down where everything is.
//!
//! Invariants: a pack's end is told only after its last part; a pack holds at least
//! one frame. A leaf is written once all frames that it names have their place.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;

use pgkeep_format::{
    Damage, FingerprintBlock, FingerprintRef, Fingerprints, FormatError, Frame, FrameEntry, Leaf,
    PackRef, PackWriter, Seal,
};
use pgkeep_types::BackupId;
use tokio::sync::mpsc;

use super::buffers::Buffers;
use super::compress::Slot;
use super::index_pack::IndexPacker;
use super::leaves::{DraftLeaf, FrameHandle};
use super::limits::Limits;
use super::part_sink::PartSink;
use super::root::Contents;
use super::upload::Upward;
use crate::RepositoryError;

/// A block of fingerprints is closed once it has so many bytes.
const BLOCK: usize = 256 << 10;

/// What comes from the cutter.
pub(super) enum Cut {
    /// A frame, in the making.
    Frame {
        number: u64,
        slot: Slot,
        prints: Fingerprints,
    },
    /// A leaf; it has the place that its number tells. Frames below `lowest` are
    /// named by no later leaf.
    Leaf { leaf: DraftLeaf, lowest: u64 },
    /// What was given cannot be stored.
    Refused(RepositoryError),
    /// All files have ended.
    End {
        parent_lost: Option<RepositoryError>,
    },
}

/// Packs everything; stops early where the stage before or behind gives up.
pub(super) fn pack(cut: &Receiver<Cut>, mut packer: Packer) {
    let upload = packer.upload.clone();
    if let Err(error) = packer.run(cut) {
        // Where the upload is gone it has told why.
        let _ = upload.blocking_send(Upward::Failed(error));
    }
}

/// Fills packs.
pub(super) struct Packer {
    pub(super) backup: BackupId,
    pub(super) seal: Seal,
    pub(super) limits: Limits,
    pub(super) buffers: Buffers,
    pub(super) upload: mpsc::Sender<Upward>,
    pub(super) index: IndexPacker,
    pub(super) contents: Contents,
    pub(super) pack: Option<PackWriter<PartSink>>,
    pub(super) next: u32,
    /// How many bytes of frames were packed, for whoever looks on.
    pub(super) packed: Arc<AtomicU64>,
    /// Fingerprints of the pack's frames that are in no block yet, by offset.
    pub(super) prints: Vec<(u64, Fingerprints)>,
    /// Where frames are, for as long as a leaf may name them.
    pub(super) placed: BTreeMap<u64, FrameEntry>,
    /// Leaves that name a frame which has no place yet, and the place of each.
    pub(super) waiting: Vec<(usize, DraftLeaf)>,
}

impl Packer {
    fn run(&mut self, cut: &Receiver<Cut>) -> Result<(), FormatError> {
        // A queue that ends without `End` was given up: no end is told here
        // either.
        while let Ok(cut) = cut.recv() {
            match cut {
                Cut::Frame {
                    number,
                    slot,
                    prints,
                } => {
                    let Ok(frame) = slot.recv() else { break };
                    self.append(number, &frame?, prints)?;
                    self.write_waiting()?;
                }
                Cut::Leaf { leaf, lowest } => {
                    let place = self.contents.next_leaf();
                    self.waiting.push((place, leaf));
                    self.write_waiting()?;
                    self.forget_below(lowest);
                }
                Cut::Refused(error) => return self.tell(Upward::Refused(error)),
                Cut::End { parent_lost } => return self.end(parent_lost),
            }
        }
        Ok(())
    }

    fn end(&mut self, parent_lost: Option<RepositoryError>) -> Result<(), FormatError> {
        self.close()?;
        if !self.waiting.is_empty() {
            return Err(out_of_range("leaf's frame"));
        }
        self.index.close()?;
        let mut contents = std::mem::take(&mut self.contents);
        contents.parent_lost = parent_lost;
        self.tell(Upward::Done(Box::new(contents)))
    }

    fn append(
        &mut self,
        number: u64,
        frame: &Frame,
        prints: Fingerprints,
    ) -> Result<(), FormatError> {
        let full = self.pack.as_ref();
        if full.is_some_and(|pack| pack.length() >= self.limits.pack) {
            self.close()?;
        }
        let pack = match &mut self.pack {
            Some(pack) => pack,
            empty @ None => {
                let sink = PartSink::new(self.next, &self.buffers, self.upload.clone());
                empty.insert(PackWriter::new(&self.seal, sink)?)
            }
        };
        let offset = pack.append(frame)?;
        let length = frame.stored.len() as u64;
        self.packed.fetch_add(length, Ordering::Relaxed);
        self.placed
            .insert(number, entry_of(frame, self.next, offset)?);
        self.prints.push((offset, prints));
        let length: usize = self.prints.iter().map(|(_, of)| of.length()).sum();
        if length >= BLOCK {
            self.write_prints()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), FormatError> {
        let Some(pack) = self.pack.take() else {
            return Ok(());
        };
        self.write_prints()?;
        let summary = pack.finish()?.finish().map_err(|_| gone())?;
        self.next += 1;
        self.tell(Upward::End(summary))
    }

    fn write_prints(&mut self) -> Result<(), FormatError> {
        let prints = std::mem::take(&mut self.prints);
        let Some((first, _)) = prints.first() else {
            return Ok(());
        };
        let block = FingerprintBlock::encode(prints.iter().map(|(at, of)| (*at, of)))?;
        let frame = self.index.encode(&block)?;
        let frame = self.index.append(&frame)?;
        let first = *first;
        self.contents
            .add_fingerprints(self.next, FingerprintRef { first, frame });
        Ok(())
    }

    /// Writes the leaves whose frames all have their place.
    fn write_waiting(&mut self) -> Result<(), FormatError> {
        for (place, leaf) in std::mem::take(&mut self.waiting) {
            let placed = leaf.frames.iter().all(|frame| match frame {
                FrameHandle::New(number) => self.placed.contains_key(number),
                FrameHandle::Old(_) => true,
            });
            if placed {
                self.write_leaf(place, leaf)?;
            } else {
                self.waiting.push((place, leaf));
            }
        }
        Ok(())
    }

    fn write_leaf(&mut self, place: usize, draft: DraftLeaf) -> Result<(), FormatError> {
        let offset = draft.offset;
        let leaf = self.resolve(draft)?;
        let frame = self.index.encode(&leaf.to_bytes()?)?;
        if !self.contents.refer_to_parents(place, &leaf, offset, &frame) {
            let entry = self.index.append(&frame)?;
            self.contents.add_leaf(place, &leaf, offset, entry);
        }
        Ok(())
    }

    /// Looks the places of a leaf's frames up.
    fn resolve(&self, draft: DraftLeaf) -> Result<Leaf, FormatError> {
        let mut packs: Vec<PackRef> = Vec::new();
        let mut frames = Vec::with_capacity(draft.frames.len());
        for frame in &draft.frames {
            let (pack, entry) = match frame {
                FrameHandle::Old(old) => (old.pack.clone(), &old.entry),
                FrameHandle::New(number) => {
                    let entry = self.placed.get(number);
                    let entry = entry.ok_or_else(|| out_of_range("leaf's frame"))?;
                    let pack = PackRef {
                        backup: self.backup.clone(),
                        number: entry.pack,
                    };
                    (pack, entry)
                }
            };
            let index = packs.iter().position(|known| *known == pack);
            let index = index.unwrap_or_else(|| {
                packs.push(pack);
                packs.len() - 1
            });
            frames.push(FrameEntry {
                pack: u32::try_from(index).map_err(|_| out_of_range("leaf's packs"))?,
                ..entry.clone()
            });
        }
        Ok(Leaf {
            packs,
            frames,
            files: draft.files,
        })
    }

    fn forget_below(&mut self, lowest: u64) {
        let waiting = self.waiting.iter().flat_map(|(_, leaf)| &leaf.frames);
        let wanted = waiting.filter_map(|frame| match frame {
            FrameHandle::New(number) => Some(*number),
            FrameHandle::Old(_) => None,
        });
        let lowest = wanted.min().map_or(lowest, |wanted| wanted.min(lowest));
        self.placed = self.placed.split_off(&lowest);
    }

    fn tell(&self, what: Upward) -> Result<(), FormatError> {
        self.upload.blocking_send(what).map_err(|_| gone())
    }
}

/// The entry of a frame that was appended to pack `number` at `offset`.
pub(super) fn entry_of(frame: &Frame, number: u32, offset: u64) -> Result<FrameEntry, FormatError> {
    let length = u32::try_from(frame.stored.len());
    Ok(FrameEntry {
        pack: number,
        offset,
        stored_length: length.map_err(|_| out_of_range("frame's length"))?,
        plain_length: frame.plain_length,
        hash: frame.hash,
    })
}

/// The stage behind is gone.
pub(super) fn gone() -> FormatError {
    FormatError::Write {
        what: "hand the pack on",
        source: io::ErrorKind::BrokenPipe.into(),
    }
}

fn out_of_range(what: &'static str) -> FormatError {
    FormatError::Damaged {
        offset: 0,
        damage: Damage::Range(what),
    }
}
