//! The manifest: every file of a backup and the extents that make it up.
//!
//! Invariants: a manifest that was read points nowhere outside itself (packs,
//! frames and offsets are checked), and each file's extents come to the file's
//! size. All numbers are little-endian; every count is checked against the bytes
//! that are left before anything is allocated.

use std::collections::BTreeSet;

use pgkeep_types::BackupId;

use crate::error::{Damage, FormatError};
use crate::frame::STORED_LIMIT;
use crate::{FRAME_LIMIT, Hash};

/// A pack of this backup or of an ancestor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRef {
    /// The backup whose pack it is.
    pub backup: BackupId,
    /// The pack's number in that backup.
    pub number: u32,
}

/// A frame that this backup uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameEntry {
    /// Which of the manifest's packs holds it.
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

/// A run of a file's bytes that lie in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Which of the manifest's frames holds it.
    pub frame: u32,
    /// Where in the frame's plaintext, in bytes.
    pub offset: u32,
    /// How many bytes it has.
    pub length: u32,
}

/// A file: its extents, in order and without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name; `dump` for a database's archive.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The keyed hash of all its bytes.
    pub hash: Hash,
    /// What makes it up.
    pub extents: Vec<Extent>,
}

/// What a backup consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Packs that hold its frames.
    pub packs: Vec<PackRef>,
    /// Frames that hold its extents.
    pub frames: Vec<FrameEntry>,
    /// Files.
    pub files: Vec<FileEntry>,
}

/// No pack is longer; far from where sums of offsets would overflow.
const OFFSET_LIMIT: u64 = 1 << 48;
const PACK_MINIMUM: usize = 1 + 4;
const FRAME_LENGTH: usize = 4 + 8 + 4 + 4 + 32;
const FILE_MINIMUM: usize = 2 + 8 + 32 + 4;
const EXTENT_LENGTH: usize = 12;

impl Manifest {
    /// The bytes of the manifest, as they go into the record's sealed part.
    ///
    /// # Errors
    /// `Damaged` where a count or a name is too long to be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Writer(Vec::with_capacity(
            64 + self.frames.len() * (FRAME_LENGTH + EXTENT_LENGTH),
        ));
        out.count(self.packs.len())?;
        for pack in &self.packs {
            let id = pack.backup.as_str().as_bytes();
            let length = u8::try_from(id.len()).map_err(|_| range("backup id's length"))?;
            out.0.push(length);
            out.0.extend_from_slice(id);
            out.u32(pack.number);
        }
        out.count(self.frames.len())?;
        for frame in &self.frames {
            out.u32(frame.pack);
            out.u64(frame.offset);
            out.u32(frame.stored_length);
            out.u32(frame.plain_length);
            out.0.extend_from_slice(&frame.hash.0);
        }
        out.count(self.files.len())?;
        for file in &self.files {
            let path = file.path.as_bytes();
            let length = u16::try_from(path.len()).map_err(|_| range("path's length"))?;
            out.0.extend_from_slice(&length.to_le_bytes());
            out.0.extend_from_slice(path);
            out.u64(file.size);
            out.0.extend_from_slice(&file.hash.0);
            out.count(file.extents.len())?;
            for extent in &file.extents {
                out.u32(extent.frame);
                out.u32(extent.offset);
                out.u32(extent.length);
            }
        }
        Ok(out.0)
    }

    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `Damaged`, with the offset in the manifest's own bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut input = Reader { bytes, at: 0 };
        let manifest = Self {
            packs: input.many(PACK_MINIMUM, Reader::pack)?,
            frames: input.many(FRAME_LENGTH, Reader::frame)?,
            files: input.many(FILE_MINIMUM, Reader::file)?,
        };
        if input.at != bytes.len() {
            return Err(input.wrong(Damage::Length {
                expected: input.at as u64,
                found: bytes.len() as u64,
            }));
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// The file of that name.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.path == path)
    }

    fn check(&self) -> Result<(), FormatError> {
        for frame in &self.frames {
            if frame.pack as usize >= self.packs.len() {
                return Err(range("frame's pack"));
            }
            if frame.plain_length as usize > FRAME_LIMIT
                || frame.stored_length as usize > STORED_LIMIT
            {
                return Err(range("frame's length"));
            }
            if frame.offset > OFFSET_LIMIT {
                return Err(range("frame's offset"));
            }
        }
        let mut paths = BTreeSet::new();
        for file in &self.files {
            if !paths.insert(file.path.as_str()) {
                return Err(range("path, which is there twice,"));
            }
            let mut size = 0_u64;
            for extent in &file.extents {
                let frame = self.frames.get(extent.frame as usize);
                let frame = frame.ok_or_else(|| range("extent's frame"))?;
                let end = u64::from(extent.offset) + u64::from(extent.length);
                if end > u64::from(frame.plain_length) {
                    return Err(range("extent's end"));
                }
                size += u64::from(extent.length);
            }
            if size != file.size {
                return Err(range("file's size"));
            }
        }
        Ok(())
    }
}

fn range(what: &'static str) -> FormatError {
    FormatError::damaged(0, Damage::Range(what))
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn count(&mut self, count: usize) -> Result<(), FormatError> {
        self.u32(u32::try_from(count).map_err(|_| range("count"))?);
        Ok(())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, damage: Damage) -> FormatError {
        FormatError::damaged(self.at as u64, damage)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(|| {
            self.wrong(Damage::Length {
                expected: length as u64,
                found: rest.len() as u64,
            })
        })?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, FormatError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count, and as many items of at least `minimum` bytes each.
    fn many<T>(
        &mut self,
        minimum: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let count = self.u32()? as usize;
        let left = self.bytes.len() - self.at;
        if count > left / minimum {
            return Err(self.wrong(Damage::Range("count")));
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn text(&mut self, length: usize, what: &'static str) -> Result<&'a str, FormatError> {
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.wrong(Damage::Text(what)))
    }

    fn pack(&mut self) -> Result<PackRef, FormatError> {
        let [length] = self.array()?;
        let id = self.text(usize::from(length), "backup id")?;
        let backup = id.parse();
        Ok(PackRef {
            backup: backup.map_err(|_| self.wrong(Damage::Text("backup id")))?,
            number: self.u32()?,
        })
    }

    fn frame(&mut self) -> Result<FrameEntry, FormatError> {
        Ok(FrameEntry {
            pack: self.u32()?,
            offset: self.u64()?,
            stored_length: self.u32()?,
            plain_length: self.u32()?,
            hash: Hash(self.array()?),
        })
    }

    fn file(&mut self) -> Result<FileEntry, FormatError> {
        let length = u16::from_le_bytes(self.array()?);
        Ok(FileEntry {
            path: self.text(usize::from(length), "path")?.to_owned(),
            size: self.u64()?,
            hash: Hash(self.array()?),
            extents: self.many(EXTENT_LENGTH, |input| {
                Ok(Extent {
                    frame: input.u32()?,
                    offset: input.u32()?,
                    length: input.u32()?,
                })
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example(frames: u32) -> Manifest {
        let frame = |n: u32| FrameEntry {
            pack: n % 2,
            offset: u64::from(n) * 1000,
            stored_length: 900,
            plain_length: 2000 + n,
            hash: Hash::of(&n.to_le_bytes()),
        };
        let extents: Vec<Extent> = (0..frames)
            .map(|frame| Extent {
                frame,
                offset: 0,
                length: 2000 + frame,
            })
            .collect();
        Manifest {
            packs: (0..2)
                .map(|number| PackRef {
                    backup: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
                    number,
                })
                .collect(),
            frames: (0..frames).map(frame).collect(),
            files: vec![FileEntry {
                path: "dump".to_owned(),
                size: extents.iter().map(|e| u64::from(e.length)).sum(),
                hash: Hash::of(b"all"),
                extents,
            }],
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for manifest in [Manifest::default(), example(0), example(5)] {
            let bytes = manifest.to_bytes().unwrap();
            assert_eq!(Manifest::from_bytes(&bytes).unwrap(), manifest);
        }
    }

    #[test]
    fn every_shortened_or_lengthened_form_is_refused() {
        let bytes = example(3).to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Manifest::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Manifest::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn what_points_nowhere_is_refused() {
        let mut outside = example(2);
        outside.files[0].extents[1].frame = 2;
        let mut longer = example(2);
        longer.files[0].extents[1].offset = 1;
        let mut packless = example(2);
        packless.frames[0].pack = 2;
        let mut larger = example(2);
        larger.files[0].size += 1;
        let mut far = example(2);
        far.frames[0].offset = u64::MAX;
        let mut twice = example(2);
        twice.files.push(twice.files[0].clone());
        for manifest in [outside, longer, packless, larger, far, twice] {
            assert!(Manifest::from_bytes(&manifest.to_bytes().unwrap()).is_err());
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_panic(bytes: Vec<u8>) {
            let _ = Manifest::from_bytes(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0_usize..500, to: u8) {
            let mut bytes = example(3).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = Manifest::from_bytes(&bytes);
        }
    }
}
