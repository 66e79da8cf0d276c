//! How fast it goes, of late.
//!
//! Invariants: what came before the window does not count; where no time has passed the
//! rate is 0.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is looked back on: a shorter time jumps, a longer one lags behind.
const WINDOW: Duration = Duration::from_secs(5);

/// Bytes a second, of late.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    seen: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// The rate, now that there have been so many bytes.
    pub(crate) fn at(&mut self, now: Instant, bytes: u64) -> u64 {
        self.seen.push_back((now, bytes));
        let is_old = |seen: &(Instant, u64)| now.duration_since(seen.0) > WINDOW;
        while self.seen.len() > 2 && self.seen.front().is_some_and(is_old) {
            self.seen.pop_front();
        }
        let Some((since, before)) = self.seen.front() else {
            return 0;
        };
        let took = now.duration_since(*since).as_millis();
        let came = u128::from(bytes.saturating_sub(*before));
        let rate = (came * 1000).checked_div(took).unwrap_or(0);
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rate.at(start, 0), 0);
        assert_eq!(rate.at(at(2), 2000), 1000);
        assert_eq!(rate.at(at(4), 4000), 1000);
        // Nothing comes any more.
        for second in 5..20 {
            rate.at(at(second), 4000);
        }
        assert_eq!(rate.at(at(20), 4000), 0);
    }
}
