//! The program's own planner, asked about states of the model.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use jiff::SignedDuration;
use pgkeep_format::Hash;
use pgkeep_format::names::{self, BackupPart, RunRecord};
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Need, Outcome, PackSummary, PlannedBackup,
    RecordHashes, RunBegin, RunOutcome,
};
use pgkeep_repository::deletion::{Listing, PlanError, Records, Seen, Terms, deletions, plan};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId, Timestamp};

use super::explore::Mixed;
use super::state::{BACKUPS, Kind, Objects, State};

/// A plan, in the model's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Planned {
    pub(super) declare: Vec<(Kind, usize)>,
    pub(super) delete: Vec<(Kind, usize)>,
}

/// What a plan follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) seen: [Objects; 4],
    pub(super) chosen: Option<u8>,
    /// Whether everything was declared before.
    pub(super) declared: bool,
    /// Runs that have given no sign of life for long.
    pub(super) silent: u8,
    /// Whether what is over is to be forgotten.
    pub(super) forget: bool,
    /// By backup: the parent that its run names, and what it needs.
    pub(super) parents: [Option<u8>; BACKUPS],
    pub(super) needs: [u8; BACKUPS],
}

impl Question {
    pub(super) fn new(state: &State, seen: [Objects; 4]) -> Self {
        let parent = |b| state.parent(b).and_then(|p| u8::try_from(p).ok());
        Self {
            seen,
            chosen: None,
            declared: false,
            silent: 0,
            forget: false,
            parents: std::array::from_fn(parent),
            needs: std::array::from_fn(|b| state.needs(b)),
        }
    }
}

/// What a pruner is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This plan of the book.
    Plan(u32),
    LookAgain,
    Refused,
}

/// Asks the planner, each question once.
#[derive(Default)]
pub(super) struct Planner {
    answers: RefCell<HashMap<Question, Answer, BuildHasherDefault<Mixed>>>,
    plans: RefCell<Vec<Rc<Planned>>>,
    numbers: RefCell<HashMap<Planned, u32>>,
}

impl Planner {
    pub(super) fn plan(&self, number: u32) -> Rc<Planned> {
        Rc::clone(&self.plans.borrow()[number as usize])
    }

    pub(super) fn ask(&self, question: Question) -> Answer {
        if let Some(answer) = self.answers.borrow().get(&question) {
            return *answer;
        }
        let answer = match asked(question) {
            Ok(planned) => Answer::Plan(self.number(planned)),
            Err(PlanError::Changed { .. } | PlanError::Gone { .. }) => Answer::LookAgain,
            Err(_) => Answer::Refused,
        };
        self.answers.borrow_mut().insert(question, answer);
        answer
    }

    fn number(&self, planned: Planned) -> u32 {
        let mut numbers = self.numbers.borrow_mut();
        let mut plans = self.plans.borrow_mut();
        let next = u32::try_from(plans.len()).unwrap();
        *numbers.entry(planned.clone()).or_insert_with(|| {
            plans.push(Rc::new(planned));
            next
        })
    }
}

fn cluster() -> ClusterName {
    "main".parse().unwrap()
}

fn now() -> Timestamp {
    "2026-11-20T03:00:00Z".parse().unwrap()
}

fn backup_id(backup: usize) -> BackupId {
    format!("20261120T00000{backup}Z-aaaaaaaa").parse().unwrap()
}

fn run_id(backup: usize) -> RunId {
    format!("20261120T00000{backup}Z-bbbbbbbb").parse().unwrap()
}

fn name(kind: Kind, backup: usize) -> Vec<ObjectName> {
    let (id, run) = (backup_id(backup), run_id(backup));
    let of_run = |record| names::run(&cluster(), &run, record).unwrap();
    let part = |part| names::backup(&cluster(), &id, part).unwrap();
    match kind {
        Kind::Begin => vec![of_run(RunRecord::Begin)],
        Kind::Dead => vec![of_run(RunRecord::Dead)],
        Kind::Complete | Kind::Failed => vec![of_run(RunRecord::Outcome)],
        Kind::Tombstone => vec![names::tombstone(&cluster(), &id).unwrap()],
        // Manifest and facts come and go with it.
        Kind::Pack => vec![
            names::pack(&cluster(), &id, 0).unwrap(),
            part(BackupPart::Manifest),
            part(BackupPart::Facts),
        ],
        Kind::Commit => vec![part(BackupPart::Backup)],
    }
}

/// The object of the model that a name stands for.
fn object(seen: Objects, name_of: &ObjectName) -> Option<(Kind, usize)> {
    seen.each()
        .find(|(kind, backup)| name(*kind, *backup)[0] == *name_of)
}

fn asked(question: Question) -> Result<Planned, PlanError> {
    let all = question
        .seen
        .into_iter()
        .fold(Objects::default(), Objects::and);
    let hour = SignedDuration::from_hours(1);
    let old = |backup: usize| {
        // What has no begin is as old as it needs to be.
        let is_old = question.silent & (1 << backup) != 0 || !all.has(Kind::Begin, backup);
        if is_old { now() - 48 * hour } else { now() }
    };
    let list = |objects: Objects| -> Vec<ObjectMeta> {
        let listed = objects.each().flat_map(|(kind, backup)| {
            name(kind, backup)
                .into_iter()
                .map(move |name| (name, backup))
        });
        let meta = |(name, backup)| ObjectMeta {
            name,
            size: 1,
            modified: old(backup),
        };
        listed.map(meta).collect()
    };
    let [runs, tombstones, backups, runs_again] = question.seen;
    let seen = Seen {
        cluster: cluster(),
        listing: Listing {
            runs: list(runs),
            tombstones: list(tombstones),
            backups: list(backups),
            runs_again: list(runs_again),
            ..Listing::default()
        },
        records: records(question, all),
    };
    let terms = Terms {
        now: now(),
        grace: 24 * hour,
        history: if question.forget {
            -hour
        } else {
            1_000_000 * hour
        },
        chosen: question
            .chosen
            .map(|b| backup_id(b.into()))
            .into_iter()
            .collect(),
    };
    let plan = match question.declared {
        true => deletions(&seen, &terms)?,
        false => plan(&seen, &terms)?,
    };
    let of = |id: &BackupId| (0..BACKUPS).find(|b| backup_id(*b) == *id).unwrap();
    let dead = plan.dead.iter().map(|dead| {
        let backup = (0..BACKUPS).find(|b| run_id(*b) == dead.run).unwrap();
        (Kind::Dead, backup)
    });
    let tombstones = plan.tombstones.iter().map(|id| (Kind::Tombstone, of(id)));
    Ok(Planned {
        declare: dead.chain(tombstones).collect(),
        delete: plan
            .deletions
            .iter()
            .filter_map(|deletion| object(all, &deletion.name))
            .collect(),
    })
}

fn records(question: Question, all: Objects) -> Records {
    let listed = |kind| (0..BACKUPS).filter(move |b| all.has(kind, *b));
    let in_runs = |kind| (0..BACKUPS).filter(move |b| question.seen[0].has(kind, *b));
    let ended = in_runs(Kind::Complete).map(|b| (b, Outcome::Complete));
    let ended = ended.chain(in_runs(Kind::Failed).map(|b| (b, Outcome::Failed)));
    Records {
        begins: listed(Kind::Begin)
            .map(|b| (run_id(b), Ok(begin(b, question.parents[b]))))
            .collect(),
        outcomes: ended
            .map(|(b, o)| (run_id(b), outcome(b, o)))
            .collect::<BTreeMap<_, _>>(),
        backups: listed(Kind::Commit)
            .map(|b| (backup_id(b), Ok(record(b, question.needs[b]))))
            .collect(),
        tombstones: listed(Kind::Tombstone)
            .map(|b| (backup_id(b), true))
            .collect(),
        nothing: BTreeSet::new(),
    }
}

fn begin(backup: usize, parent: Option<u8>) -> RunBegin {
    RunBegin {
        run: run_id(backup),
        cluster: cluster(),
        kind: BackupKind::Dump,
        started: now(),
        host: "db1".to_owned(),
        pgkeep: "0.0.0".to_owned(),
        backups: vec![PlannedBackup {
            id: backup_id(backup),
            database: "app".to_owned(),
            parent: parent.map(|parent| backup_id(parent.into())),
        }],
    }
}

fn outcome(backup: usize, outcome: Outcome) -> RunOutcome {
    RunOutcome {
        run: run_id(backup),
        finished: now(),
        outcome,
        backups: vec![BackupOutcome {
            id: backup_id(backup),
            database: "app".to_owned(),
            outcome,
        }],
        globals: None,
    }
}

fn record(backup: usize, needs: u8) -> BackupRecord {
    let needed: BTreeSet<usize> = (0..BACKUPS).filter(|b| needs & (1 << b) != 0).collect();
    let pack = PackSummary {
        number: 0,
        length: 1,
        blake3: Hash([0; 32]),
    };
    let need = |b: usize| Need {
        backup: backup_id(b),
        packs: vec![pack],
        index: Vec::new(),
    };
    BackupRecord {
        id: backup_id(backup),
        run: run_id(backup),
        cluster: cluster(),
        kind: BackupKind::Dump,
        database: "app".to_owned(),
        globals: false,
        selected: false,
        parent: None,
        system_id: None,
        server_version: "15.18".to_owned(),
        started: now(),
        finished: now(),
        raw_bytes: 1,
        stored_bytes: 1,
        new_bytes: 1,
        needs: needed.into_iter().map(need).collect(),
        records: RecordHashes {
            manifest: Hash([0; 32]),
            manifest_length: 1,
            facts: Hash([0; 32]),
            facts_length: 1,
        },
        sealed_to: Vec::new(),
    }
}
