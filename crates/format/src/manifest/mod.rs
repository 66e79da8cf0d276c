//! The manifest: every file of a backup and the extents that make it up.
//!
//! It is a tree of two levels. The root ([`Manifest`]) is the sealed part of the
//! `manifest` record and names the leaves; a [`Leaf`] is a frame in an index pack
//! and holds files, in the order of their paths. What no file of a leaf has changed
//! in is the same bytes again, so the next backup refers to its parent's frame.
//!
//! Invariants: what was read points nowhere outside itself (packs, frames and
//! offsets are checked); a leaf says nothing of where it is, so that it can be
//! referred to from anywhere.

mod leaf;
mod root;

pub use leaf::{Extent, FileEnd, FilePart, Leaf};
pub use root::{FingerprintRef, LeafRef, Manifest, PackEntry};

use pgkeep_types::BackupId;

use crate::frame::STORED_LIMIT;
use crate::wire::{Reader, Writer, range};
use crate::{FRAME_LIMIT, FormatError, Hash};

/// A pack of this backup or of an ancestor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackRef {
    /// The backup whose pack it is.
    pub backup: BackupId,
    /// The pack's number in that backup.
    pub number: u32,
}

/// A frame that this backup uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEntry {
    /// Which of the packs listed beside it holds it.
    pub pack: u32,
    /// Where in the pack's plaintext, in bytes.
    pub offset: u64,
    /// How many bytes it has there.
    pub stored_length: u32,
    /// How many bytes it expands to.
    pub plain_length: u32,
    /// The keyed hash of its stored bytes.
    pub hash: Hash,
}

/// No pack is longer; far from where sums of offsets would overflow.
const OFFSET_LIMIT: u64 = 1 << 48;
const PACK_MINIMUM: usize = 1 + 4;
const FRAME_LENGTH: usize = 4 + 8 + 4 + 4 + 32;

impl PackRef {
    fn write(&self, out: &mut Writer) -> Result<(), FormatError> {
        out.id(&self.backup)?;
        out.u32(self.number);
        Ok(())
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            backup: input.id()?,
            number: input.u32()?,
        })
    }
}

impl FrameEntry {
    fn write(&self, out: &mut Writer) {
        out.u32(self.pack);
        out.u64(self.offset);
        out.u32(self.stored_length);
        out.u32(self.plain_length);
        out.bytes(&self.hash.0);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            pack: input.u32()?,
            offset: input.u64()?,
            stored_length: input.u32()?,
            plain_length: input.u32()?,
            hash: Hash(input.array()?),
        })
    }

    /// Refuses an entry that points outside of `packs`, or claims too much.
    fn check(&self, packs: usize) -> Result<(), FormatError> {
        if self.pack as usize >= packs {
            return Err(range("frame's pack"));
        }
        if self.plain_length as usize > FRAME_LIMIT || self.stored_length as usize > STORED_LIMIT {
            return Err(range("frame's length"));
        }
        if self.offset > OFFSET_LIMIT {
            return Err(range("frame's offset"));
        }
        Ok(())
    }
}
