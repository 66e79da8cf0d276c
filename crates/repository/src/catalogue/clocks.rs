//! Whose clock was wrong.
//!
//! Invariants: that one backup was made after another is told by what it refers to, or by
//! the storage's clock, never by what hosts say; two clocks may differ a little. The
//! storage's clock is believed only as far as it puts backups in order: who copies a
//! repository may give all its objects new times.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::records::BackupRecord;
use pgkeep_types::BackupId;

use super::{CLOCKS_DIFFER, Catalogue, is_ahead};

/// Two backups of one database of which the one that was made later says that it is the
/// older one.
#[derive(Clone, Copy, Debug)]
pub struct Misdated<'a> {
    /// The one that was made later.
    pub later: &'a BackupRecord,
    /// The one that was made before it.
    pub earlier: &'a BackupRecord,
    /// Which of the two has the wrong date, where the storage's clock tells.
    pub wrong: Option<&'a BackupRecord>,
}

impl Catalogue {
    /// A backup of the same database that was made after `newest`, though that one says
    /// that it is newer: which of them is the newest cannot be told.
    #[must_use]
    pub fn made_after<'a>(&'a self, newest: &'a BackupRecord) -> Option<Misdated<'a>> {
        let by_id = self.by_id();
        let mut of_database = self.of_database(&newest.database);
        let later = of_database.rfind(|backup| {
            backup.started < newest.started
                && (descends(backup, newest, &by_id) || self.was_stored_after(backup, newest))
        });
        Some(self.misdating(later?, newest))
    }

    /// A backup of the same database that says that it is newer than `backup`, though that
    /// one was made after it: `backup` may be newer than it says. None where it is known
    /// that the other one's date is the wrong one.
    #[must_use]
    pub fn was_dated_back<'a>(&'a self, backup: &'a BackupRecord) -> Option<Misdated<'a>> {
        let by_id = self.by_id();
        let earlier = self
            .of_database(&backup.database)
            .filter(|other| backup.started < other.started)
            .filter(|other| {
                descends(backup, other, &by_id) || self.was_stored_after(backup, other)
            });
        let misdated = earlier.map(|other| self.misdating(backup, other));
        let mut of_it = misdated.filter(|found| found.wrong.is_none_or(|b| b.id == backup.id));
        of_it.next()
    }

    /// The newest backup of the database that was made after one that says that it is newer.
    #[must_use]
    pub fn misdated(&self, database: &str) -> Option<Misdated<'_>> {
        let mut latest: Option<&BackupRecord> = None;
        let mut found = None;
        let mut stored: Vec<&BackupRecord> = self.of_database(database).collect();
        stored.sort_by_key(|backup| self.committed(backup));
        for backup in stored.iter().copied() {
            let mut others = stored.iter().copied();
            let parent = others.find(|other| Some(&other.id) == backup.parent.as_ref());
            let parent = parent.filter(|parent| backup.started < parent.started);
            let stored_before = latest.filter(|latest| self.was_stored_after(backup, latest));
            if let Some(earlier) = parent.or(stored_before) {
                found = Some(self.misdating(backup, earlier));
            }
            if latest.is_none_or(|latest| latest.finished < backup.finished) {
                latest = Some(backup);
            }
        }
        found
    }

    /// A backup by which this host's clock is behind: it was begun, and by the storage's
    /// clock stored, after `now`.
    #[must_use]
    pub fn is_behind(&self, now: Timestamp) -> Option<&BackupRecord> {
        let ahead = self.complete().filter(|b| is_ahead(b.started, now));
        // One whose own clock ran ahead says nothing of this one.
        let mut sound = ahead.filter(|b| {
            let committed = self.committed(b);
            committed.is_some_and(|committed| !is_ahead(b.started, committed))
        });
        sound.next_back()
    }

    fn of_database(&self, database: &str) -> impl DoubleEndedIterator<Item = &BackupRecord> {
        let backups = self.complete();
        backups.filter(move |backup| backup.database == database)
    }

    fn by_id(&self) -> BTreeMap<&BackupId, &BackupRecord> {
        self.complete().map(|backup| (&backup.id, backup)).collect()
    }

    /// When a backup was committed, by the storage's clock.
    fn committed(&self, backup: &BackupRecord) -> Option<Timestamp> {
        self.origins.get(&backup.id).map(|origin| origin.committed)
    }

    /// Whether the storage's clock has `later` after `earlier`, and what their hosts say has
    /// it before, each by more than clocks differ.
    fn was_stored_after(&self, later: &BackupRecord, earlier: &BackupRecord) -> bool {
        let (Some(after), Some(before)) = (self.committed(later), self.committed(earlier)) else {
            return false;
        };
        after.duration_since(before) > CLOCKS_DIFFER
            && earlier.finished.duration_since(later.finished) > CLOCKS_DIFFER
            && later.started < earlier.started
    }

    fn misdating<'a>(&self, later: &'a BackupRecord, earlier: &'a BackupRecord) -> Misdated<'a> {
        let is_off = |backup: &BackupRecord| {
            let committed = self.committed(backup).unwrap_or(backup.finished);
            committed.duration_since(backup.finished).abs() > CLOCKS_DIFFER
        };
        let wrong = match (is_off(later), is_off(earlier)) {
            (true, false) => Some(later),
            (false, true) => Some(earlier),
            (true, true) | (false, false) => None,
        };
        Misdated {
            later,
            earlier,
            wrong,
        }
    }
}

/// Whether a backup was compared with another one, or refers to its packs, or its parent
/// does: then it was made after that.
fn descends(
    backup: &BackupRecord,
    from: &BackupRecord,
    by_id: &BTreeMap<&BackupId, &BackupRecord>,
) -> bool {
    let mut met = BTreeSet::new();
    let mut at = Some(backup);
    while let Some(child) = at.filter(|child| met.insert(&child.id)) {
        let is_parent = child.parent.as_ref() == Some(&from.id);
        let needs = child.id != from.id && child.needs.iter().any(|need| need.backup == from.id);
        if is_parent || needs {
            return true;
        }
        let parent = child.parent.as_ref();
        at = parent.and_then(|parent| by_id.get(parent).copied());
    }
    false
}
