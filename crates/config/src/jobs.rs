//! How many of something go on at the same time.

use std::num::NonZeroUsize;

/// Each takes a session of a server.
const MOST: usize = 64;

/// How such a number is written.
pub const WANTED: &str = "a number from 1 to 64";

/// The number in a text.
#[must_use]
pub fn parse(text: &str) -> Option<NonZeroUsize> {
    let jobs: NonZeroUsize = text.trim().parse().ok()?;
    (jobs.get() <= MOST).then_some(jobs)
}
