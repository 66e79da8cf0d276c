//! A leaf of the manifest: files, their extents, and the frames that hold them.
//!
//! Invariants: paths ascend; only the last file may go on in the next leaf; the
//! extents of a file that begins and ends here come to its size.

use crate::wire::{Reader, Writer, range};
use crate::{FormatError, Hash};

use super::{FRAME_LENGTH, FrameEntry, PACK_MINIMUM, PackRef};

/// A run of a file's bytes that lie in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Which of the leaf's frames holds it.
    pub frame: u32,
    /// Where in the frame's plaintext, in bytes.
    pub offset: u32,
    /// How many bytes it has.
    pub length: u32,
}

/// A file, or the part of one that lies in this leaf: its extents, in order and
/// without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart {
    /// Its name; `dump` for a database's archive.
    pub path: String,
    /// What makes it up.
    pub extents: Vec<Extent>,
    /// What the whole file is; none where it goes on in the next leaf.
    pub end: Option<FileEnd>,
}

/// What is known of a file at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEnd {
    /// Its size in bytes.
    pub size: u64,
    /// The keyed hash of all its bytes.
    pub hash: Hash,
}

/// Files that follow one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaf {
    /// Packs that hold its frames.
    pub packs: Vec<PackRef>,
    /// Frames that hold its extents.
    pub frames: Vec<FrameEntry>,
    /// Files.
    pub files: Vec<FilePart>,
}

const FILE_MINIMUM: usize = 2 + 1 + 4;
const EXTENT_LENGTH: usize = 12;
const GOES_ON: u8 = 0;
const ENDS: u8 = 1;

impl Leaf {
    /// The bytes of the leaf, which are a frame's plaintext.
    ///
    /// # Errors
    /// `Damaged` where a count or a path is too long to be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Writer::with_capacity(64 + self.frames.len() * FRAME_LENGTH);
        out.count(self.packs.len())?;
        for pack in &self.packs {
            pack.write(&mut out)?;
        }
        out.count(self.frames.len())?;
        for frame in &self.frames {
            frame.write(&mut out);
        }
        out.count(self.files.len())?;
        for file in &self.files {
            out.path(&file.path)?;
            out.count(file.extents.len())?;
            for extent in &file.extents {
                out.u32(extent.frame);
                out.u32(extent.offset);
                out.u32(extent.length);
            }
            match &file.end {
                None => out.u8(GOES_ON),
                Some(end) => {
                    out.u8(ENDS);
                    out.u64(end.size);
                    out.bytes(&end.hash.0);
                }
            }
        }
        Ok(out.0)
    }

    /// Reads and checks a leaf.
    ///
    /// # Errors
    /// `Damaged`, with the offset in the leaf's own bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut input = Reader::new(bytes);
        let leaf = Self {
            packs: input.many(PACK_MINIMUM, PackRef::read)?,
            frames: input.many(FRAME_LENGTH, FrameEntry::read)?,
            files: input.many(FILE_MINIMUM, FilePart::read)?,
        };
        input.end()?;
        leaf.check()?;
        Ok(leaf)
    }

    /// The sum of its extents' lengths, in bytes.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.files.iter().map(FilePart::raw_bytes).sum()
    }

    fn check(&self) -> Result<(), FormatError> {
        for frame in &self.frames {
            frame.check(self.packs.len())?;
        }
        let ascend = |pair: &[FilePart]| matches!(pair, [a, b] if a.path < b.path);
        if !self.files.windows(2).all(ascend) {
            return Err(range("path's place"));
        }
        for (at, file) in self.files.iter().enumerate() {
            for extent in &file.extents {
                let frame = self.frames.get(extent.frame as usize);
                let frame = frame.ok_or_else(|| range("extent's frame"))?;
                let end = u64::from(extent.offset) + u64::from(extent.length);
                if end > u64::from(frame.plain_length) {
                    return Err(range("extent's end"));
                }
            }
            match &file.end {
                None if at + 1 < self.files.len() => return Err(range("file's end")),
                // The first file may have begun in an earlier leaf.
                Some(end) if at == 0 && end.size < file.raw_bytes() => {
                    return Err(range("file's size"));
                }
                Some(end) if at > 0 && end.size != file.raw_bytes() => {
                    return Err(range("file's size"));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

impl FilePart {
    /// The sum of its extents' lengths, in bytes.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.extents.iter().map(|e| u64::from(e.length)).sum()
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, FormatError> {
        let path = input.path()?;
        let extents = input.many(EXTENT_LENGTH, |input| {
            Ok(Extent {
                frame: input.u32()?,
                offset: input.u32()?,
                length: input.u32()?,
            })
        })?;
        let end = match input.u8()? {
            GOES_ON => None,
            ENDS => Some(FileEnd {
                size: input.u64()?,
                hash: Hash(input.array()?),
            }),
            _ => return Err(range("file's end")),
        };
        Ok(Self { path, extents, end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example(frames: u32) -> Leaf {
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
        let part = |path: &str, ends: bool| FilePart {
            path: path.to_owned(),
            extents: extents.clone(),
            end: ends.then(|| FileEnd {
                size: extents.iter().map(|e| u64::from(e.length)).sum(),
                hash: Hash::of(b"all"),
            }),
        };
        Leaf {
            packs: (0..2)
                .map(|number| PackRef {
                    backup: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
                    number,
                })
                .collect(),
            frames: (0..frames).map(frame).collect(),
            files: vec![part("base/1", true), part("base/2", true), part("c", false)],
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for leaf in [Leaf::default(), example(0), example(5)] {
            let bytes = leaf.to_bytes().unwrap();
            assert_eq!(Leaf::from_bytes(&bytes).unwrap(), leaf);
        }
    }

    #[test]
    fn every_shortened_or_lengthened_form_is_refused() {
        let bytes = example(3).to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Leaf::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Leaf::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
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
        larger.files[1].end.as_mut().unwrap().size += 1;
        let mut smaller = example(2);
        smaller.files[0].end.as_mut().unwrap().size -= 1;
        let mut far = example(2);
        far.frames[0].offset = u64::MAX;
        let mut twice = example(2);
        twice.files[1].path = "base/1".to_owned();
        let mut open = example(2);
        open.files[1].end = None;
        for leaf in [outside, longer, packless, larger, smaller, far, twice, open] {
            assert!(Leaf::from_bytes(&leaf.to_bytes().unwrap()).is_err());
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_panic(bytes: Vec<u8>) {
            let _ = Leaf::from_bytes(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0_usize..500, to: u8) {
            let mut bytes = example(3).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = Leaf::from_bytes(&bytes);
        }
    }
}
