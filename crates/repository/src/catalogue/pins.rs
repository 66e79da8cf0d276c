//! Which backups are to be kept, since somebody wants that.
//!
//! Invariants: a pin holds as long as no lift that can be read names it; one that is damaged
//! holds without an end. No clock decides which of the two was first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::records::{Lift, PinRecord};
use pgkeep_types::{BackupId, PinId};

use super::{Catalogue, Unreadable};

/// A pin that was not lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The pin.
    pub id: PinId,
    /// What it says; none where it cannot be read.
    pub record: Option<PinRecord>,
}

impl Pinned {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        let until = self.record.as_ref().and_then(|record| record.until);
        until.is_none_or(|until| now < until)
    }
}

/// All pins of a cluster.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pinned: BTreeMap<BackupId, Vec<Pinned>>,
    lifted: BTreeSet<(BackupId, PinId)>,
    unreadable: Vec<Unreadable>,
}

impl Pins {
    pub(super) fn pin(&mut self, record: PinRecord) {
        let of_it = self.pinned.entry(record.backup.clone()).or_default();
        of_it.push(Pinned {
            id: record.id.clone(),
            record: Some(record),
        });
    }

    pub(super) fn lift(&mut self, lift: &Lift) {
        self.lifted.insert((lift.backup.clone(), lift.pin.clone()));
    }

    pub(super) fn damaged(&mut self, backup: BackupId, id: PinId, why: Unreadable) {
        let of_it = self.pinned.entry(backup).or_default();
        of_it.push(Pinned { id, record: None });
        self.unread(why);
    }

    pub(super) fn unread(&mut self, why: Unreadable) {
        self.unreadable.push(why);
    }
}

impl Catalogue {
    /// The pins of a backup that were not lifted; their time may be over.
    pub fn pins(&self, backup: &BackupId) -> impl Iterator<Item = &Pinned> {
        let of_it = self.pins.pinned.get(backup).into_iter().flatten();
        of_it.filter(|pinned| {
            let lifted = &self.pins.lifted;
            !lifted.contains(&(backup.clone(), pinned.id.clone()))
        })
    }

    /// Pins that hold since they cannot be read, and what should have lifted some.
    #[must_use]
    pub fn unread_pins(&self) -> &[Unreadable] {
        &self.pins.unreadable
    }
}
