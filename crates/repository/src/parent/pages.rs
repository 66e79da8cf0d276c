//! A relation's file in the parent, page by page.
//!
//! Invariants: a page is compared with the one at the same place only; memory holds
//! one leaf and the fingerprints of its frames.

use std::sync::Arc;

use pgkeep_format::{Extent, Fingerprints, LeafRef};

use super::{ParentReader, frames_of};
use crate::RepositoryError;
use crate::write::{FrameHandle, OldFrame};

/// Goes through a file's pages, forwards.
pub(crate) struct PageCursor {
    reader: ParentReader,
    path: String,
    /// Leaves that have not been read.
    leaves: std::vec::IntoIter<LeafRef>,
    part: Part,
}

/// The part of the file that lies in one leaf.
#[derive(Default)]
struct Part {
    extents: Vec<Extent>,
    frames: Vec<Arc<OldFrame>>,
    /// By the frame's index, once they were asked for.
    prints: Vec<Option<Option<Fingerprints>>>,
    /// Which extent comes next.
    at: usize,
    /// Where in the file that one begins.
    start: u64,
    /// Where in the file the next leaf's part begins.
    end: u64,
}

impl PageCursor {
    pub(super) fn new(reader: ParentReader, path: &str) -> Self {
        let leaves = reader.parent.root.leaves_of(path).to_vec();
        Self {
            reader,
            path: path.to_owned(),
            leaves: leaves.into_iter(),
            part: Part::default(),
        }
    }

    /// Where the page of `length` bytes at `offset` lies, if its fingerprint is
    /// `print`. Offsets ascend from call to call.
    pub(crate) fn find(
        &mut self,
        offset: u64,
        length: u32,
        print: u64,
    ) -> Result<Option<(FrameHandle, u32)>, RepositoryError> {
        while offset >= self.part.end {
            if !self.next_part()? {
                return Ok(None);
            }
        }
        let Some(extent) = self.part.extent_at(offset) else {
            return Ok(None);
        };
        // Less than an extent's length, which is a u32.
        let within = u32::try_from(offset - self.part.start).unwrap_or(u32::MAX);
        if extent.length - within < length {
            return Ok(None);
        }
        let start = extent.offset + within;
        let frame = extent.frame as usize;
        let known = self.part.prints(frame, &mut self.reader)?;
        let same = known.is_some_and(|of| of.page_at(&(start..start + length)) == Some(print));
        let frame = self.part.frames.get(frame).filter(|_| same);
        Ok(frame.map(|frame| (FrameHandle::Old(Arc::clone(frame)), start)))
    }

    /// Reads the next leaf; tells whether there was one.
    fn next_part(&mut self) -> Result<bool, RepositoryError> {
        let Some(place) = self.leaves.next() else {
            return Ok(false);
        };
        let leaf = self.reader.leaf(&place)?;
        let file = leaf.files.iter().find(|file| file.path == self.path);
        let begins = if place.path == self.path {
            place.offset
        } else {
            0
        };
        self.part = Part {
            extents: file.map_or_else(Vec::new, |file| file.extents.clone()),
            prints: vec![None; leaf.frames.len()],
            frames: frames_of(&leaf),
            at: 0,
            start: begins,
            end: begins + file.map_or(0, pgkeep_format::FilePart::raw_bytes),
        };
        Ok(true)
    }
}

impl Part {
    /// The extent that holds `offset`, which lies in this part.
    fn extent_at(&mut self, offset: u64) -> Option<Extent> {
        loop {
            let extent = *self.extents.get(self.at)?;
            if offset < self.start + u64::from(extent.length) {
                return (offset >= self.start).then_some(extent);
            }
            self.start += u64::from(extent.length);
            self.at += 1;
        }
    }

    fn prints(
        &mut self,
        frame: usize,
        reader: &mut ParentReader,
    ) -> Result<Option<&Fingerprints>, RepositoryError> {
        let (Some(of), Some(known)) = (self.frames.get(frame), self.prints.get_mut(frame)) else {
            return Ok(None);
        };
        if known.is_none() {
            *known = Some(reader.prints.of(of)?);
        }
        Ok(known.as_ref().and_then(Option::as_ref))
    }
}
