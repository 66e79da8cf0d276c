//! What `pgkeep check` takes for fresh, for plausible and for room enough.
//!
//! Invariant: each limit has a value, so that nothing is unlimited by being left out.

use std::time::Duration;

use crate::{percent, span};

/// The limits of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// How old the newest good backup of each database may become without a warning.
    pub max_age: Duration,
    /// From which age on that is critical.
    pub critical_age: Duration,
    /// For how long a backup may go on without a warning.
    pub max_run: Duration,
    /// By how many percent a database or a table may shrink without a warning.
    pub max_shrink: u32,
    /// By how many percent a database may grow without a warning.
    pub max_growth: u32,
    /// A table that has had so many rows and has none is critical; one that has had fewer
    /// is nothing to tell of.
    pub min_rows: u64,
    /// For how long the free space has to last, by what was stored of late, without a
    /// warning.
    pub space: Duration,
    /// Below how long that is critical.
    pub critical_space: Duration,
}

const HOUR: u64 = 3600;

impl CheckSettings {
    /// What a length of time is given as.
    pub const LENGTH: &str = span::WANTED;
    /// What a share is given as.
    pub const PERCENT: &str = percent::WANTED;
    /// What a number of rows is given as.
    pub const ROWS: &str = "a number of rows";

    /// From which age on a backup is critical, where nothing is said: another day after the
    /// warning by default, or twice the age that was given.
    #[must_use]
    pub fn critical_after(max_age: Duration) -> Duration {
        let by_default = Self::default();
        match max_age == by_default.max_age {
            true => by_default.critical_age,
            false => max_age.saturating_mul(2),
        }
    }

    /// A length of time as a sentence has it.
    #[must_use]
    pub fn in_words(length: Duration) -> String {
        span::in_words(length)
    }

    /// A length of time, such as `26h` or `14d`.
    #[must_use]
    pub fn length(text: &str) -> Option<Duration> {
        span::parse_any(text)
    }

    /// A share, such as `50%`.
    #[must_use]
    pub fn percent(text: &str) -> Option<u32> {
        percent::parse(text)
    }

    /// A share of what there is, which is less than all of it.
    #[must_use]
    pub fn part(text: &str) -> Option<u32> {
        percent::parse(text).filter(|percent| *percent < 100)
    }

    /// A number of rows.
    #[must_use]
    pub fn rows(text: &str) -> Option<u64> {
        text.trim().parse().ok()
    }
}

impl Default for CheckSettings {
    fn default() -> Self {
        let hours = |hours| Duration::from_secs(hours * HOUR);
        Self {
            max_age: hours(26),
            critical_age: hours(50),
            max_run: hours(24),
            max_shrink: 50,
            max_growth: 400,
            min_rows: 100,
            space: hours(14 * 24),
            critical_space: hours(3 * 24),
        }
    }
}
