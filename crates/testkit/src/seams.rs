//! Scripted time and seeded randomness.
//!
//! Invariant: the same script gives the same run.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use pgkeep_types::{Clock, Random};

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ScriptedClock(Mutex<Timestamp>);

impl ScriptedClock {
    /// A clock that stands at `instant`, such as `2026-11-20T03:00:00Z`.
    #[must_use]
    pub fn at(instant: &str) -> Self {
        Self(Mutex::new(instant.parse().expect("an RFC 3339 instant")))
    }

    /// Moves the clock, forwards or backwards.
    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().expect("no panic while moved") += by;
    }
}

impl Clock for ScriptedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("no panic while moved")
    }
}

/// Randomness that follows from a seed (splitmix64).
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// The next number of the sequence.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().expect("no panic while drawn");
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.next() % end
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.next().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}
