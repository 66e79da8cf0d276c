//! Building the manifest's leaves while files are cut.
//!
//! Invariants: paths ascend; where a leaf ends depends on its files and their
//! chunks alone, never on what came before, so that the leaves of files that have
//! not changed come out as the parent's. A leaf names frames that may not have
//! their place in a pack yet.

use std::collections::HashMap;
use std::sync::Arc;

use pgkeep_format::{Extent, FileEnd, FilePart, FingerprintKey, FrameEntry, PackRef};

use crate::RepositoryError;

/// A leaf may end from this many bytes on, …
const LEAST: usize = 4 << 10;
/// … and ends at the first file's end from this many on.
const MOST: usize = 128 << 10;
/// One file in so many is the last one of its leaf.
const FILES: u8 = 64;
/// About how many bytes a frame takes, an extent, and a file beside its path.
const FRAME_BYTES: usize = 52;
const EXTENT_BYTES: usize = 12;
const FILE_BYTES: usize = 47;

/// A frame that a leaf refers to.
#[derive(Clone, Debug)]
pub(crate) enum FrameHandle {
    /// One of this backup's, by its number.
    New(u64),
    /// One that is stored already.
    Old(Arc<OldFrame>),
}

/// A frame that is stored already.
#[derive(Debug)]
pub(crate) struct OldFrame {
    pub(crate) pack: PackRef,
    /// Its `pack` means nothing.
    pub(crate) entry: FrameEntry,
}

/// A leaf whose frames have yet to be looked up.
pub(super) struct DraftLeaf {
    /// Where in its first file it begins.
    pub(super) offset: u64,
    pub(super) frames: Vec<FrameHandle>,
    pub(super) files: Vec<FilePart>,
}

/// Collects files into leaves.
pub(super) struct LeafBuilder {
    prints: FingerprintKey,
    leaf: DraftLeaf,
    /// About how many bytes the leaf has.
    size: usize,
    known: HashMap<Key, u32>,
    /// The frame that was referred to last.
    last: Option<(FrameHandle, u32)>,
    file: Option<OpenFile>,
    last_path: Option<String>,
}

struct OpenFile {
    path: String,
    extents: Vec<Extent>,
    /// How many bytes of it there are so far, in earlier leaves too.
    length: u64,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    New(u64),
    Old(PackRef, u64),
}

impl LeafBuilder {
    pub(super) fn new(prints: FingerprintKey) -> Self {
        Self {
            prints,
            leaf: DraftLeaf::new(0),
            size: 0,
            known: HashMap::new(),
            last: None,
            file: None,
            last_path: None,
        }
    }

    /// Begins a file.
    ///
    /// # Errors
    /// `Order` where its path does not come after the last one's.
    pub(super) fn begin(&mut self, path: &str) -> Result<(), RepositoryError> {
        if self.last_path.as_deref().is_some_and(|last| last >= path) {
            return Err(RepositoryError::Order {
                path: path.to_owned(),
            });
        }
        self.last_path = Some(path.to_owned());
        self.size += FILE_BYTES + path.len();
        self.file = Some(OpenFile {
            path: path.to_owned(),
            extents: Vec::new(),
            length: 0,
        });
        Ok(())
    }

    /// Adds the file's next bytes, which lie in `frame` from `offset` on.
    pub(super) fn extent(&mut self, frame: &FrameHandle, offset: u32, length: u32) {
        let index = self.index(frame);
        let Some(file) = &mut self.file else { return };
        file.length += u64::from(length);
        match file.extents.last_mut() {
            Some(last) if last.frame == index && last.offset + last.length == offset => {
                last.length += length;
            }
            _ => {
                self.size += EXTENT_BYTES;
                file.extents.push(Extent {
                    frame: index,
                    offset,
                    length,
                });
            }
        }
    }

    /// Says that the file can be divided here; tells the leaf that ends.
    pub(super) fn divide(&mut self) -> Option<DraftLeaf> {
        if self.size < LEAST {
            return None;
        }
        let file = self.file.as_mut()?;
        self.leaf.files.push(FilePart {
            path: file.path.clone(),
            extents: std::mem::take(&mut file.extents),
            end: None,
        });
        let (offset, path) = (file.length, file.path.len());
        let leaf = self.close(offset);
        self.size = FILE_BYTES + path;
        Some(leaf)
    }

    /// Ends the file; tells the leaf, where that ends too.
    pub(super) fn end(&mut self, end: FileEnd) -> Option<DraftLeaf> {
        let file = self.file.take()?;
        let last = self.prints.chunk(file.path.as_bytes())[0] < u8::MAX / FILES;
        self.leaf.files.push(FilePart {
            path: file.path,
            extents: file.extents,
            end: Some(end),
        });
        let ends = self.size >= MOST || (self.size >= LEAST && last);
        ends.then(|| self.close(0))
    }

    /// The last leaf.
    pub(super) fn rest(&mut self) -> Option<DraftLeaf> {
        let some = !self.leaf.files.is_empty();
        some.then(|| self.close(0))
    }

    /// How many bytes of the open file there are so far.
    pub(super) fn length(&self) -> u64 {
        self.file.as_ref().map_or(0, |file| file.length)
    }

    /// The lowest number among this backup's frames that the open leaf refers to.
    pub(super) fn lowest(&self) -> Option<u64> {
        let new = self.known.keys().filter_map(|key| match key {
            Key::New(number) => Some(*number),
            Key::Old(..) => None,
        });
        new.min()
    }

    fn index(&mut self, frame: &FrameHandle) -> u32 {
        if let Some((last, index)) = &self.last
            && last.is(frame)
        {
            return *index;
        }
        let key = match frame {
            FrameHandle::New(number) => Key::New(*number),
            FrameHandle::Old(old) => Key::Old(old.pack.clone(), old.entry.offset),
        };
        let (leaf, size) = (&mut self.leaf, &mut self.size);
        let index = *self.known.entry(key).or_insert_with(|| {
            *size += FRAME_BYTES;
            leaf.frames.push(frame.clone());
            // A leaf ends long before it has 2³² frames.
            u32::try_from(leaf.frames.len() - 1).unwrap_or(u32::MAX)
        });
        self.last = Some((frame.clone(), index));
        index
    }

    fn close(&mut self, offset: u64) -> DraftLeaf {
        self.known.clear();
        self.last = None;
        self.size = 0;
        std::mem::replace(&mut self.leaf, DraftLeaf::new(offset))
    }
}

impl FrameHandle {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::New(one), Self::New(other)) => one == other,
            (Self::Old(one), Self::Old(other)) => Arc::ptr_eq(one, other),
            (Self::New(_), Self::Old(_)) | (Self::Old(_), Self::New(_)) => false,
        }
    }
}

impl DraftLeaf {
    fn new(offset: u64) -> Self {
        Self {
            offset,
            frames: Vec::new(),
            files: Vec::new(),
        }
    }
}
