//! Going through states: all of them, or one random way after another.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use pgkeep_testkit::SeededRandom;

use super::Setting;
use super::leftovers::Leftovers;
use super::planner::Planner;
use super::state::State;
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
    let planner = Planner::new(setting.without);
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
    let planner = Planner::new(setting.without);
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
