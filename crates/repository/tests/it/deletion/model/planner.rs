//! The program's own planner, asked about states of the model.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use jiff::SignedDuration;
use pgkeep_format::Hash;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Copies, Need, Outcome, PackSummary, PlannedBackup,
    RecordHashes, RunBegin, RunOutcome,
};
use pgkeep_repository::deletion::{
    Deletion, Listing, PlanError, Records, Seen, Terms, deletions, plan,
};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::{BackupId, ClusterName, ObjectName, PinId, RunId, Timestamp};

use super::Without;
use super::explore::Mixed;
use super::state::{BACKUPS, Kind, Objects, State};

/// A plan, in the model's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Planned {
    pub(super) declare: Vec<(Kind, usize)>,
    pub(super) delete: Vec<(Kind, usize)>,
    /// What goes as well, if it still may after another look.
    pub(super) later: Vec<(Kind, usize)>,
}

/// What a plan follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) seen: [Objects; 4],
    /// Records that could not be read.
    pub(super) unread: Objects,
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
    /// Both runs copy backup 1; whose run its record names.
    pub(super) copies: bool,
    /// The second one backup 2 besides.
    pub(super) rests: bool,
    pub(super) committed_by: u8,
}

impl Question {
    pub(super) fn new(state: &State, seen: [Objects; 4]) -> Self {
        let parent = |b| state.parent(b).and_then(|p| u8::try_from(p).ok());
        Self {
            seen,
            unread: Objects::default(),
            chosen: None,
            declared: false,
            silent: 0,
            forget: false,
            parents: std::array::from_fn(parent),
            needs: std::array::from_fn(|b| state.needs(b)),
            copies: state.copies,
            rests: state.rests,
            committed_by: state.committed_by,
        }
    }
}

/// What a pruner is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This plan of the book.
    Plan(u32),
    LookAgain,
    /// To look again, or to stop; and the backups that it may be asked to give up.
    Doubt(u8),
    /// To stop; likewise.
    Refused(u8),
}

/// Asks the planner, each question once.
pub(super) struct Planner {
    without: &'static [Without],
    answers: RefCell<HashMap<Question, Answer, BuildHasherDefault<Mixed>>>,
    plans: RefCell<Vec<Rc<Planned>>>,
    numbers: RefCell<HashMap<Planned, u32>>,
}

impl Planner {
    pub(super) fn new(without: &'static [Without]) -> Self {
        Self {
            without,
            answers: RefCell::default(),
            plans: RefCell::default(),
            numbers: RefCell::default(),
        }
    }

    pub(super) fn plan(&self, number: u32) -> Rc<Planned> {
        Rc::clone(&self.plans.borrow()[number as usize])
    }

    pub(super) fn ask(&self, question: Question) -> Answer {
        if let Some(answer) = self.answers.borrow().get(&question) {
            return *answer;
        }
        let answer = match asked(question, self.without) {
            Ok(planned) => Answer::Plan(self.number(planned)),
            Err(PlanError::Changed { .. } | PlanError::Gone { .. }) => Answer::LookAgain,
            Err(PlanError::Missing { backup, .. }) => Answer::Doubt(1 << number_of(&backup)),
            Err(PlanError::Unaccounted { backups }) => {
                let numbers = backups.iter().map(number_of);
                Answer::Doubt(numbers.fold(0, |all, number| all | 1 << number))
            }
            Err(PlanError::NoParent { .. }) => Answer::Doubt(0),
            Err(PlanError::Unreadable { object, .. }) => match names::place(&object) {
                Some(Place::Backup(_, id, _)) => Answer::Refused(1 << number_of(&id)),
                _ => Answer::Refused(0),
            },
            Err(_) => Answer::Refused(0),
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

/// The pin that is one of this kind, or that one of this kind lifts.
fn pin_id(kind: Kind) -> PinId {
    let digit = match kind {
        Kind::Pin | Kind::Lift => 'a',
        _ => 'b',
    };
    let drawn: String = std::iter::repeat_n(digit, 8).collect();
    format!("20261120T000000Z-{drawn}").parse().unwrap()
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
        Kind::SecondTombstone => vec![names::second_tombstone(&cluster(), &id).unwrap()],
        // Manifest and facts come and go with it.
        Kind::Pack => vec![
            names::pack(&cluster(), &id, 0).unwrap(),
            part(BackupPart::Manifest),
            part(BackupPart::Facts),
        ],
        Kind::Commit => vec![part(BackupPart::Backup)],
        Kind::Pin | Kind::OtherPin => vec![names::pin(&cluster(), &id, &pin_id(kind)).unwrap()],
        Kind::Lift | Kind::OtherLift => vec![names::lift(&cluster(), &id, &pin_id(kind)).unwrap()],
    }
}

/// The object of the model that a name stands for.
fn object(seen: Objects, name_of: &ObjectName) -> Option<(Kind, usize)> {
    seen.each()
        .find(|(kind, backup)| name(*kind, *backup)[0] == *name_of)
}

fn number_of(backup: &BackupId) -> usize {
    let mut all = 0..BACKUPS;
    all.find(|number| backup_id(*number) == *backup).unwrap()
}

/// Asks the planner, in such a way that it leaves out what is to be left out.
fn asked(question: Question, without: &[Without]) -> Result<Planned, PlanError> {
    let mut known = Known {
        disowned: without.contains(&Without::UnaccountedStays),
        failed: 0,
        copies: !without.contains(&Without::CopiesStay),
    };
    let mut question = question;
    loop {
        let answer = answered(question, known, without);
        match &answer {
            Err(PlanError::Missing { backup, .. }) if without.contains(&Without::MissingStops) => {
                known.failed |= 1 << number_of(backup);
            }
            Err(PlanError::NoParent { .. }) if without.contains(&Without::NoParentStops) => {
                let seen = question.seen[2];
                let is_there = |parent: &u8| seen.has(Kind::Commit, (*parent).into());
                question.parents = question.parents.map(|parent| parent.filter(is_there));
            }
            _ => return answer,
        }
    }
}

/// What the planner is told that is not so.
#[derive(Clone, Copy)]
struct Known {
    /// All backups are of retired hosts.
    disowned: bool,
    /// The runs of these call them failed.
    failed: u8,
    /// What copies is told to.
    copies: bool,
}

fn answered(question: Question, known: Known, without: &[Without]) -> Result<Planned, PlanError> {
    let all = question
        .seen
        .into_iter()
        .fold(Objects::default(), Objects::and);
    let hour = SignedDuration::from_hours(1);
    let old = |backup: usize| {
        // What has no begin is as old as it needs to be.
        let of_both = question.copies && backup == 1 && question.silent & 0b110 != 0;
        let is_old =
            of_both || question.silent & (1 << backup) != 0 || !all.has(Kind::Begin, backup);
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
    let pins = Objects::of_kinds(&[Kind::Pin, Kind::Lift, Kind::OtherPin, Kind::OtherLift]);
    let pins = match without.contains(&Without::PinsSpared) {
        true => Objects::default(),
        false => tombstones.within(pins),
    };
    let seen = Seen {
        cluster: cluster(),
        listing: Listing {
            runs: list(runs),
            tombstones: list(tombstones.within(Objects::of_kinds(&Kind::TOMBSTONES))),
            pins: list(pins),
            backups: list(backups),
            runs_again: list(runs_again),
            ..Listing::default()
        },
        records: records(question, all, pins, known),
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
    let now = plan.by_this_look();
    let goes = |deletions: &[Deletion]| -> Vec<(Kind, usize)> {
        let goes = deletions.iter();
        goes.filter_map(|deletion| object(all, &deletion.name))
            .collect()
    };
    let mut delete = goes(now);
    if question.declared && without.contains(&Without::TombstonesStay) {
        let beside = (0..BACKUPS).filter(|b| is_pinned(pins, *b) && all.has(Kind::Commit, *b));
        let beside = beside.filter(|b| all.has(Kind::Tombstone, *b));
        delete.extend(beside.map(|b| (Kind::Tombstone, b)));
    }
    let dead = plan.dead.iter().map(|dead| {
        let backup = (0..BACKUPS).find(|b| run_id(*b) == dead.run).unwrap();
        (Kind::Dead, backup)
    });
    let tombstones = plan
        .tombstones
        .iter()
        .map(|id| (Kind::Tombstone, number_of(id)));
    Ok(Planned {
        declare: dead.chain(tombstones).collect(),
        delete,
        later: goes(plan.deletions.strip_prefix(now).unwrap()),
    })
}

fn records(question: Question, all: Objects, pins: Objects, known: Known) -> Records {
    let listed = |kind| (0..BACKUPS).filter(move |b| all.has(kind, *b));
    let ended = question.seen[0].without(question.unread);
    let in_runs = |kind| (0..BACKUPS).filter(move |b| ended.has(kind, *b));
    let of_pins = |kinds: [Kind; 2]| -> BTreeSet<(BackupId, PinId)> {
        let pins = pins.within(Objects::of_kinds(&kinds)).each();
        pins.map(|(kind, b)| (backup_id(b), pin_id(kind))).collect()
    };
    let complete = |b: usize| match known.failed & (1 << b) {
        0 => (b, Outcome::Complete),
        _ => (b, Outcome::Failed),
    };
    let ended = in_runs(Kind::Complete).map(complete);
    let ended = ended.chain(in_runs(Kind::Failed).map(|b| (b, Outcome::Failed)));
    let reads = |kind, b| !question.unread.has(kind, b);
    let read = |kind, b| {
        reads(kind, b)
            .then_some(())
            .ok_or_else(|| "damaged".to_owned())
    };
    Records {
        begins: listed(Kind::Begin)
            .map(|b| {
                let mut begin = begin(b, question.parents[b]);
                if question.copies && b > 0 {
                    begin.backups[0].id = backup_id(1);
                    if question.rests && b == 2 {
                        begin.backups.push(PlannedBackup {
                            id: backup_id(2),
                            database: "app".to_owned(),
                            parent: None,
                        });
                    }
                    begin.copies = known.copies.then(|| Copies {
                        from: "0".repeat(32),
                        brings: Vec::new(),
                    });
                }
                (run_id(b), read(Kind::Begin, b).map(|()| begin))
            })
            .collect(),
        outcomes: ended
            .map(|(b, o)| {
                let mut said = outcome(b, o);
                if question.copies && b > 0 {
                    said.backups[0].id = backup_id(1);
                    if question.rests && b == 2 {
                        said.backups[0].outcome = Outcome::Failed;
                        said.backups.extend(outcome(2, o).backups);
                    }
                    said.copies = known.copies;
                }
                (run_id(b), said)
            })
            .collect::<BTreeMap<_, _>>(),
        backups: listed(Kind::Commit)
            .map(|b| {
                let mut record = record(b, question.needs[b]);
                if question.copies && b == 1 {
                    record.run = run_id(question.committed_by.into());
                }
                (backup_id(b), read(Kind::Commit, b).map(|()| record))
            })
            .collect(),
        tombstones: listed(Kind::Tombstone)
            .map(|b| (backup_id(b), reads(Kind::Tombstone, b)))
            .chain(listed(Kind::SecondTombstone).map(|b| (backup_id(b), true)))
            .collect(),
        verifications: BTreeMap::new(),
        pins: of_pins(Kind::PINS.map(|(pin, _)| pin))
            .into_iter()
            .map(|key| (key, None))
            .collect(),
        lifts: of_pins(Kind::PINS.map(|(_, lift)| lift)),
        nothing: BTreeSet::new(),
        damaged: listed(Kind::Begin)
            .filter(|b| !reads(Kind::Begin, *b))
            .map(run_id)
            .collect(),
        keys_over: BTreeSet::new(),
        disowned: (0..BACKUPS)
            .filter(|_| known.disowned)
            .map(backup_id)
            .collect(),
    }
}

fn is_pinned(pins: Objects, backup: usize) -> bool {
    let mut all = Kind::PINS.into_iter();
    all.any(|(pin, lift)| pins.has(pin, backup) && !pins.has(lift, backup))
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
        copies: None,
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
        copies: false,
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
