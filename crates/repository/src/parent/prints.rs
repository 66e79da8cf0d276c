//! The parent's fingerprints, block by block.
//!
//! Invariant: memory holds a bounded number of blocks.

use std::collections::VecDeque;
use std::sync::Arc;

use pgkeep_format::{FingerprintBlock, Fingerprints};
use tokio::runtime::Handle;

use super::Parent;
use crate::RepositoryError;
use crate::write::OldFrame;

/// How many blocks are kept; a block has some 256 KiB.
const KEPT: usize = 24;

/// Reads fingerprints of frames.
#[derive(Clone)]
pub(super) struct Prints {
    parent: Parent,
    runtime: Handle,
    kept: VecDeque<((usize, usize), Arc<FingerprintBlock>)>,
}

impl Prints {
    /// Must be called inside of a runtime.
    pub(super) fn new(parent: &Parent) -> Self {
        Self {
            parent: parent.clone(),
            runtime: Handle::current(),
            kept: VecDeque::new(),
        }
    }

    /// The fingerprints of a frame; none where it has none.
    pub(super) fn of(&mut self, frame: &OldFrame) -> Result<Option<Fingerprints>, RepositoryError> {
        let Some(&place) = self.parent.places.get(&frame.pack) else {
            return Ok(None);
        };
        let root = Arc::clone(&self.parent.root);
        let blocks = root.packs.get(place).map(|entry| &entry.fingerprints);
        let blocks = blocks.map_or(&[] as &[_], Vec::as_slice);
        let after = blocks.partition_point(|block| block.first <= frame.entry.offset);
        let Some(at) = after.checked_sub(1) else {
            return Ok(None);
        };
        let block = match self.kept((place, at)) {
            Some(block) => block,
            None => {
                let entry = &blocks[at].frame;
                let index = &self.parent.index;
                let read = index.frame(&root, entry, FingerprintBlock::from_bytes);
                let block = Arc::new(self.runtime.block_on(read)?);
                self.keep((place, at), &block);
                block
            }
        };
        Ok(block.of(frame.entry.offset).cloned())
    }

    fn kept(&mut self, place: (usize, usize)) -> Option<Arc<FingerprintBlock>> {
        let at = self.kept.iter().rposition(|(known, _)| *known == place)?;
        let found = self.kept.remove(at)?;
        let block = Arc::clone(&found.1);
        self.kept.push_back(found);
        Some(block)
    }

    fn keep(&mut self, place: (usize, usize), block: &Arc<FingerprintBlock>) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((place, Arc::clone(block)));
    }
}
