//! Going through states: all of them, or one random way after another.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use pgkeep_testkit::SeededRandom;

use super::Setting;
use super::planner::{Answer, Planner, Question};
use super::state::{BACKUPS, Kind, Objects, State};
use super::steps::successors;

/// What an exploration came to.
#[derive(Debug)]
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) wrong: Option<String>,
}

/// Goes through every state until something is wrong: in it, or in what is left when
/// everybody stops there for ever.
pub(super) fn all(setting: &Setting) -> Explored {
    let mut left = Leftovers::default();
    explore(setting, |planner, state| {
        let wrong = state.wrong().map(str::to_owned);
        wrong.or_else(|| left.wrong(planner, state))
    })
}

/// Goes through states until a good backup has lost something.
pub(super) fn loss(setting: &Setting) -> Explored {
    explore(setting, |_, state| state.wrong().map(str::to_owned))
}

/// Deepest first: what is wrong is found sooner, and less has to be remembered.
fn explore(
    setting: &Setting,
    mut wrong: impl FnMut(&Planner, &State) -> Option<String>,
) -> Explored {
    let planner = Planner::default();
    let start = State::start(setting);
    // States are told apart by 64 bits of their hash: two of a million are mixed up
    // once in tens of millions of explorations.
    let mut known: HashSet<u64, BuildHasherDefault<Mixed>> = HashSet::default();
    known.insert(fingerprint(&start));
    let mut waiting = vec![start];
    while let Some(state) = waiting.pop() {
        if let Some(wrong) = wrong(&planner, &state) {
            return Explored {
                states: known.len(),
                wrong: Some(wrong),
            };
        }
        for next in successors(setting, &planner, &state) {
            if known.insert(fingerprint(&next)) {
                waiting.push(next);
            }
        }
    }
    Explored {
        states: known.len(),
        wrong: None,
    }
}

/// Goes random ways to their ends, until something is wrong.
pub(super) fn walks(setting: &Setting, seed: u64, ways: usize) -> Explored {
    let planner = Planner::default();
    let mut left = Leftovers::default();
    let random = SeededRandom::new(seed);
    let mut states = 0;
    for _ in 0..ways {
        let mut state = State::start(setting);
        loop {
            states += 1;
            if let Some(wrong) = state.wrong() {
                let wrong = Some(format!("seed {seed}: {wrong}"));
                return Explored { states, wrong };
            }
            let mut next = successors(setting, &planner, &state);
            if next.is_empty() {
                break;
            }
            let drawn = usize::try_from(random.below(next.len() as u64)).unwrap();
            state = next.swap_remove(drawn);
            if random.below(16) == 0
                && let Some(wrong) = left.wrong(&planner, &state)
            {
                let wrong = Some(format!("seed {seed}: {wrong}"));
                return Explored { states, wrong };
            }
        }
    }
    Explored {
        states,
        wrong: None,
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut mixed = Mixed(0x9e37_79b9_7f4a_7c15);
    state.hash(&mut mixed);
    mixed.finish()
}

/// A quick hash of small numbers (the finisher of splitmix64 over each).
#[derive(Default)]
pub(super) struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let mut z = self.0.rotate_left(23) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 30)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }
}

/// What sweeps leave when everybody has stopped where they are, for ever.
#[derive(Default)]
struct Leftovers(HashSet<(Objects, Question, u8)>);

impl Leftovers {
    fn wrong(&mut self, planner: &Planner, state: &State) -> Option<String> {
        let question = Question::new(state, Default::default());
        let good = state.good & !state.deleted;
        if !self.0.insert((state.objects, question, good)) {
            return None;
        }
        let mut quiet = state.clone();
        // Once to delete, once to forget what was deleted, once to forget that.
        for _ in 0..6 {
            sweep(planner, question, &mut quiet);
        }
        let litter = litter(&quiet);
        let wrong = quiet.wrong().map(str::to_owned);
        wrong.or_else(|| (!litter.is_empty()).then(|| format!("{litter:?} stay for ever")))
    }
}

/// A sweep that nobody disturbs, long afterwards.
fn sweep(planner: &Planner, mut question: Question, state: &mut State) {
    for _ in 0..2 {
        let of = |kinds: &[Kind]| state.objects.within(Objects::of_kinds(kinds));
        let runs = of(&[Kind::Begin, Kind::Dead, Kind::Complete, Kind::Failed]);
        let backups = of(&[Kind::Commit, Kind::Pack]);
        question.seen = [runs, of(&[Kind::Tombstone]), backups, runs];
        question.silent = 0b111;
        question.forget = true;
        let Answer::Plan(plan) = planner.ask(question) else {
            return;
        };
        let plan = planner.plan(plan);
        if plan.declare.is_empty() {
            for (kind, backup) in &plan.delete {
                state.objects = state.objects.without(Objects::one(*kind, *backup));
            }
            return;
        }
        for (kind, backup) in &plan.declare {
            state.objects = state.objects.and(Objects::one(*kind, *backup));
        }
    }
}

/// What is there and belongs to no backup that is there.
fn litter(state: &State) -> Vec<(Kind, usize)> {
    let kept = (0..BACKUPS).filter(|b| {
        let has = |kind| state.objects.has(kind, *b);
        has(Kind::Commit) && !has(Kind::Tombstone) && !has(Kind::Failed) && state.is_whole(*b)
    });
    let kept: BTreeSet<usize> = kept.collect();
    let needed = kept.iter().fold(0, |needs, b| needs | state.needs(*b));
    let named: BTreeSet<usize> = kept.iter().filter_map(|b| state.parent(*b)).collect();
    let stays = |(kind, backup): &(Kind, usize)| match kind {
        Kind::Pack => needed & (1 << backup) != 0,
        Kind::Commit => kept.contains(backup),
        // For as long as anything is left that they tell of.
        Kind::Begin | Kind::Dead | Kind::Complete | Kind::Failed => {
            kept.contains(backup) || needed & (1 << backup) != 0
        }
        Kind::Tombstone => needed & (1 << backup) != 0 || named.contains(backup),
    };
    state.objects.each().filter(|o| !stays(o)).collect()
}
