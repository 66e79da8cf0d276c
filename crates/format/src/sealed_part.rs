//! The sealed part of a record before it is sealed: one zstd frame.
//!
//! Invariant: it is exactly one frame with a checksum, and expands to no more than
//! its kind may have.

use std::io::Read;

use crate::error::{Damage, FormatError};

const COMPRESSION: i32 = 3;

pub(crate) fn compress(plain: &[u8]) -> Result<Vec<u8>, FormatError> {
    let failed = |source| FormatError::Write {
        what: "compress",
        source,
    };
    let mut compressor = zstd::bulk::Compressor::new(COMPRESSION).map_err(failed)?;
    let checksum = zstd::zstd_safe::CParameter::ChecksumFlag(true);
    compressor.set_parameter(checksum).map_err(failed)?;
    compressor.compress(plain).map_err(failed)
}

pub(crate) fn decompress(stored: &[u8], limit: u64, base: u64) -> Result<Vec<u8>, FormatError> {
    let refused = |e: std::io::Error| FormatError::damaged(base, Damage::Compressed(e.to_string()));
    let frame = zstd::zstd_safe::find_frame_compressed_size(stored);
    if frame.ok() != Some(stored.len()) {
        let damage = Damage::Compressed("it is not exactly one frame".to_owned());
        return Err(FormatError::damaged(base, damage));
    }
    let mut plain = Vec::new();
    zstd::stream::read::Decoder::new(stored)
        .map(zstd::stream::read::Decoder::single_frame)
        .and_then(|decoder| decoder.take(limit + 1).read_to_end(&mut plain))
        .map_err(refused)?;
    if plain.len() as u64 > limit {
        return Err(FormatError::damaged(
            base,
            Damage::Range("sealed part's length"),
        ));
    }
    Ok(plain)
}
