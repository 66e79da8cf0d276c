//! Taking frames out of a pack whose bytes are fetched by somebody else.
//!
//! Invariants: the key is unwrapped once; which bytes of the object a frame needs
//! is computed, so they can be fetched in any number of requests at once; nothing
//! past the plaintext's end is ever asked of age, which panics there.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;

use super::window::Window;
use crate::Identities;
use crate::error::{Damage, FormatError};
use crate::frame::STORED_LIMIT;
use crate::seal::refused;

/// How many bytes of plaintext a chunk of age's payload has (age-encryption.org/v1,
/// "Payload").
const CHUNK: u64 = 64 << 10;
/// How many bytes such a chunk has with its tag.
const SEALED_CHUNK: u64 = CHUNK + 16;

/// A pack whose key is unwrapped.
pub struct OpenPack {
    window: Window,
    source: Source,
    layout: PackLayout,
    position: u64,
}

/// Where in a pack's object its plaintext lies.
#[derive(Clone, Copy, Debug)]
pub struct PackLayout {
    payload: Payload,
    object_length: u64,
    /// How many bytes of frames there are; at most, where that is not known yet.
    plain_length: u64,
}

/// Where the first sealed chunk begins.
#[derive(Clone, Copy, Debug)]
enum Payload {
    /// Nothing is sealed.
    Open,
    /// Somewhere in the first [`OpenPack::HEAD`] bytes.
    Unknown,
    At(u64),
}

enum Source {
    Open,
    Sealed(Box<age::stream::StreamReader<Window>>),
}

impl OpenPack {
    /// How many of an object's first bytes open it: the header of an age file with
    /// over a hundred recipients.
    pub const HEAD: u64 = 16 << 10;

    /// Opens a pack of `object_length` bytes, the first [`HEAD`](Self::HEAD) of which
    /// are `head`, with `identities`; with `None` in an unencrypted repository.
    ///
    /// # Errors
    /// `NoIdentity` where no key fits, `Damaged` where age refuses the header or the
    /// length is none that a sealed object can have.
    pub fn open(
        head: Bytes,
        object_length: u64,
        identities: Option<&Identities>,
    ) -> Result<Self, FormatError> {
        let window = Window::new(head, object_length);
        let Some(identities) = identities else {
            return Ok(Self {
                window,
                source: Source::Open,
                layout: PackLayout::unopened(object_length, false),
                position: 0,
            });
        };
        let source = Source::Sealed(Box::new(identities.reader(window.clone())?));
        let payload = window.position();
        let sealed = object_length.saturating_sub(payload);
        let (whole, rest) = (sealed / SEALED_CHUNK, sealed % SEALED_CHUNK);
        let plain_length = match rest {
            0 => whole * CHUNK,
            1..16 => {
                let damage = Damage::Sealed("its length is none that an age file can have");
                return Err(FormatError::damaged(object_length, damage));
            }
            rest => whole * CHUNK + rest - 16,
        };
        Ok(Self {
            window,
            source,
            layout: PackLayout {
                payload: Payload::At(payload),
                object_length,
                plain_length,
            },
            position: 0,
        })
    }

    /// Where its plaintext lies.
    #[must_use]
    pub fn layout(&self) -> PackLayout {
        self.layout
    }

    /// Hands bytes in: the object's from `start` on.
    pub fn supply(&mut self, start: u64, bytes: Bytes) {
        self.window.show(start, bytes);
    }

    /// The stored bytes of the frame at `offset`; what
    /// [`sealed_range`](PackLayout::sealed_range) tells for it has to be at hand.
    ///
    /// # Errors
    /// `Damaged` where age refuses a chunk or the pack ends too early, `Read` where
    /// the bytes are not at hand. After an error the pack has to be opened again.
    pub fn frame(&mut self, offset: u64, length: u32) -> Result<Bytes, FormatError> {
        let range = offset..offset.saturating_add(u64::from(length));
        if length as usize > STORED_LIMIT || range.end > self.layout.plain_length {
            let what = if range.end > self.layout.plain_length {
                "frame's end"
            } else {
                "frame's length"
            };
            return Err(FormatError::damaged(offset, Damage::Range(what)));
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let stored = match &mut self.source {
            Source::Open => self.window.slice(offset, length as usize),
            Source::Sealed(source) => {
                let mut stored = vec![0; length as usize];
                seek(source, self.position, offset)
                    .and_then(|()| source.read_exact(&mut stored))
                    .map(|()| stored.into())
            }
        };
        let stored = stored.map_err(|error| refused(error, offset))?;
        self.position = range.end;
        Ok(stored)
    }
}

/// Goes from one place of the plaintext to another.
fn seek(
    source: &mut age::stream::StreamReader<Window>,
    position: u64,
    offset: u64,
) -> std::io::Result<()> {
    if offset == position {
        return Ok(());
    }
    // At the beginning of a chunk age would ask for the end of the object;
    // a byte further on it does not, and going back stays in the chunk.
    if offset.is_multiple_of(CHUNK) {
        source.seek(SeekFrom::Start(offset + 1))?;
    }
    source.seek(SeekFrom::Start(offset)).map(drop)
}

impl PackLayout {
    /// What there is to know of a pack of `object_length` bytes that was not opened
    /// yet: enough to ask for its frames.
    #[must_use]
    pub fn unopened(object_length: u64, sealed: bool) -> Self {
        Self {
            payload: if sealed {
                Payload::Unknown
            } else {
                Payload::Open
            },
            object_length,
            plain_length: object_length,
        }
    }

    /// Which of the object's bytes hold these of its plaintext. Before a sealed pack
    /// was opened some more are told, those on either side that may hold them too.
    ///
    /// # Errors
    /// `Damaged` where the pack ends before.
    pub fn sealed_range(&self, plain: &Range<u64>) -> Result<Range<u64>, FormatError> {
        let beyond = || FormatError::damaged(plain.start, Damage::Range("frame's end"));
        if plain.start > plain.end || plain.end > self.plain_length {
            return Err(beyond());
        }
        let (first, last) = match self.payload {
            Payload::Open => return Ok(plain.clone()),
            Payload::Unknown => (0, OpenPack::HEAD),
            Payload::At(at) => (at, at),
        };
        let sealed = |chunks: u64| chunks.saturating_mul(SEALED_CHUNK);
        let start = sealed(plain.start / CHUNK).saturating_add(first);
        let end = sealed(plain.end.div_ceil(CHUNK)).saturating_add(last);
        let range = start..end.min(self.object_length);
        if range.start > range.end {
            return Err(beyond());
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, FrameEncoder, PackWriter, RecoveryIdentity, RepositorySecret, Seal};

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

    fn pack(seal: &Seal, frames: &[Frame]) -> (Bytes, Vec<u64>) {
        let mut writer = PackWriter::new(seal, Vec::new()).unwrap();
        let offsets = frames.iter().map(|f| writer.append(f).unwrap()).collect();
        (writer.finish().unwrap().into(), offsets)
    }

    fn head(pack: &Bytes) -> Bytes {
        let length = usize::try_from(OpenPack::HEAD).unwrap();
        pack.slice(..pack.len().min(length))
    }

    #[test]
    fn frames_are_found_in_any_order_with_only_their_own_bytes_at_hand() {
        let identity = RecoveryIdentity::generate();
        let identities = Identities::new(vec![identity.clone()]);
        for (seal, identities) in [
            (Seal::Open, None),
            (Seal::To(vec![identity.recipient()]), Some(&identities)),
        ] {
            let frames = frames();
            let (object, offsets) = pack(&seal, &frames);
            let mut open = OpenPack::open(head(&object), object.len() as u64, identities).unwrap();
            for at in [0, 1, 2, 3, 3, 0, 2, 1] {
                let length = u32::try_from(frames[at].stored.len()).unwrap();
                let plain = offsets[at]..offsets[at] + u64::from(length);
                let needed = open.layout().sealed_range(&plain).unwrap();
                let start = usize::try_from(needed.start).unwrap();
                let end = usize::try_from(needed.end).unwrap();
                open.supply(needed.start, object.slice(start..end));
                let stored = open.frame(offsets[at], length).unwrap();
                assert_eq!(stored, frames[at].stored);
            }
        }
    }

    #[test]
    fn what_is_asked_for_before_a_pack_is_opened_holds_what_is_needed_of_it() {
        let identity = RecoveryIdentity::generate();
        let identities = Identities::new(vec![identity.clone()]);
        let seal = Seal::To(vec![identity.recipient()]);
        let (object, offsets) = pack(&seal, &frames());
        let length = object.len() as u64;
        let open = OpenPack::open(head(&object), length, Some(&identities)).unwrap();
        for pair in offsets.windows(2) {
            let plain = pair[0]..pair[1];
            let before = PackLayout::unopened(length, true);
            let before = before.sealed_range(&plain).unwrap();
            let needed = open.layout().sealed_range(&plain).unwrap();
            assert!(before.start <= needed.start && needed.end <= before.end);
        }
        let beyond = length..length + 1;
        for sealed in [false, true] {
            let layout = PackLayout::unopened(length, sealed);
            assert!(layout.sealed_range(&beyond).is_err());
        }
    }

    #[test]
    fn every_place_of_a_sealed_pack_is_reached_and_none_past_its_end() {
        let identity = RecoveryIdentity::generate();
        let identities = Identities::new(vec![identity.clone()]);
        let seal = Seal::To(vec![identity.recipient()]);
        for length in [1, 65_535, 65_536, 65_537, 131_072, 200_000_u64] {
            let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let object: Bytes = seal.seal(plain.clone()).unwrap().into();
            let open = || {
                let whole = object.len() as u64;
                let mut open = OpenPack::open(head(&object), whole, Some(&identities)).unwrap();
                open.supply(0, object.clone());
                open
            };
            let mut reader = open();
            for at in [0, 65_535, 65_536, 131_071, length - 1, 0] {
                if at < length {
                    let byte = reader.frame(at, 1).unwrap();
                    assert_eq!(byte[..], [(at % 251) as u8], "{at} of {length}");
                }
            }
            for at in [length, length + 1, 1 << 40, u64::MAX] {
                assert!(open().frame(at, 1).is_err(), "{at} of {length}");
                assert!(
                    open()
                        .layout()
                        .sealed_range(&(at..at.saturating_add(1)))
                        .is_err()
                        || at == u64::MAX
                );
            }
        }
    }

    #[test]
    fn what_is_not_at_hand_is_an_error() {
        let frames = frames();
        let (object, offsets) = pack(&Seal::Open, &frames);
        let mut open = OpenPack::open(Bytes::new(), object.len() as u64, None).unwrap();
        let error = open.frame(offsets[1], 10).unwrap_err();
        assert!(matches!(error, FormatError::Read { .. }), "{error}");
    }

    #[test]
    fn a_pack_that_ends_too_early_is_damaged_where_the_frame_should_be() {
        let (object, _) = pack(&Seal::Open, &frames());
        let cut = object.slice(..10);
        let error = OpenPack::open(cut, 10, None)
            .unwrap()
            .frame(5, 100)
            .unwrap_err();
        assert!(matches!(error, FormatError::Damaged { offset: 5, .. }));
    }
}
