//! The series of a cluster: what of the catalogue the policy is asked about.
//!
//! Invariants: a series is of one server, one kind and one database, and of whole backups or
//! of parts; names are compared as they are. What is damaged, or may be, is in no series: it is a
//! failure where it is newer than all that is good.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::names::{self, Place};
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Attempt, Catalogue, Entry, Unreadable};
use pgkeep_retention::{Candidate, Doubt, Failure, Level, Pin, Series};
use pgkeep_types::{BackupId, SystemId, Timestamp};

/// Which series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesName {
    /// The database.
    pub database: String,
    /// The kind's word.
    pub kind: &'static str,
    /// Whether its backups have a part of the database alone: they are nothing in the place
    /// of whole ones.
    pub part: bool,
    /// The server that they are of: another one's, whatever its databases are called, take
    /// nobody's place. None where the server did not tell.
    pub system: Option<SystemId>,
}

/// A backup that is damaged, that a test restore has refuted, or of which nobody can tell
/// whether it is good: no policy deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The backup.
    pub id: BackupId,
    /// Its database, where that is known.
    pub database: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// Whether a test restore has shown that.
    pub refuted: bool,
}

/// What is known of a cluster's backups.
pub(crate) struct Known<'a> {
    catalogue: &'a Catalogue,
    /// The good ones, oldest first.
    pub(crate) good: BTreeMap<SeriesName, Vec<&'a BackupRecord>>,
    pub(crate) damaged: Vec<Damage>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue) -> Self {
        let mut known = Self {
            catalogue,
            good: BTreeMap::new(),
            damaged: Vec::new(),
        };
        for record in catalogue.complete() {
            // Its run may have said that it failed.
            let unread = catalogue.unread_of_run(record).next();
            let problem = match (unread, catalogue.refuted(&record.id)) {
                (None, None) => {
                    let of_it = known.good.entry(name(record)).or_default();
                    of_it.push(record);
                    continue;
                }
                (Some(unread), _) => unread.error.to_string(),
                (None, Some(_)) => "a test restore of it failed".to_owned(),
            };
            known.damaged.push(Damage {
                id: record.id.clone(),
                database: Some(record.database.clone()),
                problem,
                refuted: unread.is_none(),
            });
        }
        for unreadable in catalogue.unreadable() {
            let id = unreadable.id.clone();
            known.damaged.extend(id.map(|id| Damage {
                id,
                database: unreadable.database.clone(),
                problem: unreadable.error.to_string(),
                refuted: false,
            }));
        }
        known
    }

    /// What the policy is asked about.
    pub(crate) fn series(
        &self,
        name: &SeriesName,
        good: &[&BackupRecord],
        now: Timestamp,
        level: &impl Fn(&BackupId) -> Level,
    ) -> Series {
        let undated = self.catalogue.undated(&name.database, now);
        let candidate = |record: &&BackupRecord| Candidate {
            id: record.id.clone(),
            started: record.started,
            level: level(&record.id),
            dated: !undated.contains(&record.id),
            chosen: self.catalogue.chosen(&record.id).is_some(),
            doubt: self.doubt(&record.id),
            pin: pin(self.catalogue, &record.id, now),
        };
        Series {
            good: good.iter().map(candidate).collect(),
            failed: self.failure(name, good, &undated, now, level),
        }
    }

    /// What came to nothing after the newest good one. A date that cannot be believed
    /// makes none the newest, nor does what was chosen for deletion: what failed since would be
    /// hidden by it. A test restore that failed is hidden by none that nobody has restored since:
    /// the next dump may be no better.
    fn failure(
        &self,
        name: &SeriesName,
        good: &[&BackupRecord],
        undated: &BTreeSet<BackupId>,
        now: Timestamp,
        level: &impl Fn(&BackupId) -> Level,
    ) -> Option<Failure> {
        let counts = |id: &BackupId| !undated.contains(id) && self.catalogue.chosen(id).is_none();
        let dated = || good.iter().filter(|record| counts(&record.id));
        let newest = dated().max_by_key(|record| (record.started, &record.id));
        let tried = dated().filter(|record| level(&record.id) >= Level::Restorable);
        let newest_tried = tried.max_by_key(|record| (record.started, &record.id));
        let damaged = self.damaged.iter().filter(|damage| {
            let of_it = damage.database.as_ref();
            // Ids tell the second only.
            let is_after = |one: &&&BackupRecord| damage.id.time() >= one.id.time();
            let is_open = damage.refuted && newest_tried.as_ref().is_none_or(is_after);
            of_it.is_none_or(|database| *database == name.database)
                && (newest.as_ref().is_none_or(is_after) || is_open && self.is_of(damage, name))
        });
        let damaged = damaged.max_by_key(|damage| &damage.id);
        let attempts = self
            .catalogue
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Attempt(attempt) => Some(attempt),
                Entry::Complete(_) | Entry::Unreadable(_) => None,
            });
        let attempts = attempts.filter(|attempt| {
            self.is_failure_of(attempt, name, now)
                && newest.is_none_or(|newest| self.catalogue.is_after(attempt, newest))
        });
        let attempt = attempts.max_by_key(|attempt| (attempt.begin.started, &attempt.id));
        let lacking = newest.filter(|newest| !newest.globals && dated().any(|one| one.globals));
        let unread = self.catalogue.unreadable().find(|unreadable| {
            let begun = run_time(unreadable);
            begun.is_some_and(|begun| newest.is_none_or(|newest| begun >= newest.id.time()))
        });
        damaged
            .map(|damage| match damage.refuted {
                true => Failure::Refuted(damage.id.clone()),
                false => Failure::Damaged(damage.id.clone()),
            })
            .or_else(|| attempt.map(|attempt| Failure::Attempt(attempt.id.clone())))
            .or_else(|| unread.map(|unread| Failure::Unread(unread.object.clone())))
            .or_else(|| lacking.map(|lacking| Failure::Lacking(lacking.id.clone())))
            .or_else(|| self.doubted(good))
    }

    /// Whether what is damaged is a backup of the series.
    fn is_of(&self, damage: &Damage, series: &SeriesName) -> bool {
        let mut records = self.catalogue.complete();
        records.any(|record| record.id == damage.id && name(record) == *series)
    }

    /// The newest backup of which nobody can tell whether it is good.
    fn doubted(&self, good: &[&BackupRecord]) -> Option<Failure> {
        let mut newest_first = good.iter().rev();
        newest_first.find_map(|record| {
            let (backup, doubt) = (record.id.clone(), self.doubt(&record.id)?);
            Some(Failure::Doubted { backup, doubt })
        })
    }

    /// Why a good backup may be none.
    fn doubt(&self, id: &BackupId) -> Option<Doubt> {
        let proof = self.catalogue.unread_proof(id).cloned();
        let verification = || self.catalogue.unread_verification(id).cloned();
        let of_verification = || verification().map(Doubt::Verification);
        proof.map(Doubt::Proof).or_else(of_verification)
    }

    /// Whether an attempt of the series came to nothing. One that shows that it goes on may
    /// come to something.
    fn is_failure_of(&self, attempt: &Attempt, name: &SeriesName, now: Timestamp) -> bool {
        let goes_on = self.catalogue.is_running(attempt, now)
            && self.catalogue.silent_since(attempt, now).is_none();
        attempt.database == name.database && attempt.begin.kind.as_str() == name.kind && !goes_on
    }
}

/// The pin that keeps a backup longest; one that cannot be read keeps it without an end.
#[must_use]
pub fn pin(catalogue: &Catalogue, id: &BackupId, now: Timestamp) -> Option<Pin> {
    let holding = catalogue.pins(id).filter(|pinned| pinned.holds(now));
    let pins = holding.map(|pinned| match &pinned.record {
        Some(record) => Pin {
            reason: record.reason.clone(),
            until: record.until,
        },
        None => Pin {
            reason: "what this pin says cannot be read".to_owned(),
            until: None,
        },
    });
    pins.max_by_key(|pin| (pin.until.is_none(), pin.until))
}

/// The series that a good backup is of.
fn name(record: &BackupRecord) -> SeriesName {
    SeriesName {
        database: record.database.clone(),
        kind: record.kind.as_str(),
        part: record.selected,
        system: record.system_id,
    }
}

/// When a run was begun of which a record cannot be read.
fn run_time(unreadable: &Unreadable) -> Option<Timestamp> {
    match names::place(&unreadable.object) {
        Some(Place::Run(_, run, _)) => Some(run.time()),
        _ => None,
    }
}
