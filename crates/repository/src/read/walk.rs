//! A file's extents, leaf by leaf.
//!
//! Invariants: the parts of a file follow one another without a gap, which is
//! checked; memory holds one leaf.

use pgkeep_format::{Damage, FileEnd, FilePart, FrameEntry, Leaf, LeafRef, PackRef};
use tokio::runtime::Handle;

use super::backup::OpenBackup;
use crate::RepositoryError;

/// A part of a file, in one leaf.
pub(super) struct Part {
    pub(super) leaf: Leaf,
    /// Which of the leaf's files it is.
    file: usize,
}

/// Goes through a file. Works on a thread that may wait.
pub(super) struct Walk {
    backup: OpenBackup,
    runtime: Handle,
    path: String,
    leaves: std::vec::IntoIter<LeafRef>,
    seen: u64,
    ended: bool,
}

impl Walk {
    pub(super) fn new(backup: &OpenBackup, runtime: &Handle, path: &str) -> Self {
        Self {
            backup: backup.clone(),
            runtime: runtime.clone(),
            path: path.to_owned(),
            leaves: backup.root.leaves_of(path).to_vec().into_iter(),
            seen: 0,
            ended: false,
        }
    }

    /// The next part; none after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Part>, RepositoryError> {
        while !self.ended {
            let Some(place) = self.leaves.next() else {
                return Err(self.missing());
            };
            let (index, root) = (&self.backup.index, &self.backup.root);
            let leaf = self.runtime.block_on(index.leaf(root, &place))?;
            if let Some(next) = self.leaves.as_slice().first() {
                index.prefetch(root, next, &self.runtime);
            }
            let at = leaf.files.iter().position(|file| file.path == self.path);
            let Some(at) = at else { continue };
            let begins = if at == 0 { place.offset } else { 0 };
            if begins != self.seen {
                return Err(self.wrong("leaf's place"));
            }
            let part = Part { leaf, file: at };
            self.seen += part.part().map_or(0, FilePart::raw_bytes);
            self.ended = part.end().is_some();
            return Ok(Some(part));
        }
        Ok(None)
    }

    /// No leaf holds the file, or none its end.
    fn missing(&self) -> RepositoryError {
        if self.seen > 0 {
            return self.wrong("file's end");
        }
        RepositoryError::NoFile {
            backup: self.backup.record.id.clone(),
            path: self.path.clone(),
        }
    }

    fn wrong(&self, what: &'static str) -> RepositoryError {
        self.backup.index.wrong_manifest(Damage::Range(what))
    }
}

impl Part {
    fn part(&self) -> Option<&FilePart> {
        self.leaf.files.get(self.file)
    }

    /// What is known of the file at its end, where it ends here.
    pub(super) fn end(&self) -> Option<FileEnd> {
        self.part().and_then(|part| part.end)
    }

    /// The extents, each with its frame and that one's pack.
    pub(super) fn extents(
        &self,
    ) -> impl Iterator<Item = Option<(&PackRef, &FrameEntry, std::ops::Range<usize>)>> {
        let extents = self.part().map_or(&[] as &[_], |part| &part.extents);
        extents.iter().map(|extent| {
            let frame = self.leaf.frames.get(extent.frame as usize)?;
            let pack = self.leaf.packs.get(frame.pack as usize)?;
            let start = extent.offset as usize;
            Some((pack, frame, start..start + extent.length as usize))
        })
    }
}
