//! Objects that were found whole, as a verification's record names them.

use std::collections::BTreeMap;

use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_format::records::{WholeObjects, WholePack};
use pgkeep_repository::Needed;
use pgkeep_types::BackupId;

/// Objects that were read and are whole, by the backup in whose folder they are.
#[derive(Debug, Default)]
pub(crate) struct Whole(BTreeMap<BackupId, WholeObjects>);

impl Whole {
    /// Adds an object; tells whether it is one of which a record can say so.
    pub(crate) fn add(&mut self, object: &Needed) -> bool {
        let Some(place) = names::place(&object.name) else {
            return false;
        };
        let blake3 = object.blake3;
        let holder = object.holder.clone();
        let of = self.0.entry(holder).or_insert_with(|| WholeObjects {
            backup: object.holder.clone(),
            manifest: None,
            facts: None,
            packs: Vec::new(),
            index: Vec::new(),
        });
        match place {
            Place::Backup(_, _, BackupPart::Manifest) => of.manifest = Some(blake3),
            Place::Backup(_, _, BackupPart::Facts) => of.facts = Some(blake3),
            Place::Pack(_, _, number) => of.packs.push(WholePack { number, blake3 }),
            Place::Index(_, _, number) => of.index.push(WholePack { number, blake3 }),
            _ => return false,
        }
        true
    }

    /// All of them, as a record has them; none are left.
    pub(crate) fn take(&mut self) -> Vec<WholeObjects> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}
