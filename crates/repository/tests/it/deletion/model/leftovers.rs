//! What sweeps leave when everybody has stopped where they are, for ever.
//!
//! Invariants: no good backup has lost anything before somebody gives something up; then
//! nothing is left that is of no backup. What somebody has to give up is what a prune names
//! or a list shows: where no record was lost, backups of whose runs nothing is known any
//! more, and no other.

use std::collections::{BTreeSet, HashSet};

use super::losses::Losses;
use super::planner::{Answer, Planner, Question};
use super::state::{BACKUPS, Kind, Objects, Pinning, State};

/// Once to delete, once to forget what was deleted, once to forget that.
const SWEEPS: usize = 6;

/// The states that were looked at.
#[derive(Default)]
pub(super) struct Leftovers(HashSet<(Objects, Question, u8, Losses, [Pinning; 2])>);

impl Leftovers {
    pub(super) fn wrong(&mut self, planner: &Planner, state: &State) -> Option<String> {
        let question = Question::new(state, Default::default());
        let good = state.good & !state.deleted;
        let key = (state.objects, question, good, state.losses, state.pinners);
        if !self.0.insert(key) {
            return None;
        }
        let mut quiet = state.clone();
        for _ in 0..=BACKUPS {
            let named = (0..SWEEPS).fold(0, |named, _| {
                named | sweep(planner, question, None, &mut quiet)
            });
            if let Some(wrong) = quiet.wrong() {
                return Some(wrong.to_owned());
            }
            let litter = litter(&quiet);
            if litter.is_empty() {
                return None;
            }
            let named = named | shown(&quiet);
            if named == 0 {
                return Some(format!("{litter:?} stay for ever"));
            }
            for backup in (0..BACKUPS).filter(|b| named & (1 << b) != 0) {
                unpin(&mut quiet, backup);
                let chosen = u8::try_from(backup).ok();
                sweep(planner, question, chosen, &mut quiet);
            }
        }
        Some(format!("{:?} stay, though given up", litter(&quiet)))
    }
}

/// A sweep that nobody disturbs, long afterwards; the backups that it names where it stops.
fn sweep(planner: &Planner, mut question: Question, chosen: Option<u8>, state: &mut State) -> u8 {
    for _ in 0..3 {
        let of = |kinds: &[Kind]| state.objects.within(Objects::of_kinds(kinds));
        let runs = of(&[Kind::Begin, Kind::Dead, Kind::Complete, Kind::Failed]);
        let backups = of(&[Kind::Commit, Kind::Pack]);
        let pins = of(&[Kind::Pin, Kind::Lift, Kind::OtherPin, Kind::OtherLift]);
        question.seen = [runs, of(&Kind::TOMBSTONES).and(pins), backups, runs];
        question.unread = state.losses.damaged;
        question.chosen = chosen;
        question.silent = 0b111;
        question.forget = true;
        let plan = match planner.ask(question) {
            Answer::Plan(plan) => planner.plan(plan),
            Answer::Doubt(named) | Answer::Refused(named) => return named,
            Answer::LookAgain => return 0,
        };
        if plan.declare.is_empty() {
            for (kind, backup) in &plan.delete {
                let object = Objects::one(*kind, *backup);
                state.objects = state.objects.without(object);
                state.losses.damaged = state.losses.damaged.without(object);
            }
            match plan.later.is_empty() {
                true => return 0,
                false => continue,
            }
        }
        for (kind, backup) in &plan.declare {
            let kind_of = match state.losses.damaged.has(*kind, *backup) {
                true => &Kind::SecondTombstone,
                false => kind,
            };
            let object = Objects::one(*kind_of, *backup);
            state.objects = state.objects.and(object);
            if *kind == Kind::Tombstone {
                state.deleted |= 1 << backup;
            }
        }
    }
    0
}

/// Lifts the pins of a backup that somebody gives up.
fn unpin(state: &mut State, backup: usize) {
    for (pin, lift) in Kind::PINS {
        if state.objects.has(pin, backup) {
            state.objects = state.objects.and(Objects::one(lift, backup));
        }
    }
    for pinner in &mut state.pinners {
        if *pinner == Pinning::Sure(u8::try_from(backup).unwrap()) {
            *pinner = Pinning::Ended;
        }
    }
}

/// The backups that a list shows as damaged.
fn shown(state: &State) -> u8 {
    let shown = (0..BACKUPS).filter(|b| {
        let has = |kind| state.objects.has(kind, *b);
        let unread = |kind| state.losses.damaged.has(kind, *b);
        let of_run = [Kind::Begin, Kind::Dead, Kind::Complete, Kind::Failed];
        let in_pieces = has(Kind::Commit) && !state.is_whole(*b);
        let unclear = unread(Kind::Complete) || unread(Kind::Failed);
        in_pieces && !of_run.into_iter().any(has)
            || unclear
            || unread(Kind::Tombstone) && !has(Kind::SecondTombstone)
    });
    shown.fold(0, |all, b| all | 1 << b)
}

/// What is there and belongs to no backup that is there.
fn litter(state: &State) -> Vec<(Kind, usize)> {
    let kept = (0..BACKUPS).filter(|b| {
        let has = |kind| state.objects.has(kind, *b);
        let deleted = has(Kind::Tombstone) && !state.is_pinned(*b);
        has(Kind::Commit) && !deleted && !has(Kind::Failed) && state.is_whole(*b)
    });
    let kept: BTreeSet<usize> = kept.collect();
    let needed = kept.iter().fold(0, |needs, b| needs | state.needs(*b));
    let named: BTreeSet<usize> = kept.iter().filter_map(|b| state.parent(*b)).collect();
    let stays = |(kind, backup): &(Kind, usize)| match kind {
        Kind::Pack => needed & (1 << backup) != 0,
        Kind::Commit | Kind::Pin | Kind::Lift | Kind::OtherPin | Kind::OtherLift => {
            kept.contains(backup)
        }
        // For as long as anything is left that they tell of.
        Kind::Begin | Kind::Dead | Kind::Complete | Kind::Failed => {
            kept.contains(backup) || needed & (1 << backup) != 0
        }
        Kind::Tombstone | Kind::SecondTombstone => {
            needed & (1 << backup) != 0 || named.contains(backup) || kept.contains(backup)
        }
    };
    state.objects.each().filter(|o| !stays(o)).collect()
}
