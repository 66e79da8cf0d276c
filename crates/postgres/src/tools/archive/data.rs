//! The data behind the table of contents: blocks of chunks (`_StartData` to
//! `_EndLOs` in src/bin/pg_dump/pg_backup_custom.c).
//!
//! Invariants: blocks come in the order of the table of contents
//! (`WriteDataChunks`), each entry's at most once; the bytes of a chunk are
//! passed over, never kept.

use super::input::{Input, Stop};
use super::primitives::{Bytes, Integer};
use super::rows::Rows;
use super::{ArchiveEvent, DataKind, NotUnderstood, TocEntry};

/// `BLK_DATA` in src/bin/pg_dump/pg_backup_archiver.h.
const TABLE_BLOCK: u8 = 1;

/// `BLK_BLOBS`, likewise.
const LARGE_OBJECTS_BLOCK: u8 = 3;

/// The longest chunk that is believed, in bytes. The longest one that
/// `pg_dump` writes is a row, and no row is longer (`MaxAllocSize`).
const LONGEST_CHUNK: usize = 1 << 30;

/// Reads blocks of data.
#[derive(Debug, Default)]
pub(super) struct Data {
    step: Step,
    integer: Integer,
    block_head: Bytes<1>,
    block: Block,
    /// How many entries are behind: their data has passed, or never comes.
    passed: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    BlockType,
    BlockId(u8),
    LargeObject,
    ChunkLength,
    Chunk(usize),
}

/// The block that is being read.
#[derive(Debug, Default)]
struct Block {
    dump_id: i32,
    large_objects: bool,
    rows: Option<Rows>,
}

impl Data {
    /// The entry whose data is passing by.
    pub(super) fn current(&self) -> Option<i32> {
        match self.step {
            Step::BlockType | Step::BlockId(_) => None,
            Step::LargeObject | Step::ChunkLength | Step::Chunk(_) => Some(self.block.dump_id),
        }
    }

    /// Its place in the table of contents.
    pub(super) fn current_index(&self) -> Option<usize> {
        self.current()?;
        self.passed.checked_sub(1)
    }

    /// Reads to the end of the piece: this part of an archive has no end that
    /// could be seen.
    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        toc: &[TocEntry],
        events: &mut impl FnMut(ArchiveEvent),
    ) -> Result<(), Stop> {
        loop {
            self.step = match self.step {
                Step::BlockType => {
                    let [kind] = self.block_head.read(input)?;
                    if kind != TABLE_BLOCK && kind != LARGE_OBJECTS_BLOCK {
                        return Err(NotUnderstood::BlockType(kind).into());
                    }
                    Step::BlockId(kind)
                }
                Step::BlockId(kind) => {
                    let dump_id = self.integer.read(input)?;
                    self.begin(kind, dump_id, toc)?;
                    events(ArchiveEvent::DataBegins {
                        offset: input.offset(),
                        dump_id,
                    });
                    self.block.next()
                }
                // An identifier above i32::MAX is negative here.
                Step::LargeObject => match self.integer.read(input)? {
                    0 => self.end(input, events),
                    _ => Step::ChunkLength,
                },
                Step::ChunkLength => {
                    let length = self.integer.read(input)?;
                    match usize::try_from(length) {
                        Ok(0) if self.block.large_objects => Step::LargeObject,
                        Ok(0) => self.end(input, events),
                        Ok(length @ ..=LONGEST_CHUNK) => Step::Chunk(length),
                        _ => return Err(NotUnderstood::Length(length).into()),
                    }
                }
                Step::Chunk(length) => {
                    let seen = input.up_to(length);
                    if let Some(rows) = &mut self.block.rows {
                        rows.see(seen);
                    }
                    if seen.len() < length {
                        self.step = Step::Chunk(length - seen.len());
                        return Err(Stop::PieceEnds);
                    }
                    Step::ChunkLength
                }
            }
        }
    }

    fn begin(&mut self, kind: u8, dump_id: i32, toc: &[TocEntry]) -> Result<(), NotUnderstood> {
        let following = toc.get(self.passed..).unwrap_or_default();
        let found = following.iter().position(|entry| entry.dump_id == dump_id);
        let entry = found.and_then(|index| Some((index, following.get(index)?)));
        let Some((index, entry)) = entry else {
            return Err(NotUnderstood::BlockId(dump_id));
        };
        let large_objects = kind == LARGE_OBJECTS_BLOCK;
        if large_objects != (entry.kind == DataKind::LargeObjects) {
            return Err(NotUnderstood::BlockType(kind));
        }
        self.passed += index + 1;
        self.block = Block {
            dump_id,
            large_objects,
            rows: entry.copy.then(Rows::default),
        };
        Ok(())
    }

    fn end(&self, input: &Input<'_>, events: &mut impl FnMut(ArchiveEvent)) -> Step {
        events(ArchiveEvent::DataEnds {
            offset: input.offset(),
            dump_id: self.block.dump_id,
            rows: self.block.rows.as_ref().and_then(Rows::count),
        });
        Step::BlockType
    }
}

impl Block {
    /// What comes behind the block's head.
    fn next(&self) -> Step {
        if self.large_objects {
            Step::LargeObject
        } else {
            Step::ChunkLength
        }
    }
}
