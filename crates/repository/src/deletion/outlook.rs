//! What the runs and backups are that a pruner has seen.
//!
//! Invariants: a run has ended, or is dead, only by what the first listing of runs
//! showed: what it committed is in the listing of backups then. A run that lives,
//! or may live, is one that has begun by any of the two listings and is neither.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{BackupRecord, Outcome, PlannedBackup, RunBegin};
use pgkeep_types::{BackupId, ObjectName, ObjectNameError, RunId, Timestamp};

use super::refused::PlanError;
use super::seen::Seen;
use crate::cited::lengths;

/// A run, by what was seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct RunSeen {
    /// Its `begin` is in either listing.
    pub(super) begun: bool,
    /// Its `outcome` is in the first listing.
    pub(super) ended: bool,
    /// That cannot be read: nobody knows how it ended.
    pub(super) unclear: bool,
    /// Its `dead` is in the first listing.
    pub(super) dead: bool,
    /// Its `outcome` or `dead` is in the second listing only.
    pub(super) changed: bool,
    /// When its newest object, or its backups' newest one, came to be.
    pub(super) newest: Timestamp,
}

impl RunSeen {
    /// Whether it may go on.
    pub(super) fn lives(&self) -> bool {
        self.begun && !self.ended && !self.dead
    }
}

/// What there is, sorted out.
pub(super) struct Outlook<'a> {
    pub(super) seen: &'a Seen,
    pub(super) runs: BTreeMap<RunId, RunSeen>,
    /// Which run each backup is of.
    pub(super) run_of: BTreeMap<BackupId, RunId>,
    /// The runs of which backups have any object.
    with_objects: BTreeSet<RunId>,
    /// Sizes of the objects below `backups/`.
    pub(super) sizes: BTreeMap<&'a ObjectName, u64>,
    /// Which backups have any object.
    pub(super) has_objects: BTreeSet<BackupId>,
    /// Which backups have been committed, and a pin keeps them: a tombstone of one counts as
    /// nothing.
    pub(super) pinned: BTreeSet<BackupId>,
}

impl<'a> Outlook<'a> {
    /// `now` is the storage's, by which pins end.
    pub(super) fn new(seen: &'a Seen, now: Timestamp) -> Self {
        let mut outlook = Self {
            pinned: BTreeSet::new(),
            seen,
            runs: BTreeMap::new(),
            run_of: BTreeMap::new(),
            with_objects: BTreeSet::new(),
            sizes: BTreeMap::new(),
            has_objects: BTreeSet::new(),
        };
        outlook.take_runs();
        outlook.take_backups();
        outlook.take_pins(now);
        outlook
    }

    fn take_pins(&mut self, now: Timestamp) {
        let records = &self.seen.records;
        for (key, until) in &records.pins {
            let holds = until.is_none_or(|until| now < until) && !records.lifts.contains(key);
            let is_there = records.backups.contains_key(&key.0) && !self.has_failed(&key.0);
            if holds && is_there {
                self.pinned.insert(key.0.clone());
            }
        }
    }

    fn take_runs(&mut self) {
        let Self { seen, runs, .. } = self;
        let listing = &seen.listing;
        let first = listing.runs.iter().map(|object| (true, object));
        let second = listing.runs_again.iter().map(|object| (false, object));
        for (is_first, object) in first.chain(second) {
            let (run, record) = match names::place(&object.name) {
                Some(Place::Run(_, run, record)) => (run, Some(record)),
                Some(Place::Alive(_, run, _)) => (run, None),
                _ => continue,
            };
            let readable = seen.records.outcomes.contains_key(&run);
            let is_nothing = seen.records.nothing.contains(&object.name);
            let run = runs.entry(run).or_default();
            run.newest = run.newest.max(object.modified);
            match (record, is_first) {
                _ if is_nothing => {}
                (Some(RunRecord::Begin), _) => run.begun = true,
                (Some(RunRecord::Outcome), true) => {
                    run.ended = true;
                    run.unclear = !readable;
                }
                (Some(RunRecord::Dead), true) => run.dead = true,
                (Some(RunRecord::Outcome), false) => run.changed |= !run.ended,
                (Some(RunRecord::Dead), false) => run.changed |= !run.dead,
                (None, _) => {}
            }
        }
    }

    fn take_backups(&mut self) {
        let records = &self.seen.records;
        for begin in records.begins.values().flatten() {
            for planned in &begin.backups {
                self.run_of.insert(planned.id.clone(), begin.run.clone());
            }
        }
        for begin in records.begins.values().flatten() {
            for brought in brought(begin) {
                let known = self.run_of.entry(brought.clone());
                known.or_insert_with(|| begin.run.clone());
            }
        }
        // Several runs may copy a backup: of those the one counts that calls it whole.
        for is_made in [false, true] {
            for outcome in records.outcomes.values() {
                let ended = outcome.backups.iter();
                let said = ended.filter(|b| (b.outcome == Outcome::Complete) == is_made);
                for backup in said {
                    self.run_of.insert(backup.id.clone(), outcome.run.clone());
                }
            }
        }
        for record in records.backups.values().flatten() {
            self.run_of.insert(record.id.clone(), record.run.clone());
        }
        for object in &self.seen.listing.backups {
            let Some((id, _)) = of_backup(&object.name) else {
                continue;
            };
            self.sizes.insert(&object.name, object.size);
            if let Some(run) = self.run_of.get(&id) {
                if let Some(run) = self.runs.get_mut(run) {
                    run.newest = run.newest.max(object.modified);
                }
                self.with_objects.insert(run.clone());
            }
            self.has_objects.insert(id);
        }
    }

    pub(super) fn run(&self, id: &BackupId) -> Option<&RunSeen> {
        self.runs.get(self.run_of.get(id)?)
    }

    /// Whether any of its backups has any object.
    pub(super) fn has_objects(&self, run: &RunId) -> bool {
        self.with_objects.contains(run)
    }

    pub(super) fn begin(&self, run: &RunId) -> Option<&'a RunBegin> {
        self.seen.records.begins.get(run)?.as_ref().ok()
    }

    /// What the runs have begun that may go on.
    ///
    /// # Errors
    /// `Unreadable` where a begin cannot be read: what its run needs is not known.
    pub(super) fn living(&self) -> Result<Vec<&'a RunBegin>, PlanError> {
        let living = self.runs.iter().filter(|(_, run)| run.lives());
        let mut begins = Vec::new();
        for (id, _) in living {
            match self.seen.records.begins.get(id) {
                Some(Ok(begin)) => begins.push(begin),
                Some(Err(problem)) => {
                    return Err(PlanError::Unreadable {
                        object: names::run(&self.seen.cluster, id, RunRecord::Begin)?,
                        problem: problem.clone(),
                        left: self.of_no_run(),
                    });
                }
                None => {
                    return Err(PlanError::Changed { run: id.clone() });
                }
            }
        }
        Ok(begins)
    }

    /// Whether nobody can tell any more what it set out to make, and it is dead. That is
    /// known by its `dead`, which stays.
    pub(super) fn is_dead_and_damaged(&self, run: &RunId) -> bool {
        let is_dead = self.runs.get(run).is_some_and(|run| run.dead);
        is_dead && self.seen.records.damaged.contains(run)
    }

    /// The backups of which objects are there, and of which nothing else tells.
    fn of_no_run(&self) -> BTreeSet<BackupId> {
        let mut of_none = self.has_objects.clone();
        of_none.retain(|id| !self.run_of.contains_key(id) && !self.is_deleted(id));
        of_none
    }

    /// What the runs have begun of which nobody knows how they ended, where that is known.
    pub(super) fn unclear(&self) -> impl Iterator<Item = &'a RunBegin> {
        let unclear = self.runs.iter().filter(|(_, run)| run.unclear);
        unclear.filter_map(|(id, _)| self.begin(id))
    }

    /// Whether a pruner, or the backup's own writer, has deleted it. One that is pinned and
    /// has its commit is not, for as long as the pin holds: the two did not see each other.
    pub(super) fn is_deleted(&self, id: &BackupId) -> bool {
        self.has_tombstone(id) && !self.pinned.contains(id)
    }

    fn has_tombstone(&self, id: &BackupId) -> bool {
        self.seen.records.tombstones.get(id) == Some(&true)
    }

    /// Whether its run has said that it came to nothing.
    pub(super) fn has_failed(&self, id: &BackupId) -> bool {
        let outcome = self.outcome_says(id, false);
        let ended = self.run(id).is_some_and(|run| run.ended);
        ended && outcome
    }

    /// Whether its run has said that it is whole.
    pub(super) fn is_confirmed(&self, id: &BackupId) -> bool {
        let ended = self.run(id).is_some_and(|run| run.ended);
        ended && self.outcome_says(id, true)
    }

    fn outcome_says(&self, id: &BackupId, made: bool) -> bool {
        let run = self.run_of.get(id);
        let outcome = run.and_then(|run| self.seen.records.outcomes.get(run));
        outcome.is_some_and(|outcome| match made {
            true => outcome.made(id),
            false => outcome.failed(id),
        })
    }

    /// Whether its run was taken for dead and has said nothing. Of a run of which nothing
    /// is there that is not known: the storage may have lost what it said.
    pub(super) fn is_given_up(&self, id: &BackupId) -> bool {
        self.run(id).is_some_and(|run| run.dead && !run.ended)
    }

    /// Whether all that it needs was listed, as it is cited.
    pub(super) fn is_whole(&self, record: &BackupRecord) -> Result<bool, ObjectNameError> {
        let mut needed = lengths(record)?.into_iter();
        Ok(needed.all(|(name, length)| self.sizes.get(&name) == Some(&length)))
    }
}

/// The backup of which an object below `backups/` is, and whether it is the commit.
pub(super) fn of_backup(name: &ObjectName) -> Option<(BackupId, bool)> {
    match names::place(name)? {
        Place::Backup(_, id, part) => Some((id, part == BackupPart::Backup)),
        Place::Pack(_, id, _) | Place::Index(_, id, _) => Some((id, false)),
        Place::Run(..)
        | Place::Alive(..)
        | Place::Tombstone(..)
        | Place::SecondTombstone(..)
        | Place::Proof(..)
        | Place::Verification(..)
        | Place::Pin(..)
        | Place::Lift(..) => None,
    }
}

/// The backups of which a run that copies brings packs along.
pub(super) fn brought(begin: &RunBegin) -> impl Iterator<Item = &BackupId> {
    begin.copies.iter().flat_map(|copies| &copies.brings)
}

/// The planned backups that have a parent, with it.
pub(super) fn parents(begin: &RunBegin) -> impl Iterator<Item = &BackupId> {
    let parent = |planned: &'_ PlannedBackup| planned.parent.is_some();
    let with = begin.backups.iter().filter(move |planned| parent(planned));
    with.filter_map(|planned| planned.parent.as_ref())
}
