//! Going no faster than somebody wants.
//!
//! Invariant: over any time no more is taken than the limit allows, but for what was
//! taken last; waiting that was not used is not saved up.

use std::num::NonZeroU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A limit that several share who read.
#[derive(Debug)]
pub struct Pace {
    bytes_a_second: NonZeroU64,
    /// When the next bytes may be taken; none before the first.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// A limit in bytes a second.
    #[must_use]
    pub fn new(bytes_a_second: NonZeroU64) -> Self {
        Self {
            bytes_a_second,
            next: Mutex::new(None),
        }
    }

    /// Waits until what was taken before is paid for, and takes so many bytes.
    pub async fn take(&self, bytes: usize) {
        let until = self.book(Instant::now(), bytes);
        tokio::time::sleep_until(until).await;
    }

    /// Books `bytes` at an instant; tells when they may be taken.
    fn book(&self, now: Instant, bytes: usize) -> Instant {
        let cost = u128::try_from(bytes).unwrap_or(0) * 1_000_000_000;
        let cost = cost / u128::from(self.bytes_a_second.get());
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX / 4));
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = next.unwrap_or(now).max(now);
        *next = begin.checked_add(cost);
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_paid_for_before_the_next_ones_and_time_is_not_saved_up() {
        let pace = Pace::new(NonZeroU64::new(1000).unwrap());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pace.book(start, 2000), start);
        assert_eq!(pace.book(start, 1000), at(2));
        assert_eq!(pace.book(at(1), 1000), at(3));
        // Nobody came for a while.
        assert_eq!(pace.book(at(60), 5000), at(60));
        assert_eq!(pace.book(at(60), 1), at(65));
    }
}
