//! The root of the manifest: where the leaves are, and where the fingerprints of
//! each pack.
//!
//! Invariants: leaves come in the order of what they hold; every frame named here
//! lies in one of the index packs named here.

use crate::wire::{Reader, Writer, range};
use crate::{FRAME_LIMIT, FormatError};

use super::{FRAME_LENGTH, FrameEntry, PACK_MINIMUM, PackRef};

/// What a backup consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Index packs, which hold leaves and fingerprints.
    pub index: Vec<PackRef>,
    /// Packs of data that its leaves refer to.
    pub packs: Vec<PackEntry>,
    /// Its leaves, in the order of the paths that they hold.
    pub leaves: Vec<LeafRef>,
}

/// A pack of data, and where its fingerprints are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackEntry {
    /// The pack.
    pub pack: PackRef,
    /// Fingerprints of its frames, in the order of the frames' offsets.
    pub fingerprints: Vec<FingerprintRef>,
}

/// A block of fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintRef {
    /// The offset in the pack of the first frame that it describes.
    pub first: u64,
    /// The frame that holds it, in one of the index packs.
    pub frame: FrameEntry,
}

/// A leaf, and what it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafRef {
    /// The path of its first file.
    pub path: String,
    /// Where in that file it begins, in bytes.
    pub offset: u64,
    /// How many bytes of files it holds: the sum of its extents' lengths.
    pub raw_bytes: u64,
    /// The frame that holds it, in one of the index packs.
    pub frame: FrameEntry,
}

const PACK_ENTRY_MINIMUM: usize = PACK_MINIMUM + 4;
const FINGERPRINT_LENGTH: usize = 8 + FRAME_LENGTH;
const LEAF_MINIMUM: usize = 2 + 8 + 8 + FRAME_LENGTH;

impl Manifest {
    /// The bytes of the root, as they go into the record's sealed part.
    ///
    /// # Errors
    /// `Damaged` where a count or a name is too long to be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        let mut out = Writer::with_capacity(64 + self.leaves.len() * 2 * LEAF_MINIMUM);
        out.count(self.index.len())?;
        for pack in &self.index {
            pack.write(&mut out)?;
        }
        out.count(self.packs.len())?;
        for entry in &self.packs {
            entry.pack.write(&mut out)?;
            out.count(entry.fingerprints.len())?;
            for block in &entry.fingerprints {
                out.u64(block.first);
                block.frame.write(&mut out);
            }
        }
        out.count(self.leaves.len())?;
        for leaf in &self.leaves {
            out.path(&leaf.path)?;
            out.u64(leaf.offset);
            out.u64(leaf.raw_bytes);
            leaf.frame.write(&mut out);
        }
        Ok(out.0)
    }

    /// Reads and checks a root.
    ///
    /// # Errors
    /// `Damaged`, with the offset in the root's own bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut input = Reader::new(bytes);
        let root = Self {
            index: input.many(PACK_MINIMUM, PackRef::read)?,
            packs: input.many(PACK_ENTRY_MINIMUM, PackEntry::read)?,
            leaves: input.many(LEAF_MINIMUM, LeafRef::read)?,
        };
        input.end()?;
        root.check()?;
        Ok(root)
    }

    /// How many bytes the files have that it lists.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        let leaves = self.leaves.iter().map(|leaf| leaf.raw_bytes);
        leaves.fold(0, u64::saturating_add)
    }

    /// The leaves that hold something of the file `path`, or would if there were
    /// such a file.
    #[must_use]
    pub fn leaves_of(&self, path: &str) -> &[LeafRef] {
        // The last one that begins before it can hold it, or the beginning of it.
        let first = self
            .leaves
            .partition_point(|leaf| leaf.path.as_str() < path);
        let end = self
            .leaves
            .partition_point(|leaf| leaf.path.as_str() <= path);
        let begins = self
            .leaves
            .get(first)
            .is_some_and(|leaf| leaf.path == path && leaf.offset == 0);
        let first = if begins {
            first
        } else {
            first.saturating_sub(1)
        };
        self.leaves.get(first..end).unwrap_or_default()
    }

    fn check(&self) -> Result<(), FormatError> {
        let blocks = self.packs.iter().flat_map(|pack| &pack.fingerprints);
        let frames = blocks.map(|block| &block.frame);
        for frame in frames.chain(self.leaves.iter().map(|leaf| &leaf.frame)) {
            frame.check(self.index.len())?;
            if frame.plain_length as usize > FRAME_LIMIT {
                return Err(range("frame's length"));
            }
        }
        for pack in &self.packs {
            let ascend = |pair: &[FingerprintRef]| matches!(pair, [a, b] if a.first < b.first);
            if !pack.fingerprints.windows(2).all(ascend) {
                return Err(range("fingerprints' place"));
            }
        }
        let key = |leaf: &LeafRef| (leaf.path.clone(), leaf.offset);
        let ascend = |pair: &[LeafRef]| matches!(pair, [a, b] if key(a) < key(b));
        if !self.leaves.windows(2).all(ascend) {
            return Err(range("leaf's place"));
        }
        Ok(())
    }
}

impl PackEntry {
    fn read(input: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            pack: PackRef::read(input)?,
            fingerprints: input.many(FINGERPRINT_LENGTH, |input| {
                Ok(FingerprintRef {
                    first: input.u64()?,
                    frame: FrameEntry::read(input)?,
                })
            })?,
        })
    }
}

impl LeafRef {
    fn read(input: &mut Reader<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            path: input.path()?,
            offset: input.u64()?,
            raw_bytes: input.u64()?,
            frame: FrameEntry::read(input)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Hash;

    fn frame(n: u64) -> FrameEntry {
        FrameEntry {
            pack: 0,
            offset: n,
            stored_length: 90,
            plain_length: 200,
            hash: Hash::of(&n.to_le_bytes()),
        }
    }

    fn pack(number: u32) -> PackRef {
        PackRef {
            backup: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
            number,
        }
    }

    fn leaf(path: &str, offset: u64) -> LeafRef {
        LeafRef {
            path: path.to_owned(),
            offset,
            raw_bytes: 10,
            frame: frame(offset),
        }
    }

    fn example() -> Manifest {
        let block = |first| FingerprintRef {
            first,
            frame: frame(first),
        };
        Manifest {
            index: vec![pack(0)],
            packs: vec![PackEntry {
                pack: pack(1),
                fingerprints: vec![block(0), block(77)],
            }],
            leaves: vec![
                leaf("b", 0),
                leaf("d", 0),
                leaf("d", 10),
                leaf("d", 20),
                leaf("f", 0),
            ],
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        for root in [Manifest::default(), example()] {
            let bytes = root.to_bytes().unwrap();
            assert_eq!(Manifest::from_bytes(&bytes).unwrap(), root);
        }
    }

    #[test]
    fn a_file_is_looked_for_where_it_can_be() {
        let root = example();
        let found = |path| {
            let leaves = root.leaves_of(path).iter();
            leaves
                .map(|leaf| format!("{}{}", leaf.path, leaf.offset))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(found("a"), "");
        assert_eq!(found("b"), "b0");
        assert_eq!(found("c"), "b0");
        assert_eq!(found("d"), "d0 d10 d20");
        // The last leaf of `d` can hold all of it.
        assert_eq!(found("e"), "d20");
        assert_eq!(found("g"), "f0");
    }

    #[test]
    fn a_file_that_begins_in_the_middle_of_a_leaf_is_found_there() {
        let mut root = example();
        root.leaves.remove(1);
        let leaves = root.leaves_of("d");
        assert_eq!(leaves.first().unwrap().path, "b");
        assert_eq!(leaves.len(), 3);
    }

    #[test]
    fn every_shortened_or_lengthened_form_is_refused() {
        let bytes = example().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Manifest::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
        assert!(Manifest::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn what_is_out_of_place_is_refused() {
        let mut packless = example();
        packless.leaves[0].frame.pack = 1;
        let mut disordered = example();
        disordered.leaves.swap(0, 1);
        let mut twice = example();
        twice.leaves[1] = leaf("b", 0);
        let mut fingerprints = example();
        fingerprints.packs[0].fingerprints.swap(0, 1);
        for root in [packless, disordered, twice, fingerprints] {
            assert!(Manifest::from_bytes(&root.to_bytes().unwrap()).is_err());
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_panic(bytes: Vec<u8>) {
            let _ = Manifest::from_bytes(&bytes);
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0_usize..900, to: u8) {
            let mut bytes = example().to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = Manifest::from_bytes(&bytes);
        }
    }
}
