//! Packs: large objects of many frames, one after the other, sealed as one age
//! stream.
//!
//! Invariant: offsets are in the plaintext of the seal, so that they mean the
//! same in sealed and unsealed repositories and can be reached by seeking.

use std::io::{Read, Seek, SeekFrom, Write};

use crate::error::{Damage, FormatError};
use crate::frame::STORED_LIMIT;
use crate::seal::{SealWriter, refused};
use crate::{Frame, Identities, Seal};

/// Appends frames to one pack.
pub struct PackWriter<W: Write> {
    sink: SealWriter<W>,
    length: u64,
}

impl<W: Write> PackWriter<W> {
    /// Starts a pack that is sealed as `seal` says.
    ///
    /// # Errors
    /// `Key` where a recipient is none, `Write` where `sink` fails.
    pub fn new(seal: &Seal, sink: W) -> Result<Self, FormatError> {
        Ok(Self {
            sink: seal.writer(sink)?,
            length: 0,
        })
    }

    /// Appends a frame and tells its offset.
    ///
    /// # Errors
    /// `Write` where the sink fails.
    pub fn append(&mut self, frame: &Frame) -> Result<u64, FormatError> {
        let offset = self.length;
        self.sink.write_all(&frame.stored).map_err(writing)?;
        self.length += frame.stored.len() as u64;
        Ok(offset)
    }

    /// How many bytes of frames there are so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Ends the pack and hands the sink back.
    ///
    /// # Errors
    /// `Write` where the sink fails.
    pub fn finish(self) -> Result<W, FormatError> {
        self.sink.finish().map_err(writing)
    }
}

fn writing(source: std::io::Error) -> FormatError {
    FormatError::Write {
        what: "write the pack",
        source,
    }
}

/// Reads frames of one pack, in order or by seeking.
pub struct PackReader<R> {
    source: Source<R>,
    position: u64,
}

enum Source<R> {
    Open(R),
    Sealed(Box<age::stream::StreamReader<R>>),
}

impl<R: Read + Seek> PackReader<R> {
    /// Opens a pack with `identities`; with `None` in an unencrypted repository.
    ///
    /// # Errors
    /// `NoIdentity` where no key fits, `Damaged` where age refuses the header,
    /// `Read` where `source` fails.
    pub fn new(source: R, identities: Option<&Identities>) -> Result<Self, FormatError> {
        let source = match identities {
            None => Source::Open(source),
            Some(identities) => Source::Sealed(Box::new(identities.reader(source)?)),
        };
        Ok(Self {
            source,
            position: 0,
        })
    }

    /// The stored bytes of the frame at `offset`.
    ///
    /// # Errors
    /// `Damaged` where age refuses a chunk or the pack ends too early, `Read`
    /// where the source fails.
    pub fn frame(&mut self, offset: u64, length: u32) -> Result<Vec<u8>, FormatError> {
        if length as usize > STORED_LIMIT {
            return Err(FormatError::damaged(
                offset,
                Damage::Range("frame's length"),
            ));
        }
        if offset != self.position {
            let place = SeekFrom::Start(offset);
            match &mut self.source {
                Source::Open(source) => source.seek(place),
                Source::Sealed(source) => source.seek(place),
            }
            .map_err(|error| refused(error, offset))?;
        }
        let mut stored = vec![0; length as usize];
        match &mut self.source {
            Source::Open(source) => source.read_exact(&mut stored),
            Source::Sealed(source) => source.read_exact(&mut stored),
        }
        .map_err(|error| refused(error, offset))?;
        self.position = offset + u64::from(length);
        Ok(stored)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{FrameEncoder, RecoveryIdentity, RepositorySecret};

    fn frames() -> Vec<Frame> {
        let key = RepositorySecret::new([1; 32]).content_key();
        let mut encoder = FrameEncoder::new(key, 1).unwrap();
        let plain = |n: u32| {
            (0..40_000_u32)
                .flat_map(|i| (i ^ n).wrapping_mul(n).to_le_bytes())
                .collect::<Vec<_>>()
        };
        (1..5).map(|n| encoder.encode(&plain(n)).unwrap()).collect()
    }

    #[test]
    fn frames_are_found_in_any_order_sealed_or_not() {
        let identity = RecoveryIdentity::generate();
        let identities = Identities::new(vec![identity.clone()]);
        for (seal, identities) in [
            (Seal::Open, None),
            (Seal::To(vec![identity.recipient()]), Some(&identities)),
        ] {
            let mut writer = PackWriter::new(&seal, Vec::new()).unwrap();
            let frames = frames();
            let offsets: Vec<u64> = frames.iter().map(|f| writer.append(f).unwrap()).collect();
            let pack = writer.finish().unwrap();
            let mut reader = PackReader::new(Cursor::new(pack), identities).unwrap();
            for at in [0, 1, 2, 3, 3, 0, 2] {
                let length = u32::try_from(frames[at].stored.len()).unwrap();
                let stored = reader.frame(offsets[at], length).unwrap();
                assert_eq!(stored, frames[at].stored);
            }
        }
    }

    #[test]
    fn a_pack_that_ends_too_early_is_damaged_where_the_frame_should_be() {
        let mut writer = PackWriter::new(&Seal::Open, Vec::new()).unwrap();
        for frame in frames() {
            writer.append(&frame).unwrap();
        }
        let pack = writer.finish().unwrap();
        let cut = Cursor::new(&pack[..10]);
        let error = PackReader::new(cut, None)
            .unwrap()
            .frame(5, 100)
            .unwrap_err();
        assert!(matches!(error, FormatError::Damaged { offset: 5, .. }));
    }
}
