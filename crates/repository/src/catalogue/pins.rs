//! Which backups are to be kept, since somebody wants that.
//!
//! Invariants: a pin holds as long as no lift that can be read names it; one that is damaged
//! holds without an end. A tombstone beside a pin that holds counts as nothing. No clock
//! decides which of the two was first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{Lift, PinRecord, Tombstone};
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

    /// The pins of a backup that were not lifted.
    fn of(&self, backup: &BackupId) -> impl Iterator<Item = &Pinned> {
        let of_it = self.pinned.get(backup).into_iter().flatten();
        of_it.filter(|pinned| !self.lifted.contains(&(backup.clone(), pinned.id.clone())))
    }

    /// Takes those out of `deleted` that a pin keeps, of backups whose commit is there. By
    /// `newest`, which is the storage's clock or behind it, a pin whose time is just over may
    /// still hold: as long as nobody has deleted the backup, it is there.
    pub(super) fn spare(
        &self,
        deleted: &mut BTreeMap<BackupId, Option<Tombstone>>,
        is_there: impl Fn(&BackupId) -> bool,
        newest: Timestamp,
    ) -> BTreeMap<BackupId, Tombstone> {
        let is_spared = |id: &BackupId, tombstone: &mut Option<Tombstone>| {
            let is_pinned = self.of(id).any(|pinned| pinned.holds(newest));
            tombstone.is_some() && is_pinned && is_there(id)
        };
        let spared = deleted.extract_if(.., is_spared);
        spared
            .filter_map(|(id, of_it)| Some((id, of_it?)))
            .collect()
    }

    pub(super) fn unread(&mut self, why: Unreadable) {
        self.unreadable.push(why);
    }
}

impl Catalogue {
    /// The pins of a backup that were not lifted; their time may be over.
    pub fn pins(&self, backup: &BackupId) -> impl Iterator<Item = &Pinned> {
        self.pins.of(backup)
    }

    /// Who has chosen a backup for deletion that is there since it is pinned: it goes when
    /// the pin has ended.
    #[must_use]
    pub fn chosen(&self, backup: &BackupId) -> Option<&Tombstone> {
        self.chosen.get(backup)
    }

    /// All backups of which that is so.
    pub fn all_chosen(&self) -> impl Iterator<Item = &Tombstone> {
        self.chosen.values()
    }

    /// Pins that hold since they cannot be read, and what should have lifted some.
    pub fn unread_pins(&self) -> impl Iterator<Item = &Unreadable> {
        let pins = &self.pins;
        pins.unreadable.iter().filter(|unread| {
            let is_lifted = |place| match place {
                Place::Pin(_, backup, pin) => pins.lifted.contains(&(backup, pin)),
                _ => false,
            };
            !names::place(&unread.object).is_some_and(is_lifted)
        })
    }
}
