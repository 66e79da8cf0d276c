//! Frames: independently compressed and verified runs of bytes.
//!
//! Invariants: a frame's plaintext has at most [`FRAME_LIMIT`] bytes; its hash
//! is over the stored bytes and is checked on every read before they are
//! decompressed; decoding allocates what the manifest says and never more than
//! the limit.

use crate::error::{Damage, FormatError};
use crate::manifest::FrameEntry;
use crate::{Hash, HashKey};

/// The longest plaintext of a frame, in bytes.
pub const FRAME_LIMIT: usize = 4 << 20;

/// The longest stored frame, in bytes: zstd's bound for the longest plaintext
/// (`ZSTD_compressBound`).
pub(crate) const STORED_LIMIT: usize = FRAME_LIMIT + (FRAME_LIMIT >> 8) + 64;

/// A frame as it goes into a pack.
#[derive(Debug)]
pub struct Frame {
    /// One zstd frame (RFC 8878) with content size and checksum.
    pub stored: Vec<u8>,
    /// The length of the plaintext, in bytes.
    pub plain_length: u32,
    /// The keyed hash of `stored`.
    pub hash: Hash,
}

/// Makes frames; each thread has its own.
pub struct FrameEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    key: HashKey,
}

impl FrameEncoder {
    /// Prepares to compress at a zstd level.
    ///
    /// # Errors
    /// `Write` where zstd cannot set itself up.
    pub fn new(key: HashKey, level: i32) -> Result<Self, FormatError> {
        let mut compressor = zstd::bulk::Compressor::new(level).map_err(compressing)?;
        let checksum = zstd::zstd_safe::CParameter::ChecksumFlag(true);
        compressor.set_parameter(checksum).map_err(compressing)?;
        Ok(Self { compressor, key })
    }

    /// Compresses one frame's plaintext, and hashes the result.
    ///
    /// # Errors
    /// `Damaged` where the plaintext is longer than [`FRAME_LIMIT`], `Write`
    /// where zstd fails.
    pub fn encode(&mut self, plain: &[u8]) -> Result<Frame, FormatError> {
        let plain_length = u32::try_from(plain.len())
            .ok()
            .filter(|length| *length as usize <= FRAME_LIMIT)
            .ok_or_else(|| FormatError::damaged(0, Damage::Range("frame's length")))?;
        let stored = self.compressor.compress(plain).map_err(compressing)?;
        Ok(Frame {
            hash: self.key.hash(&stored),
            stored,
            plain_length,
        })
    }
}

fn compressing(source: std::io::Error) -> FormatError {
    FormatError::Write {
        what: "compress",
        source,
    }
}

/// Reads frames back; each thread has its own.
pub struct FrameDecoder {
    decompressor: zstd::bulk::Decompressor<'static>,
    key: HashKey,
}

impl FrameDecoder {
    /// Prepares to decompress.
    ///
    /// # Errors
    /// `Write` where zstd cannot set itself up.
    pub fn new(key: HashKey) -> Result<Self, FormatError> {
        let decompressor = zstd::bulk::Decompressor::new().map_err(compressing)?;
        Ok(Self { decompressor, key })
    }

    /// Verifies a frame against the manifest's entry and decompresses it.
    ///
    /// # Errors
    /// `Damaged`, with the frame's offset in its pack, for anything but the
    /// plaintext that was written.
    pub fn decode(&mut self, stored: &[u8], entry: &FrameEntry) -> Result<Vec<u8>, FormatError> {
        let at = |damage| FormatError::damaged(entry.offset, damage);
        let length = entry.plain_length as usize;
        if length > FRAME_LIMIT {
            return Err(at(Damage::Range("frame's length")));
        }
        if self.key.hash(stored) != entry.hash {
            return Err(at(Damage::Hash));
        }
        let plain = self
            .decompressor
            .decompress(stored, length)
            .map_err(|error| at(Damage::Compressed(error.to_string())))?;
        if plain.len() != length {
            return Err(at(Damage::Length {
                expected: length as u64,
                found: plain.len() as u64,
            }));
        }
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RepositorySecret;

    fn key() -> HashKey {
        RepositorySecret::new([1; 32]).content_key()
    }

    fn example() -> (Vec<u8>, FrameEntry) {
        let plain = b"a frame that repeats itself, itself, itself".repeat(50);
        let frame = FrameEncoder::new(key(), 1).unwrap().encode(&plain).unwrap();
        let entry = FrameEntry {
            pack: 0,
            offset: 77,
            stored_length: u32::try_from(frame.stored.len()).unwrap(),
            plain_length: frame.plain_length,
            hash: frame.hash,
        };
        (frame.stored, entry)
    }

    #[test]
    fn every_flipped_bit_is_found_and_placed() {
        let (stored, entry) = example();
        let mut decoder = FrameDecoder::new(key()).unwrap();
        decoder.decode(&stored, &entry).unwrap();
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match decoder.decode(&flipped, &entry).unwrap_err() {
                FormatError::Damaged { offset, .. } => assert_eq!(offset, 77, "bit {bit}"),
                other => panic!("bit {bit}: {other}"),
            }
        }
    }

    #[test]
    fn an_entry_that_claims_too_much_allocates_nothing() {
        let (stored, entry) = example();
        let greedy = FrameEntry {
            plain_length: u32::MAX,
            ..entry
        };
        assert!(
            FrameDecoder::new(key())
                .unwrap()
                .decode(&stored, &greedy)
                .is_err()
        );
    }

    #[test]
    fn a_frame_longer_than_the_limit_is_refused() {
        let plain = vec![0; FRAME_LIMIT + 1];
        assert!(FrameEncoder::new(key(), 1).unwrap().encode(&plain).is_err());
    }
}
