//! The manifest's root, and the packs that a backup needs.
//!
//! Invariants: `needs` lists every pack and index pack that the root or a leaf
//! refers to, each as it was cited when it was written; a leaf that is the parent's
//! byte for byte is referred to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pgkeep_format::records::{Need, PackSummary};
use pgkeep_format::{
    FingerprintRef, Frame, FrameEntry, Hash, Leaf, LeafRef, Manifest, PackEntry, PackRef,
};
use pgkeep_types::BackupId;

use super::engine::Written;
use crate::{Parent, RepositoryError};

/// What there is to say of a backup's files.
#[derive(Debug, Default)]
pub(super) struct Contents {
    leaves: Vec<Option<Placed>>,
    /// The parent's leaves, by the hash of their frames.
    parents: HashMap<Hash, (BackupId, FrameEntry)>,
    fingerprints: BTreeMap<u32, Vec<FingerprintRef>>,
    packs: BTreeSet<PackRef>,
    stored_bytes: u64,
    pub(super) parent_lost: Option<RepositoryError>,
}

/// A leaf that is stored: in one of this backup's index packs where none other is
/// named.
#[derive(Debug)]
struct Placed {
    of: Option<BackupId>,
    leaf: LeafRef,
}

impl Contents {
    pub(super) fn new(parent: Option<&Parent>) -> Self {
        let leaves = parent.into_iter().flat_map(|parent| {
            let root = &parent.root;
            root.leaves.iter().filter_map(|leaf| {
                let pack = root.index.get(leaf.frame.pack as usize)?;
                let entry = FrameEntry {
                    pack: pack.number,
                    ..leaf.frame.clone()
                };
                Some((leaf.frame.hash, (pack.backup.clone(), entry)))
            })
        });
        Self {
            parents: leaves.collect(),
            ..Self::default()
        }
    }

    /// The place of the next leaf.
    pub(super) fn next_leaf(&mut self) -> usize {
        self.leaves.push(None);
        self.leaves.len() - 1
    }

    /// Adds a block of fingerprints of this backup's pack `number`.
    pub(super) fn add_fingerprints(&mut self, number: u32, block: FingerprintRef) {
        self.fingerprints.entry(number).or_default().push(block);
    }

    /// Adds a leaf that was stored.
    pub(super) fn add_leaf(&mut self, place: usize, leaf: &Leaf, offset: u64, frame: FrameEntry) {
        self.add(place, leaf, offset, None, frame);
    }

    /// Adds a leaf that is the parent's, if it is.
    pub(super) fn refer_to_parents(
        &mut self,
        place: usize,
        leaf: &Leaf,
        offset: u64,
        frame: &Frame,
    ) -> bool {
        let Some((backup, entry)) = self.parents.get(&frame.hash).cloned() else {
            return false;
        };
        self.add(place, leaf, offset, Some(backup), entry);
        true
    }

    fn add(
        &mut self,
        place: usize,
        leaf: &Leaf,
        offset: u64,
        of: Option<BackupId>,
        frame: FrameEntry,
    ) {
        self.packs.extend(leaf.packs.iter().cloned());
        let stored = leaf.frames.iter().map(|frame| frame.stored_length);
        self.stored_bytes += stored.map(u64::from).sum::<u64>();
        let first = leaf.files.first().map(|file| file.path.clone());
        let leaf = LeafRef {
            path: first.unwrap_or_default(),
            offset,
            raw_bytes: leaf.raw_bytes(),
            frame,
        };
        if let Some(slot) = self.leaves.get_mut(place) {
            *slot = Some(Placed { of, leaf });
        }
    }

    /// The manifest of `backup`, whose own packs and index packs are these.
    pub(super) fn into_written(
        mut self,
        backup: &BackupId,
        packs: Vec<PackSummary>,
        index: Vec<PackSummary>,
        parent: Option<&Parent>,
    ) -> Result<Written, RepositoryError> {
        let mut root = RootBuilder::default();
        for pack in std::mem::take(&mut self.packs) {
            let own = pack.backup == *backup;
            let blocks = match (own, parent) {
                (true, _) => self.fingerprints.remove(&pack.number).unwrap_or_default(),
                (false, Some(parent)) => parent.fingerprints_of(&pack),
                (false, None) => Vec::new(),
            };
            let blocks = blocks.into_iter().map(|mut block| {
                let home = if own { None } else { parent };
                block.frame.pack = root.index_of(backup, home, block.frame.pack);
                block
            });
            let fingerprints = blocks.collect();
            root.manifest.packs.push(PackEntry { pack, fingerprints });
        }
        for placed in self.leaves {
            let Some(Placed { of, mut leaf }) = placed else {
                return Err(RepositoryError::GivenUp);
            };
            leaf.frame.pack = root.index(PackRef {
                backup: of.unwrap_or_else(|| backup.clone()),
                number: leaf.frame.pack,
            });
            root.manifest.leaves.push(leaf);
        }
        let own = Need {
            backup: backup.clone(),
            packs,
            index,
        };
        let sum = |packs: &[PackSummary]| packs.iter().map(|pack| pack.length).sum::<u64>();
        Ok(Written {
            raw_bytes: root.manifest.raw_bytes(),
            stored_bytes: self.stored_bytes,
            new_bytes: sum(&own.packs) + sum(&own.index),
            needs: needs(&root.manifest, own, parent)?,
            manifest: root.manifest,
            parent_lost: self.parent_lost,
        })
    }
}

#[derive(Default)]
struct RootBuilder {
    manifest: Manifest,
    known: HashMap<PackRef, u32>,
}

impl RootBuilder {
    /// The place of an index pack in the root.
    fn index(&mut self, pack: PackRef) -> u32 {
        let index = &mut self.manifest.index;
        *self.known.entry(pack).or_insert_with_key(|pack| {
            index.push(pack.clone());
            // There are far fewer index packs than objects in any storage.
            u32::try_from(index.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The place of an index pack that `home` knows by its own place, or that is
    /// this backup's own.
    fn index_of(&mut self, backup: &BackupId, home: Option<&Parent>, pack: u32) -> u32 {
        let own = || PackRef {
            backup: backup.clone(),
            number: pack,
        };
        let theirs = home.and_then(|parent| parent.root.index.get(pack as usize).cloned());
        self.index(theirs.unwrap_or_else(own))
    }
}

/// Every pack that the manifest refers to, by the backup that holds it.
fn needs(
    manifest: &Manifest,
    own: Need,
    parent: Option<&Parent>,
) -> Result<Vec<Need>, RepositoryError> {
    let mut needs: BTreeMap<BackupId, Need> = BTreeMap::new();
    let mut need = |pack: &PackRef, is_index: bool| -> Result<(), RepositoryError> {
        let Some(parent) = parent.filter(|_| pack.backup != own.backup) else {
            return Ok(());
        };
        let cited = parent.cited(pack, is_index)?;
        let need = needs.entry(pack.backup.clone()).or_insert_with(|| Need {
            backup: pack.backup.clone(),
            packs: Vec::new(),
            index: Vec::new(),
        });
        if is_index {
            need.index.push(cited);
        } else {
            need.packs.push(cited);
        }
        Ok(())
    };
    for entry in &manifest.packs {
        need(&entry.pack, false)?;
    }
    for pack in &manifest.index {
        need(pack, true)?;
    }
    if !own.packs.is_empty() || !own.index.is_empty() {
        needs.insert(own.backup.clone(), own);
    }
    Ok(needs.into_values().collect())
}
