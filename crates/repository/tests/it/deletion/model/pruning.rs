//! What a pruner can do next.

use super::planner::{Answer, Planner, Question};
use super::state::{BACKUPS, Kind, Manifest, Objects, Pruner, Pruning, State};
use super::{Listings, Setting, Without};

const OF_RUNS: [Kind; 4] = [Kind::Begin, Kind::Dead, Kind::Complete, Kind::Failed];
const OF_PINS: [Kind; 4] = [Kind::Pin, Kind::Lift, Kind::OtherPin, Kind::OtherLift];

/// The listing of pins. What it shows is put to what that of tombstones has shown.
const PINS: usize = 4;

const OUTCOMES: [Kind; 2] = [Kind::Complete, Kind::Failed];

/// Every state that can follow when the pruner goes on.
pub(super) fn prune(
    setting: &Setting,
    planner: &Planner,
    state: &State,
    number: usize,
) -> Vec<State> {
    let pruner = state.pruners[number];
    let with = |pruner: Pruner| {
        let mut state = state.clone();
        state.pruners[number] = pruner;
        state
    };
    match pruner.next {
        Pruning::Choose => {
            let has = |kind, b| state.objects.has(kind, b);
            let half = |b| setting.rests && has(Kind::Pack, b);
            let chosen = (0..BACKUPS).filter(|b| has(Kind::Commit, *b) || half(*b));
            let chosen = chosen.map(|b| u8::try_from(b).ok());
            let choose = |chosen| with(looking(Pruner { chosen, ..pruner }));
            std::iter::once(None).chain(chosen).map(choose).collect()
        }
        Pruning::List(listing, position) => {
            vec![with(list(setting, state, pruner, listing, position))]
        }
        Pruning::Read => vec![with(read(setting, state, pruner))],
        Pruning::Plan => {
            let mut next: Vec<Pruner> = Vec::new();
            for question in questions(setting, state, pruner) {
                for after in planned(planner, pruner, planner.ask(question)) {
                    if !next.contains(&after) {
                        next.push(after);
                    }
                }
            }
            next.into_iter().map(with).collect()
        }
        Pruning::Declare(position) => {
            let plan = planner.plan(pruner.plan);
            let Some((kind, backup)) = plan.declare.get(usize::from(position)) else {
                return vec![with(declared(setting, planner, pruner))];
            };
            let object = Objects::one(*kind, *backup);
            let is_damaged = state.losses.damaged.has(*kind, *backup);
            if is_damaged && setting.lacks(Without::DamagedTombstonesStay) {
                let next = Pruning::Replace(position);
                return vec![with(Pruner { next, ..pruner })];
            }
            let next = Pruning::Declare(position + 1);
            let mut state = with(Pruner { next, ..pruner });
            if *kind == Kind::Tombstone {
                state.deleted |= 1 << backup;
            }
            let mut beside = state.clone();
            state.objects = state.objects.and(object);
            state.losses.damaged = state.losses.damaged.without(object);
            let second = Objects::one(Kind::SecondTombstone, *backup);
            beside.objects = beside.objects.and(second);
            match is_damaged {
                true => vec![state, beside],
                false => vec![state],
            }
        }
        Pruning::Replace(position) => {
            let (kind, backup) = planner.plan(pruner.plan).declare[usize::from(position)];
            let next = Pruning::Declare(position);
            let mut state = with(Pruner { next, ..pruner });
            let object = Objects::one(kind, backup);
            state.objects = state.objects.without(object);
            state.losses.damaged = state.losses.damaged.without(object);
            vec![state]
        }
        Pruning::Delete(position) => {
            let planned = planner.plan(pruner.plan);
            let mut plan = planned.delete.clone();
            if setting.lacks(Without::LookAfterCommits) {
                plan.extend(&planned.later);
            }
            if setting.lacks(Without::BeginBeforeDead) {
                plan.sort_by_key(|(kind, _)| *kind != Kind::Dead);
            }
            let Some((kind, backup)) = plan.get(usize::from(position)) else {
                let is_done = plan.len() == planned.delete.len() + planned.later.len();
                return vec![with(match is_done {
                    true => ended(pruner),
                    false => looking(Pruner { plan: 0, ..pruner }),
                })];
            };
            let next = Pruning::Delete(position + 1);
            let mut state = with(Pruner { next, ..pruner });
            let object = Objects::one(*kind, *backup);
            if (*kind, *backup) == (Kind::Pack, 1) {
                state.manifest = Manifest::Absent;
            }
            state.objects = state.objects.without(object);
            state.losses.damaged = state.losses.damaged.without(object);
            vec![state]
        }
        Pruning::Ended => Vec::new(),
    }
}

fn looking(pruner: Pruner) -> Pruner {
    Pruner {
        seen: Default::default(),
        unread: Objects::default(),
        next: Pruning::List(0, 0),
        ..pruner
    }
}

fn ended(pruner: Pruner) -> Pruner {
    let sweeps = pruner.sweeps.saturating_sub(1);
    let next = match sweeps {
        0 => Pruning::Ended,
        _ => Pruning::Choose,
    };
    Pruner {
        sweeps,
        next,
        ..Pruner::default()
    }
}

/// The listings that are made, one after the other: of runs, tombstones, backups, runs again
/// and, where anybody pins, pins.
fn order(setting: &Setting) -> &'static [usize] {
    let without = |part| setting.lacks(part);
    match setting.pinners {
        0 if without(Without::RunsFirst) => &[2, 1, 0, 3],
        0 => &[0, 1, 2, 3],
        _ if without(Without::PinsAfterTombstones) => &[0, PINS, 1, 2, 3],
        _ => &[0, 1, PINS, 2, 3],
    }
}

/// The objects that a listing passes by at one moment; none after the last.
fn passed(setting: &Setting, listing: usize, position: u8) -> Option<Objects> {
    let kinds: &[Kind] = match listing {
        1 => &Kind::TOMBSTONES,
        2 => &[Kind::Commit, Kind::Pack],
        PINS => &OF_PINS,
        _ => &OF_RUNS,
    };
    if setting.listings == Listings::Whole {
        return (position == 0).then(|| Objects::of_kinds(kinds));
    }
    let backups = 0..=setting.writers;
    let of = |backup| kinds.iter().map(move |kind| Objects::one(*kind, backup));
    let mut order: Vec<Objects> = backups.flat_map(of).collect();
    if setting.listings == Listings::Backwards {
        order.reverse();
    }
    order.get(usize::from(position)).copied()
}

fn list(setting: &Setting, state: &State, mut pruner: Pruner, listing: u8, position: u8) -> Pruner {
    let order = order(setting);
    let which = order[usize::from(listing)];
    if let Some(passed) = passed(setting, which, position) {
        let now = state.objects.within(passed);
        let seen = &mut pruner.seen[if which == PINS { 1 } else { which }];
        *seen = seen.and(now);
    }
    pruner.next = match passed(setting, which, position + 1) {
        Some(_) => Pruning::List(listing, position + 1),
        None if usize::from(listing) + 1 < order.len() => Pruning::List(listing + 1, 0),
        None => Pruning::Read,
    };
    if setting.lacks(Without::RunsAgain) && listing == 2 {
        pruner.seen[3] = pruner.seen[0];
        pruner.next = match pruner.next {
            Pruning::List(3, _) => Pruning::Read,
            next => next,
        };
    }
    pruner
}

/// Reads every record that was listed.
fn read(setting: &Setting, state: &State, mut pruner: Pruner) -> Pruner {
    let records = [Kind::Begin, Kind::Commit];
    let records = [&records[..], &Kind::TOMBSTONES].concat();
    let told = Objects::of_kinds(&records).and(Objects::of_kinds(&OF_PINS));
    let all = pruner
        .seen
        .into_iter()
        .fold(Objects::default(), Objects::and);
    let outcomes = pruner.seen[0].within(Objects::of_kinds(&OUTCOMES));
    let gone = all.within(told).and(outcomes).without(state.objects);
    if gone != Objects::default() && !setting.lacks(Without::ReadAgain) {
        return looking(pruner);
    }
    pruner.seen = pruner.seen.map(|seen| seen.without(gone));
    pruner.unread = all.within(told).and(outcomes).within(state.losses.damaged);
    pruner.next = Pruning::Plan;
    pruner
}

/// What the pruner may ask, by who seems silent and what seems long over.
fn questions(setting: &Setting, state: &State, pruner: Pruner) -> Vec<Question> {
    let mut question = Question::new(state, pruner.seen);
    question.chosen = pruner.chosen;
    question.declared = pruner.declared;
    question.unread = pruner.unread;
    if setting.lacks(Without::ParentsSpared) {
        question.parents = [None; BACKUPS];
    }
    let first = pruner.seen[0];
    let open = |b: usize| {
        first.and(pruner.seen[3]).has(Kind::Begin, b)
            && !OF_RUNS[1..].iter().any(|kind| first.has(*kind, b))
    };
    let silent = (0..1_u8 << BACKUPS).filter(|silent| {
        let mut those = (0..BACKUPS).filter(|b| silent & (1 << b) != 0);
        *silent == 0 || !pruner.declared && those.all(open)
    });
    let mut asked = Vec::new();
    for silent in silent {
        for forget in [false, true] {
            question.silent = silent;
            question.forget = forget;
            asked.push(question);
        }
    }
    asked
}

fn planned(planner: &Planner, pruner: Pruner, answer: Answer) -> Vec<Pruner> {
    let plan = match answer {
        Answer::Refused(_) => return vec![ended(pruner)],
        Answer::LookAgain => return vec![looking(pruner)],
        Answer::Doubt(_) => return vec![looking(pruner), ended(pruner)],
        Answer::Plan(plan) => plan,
    };
    let declares = !pruner.declared && !planner.plan(plan).declare.is_empty();
    if declares {
        return vec![Pruner {
            plan,
            next: Pruning::Declare(0),
            ..pruner
        }];
    }
    vec![Pruner {
        plan,
        next: Pruning::Delete(0),
        seen: Default::default(),
        unread: Objects::default(),
        declared: true,
        chosen: None,
        ..pruner
    }]
}

fn declared(setting: &Setting, planner: &Planner, mut pruner: Pruner) -> Pruner {
    pruner.declared = true;
    if !setting.lacks(Without::SecondLook) {
        pruner.plan = 0;
        return looking(pruner);
    }
    for (kind, backup) in &planner.plan(pruner.plan).declare {
        let listing = usize::from(*kind == Kind::Tombstone);
        pruner.seen[listing] = pruner.seen[listing].and(Objects::one(*kind, *backup));
    }
    pruner.next = Pruning::Plan;
    pruner
}
