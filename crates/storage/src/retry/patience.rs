//! How long a call is tried, and how long is waited in between.
//!
//! Invariant: pauses grow and are drawn, so that many writers that were turned
//! away together do not come back together.

use std::time::Duration;

use pgkeep_types::Random;

/// How long a call is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one attempt of a call, besides the time that its bytes take.
    pub attempt: Duration,
    /// For all attempts of a call together.
    pub total: Duration,
    /// For all attempts of a call while the storage has never answered: a name
    /// that is mistyped is told soon.
    pub first: Duration,
    /// For all attempts of a call while the storage has never answered and nobody is
    /// there at all: the connection is refused, or its name is nobody's. That is a
    /// mistake in an address rather than the weather.
    pub nobody: Duration,
    /// A transfer that is slower than so many bytes a second is stalled.
    pub slowest: u64,
    /// About the first pause; each further one is twice as long.
    pub pause: Duration,
    /// No pause is longer, but for one that the storage asks for.
    pub longest_pause: Duration,
}

impl Default for Patience {
    /// A minute an attempt, five in all, a quarter of one for a storage that never
    /// answered, three seconds where nobody is there; 64 KiB a second; pauses from half a second to twenty.
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(60),
            total: Duration::from_secs(300),
            first: Duration::from_secs(15),
            nobody: Duration::from_secs(3),
            slowest: 64 << 10,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
        }
    }
}

impl Patience {
    /// What so many bytes take where a transfer is as slow as can be.
    pub(super) fn transfer_of(&self, bytes: u64) -> Duration {
        Duration::from_secs(bytes / self.slowest.max(1))
    }

    /// For one attempt that moves so many bytes.
    pub(super) fn attempt_of(&self, bytes: u64) -> Duration {
        self.attempt + self.transfer_of(bytes)
    }

    /// For all attempts of a call that moves so many bytes: three that are as slow
    /// as can be, at least.
    pub(super) fn total_of(&self, bytes: u64) -> Duration {
        self.total + self.transfer_of(bytes) * 3
    }

    /// For all attempts of a call that sends so many bytes, to a storage that has
    /// never answered.
    pub(super) fn first_of(&self, bytes: u64) -> Duration {
        self.first + self.transfer_of(bytes)
    }

    /// How long to wait after attempt `number`, from 1.
    pub(super) fn pause_after(
        &self,
        number: u32,
        asked: Option<Duration>,
        random: &dyn Random,
    ) -> Duration {
        let doubled = 1_u32.checked_shl(number.saturating_sub(1).min(16));
        let full = self.pause * doubled.unwrap_or(u32::MAX);
        let full = full.min(self.longest_pause);
        let mut drawn = [0; 4];
        random.fill(&mut drawn);
        // Between half of it and all of it.
        let share = f64::from(u32::from_le_bytes(drawn)) / f64::from(u32::MAX);
        let drawn = full.mul_f64(0.5 + share / 2.0);
        drawn.max(asked.unwrap_or_default())
    }
}
