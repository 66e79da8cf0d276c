//! What the storage has lost, which it had promised to keep.
//!
//! Invariant: whatever it loses, nobody else deletes anything because of it that is of a
//! good backup: of one whose record is still there, or was lost after the run had called
//! the backup whole, or of which nothing of its run was there either. (Of one whose writer
//! died between its last look and the outcome nothing is left that tells it from one
//! whose writer died before the commit, once the record is lost.)

use super::Setting;
use super::state::{Kind, Objects, State};

/// The records of which one may be lost.
pub(super) const RECORDS: &[Kind] = &[
    Kind::Begin,
    Kind::Complete,
    Kind::Failed,
    Kind::Tombstone,
    Kind::Commit,
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Losses {
    /// Whether there may be one more.
    pub(super) more: bool,
    /// Objects that are there and cannot be read.
    pub(super) damaged: Objects,
    /// A tombstone has gone, or a `backup` was lost: pruners that know of the tombstone, or go by
    /// `backup` being gone, know nothing of who pins then.
    pub(super) of_deletion: bool,
    /// Backups whose record vanished.
    records: u8,
    /// Those among them that must be whole once their record is brought back.
    kept: u8,
}

impl Losses {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            more: !setting.losses.is_empty(),
            ..Self::default()
        }
    }

    pub(super) fn has_lost(self, backup: usize) -> bool {
        self.records & (1 << backup) != 0
    }

    /// Whether a good backup may have lost a pack.
    pub(super) fn excuse(self, backup: usize) -> bool {
        self.has_lost(backup) && self.kept & (1 << backup) == 0
    }
}

/// Loses any record there is, in either way.
pub(super) fn lose(setting: &Setting, state: &State, next: &mut Vec<State>) {
    if !state.losses.more {
        return;
    }
    let records = Objects::of_kinds(setting.losses);
    for (kind, backup) in state.objects.within(records).each() {
        let object = Objects::one(kind, backup);
        let mut damaged = state.clone();
        damaged.losses.more = false;
        damaged.losses.of_deletion = kind == Kind::Commit;
        let mut gone = damaged.clone();
        gone.losses.of_deletion |= kind == Kind::Tombstone;
        damaged.losses.damaged = object;
        gone.objects = gone.objects.without(object);
        if kind == Kind::Commit {
            gone.losses.records = 1 << backup;
            gone.losses.kept = u8::from(is_told(state, backup)) << backup;
        }
        next.extend([damaged, gone]);
    }
}

/// Whether a backup that has lost its record is known to have had one, or may have.
fn is_told(state: &State, backup: usize) -> bool {
    let has = |kind| state.objects.has(kind, backup);
    let of_run = [Kind::Begin, Kind::Dead, Kind::Complete, Kind::Failed];
    has(Kind::Complete) || !of_run.into_iter().any(has)
}
