//! The chunks of a file in the parent, by their hashes.
//!
//! Invariant: memory holds the chunks of a window of the file, some 64 GiB of it. The
//! window follows what is found; where nothing is found for long it moves on, and
//! begins again at the end.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pgkeep_format::{ChunkHash, Extent, Fingerprints, LeafRef};

use super::{ParentReader, frames_of};
use crate::RepositoryError;
use crate::write::{FrameHandle, OldFrame};

/// How many chunks a segment of the window has at least, but for the last one.
const SEGMENT: usize = 256 << 10;
/// How many segments the window has.
const SEGMENTS: usize = 4;
/// After so many chunks of which none was found the window moves on.
const PATIENCE: usize = 64 << 10;

/// Finds chunks.
pub(crate) struct ChunkWindow {
    reader: ParentReader,
    path: String,
    leaves: Vec<LeafRef>,
    /// The leaf that has not been read.
    next: usize,
    segments: VecDeque<Segment>,
    missed: usize,
}

#[derive(Default)]
struct Segment {
    frames: Vec<Arc<OldFrame>>,
    chunks: HashMap<ChunkHash, Place>,
}

struct Place {
    frame: u32,
    offset: u32,
    length: u32,
}

impl ChunkWindow {
    pub(super) fn new(reader: ParentReader, path: &str) -> Result<Self, RepositoryError> {
        let leaves = reader.parent.root.leaves_of(path).to_vec();
        let mut window = Self {
            reader,
            path: path.to_owned(),
            leaves,
            next: 0,
            segments: VecDeque::new(),
            missed: 0,
        };
        while window.segments.len() < SEGMENTS && window.next < window.leaves.len() {
            window.move_on()?;
        }
        Ok(window)
    }

    /// Where the chunk of `length` bytes lies that has this hash.
    pub(crate) fn find(
        &mut self,
        hash: ChunkHash,
        length: u32,
    ) -> Result<Option<(FrameHandle, u32)>, RepositoryError> {
        let segments = self.segments.iter().enumerate().rev();
        let mut found =
            segments.filter_map(|(at, segment)| Some((at, segment.find(hash, length)?)));
        let Some((at, place)) = found.next() else {
            self.missed += 1;
            if self.missed >= PATIENCE && !self.holds_all() {
                self.missed = 0;
                self.move_on()?;
            }
            return Ok(None);
        };
        self.missed = 0;
        if at + 1 == self.segments.len() && self.next < self.leaves.len() {
            self.move_on()?;
        }
        Ok(Some(place))
    }

    fn holds_all(&self) -> bool {
        self.next >= self.leaves.len() && self.segments.len() < SEGMENTS
    }

    /// Reads the next segment, and forgets the oldest one.
    fn move_on(&mut self) -> Result<(), RepositoryError> {
        if self.next >= self.leaves.len() {
            self.next = 0;
        }
        let mut segment = Segment::default();
        while segment.chunks.len() < SEGMENT {
            let Some(place) = self.leaves.get(self.next) else {
                break;
            };
            self.next += 1;
            let leaf = self.reader.leaf(place)?;
            let file = leaf.files.iter().find(|file| file.path == self.path);
            let Some(file) = file else { continue };
            let frames = frames_of(&leaf);
            for run in file.extents.chunk_by(|a, b| a.frame == b.frame) {
                let frame = run
                    .first()
                    .and_then(|extent| frames.get(extent.frame as usize));
                let Some(frame) = frame else { continue };
                if let Some(Fingerprints::Chunks(chunks)) = self.reader.prints.of(frame)? {
                    segment.add(frame, run, &chunks);
                }
            }
        }
        if self.segments.len() >= SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(segment);
        Ok(())
    }
}

impl Segment {
    /// Adds the chunks of a frame that the file uses.
    fn add(&mut self, frame: &Arc<OldFrame>, used: &[Extent], chunks: &[(u32, ChunkHash)]) {
        // A segment has far fewer than 2³² frames.
        let index = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        self.frames.push(Arc::clone(frame));
        let mut offset = 0_u32;
        for (length, hash) in chunks {
            let Some(end) = offset.checked_add(*length) else {
                return;
            };
            let uses = |extent: &Extent| {
                extent.offset <= offset && end <= extent.offset.saturating_add(extent.length)
            };
            // What of the frame the file does not use may be any other file's: that
            // is no reason not to refer to it, but keeps the window small.
            if end <= frame.entry.plain_length && used.iter().any(uses) {
                self.chunks.insert(
                    *hash,
                    Place {
                        frame: index,
                        offset,
                        length: *length,
                    },
                );
            }
            offset = end;
        }
    }

    fn find(&self, hash: ChunkHash, length: u32) -> Option<(FrameHandle, u32)> {
        let place = self.chunks.get(&hash)?;
        let frame = self.frames.get(place.frame as usize)?;
        let found = || (FrameHandle::Old(Arc::clone(frame)), place.offset);
        (place.length == length).then(found)
    }
}
