//! Knowing where in `pg_dump`'s archive a stream is, while it passes by.
//!
//! What is read here is what `pg_dump --format=custom --compress=0` of 13 to 18
//! writes (src/bin/pg_dump: `WriteHead` and `WriteToc` in
//! pg_backup_archiver.c, `_StartData` to `_EndLOs` in pg_backup_custom.c): a
//! head, a table of contents, then for each entry that has data one block of
//! chunks, in the order of the table.
//!
//! Invariants: a dump never fails here: at the first thing that is not
//! understood the scanner falls silent for good and tells why. However the
//! stream is cut into pieces, the events are the same. Memory grows with the
//! entries that have data alone, with what was seen of them and never with what
//! a length promises; the limits are constants. No byte of data is kept.

mod contents;
mod data;
mod gave_up;
mod head;
mod input;
mod primitives;
mod rows;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod toc;

use self::data::Data;
use self::head::Head;
use self::input::{Input, Stop};
use self::toc::{Kept, Toc};

pub use self::contents::ContentsReader;
pub use self::gave_up::{GaveUp, NotUnderstood};
pub use self::toc::{DataKind, TocEntry};

/// What was seen in an archive.
///
/// An event is told by the very push that brings the byte before its offset, so
/// that the offset lies in the pushed piece or at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveEvent {
    /// The data of an entry begins.
    DataBegins {
        /// In bytes from the archive's beginning: behind the block's own head,
        /// which holds the dump id. What lies from here to the end is the same
        /// in every dump for the same rows in the same order.
        offset: u64,
        /// Which entry of the table of contents.
        dump_id: i32,
    },
    /// It ends.
    DataEnds {
        /// In bytes from the archive's beginning: behind the end marker.
        offset: u64,
        /// Which entry of the table of contents.
        dump_id: i32,
        /// How many rows it held; `None` where it was no COPY data.
        rows: Option<u64>,
    },
}

/// Where in an archive a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveState {
    /// In the head.
    Head,
    /// In the table of contents.
    Toc,
    /// Between the data of two entries, before the first or behind the last. A
    /// whole archive ends here.
    Between,
    /// In the data of an entry.
    Data {
        /// Which entry of the table of contents.
        dump_id: i32,
    },
    /// Nobody knows any more: see [`ArchiveScanner::gave_up`].
    Lost,
}

/// Follows an archive that passes by in pieces.
#[derive(Debug, Default)]
pub struct ArchiveScanner {
    /// Of the next byte, from the archive's beginning.
    offset: u64,
    stage: Stage,
    toc: Option<Vec<TocEntry>>,
}

#[derive(Debug)]
enum Stage {
    Head(Head),
    Toc(Toc),
    Data(Data),
    Lost(GaveUp),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl ArchiveScanner {
    /// At the beginning of an archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sees the next piece of the stream; what is seen in it is told in order.
    pub fn push(&mut self, bytes: &[u8], mut events: impl FnMut(ArchiveEvent)) {
        let mut input = Input::new(bytes, self.offset);
        while let Err(stop) = self.advance(&mut input, &mut events) {
            let Stop::NotUnderstood(why) = stop else {
                break;
            };
            let offset = input.offset();
            self.stage = Stage::Lost(GaveUp { offset, why });
        }
        self.offset = input.end();
    }

    /// The entries that have data, in the archive's order, once the table of
    /// contents has passed. All others are left out: there can be one for each
    /// large object.
    #[must_use]
    pub fn toc(&self) -> Option<&[TocEntry]> {
        self.toc.as_deref()
    }

    /// Where the stream is.
    #[must_use]
    pub fn state(&self) -> ArchiveState {
        match &self.stage {
            Stage::Head(_) => ArchiveState::Head,
            Stage::Toc(_) => ArchiveState::Toc,
            Stage::Data(data) => {
                data.current()
                    .map_or(ArchiveState::Between, |dump_id| ArchiveState::Data {
                        dump_id,
                    })
            }
            Stage::Lost(_) => ArchiveState::Lost,
        }
    }

    /// The entry whose data is passing by.
    #[must_use]
    pub fn current(&self) -> Option<&TocEntry> {
        match &self.stage {
            Stage::Data(data) => self.toc()?.get(data.current_index()?),
            Stage::Head(_) | Stage::Toc(_) | Stage::Lost(_) => None,
        }
    }

    /// Why there are no more events; `None` while the archive is understood.
    #[must_use]
    pub fn gave_up(&self) -> Option<GaveUp> {
        match &self.stage {
            Stage::Lost(gave_up) => Some(*gave_up),
            _ => None,
        }
    }

    /// Reads on until the piece is at its end or something is not understood.
    fn advance(
        &mut self,
        input: &mut Input<'_>,
        events: &mut impl FnMut(ArchiveEvent),
    ) -> Result<(), Stop> {
        loop {
            match &mut self.stage {
                Stage::Head(head) => {
                    let version = head.read(input)?;
                    self.stage = Stage::Toc(Toc::new(version, Kept::WithData));
                }
                Stage::Toc(toc) => {
                    self.toc = Some(toc.read(input)?);
                    self.stage = Stage::Data(Data::default());
                }
                Stage::Data(data) => {
                    let toc = self.toc.as_deref().unwrap_or_default();
                    data.read(input, toc, events)?;
                }
                Stage::Lost(_) => return Err(Stop::PieceEnds),
            }
        }
    }
}
