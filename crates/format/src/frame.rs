//! Frames: independently compressed and verified runs of bytes.
//!
//! Invariants: a frame's plaintext has at most [`FRAME_LIMIT`] bytes; its hash
//! is over the plaintext and is checked on every read; decoding allocates what
//! the manifest says and never more than the limit.

use crate::error::{Damage, FormatError};
use crate::manifest::FrameEntry;
use crate::{Hash, HashKey};

/// The longest plaintext of a frame, in bytes.
pub const FRAME_LIMIT: usize = 4 << 20;

/// A frame as it goes into a pack.
#[derive(Debug)]
pub struct Frame {
    /// One zstd frame (RFC 8878) with content size and checksum.
    pub stored: Vec<u8>,
    /// The length of the plaintext, in bytes.
    pub plain_length: u32,
    /// The keyed hash of the plaintext.
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

    /// Compresses and hashes one frame's plaintext.
    ///
    /// # Errors
    /// `Damaged` where the plaintext is longer than [`FRAME_LIMIT`], `Write`
    /// where zstd fails.
    pub fn encode(&mut self, plain: &[u8]) -> Result<Frame, FormatError> {
        let plain_length = u32::try_from(plain.len())
            .ok()
            .filter(|length| *length as usize <= FRAME_LIMIT)
            .ok_or_else(|| FormatError::damaged(0, Damage::Range("frame's length")))?;
        Ok(Frame {
            stored: self.compressor.compress(plain).map_err(compressing)?,
            plain_length,
            hash: self.key.hash(plain),
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

    /// Decompresses a frame and verifies it against the manifest's entry.
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
        if self.key.hash(&plain) != entry.hash {
            return Err(at(Damage::Hash));
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
        let plain = decoder.decode(&stored, &entry).unwrap();
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match decoder.decode(&flipped, &entry) {
                // The lowest bits of zstd's header can be spare: then the very
                // plaintext that was written comes out, and nothing else.
                Ok(same) => assert_eq!(same, plain),
                Err(FormatError::Damaged { offset, .. }) => assert_eq!(offset, 77),
                Err(other) => panic!("bit {bit}: {other}"),
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
