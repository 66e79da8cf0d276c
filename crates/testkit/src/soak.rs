//! The rounds of a long random run, and sizes that only such a run has time for.
//!
//! Invariants: a round's seed decides all that the round draws, and the first
//! round's seed is the one that was given, so that each can be run alone; a
//! round that was begun is ended, and there is at least one.

use std::time::{Duration, Instant};

use crate::SeededRandom;

const SEED: &str = "PGKEEP_SOAK_SEED";
const MINUTES: &str = "PGKEEP_SOAK_MINUTES";
const SIZES: &str = "PGKEEP_SIZES";

/// The rounds of one test, each a seed.
#[derive(Debug)]
pub struct Rounds {
    what: &'static str,
    next: u64,
    running: Option<u64>,
    count: u64,
    until: Instant,
}

/// Rounds of the test `what`, from the seed in `PGKEEP_SOAK_SEED` on, until
/// `PGKEEP_SOAK_MINUTES` have passed; one round where they are not set.
///
/// # Panics
/// Where one of them is no number.
#[must_use]
pub fn rounds(what: &'static str) -> Rounds {
    let seed = variable(SEED).map_or(1, |seed| seed.parse().expect("a seed is a number"));
    let minutes = variable(MINUTES).map_or(0.0, |minutes| {
        minutes.parse::<f64>().expect("minutes are a number")
    });
    Rounds {
        what,
        next: seed,
        running: None,
        count: 0,
        until: Instant::now() + Duration::from_secs_f64(minutes * 60.0),
    }
}

/// As many as few have, where `PGKEEP_SIZES` is set; as many as a test has time for, where
/// it is not.
#[must_use]
pub fn so_many(most: u64, usual: u64) -> u64 {
    match variable(SIZES) {
        Some(_) => most,
        None => usual,
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Iterator for Rounds {
    type Item = u64;

    #[expect(clippy::print_stdout, reason = "whoever waits wants to see it go on")]
    fn next(&mut self) -> Option<u64> {
        self.running = None;
        let what = self.what;
        if self.count > 0 && Instant::now() >= self.until {
            println!("soak {what}: {} rounds, all held", self.count);
            return None;
        }
        let seed = self.next;
        // Ten digits, which make can be given.
        self.next = SeededRandom::new(seed).next() >> 32;
        self.running = Some(seed);
        self.count += 1;
        println!("soak {what}: seed {seed}");
        Some(seed)
    }
}

impl Drop for Rounds {
    #[expect(clippy::print_stderr, reason = "beside the panic's own words")]
    fn drop(&mut self) {
        if let Some(seed) = self.running
            && std::thread::panicking()
        {
            let what = self.what;
            eprintln!("soak {what}: this round alone: make soak SEED={seed} MINUTES=0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rounds_seed_leads_to_the_same_rounds_as_before() {
        let rounds = |seed, count| Rounds {
            what: "nothing",
            next: seed,
            running: None,
            count,
            until: Instant::now() + Duration::from_secs(3600),
        };
        let first: Vec<u64> = rounds(7, 0).take(5).collect();
        assert_eq!(first[0], 7);
        assert!(first.iter().all(|seed| *seed < 1 << 32));
        let later: Vec<u64> = rounds(first[2], 0).take(3).collect();
        assert_eq!(later, first[2..]);
    }
}
