//! What to delete, and why: a pure function of what was seen.
//!
//! Invariants: nothing is planned to go that a backup needs which is committed and
//! not deleted, or that a run may need which may still go on. Where that cannot be
//! told, there is no plan.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_storage::{ObjectMeta, Unfinished};
use pgkeep_types::{BackupId, ObjectName, ObjectNameError, RunId, Timestamp};

use super::beside::{of_beside, of_uploads};
use super::keep::Kept;
use super::outlook::{Outlook, RunSeen, brought, of_backup, parents};
use super::refused::PlanError;
use super::seen::Seen;
use super::verified::of_verifications;

/// By what a pruner goes besides what it has seen.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The storage's own now.
    pub now: Timestamp,
    /// How long a run may give no sign of life before it is taken for dead, and how
    /// old an object must be that belongs to no run.
    pub grace: SignedDuration,
    /// How long it stays known that a backup failed or was deleted.
    pub history: SignedDuration,
    /// The backups to delete.
    pub chosen: BTreeSet<BackupId>,
}

impl Terms {
    /// How long a run may give no sign of life.
    pub const GRACE: SignedDuration = SignedDuration::from_hours(24);
    /// How long failed attempts and deleted backups are known.
    pub const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

    /// The usual ones at a now of the storage's, with nothing chosen.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            grace: Self::GRACE,
            history: Self::HISTORY,
            chosen: BTreeSet::new(),
        }
    }

    pub(super) fn is_older(&self, instant: Timestamp, than: SignedDuration) -> bool {
        self.now.duration_since(instant) > than
    }
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Runs to take for dead. Where there is any of these, or of `tombstones`, they
    /// are written, and everything is looked at again before anything is deleted.
    pub dead: Vec<GivenUp>,
    /// Backups that need a tombstone.
    pub tombstones: Vec<BackupId>,
    /// What to delete, in this order. Those of one stage may go at once.
    pub deletions: Vec<Deletion>,
    /// What uploads have left that nobody will finish. It goes after all objects.
    pub unfinished: Vec<Unfinished>,
    /// Why the storage cannot tell what is unfinished, where it cannot: it stays.
    pub unfinished_unknown: Option<String>,
    /// What is no object of a repository; it stays.
    pub foreign: Vec<ObjectName>,
}

impl Plan {
    /// Whether anything has to be written, and looked at again, before anything may
    /// be deleted.
    #[must_use]
    pub fn declares(&self) -> bool {
        !self.dead.is_empty() || !self.tombstones.is_empty()
    }

    /// What may be deleted by what was seen. Where `backup` records go, that is these: all
    /// else goes by what is seen once they have gone. Who has found one, and begun a backup
    /// on it, is seen by then; who begins later finds none.
    #[must_use]
    pub fn by_this_look(&self) -> &[Deletion] {
        let stages = self.deletions.chunk_by(|a, b| a.stage == b.stage);
        let mut commits = stages.filter(|of| of.iter().all(|d| d.stage == Deletion::COMMITS));
        commits.next().unwrap_or(&self.deletions)
    }
}

/// A run that is taken for dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The run.
    pub run: RunId,
    /// Its last sign of life, by the storage's clock.
    pub last_sign: Timestamp,
}

/// An object that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The object.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
    /// Objects of a later stage go only when those of all earlier ones have.
    pub stage: u8,
    /// Why it goes.
    pub reason: Reason,
}

impl Deletion {
    /// The stage of `backup` records.
    const COMMITS: u8 = 0;
}

/// Why an object goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// This backup was deleted.
    Deleted(BackupId),
    /// This backup failed.
    Failed(BackupId),
    /// The run of this backup was cut off.
    Abandoned(BackupId),
    /// It belongs to nothing but what counts as nothing.
    Orphan,
    /// A sign of life of a run that has ended.
    Sign,
    /// It told what a run set out to make that is dead, and is damaged.
    Damaged,
    /// It tells of something that is long over.
    History,
    /// What a verification has found, and later ones say anew.
    Verification,
    /// A private key under a passphrase that is no longer in use.
    Key,
    /// It was written to see what the storage does, by somebody who was killed.
    Probe,
}

/// Decides what has to be declared; where that is nothing, what goes.
///
/// # Errors
/// Where it cannot be told, or what was chosen cannot go.
pub fn plan(seen: &Seen, terms: &Terms) -> Result<Plan, PlanError> {
    let outlook = Outlook::new(seen, terms.now);
    let dead = given_up(&outlook, terms);
    check_chosen(&outlook, terms, &dead)?;
    let tombstones = terms.chosen.iter().filter(|id| !outlook.is_deleted(id));
    let tombstones: BTreeSet<BackupId> = tombstones.cloned().chain(forsaken(&outlook)).collect();
    let tombstones: Vec<BackupId> = tombstones.into_iter().collect();
    if dead.is_empty() && tombstones.is_empty() {
        return deletions(seen, terms);
    }
    Ok(Plan {
        dead,
        tombstones,
        ..Plan::default()
    })
}

/// Decides what goes of what was seen after everything had been declared.
///
/// # Errors
/// Where it cannot be told.
pub fn deletions(seen: &Seen, terms: &Terms) -> Result<Plan, PlanError> {
    let outlook = Outlook::new(seen, terms.now);
    let kept = Kept::new(&outlook)?;
    let mut plan = Plan::default();
    of_backups(&outlook, terms, &kept, &mut plan)?;
    of_runs(&outlook, terms, &mut plan);
    of_tombstones(&outlook, terms, &mut plan);
    of_proofs(&outlook, terms, &mut plan);
    of_verifications(&outlook, terms, &kept, &mut plan)?;
    of_pins(&outlook, terms, &mut plan);
    of_beside(&outlook, terms, &mut plan);
    of_uploads(&outlook, terms, &mut plan);
    plan.deletions
        .sort_by(|a, b| (a.stage, &a.name).cmp(&(b.stage, &b.name)));
    Ok(plan)
}

impl Plan {
    pub(super) fn delete(&mut self, object: &ObjectMeta, stage: u8, reason: Reason) {
        self.deletions.push(Deletion {
            name: object.name.clone(),
            size: object.size,
            stage,
            reason,
        });
    }
}

/// # Errors
/// `Unaccounted` where something goes by no record: what it is of may be whole but for
/// records that the storage has lost, and need others.
fn of_backups(
    outlook: &Outlook<'_>,
    terms: &Terms,
    kept: &Kept,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    let mut unaccounted = BTreeSet::new();
    for object in &outlook.seen.listing.backups {
        let Some((id, is_commit)) = of_backup(&object.name) else {
            plan.foreign.push(object.name.clone());
            continue;
        };
        if kept.backups.contains(&id) || kept.cited.contains(&object.name) {
            continue;
        }
        let reason = reason(outlook, &id);
        if reason == Reason::Orphan {
            if !outlook.seen.records.disowned.contains(&id) {
                unaccounted.insert(id);
                continue;
            }
            if !terms.is_older(object.modified, terms.grace) {
                continue;
            }
        }
        // Readers that find no commit look for nothing else.
        let stage = if is_commit { Deletion::COMMITS } else { 1 };
        plan.delete(object, stage, reason);
    }
    match unaccounted.is_empty() {
        true => Ok(()),
        false => Err(PlanError::Unaccounted {
            backups: unaccounted,
        }),
    }
}

fn of_runs(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    for object in &outlook.seen.listing.runs {
        match names::place(&object.name) {
            Some(Place::Run(_, run, record)) => {
                // Who finds a begin must be able to find that it was given up.
                let stage = match record {
                    RunRecord::Begin => 3,
                    RunRecord::Outcome => 4,
                    RunRecord::Dead => 5,
                };
                if is_over(outlook, terms, &run) {
                    plan.delete(object, stage, Reason::History);
                } else if outlook.seen.records.nothing.contains(&object.name)
                    && terms.is_older(object.modified, terms.grace)
                {
                    plan.delete(object, stage, Reason::Orphan);
                } else if record == RunRecord::Begin
                    && outlook.is_dead_and_damaged(&run)
                    && terms.is_older(object.modified, terms.grace)
                {
                    plan.delete(object, stage, Reason::Damaged);
                }
            }
            Some(Place::Alive(_, run, _)) => {
                let run = outlook.runs.get(&run);
                let lives = run.is_some_and(RunSeen::lives);
                let begun = run.is_some_and(|run| run.begun);
                if !lives && (begun || terms.is_older(object.modified, terms.grace)) {
                    plan.delete(object, 2, Reason::Sign);
                }
            }
            Some(_) => {}
            None => plan.foreign.push(object.name.clone()),
        }
    }
}

/// A tombstone goes when nothing is left that it tells of.
fn of_tombstones(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    let named = named(outlook);
    for object in &outlook.seen.listing.tombstones {
        // The first one is what everybody looks for: it is there as long as a second one is.
        let (id, stage) = match names::place(&object.name) {
            Some(Place::SecondTombstone(_, id)) => (id, 6),
            Some(Place::Tombstone(_, id)) => (id, 7),
            _ => {
                plan.foreign.push(object.name.clone());
                continue;
            }
        };
        let forgotten = !outlook.has_objects.contains(&id) && !named.contains(&id);
        if forgotten && terms.is_older(object.modified, terms.history) {
            plan.delete(object, stage, Reason::History);
        } else if outlook.seen.records.nothing.contains(&object.name)
            && !outlook.has_objects.contains(&id)
            && !outlook.is_deleted(&id)
            && terms.is_older(object.modified, terms.grace)
        {
            // As long as its backup is there it hides that, and somebody has to decide.
            plan.delete(object, stage, Reason::Orphan);
        }
    }
}

/// A proof goes with its backup. Nothing needs it.
fn of_proofs(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    for object in &outlook.seen.listing.proofs {
        let Some(Place::Proof(_, id, _)) = names::place(&object.name) else {
            plan.foreign.push(object.name.clone());
            continue;
        };
        if outlook.is_deleted(&id) {
            plan.delete(object, 1, Reason::Deleted(id));
        } else if !outlook.has_objects.contains(&id) && terms.is_older(object.modified, terms.grace)
        {
            plan.delete(object, 1, Reason::Orphan);
        }
    }
}

/// What says that a backup is to be kept goes with it.
fn of_pins(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    for object in &outlook.seen.listing.pins {
        // While a pin is there, so is what lifts it.
        let (id, stage) = match names::place(&object.name) {
            Some(Place::Pin(_, id, _)) => (id, 6),
            Some(Place::Lift(_, id, _)) => (id, 7),
            _ => {
                plan.foreign.push(object.name.clone());
                continue;
            }
        };
        let is_old = terms.is_older(object.modified, terms.grace);
        let is_gone = !outlook.has_objects.contains(&id);
        if outlook.is_deleted(&id) || is_gone && is_old {
            plan.delete(object, stage, Reason::Deleted(id));
        } else if outlook.seen.records.nothing.contains(&object.name) && is_old {
            plan.delete(object, stage, Reason::Orphan);
        }
    }
}

/// The runs that have given no sign of life for too long.
fn given_up(outlook: &Outlook<'_>, terms: &Terms) -> Vec<GivenUp> {
    let silent = outlook
        .runs
        .iter()
        .filter(|(_, run)| run.lives() && terms.is_older(run.newest, terms.grace));
    let given_up = silent.map(|(id, run)| GivenUp {
        run: id.clone(),
        last_sign: run.newest,
    });
    given_up.collect()
}

/// Backups of which packs alone were brought along, for others that are gone by now. They
/// go as what is chosen does: whoever copies finds their tombstones.
fn forsaken(outlook: &Outlook<'_>) -> BTreeSet<BackupId> {
    let records = &outlook.seen.records;
    let begins = records.begins.values().flatten();
    let mut forsaken: BTreeSet<BackupId> = begins.flat_map(brought).cloned().collect();
    forsaken.retain(|id| {
        outlook.has_objects.contains(id)
            && !outlook.is_deleted(id)
            && !records.backups.contains_key(id)
    });
    if forsaken.is_empty() {
        return forsaken;
    }
    // Where that cannot be told, nothing goes in any case.
    let Ok(kept) = Kept::new(outlook) else {
        return BTreeSet::new();
    };
    for object in &kept.cited {
        if let Some((id, _)) = of_backup(object) {
            forsaken.remove(&id);
        }
    }
    forsaken.retain(|id| !kept.backups.contains(id));
    forsaken
}

/// Refuses to delete what is pinned, and what a run makes or refers to that may still go on.
fn check_chosen(outlook: &Outlook<'_>, terms: &Terms, dead: &[GivenUp]) -> Result<(), PlanError> {
    let pinned = |id: &&BackupId| outlook.pinned.contains(*id);
    if let Some(backup) = terms.chosen.iter().find(pinned) {
        let backup = backup.clone();
        return Err(PlanError::Pinned { backup });
    }
    for (id, run) in outlook.runs.iter().filter(|(_, run)| run.lives()) {
        let Some(begin) = outlook.begin(id) else {
            continue;
        };
        if run.changed || dead.iter().any(|dead| dead.run == *id) {
            continue;
        }
        for backup in terms.chosen.iter().filter(|id| !outlook.is_deleted(id)) {
            let (backup, run) = (backup.clone(), id.clone());
            if begin.backups.iter().any(|planned| planned.id == backup) {
                return Err(PlanError::InTheMaking { backup, run });
            }
            if parents(begin)
                .chain(brought(begin))
                .any(|used| *used == backup)
            {
                return Err(PlanError::InUse { backup, run });
            }
        }
    }
    Ok(())
}

/// Why an object of a backup goes that nothing keeps.
fn reason(outlook: &Outlook<'_>, id: &BackupId) -> Reason {
    if outlook.is_deleted(id) {
        return Reason::Deleted(id.clone());
    }
    match outlook.run(id) {
        Some(run) if run.ended => Reason::Failed(id.clone()),
        Some(run) if run.dead => Reason::Abandoned(id.clone()),
        Some(_) | None => Reason::Orphan,
    }
}

/// Whether nothing is left of a run but its own records, and these are old.
fn is_over(outlook: &Outlook<'_>, terms: &Terms, id: &RunId) -> bool {
    let Some(run) = outlook.runs.get(id) else {
        return false;
    };
    !run.lives() && terms.is_older(run.newest, terms.history) && !outlook.has_objects(id)
}

/// The backups that any run names, as its own or as a parent.
fn named<'a>(outlook: &Outlook<'a>) -> BTreeSet<&'a BackupId> {
    let records = &outlook.seen.records;
    let begins = records.begins.values().flatten();
    let planned = begins.clone().flat_map(|begin| &begin.backups);
    let outcomes = records.outcomes.values();
    let ended = outcomes.flat_map(|outcome| &outcome.backups);
    let own = planned.map(|b| &b.id).chain(ended.map(|b| &b.id));
    own.chain(begins.flat_map(parents)).collect()
}

/// The name of a backup's commit.
pub(super) fn commit(seen: &Seen, id: &BackupId) -> Result<ObjectName, ObjectNameError> {
    names::backup(&seen.cluster, id, BackupPart::Backup)
}
