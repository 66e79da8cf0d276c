//! Whose clock was wrong.
//!
//! Invariants: that one backup was made after another is told by what it refers to, or by
//! the storage's clock, never by what hosts say; two clocks may differ a little. The
//! storage's clock is believed only as far as it puts backups in order, and no reference
//! says otherwise: who copies a repository may give all its objects new times.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::records::BackupRecord;
use pgkeep_types::BackupId;

use super::{CLOCKS_DIFFER, Catalogue, is_ahead};

type ById<'a> = BTreeMap<&'a BackupId, &'a BackupRecord>;

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

/// A backup of which its host and the storage's clock say differently whether it was
/// finished before some time.
#[derive(Clone, Copy, Debug)]
pub struct Contested<'a> {
    /// The backup.
    pub backup: &'a BackupRecord,
    /// When it was stored, by the storage's clock.
    pub stored: Timestamp,
}

impl Catalogue {
    /// A backup of the same database that was made after `newest`, though that one says
    /// that it is newer: which of them is the newest cannot be told.
    #[must_use]
    pub fn made_after<'a>(&'a self, newest: &'a BackupRecord) -> Option<Misdated<'a>> {
        let by_id = self.by_id();
        let mut of_database = self.of_database(&newest.database);
        let later = of_database.rfind(|backup| {
            backup.started < newest.started && self.is_later(backup, newest, &by_id)
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
            .filter(|other| self.is_later(backup, other, &by_id));
        let misdated = earlier.map(|other| self.misdating(backup, other));
        let mut of_it = misdated.filter(|found| found.wrong.is_none_or(|b| b.id == backup.id));
        of_it.next()
    }

    /// The newest backup of the database that was made after one that says that it is newer.
    #[must_use]
    pub fn misdated(&self, database: &str) -> Option<Misdated<'_>> {
        let by_id = self.by_id();
        let mut stored: Vec<&BackupRecord> = self.of_database(database).collect();
        stored.sort_by_key(|backup| self.committed(backup));
        let mut found: Option<(usize, &BackupRecord)> = None;
        for (at, backup) in stored.iter().copied().enumerate() {
            let parent = backup.parent.as_ref().and_then(|id| by_id.get(id).copied());
            let parent = parent.filter(|p| p.database == database && backup.started < p.started);
            let after = stored.iter().copied().enumerate().skip(at + 1);
            let after: Vec<(usize, &BackupRecord)> = after
                .filter(|(_, later)| self.was_stored_after(later, backup))
                .collect();
            // Seldom there are any.
            let referred = match after.is_empty() {
                true => BTreeSet::new(),
                false => ancestors(backup, &by_id),
            };
            let mut after = after.into_iter();
            let later = after.rfind(|(_, later)| !referred.contains(&later.id));
            let pairs = [
                parent.map(|parent| (at, parent)),
                later.map(|(at, _)| (at, backup)),
            ];
            for pair in pairs.into_iter().flatten() {
                found = found.filter(|(known, _)| *known > pair.0).or(Some(pair));
            }
        }
        let (later, earlier) = found?;
        Some(self.misdating(stored.get(later)?, earlier))
    }

    /// Backups by which another one would be the newest of those that were finished
    /// `before`, were the storage's clock believed in place of their hosts'. It may be the
    /// one that is wrong: who copies a repository gives all objects later times.
    #[must_use]
    pub fn contested(&self, database: &str, before: Timestamp) -> Vec<Contested<'_>> {
        let of_database = || self.of_database(database);
        let newest = of_database().rfind(|backup| backup.finished < before);
        let newest_stored = newest.and_then(|newest| self.committed(newest));
        let contested = of_database().filter_map(|backup| {
            let stored = self.committed(backup)?;
            let matters = match (backup.finished < before, stored < before) {
                (true, false) => newest.is_some_and(|newest| newest.id == backup.id),
                (false, true) => newest_stored.is_none_or(|newest| stored > newest),
                (true, true) | (false, false) => false,
            };
            (matters && self.is_off(backup)).then_some(Contested { backup, stored })
        });
        contested.collect()
    }

    /// The backups of a database whose dates cannot be believed: they are of a time that has
    /// not come, or one was made after another that says that it is newer, and it is not
    /// known that the other one's date is the wrong one.
    #[must_use]
    pub fn undated(&self, database: &str, now: Timestamp) -> BTreeSet<BackupId> {
        let all: Vec<&BackupRecord> = self.of_database(database).collect();
        let ahead = all.iter().filter(|backup| is_ahead(backup.started, now));
        let mut undated: BTreeSet<BackupId> = ahead.map(|backup| backup.id.clone()).collect();
        let by_id = self.by_id();
        if self.are_in_order(&all, &by_id) {
            return undated;
        }
        for (at, older) in all.iter().enumerate() {
            for newer in all.iter().skip(at + 1) {
                if older.started < newer.started && self.is_later(older, newer, &by_id) {
                    let wrong = self.misdating(older, newer).wrong;
                    let doubted = [older, newer].into_iter();
                    let doubted = doubted.filter(|b| wrong.is_none_or(|wrong| wrong.id == b.id));
                    undated.extend(doubted.map(|backup| backup.id.clone()));
                }
            }
        }
        undated
    }

    /// Whether all were stored in the order of their dates, and none refers to one that
    /// says that it is newer. They come by their dates.
    fn are_in_order(&self, all: &[&BackupRecord], by_id: &ById<'_>) -> bool {
        let is_stored = all.is_sorted_by_key(|backup| self.committed(backup));
        let is_referring = |backup: &&BackupRecord| {
            let mut referred = refers_to(backup).filter_map(|id| by_id.get(id));
            referred.all(|other| other.started <= backup.started)
        };
        is_stored && all.iter().all(is_referring)
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

    fn by_id(&self) -> ById<'_> {
        self.complete().map(|backup| (&backup.id, backup)).collect()
    }

    /// When a backup was committed, by the storage's clock.
    fn committed(&self, backup: &BackupRecord) -> Option<Timestamp> {
        self.origins.get(&backup.id).map(|origin| origin.committed)
    }

    /// Whether `later` was made after `earlier`, though it says that it is older. What
    /// refers to another one is certain to be later than that; the storage's clock is not
    /// believed against it.
    fn is_later(&self, later: &BackupRecord, earlier: &BackupRecord, by_id: &ById<'_>) -> bool {
        descends(later, earlier, by_id)
            || self.was_stored_after(later, earlier) && !descends(earlier, later, by_id)
    }

    /// Whether the storage's clock has `later` after `earlier`, and what their hosts say has
    /// it before, each by more than clocks differ.
    fn was_stored_after(&self, later: &BackupRecord, earlier: &BackupRecord) -> bool {
        let is_dated_before = later.started < earlier.started
            && earlier.finished.duration_since(later.finished) > CLOCKS_DIFFER;
        let is_after = || {
            let (after, before) = (self.committed(later)?, self.committed(earlier)?);
            Some(after.duration_since(before) > CLOCKS_DIFFER)
        };
        is_dated_before && is_after() == Some(true)
    }

    /// Whether the storage's clock has a backup at another time than its host says.
    fn is_off(&self, backup: &BackupRecord) -> bool {
        let committed = self.committed(backup).unwrap_or(backup.finished);
        committed.duration_since(backup.finished).abs() > CLOCKS_DIFFER
    }

    fn misdating<'a>(&self, later: &'a BackupRecord, earlier: &'a BackupRecord) -> Misdated<'a> {
        let wrong = match (self.is_off(later), self.is_off(earlier)) {
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
fn descends(backup: &BackupRecord, from: &BackupRecord, by_id: &ById<'_>) -> bool {
    let mut line = line(backup, by_id);
    line.any(|child| refers_to(child).any(|id| *id == from.id))
}

/// All backups that a backup descends from.
fn ancestors<'a>(backup: &'a BackupRecord, by_id: &ById<'a>) -> BTreeSet<&'a BackupId> {
    line(backup, by_id).flat_map(refers_to).collect()
}

/// A backup, its parent, the parent's parent, and so on.
fn line<'a>(backup: &'a BackupRecord, by_id: &ById<'a>) -> impl Iterator<Item = &'a BackupRecord> {
    let mut met = BTreeSet::new();
    std::iter::successors(Some(backup), |child| {
        by_id.get(child.parent.as_ref()?).copied()
    })
    .take_while(move |child| met.insert(&child.id))
}

/// What a backup refers to, itself not among it.
fn refers_to(backup: &BackupRecord) -> impl Iterator<Item = &BackupId> {
    let needs = backup.needs.iter().map(|need| &need.backup);
    backup
        .parent
        .iter()
        .chain(needs)
        .filter(|id| **id != backup.id)
}
