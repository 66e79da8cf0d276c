//! The numbers and texts that an archive is made of (`WriteInt`, `WriteStr` in
//! src/bin/pg_dump/pg_backup_archiver.c).
//!
//! Invariants: each reader goes on where the last piece left it, and is ready
//! for the next value once it has given one. A text takes no more memory than
//! has been seen of it.

use super::NotUnderstood;
use super::input::{Input, Stop};

/// The longest text that is believed, in bytes. PostgreSQL holds no longer ones
/// (`MaxAllocSize`).
const LONGEST_TEXT: usize = 1 << 30;

/// `N` bytes that may come in pieces.
#[derive(Debug)]
pub(super) struct Bytes<const N: usize> {
    /// The newest is the last.
    seen: [u8; N],
    missing: usize,
}

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self {
            seen: [0; N],
            missing: N,
        }
    }
}

impl<const N: usize> Bytes<N> {
    #[inline]
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Result<[u8; N], Stop> {
        if self.missing == N
            && let Some(whole) = input.array()
        {
            return Ok(whole);
        }
        while self.missing > 0 {
            let byte = input.byte()?;
            self.seen.rotate_left(1);
            if let Some(last) = self.seen.last_mut() {
                *last = byte;
            }
            self.missing -= 1;
        }
        self.missing = N;
        Ok(self.seen)
    }
}

/// A sign and four bytes, the smallest first.
#[derive(Debug, Default)]
pub(super) struct Integer(Bytes<5>);

impl Integer {
    #[inline]
    pub(super) fn read(&mut self, input: &mut Input<'_>) -> Result<i32, Stop> {
        let [sign, magnitude @ ..] = self.0.read(input)?;
        let value = i32::from_le_bytes(magnitude);
        match sign {
            0 => Ok(value),
            // An object identifier above i32::MAX is written so.
            1 => Ok(value.wrapping_neg()),
            _ => Err(NotUnderstood::Sign(sign).into()),
        }
    }
}

/// A length and so many bytes, or the length -1 and no text at all.
#[derive(Debug, Default)]
pub(super) struct Text {
    length: Integer,
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    length: usize,
    left: usize,
    kept: Vec<u8>,
}

impl Text {
    /// Reads past a text and tells its length in bytes; `None` where there is
    /// no text.
    pub(super) fn skip(&mut self, input: &mut Input<'_>) -> Result<Option<usize>, Stop> {
        let Some(text) = self.begin(input)? else {
            return Ok(None);
        };
        text.left -= input.up_to(text.left).len();
        if text.left > 0 {
            return Err(Stop::PieceEnds);
        }
        let length = text.length;
        self.unfinished = None;
        Ok(Some(length))
    }

    /// Reads a text of at most `limit` bytes; `None` where there is no text.
    pub(super) fn keep(
        &mut self,
        input: &mut Input<'_>,
        limit: usize,
    ) -> Result<Option<Box<[u8]>>, Stop> {
        let Some(text) = self.begin(input)? else {
            return Ok(None);
        };
        if text.length > limit {
            return Err(NotUnderstood::TocTooLarge.into());
        }
        let seen = input.up_to(text.left);
        text.kept.extend_from_slice(seen);
        text.left -= seen.len();
        if text.left > 0 {
            return Err(Stop::PieceEnds);
        }
        let kept = std::mem::take(&mut text.kept);
        self.unfinished = None;
        Ok(Some(kept.into_boxed_slice()))
    }

    fn begin(&mut self, input: &mut Input<'_>) -> Result<Option<&mut Unfinished>, Stop> {
        if self.unfinished.is_none() {
            let length = self.length.read(input)?;
            let believed = usize::try_from(length).ok();
            let Some(length) = believed.filter(|&length| length <= LONGEST_TEXT) else {
                return match length {
                    -1 => Ok(None),
                    _ => Err(NotUnderstood::Length(length).into()),
                };
            };
            self.unfinished = Some(Unfinished {
                length,
                left: length,
                kept: Vec::new(),
            });
        }
        Ok(self.unfinished.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_no_more_memory_than_was_seen_of_it() {
        let mut text = Text::default();
        let head = [0, 0, 0, 0, 0x40, b'a', b'b', b'c'];
        let read = text.keep(&mut Input::new(&head, 0), LONGEST_TEXT);
        assert_eq!(read, Err(Stop::PieceEnds));
        assert!(text.unfinished.unwrap().kept.capacity() < 100);
    }

    #[test]
    fn the_largest_object_identifiers_are_read_back() {
        for (bytes, oid) in [
            ([1, 1, 0, 0, 0], u32::MAX),
            ([1, 0, 0, 0, 0x80], 1 << 31),
            ([0, 0xff, 0xff, 0xff, 0x7f], (1 << 31) - 1),
        ] {
            let read = Integer::default().read(&mut Input::new(&bytes, 0));
            assert_eq!(read.unwrap().cast_unsigned(), oid);
        }
    }
}
