//! Fingerprints: by which the next backup sees what is stored already.
//!
//! Every frame of data has them, one for each chunk that it holds: 8 bytes for a
//! page (XXH3, compared with the page at the same place only), 16 for a chunk that
//! was cut by content (keyed BLAKE3, compared with many). They lie in blocks, which
//! are frames of index packs, and are never rewritten: a frame's fingerprints are
//! as old as the frame.
//!
//! Invariants: both are keyed with the repository's secret; the chunks of a frame,
//! put together, are its plaintext.

use std::ops::Range;

use crate::error::Damage;
use crate::wire::{Reader, Writer, range};
use crate::{FRAME_LIMIT, FormatError};

/// Makes fingerprints.
#[derive(Clone)]
pub struct FingerprintKey {
    pub(crate) page: u64,
    pub(crate) chunk: [u8; 32],
}

/// What a chunk that was cut by content is known by.
pub type ChunkHash = [u8; 16];

impl FingerprintKey {
    /// The fingerprint of a page: XXH3 of 64 bits, seeded.
    #[must_use]
    pub fn page(&self, bytes: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.page)
    }

    /// The fingerprint of a chunk: the first 16 bytes of its keyed BLAKE3.
    #[must_use]
    pub fn chunk(&self, bytes: &[u8]) -> ChunkHash {
        let mut first = ChunkHash::default();
        first.copy_from_slice(&blake3::keyed_hash(&self.chunk, bytes).as_bytes()[..16]);
        first
    }
}

/// The fingerprints of one frame, in the order of its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fingerprints {
    /// Pages of `size` bytes; the last one may be shorter.
    Pages {
        /// The length of a page in bytes.
        size: u32,
        /// One for each page.
        pages: Vec<u64>,
    },
    /// Chunks that were cut by content: the length of each, and its hash.
    Chunks(Vec<(u32, ChunkHash)>),
}

const PAGES: u8 = 1;
const CHUNKS: u8 = 2;
const PAGE_LENGTH: usize = 8;
const CHUNK_LENGTH: usize = 4 + 16;

impl Fingerprints {
    fn write(&self, offset: u64, out: &mut Writer) -> Result<(), FormatError> {
        out.u64(offset);
        match self {
            Self::Pages { size, pages } => {
                out.u8(PAGES);
                out.u32(*size);
                out.count(pages.len())?;
                for page in pages {
                    out.u64(*page);
                }
            }
            Self::Chunks(chunks) => {
                out.u8(CHUNKS);
                out.count(chunks.len())?;
                for (length, hash) in chunks {
                    out.u32(*length);
                    out.bytes(hash);
                }
            }
        }
        Ok(())
    }

    fn read(input: &mut Reader<'_>) -> Result<(u64, Self), FormatError> {
        let offset = input.u64()?;
        let read = match input.u8()? {
            PAGES => Self::Pages {
                size: match input.u32()? {
                    0 => return Err(input.wrong(Damage::Range("page's size"))),
                    size => size,
                },
                pages: input.many(PAGE_LENGTH, Reader::u64)?,
            },
            CHUNKS => {
                Self::Chunks(input.many(CHUNK_LENGTH, |input| Ok((input.u32()?, input.array()?)))?)
            }
            _ => return Err(input.wrong(Damage::Range("form of fingerprints"))),
        };
        Ok((offset, read))
    }

    /// How many bytes they take in a block.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Pages { pages, .. } => 8 + 1 + 4 + 4 + pages.len() * PAGE_LENGTH,
            Self::Chunks(chunks) => 8 + 1 + 4 + chunks.len() * CHUNK_LENGTH,
        }
    }

    /// The fingerprint of the page that lies at exactly this range of the frame's
    /// plaintext.
    #[must_use]
    pub fn page_at(&self, range: &Range<u32>) -> Option<u64> {
        let Self::Pages { size, pages } = self else {
            return None;
        };
        let whole =
            range.start.is_multiple_of(*size) && range.end.checked_sub(range.start)? == *size;
        let page = pages.get((range.start / size) as usize);
        page.copied().filter(|_| whole)
    }
}

/// The fingerprints of frames that follow one another in a pack.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FingerprintBlock {
    frames: Vec<(u64, Fingerprints)>,
}

impl FingerprintBlock {
    /// The bytes of a block, which are a frame's plaintext: the fingerprints of
    /// frames by their offsets in the pack.
    ///
    /// # Errors
    /// `Damaged` where a count is too long to be written.
    pub fn encode<'a>(
        frames: impl IntoIterator<Item = (u64, &'a Fingerprints)>,
    ) -> Result<Vec<u8>, FormatError> {
        let mut out = Writer::default();
        for (offset, fingerprints) in frames {
            fingerprints.write(offset, &mut out)?;
        }
        Ok(out.0)
    }

    /// Reads and checks a block.
    ///
    /// # Errors
    /// `Damaged`, with the offset in the block's own bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > FRAME_LIMIT {
            return Err(range("fingerprints' length"));
        }
        let mut input = Reader::new(bytes);
        let mut frames: Vec<(u64, Fingerprints)> = Vec::new();
        while !input.is_at_end() {
            let (offset, fingerprints) = Fingerprints::read(&mut input)?;
            if frames.last().is_some_and(|(last, _)| *last >= offset) {
                return Err(input.wrong(Damage::Range("frame's offset")));
            }
            frames.push((offset, fingerprints));
        }
        Ok(Self { frames })
    }

    /// The fingerprints of the frame at `offset` in the pack.
    #[must_use]
    pub fn of(&self, offset: u64) -> Option<&Fingerprints> {
        let at = self.frames.binary_search_by_key(&offset, |(at, _)| *at);
        self.frames.get(at.ok()?).map(|(_, of)| of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::RepositorySecret;

    fn example() -> Vec<(u64, Fingerprints)> {
        let pages = |size, pages: Vec<u64>| Fingerprints::Pages { size, pages };
        vec![
            (0, pages(8192, vec![1, 2, 3])),
            (100, Fingerprints::Chunks(vec![(70, [7; 16]), (9, [8; 16])])),
            (300, pages(4096, Vec::new())),
        ]
    }

    fn bytes() -> Vec<u8> {
        let frames = example();
        FingerprintBlock::encode(frames.iter().map(|(at, of)| (*at, of))).unwrap()
    }

    #[test]
    fn a_block_reads_back_as_it_was_written() {
        let bytes = bytes();
        let lengths: usize = example().iter().map(|(_, of)| of.length()).sum();
        assert_eq!(bytes.len(), lengths);
        let block = FingerprintBlock::from_bytes(&bytes).unwrap();
        for (offset, fingerprints) in example() {
            assert_eq!(block.of(offset), Some(&fingerprints));
        }
        assert_eq!(block.of(1), None);
    }

    #[test]
    fn a_page_is_known_where_it_is_one_and_whole() {
        let of = &example()[0].1;
        assert_eq!(of.page_at(&(8192..16384)), Some(2));
        for range in [4096..12288, 0..4096, 24576..32768] {
            assert_eq!(of.page_at(&range), None, "{range:?}");
        }
    }

    #[test]
    fn shortened_and_disordered_blocks_are_refused() {
        let bytes = bytes();
        let whole: Vec<usize> = example()
            .iter()
            .scan(0, |end, (_, of)| {
                *end += of.length();
                Some(*end)
            })
            .collect();
        for length in 1..bytes.len() {
            let read = FingerprintBlock::from_bytes(&bytes[..length]);
            assert_eq!(read.is_ok(), whole.contains(&length), "{length}");
        }
        let twice = [bytes.as_slice(), bytes.as_slice()].concat();
        assert!(FingerprintBlock::from_bytes(&twice).is_err());
    }

    #[test]
    fn fingerprints_depend_on_the_repository() {
        let of = |secret| RepositorySecret::new([secret; 32]).fingerprint_key();
        assert_ne!(of(1).page(b"page"), of(2).page(b"page"));
        assert_ne!(of(1).chunk(b"chunk"), of(2).chunk(b"chunk"));
        assert_eq!(of(1).chunk(b"chunk"), of(1).chunk(b"chunk"));
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_panic(bytes: Vec<u8>) {
            let _ = FingerprintBlock::from_bytes(&bytes);
        }
    }
}
