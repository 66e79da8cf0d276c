//! The piece of a stream that is being read.

use super::NotUnderstood;

/// Why reading stops. Whatever was read of an unfinished field is kept by its
/// reader, and the next piece goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    PieceEnds,
    NotUnderstood(NotUnderstood),
}

impl From<NotUnderstood> for Stop {
    fn from(why: NotUnderstood) -> Self {
        Self::NotUnderstood(why)
    }
}

/// The unread rest of a piece, and where it lies in the stream.
#[derive(Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
    end: u64,
}

impl<'a> Input<'a> {
    pub(super) fn new(piece: &'a [u8], offset: u64) -> Self {
        Self {
            rest: piece,
            end: offset.saturating_add(piece.len() as u64),
        }
    }

    /// Of the next byte, from the beginning of the stream.
    pub(super) fn offset(&self) -> u64 {
        self.end.saturating_sub(self.rest.len() as u64)
    }

    /// Of the first byte behind the piece.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn byte(&mut self) -> Result<u8, Stop> {
        let (&byte, rest) = self.rest.split_first().ok_or(Stop::PieceEnds)?;
        self.rest = rest;
        Ok(byte)
    }

    /// The next `N` bytes, if the piece has them all.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(array)
    }

    /// The next bytes: `count` of them, or what the piece still has.
    pub(super) fn up_to(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}
