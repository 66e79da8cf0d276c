//! Telling of calls that have had no answer for a while.
//!
//! Invariant: nothing is told of a call that takes no longer than a moment and the time
//! that its bytes may take; not more often than now and then, whatever goes on at once.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Who waits for longer wants to know what for.
const MOMENT: Duration = Duration::from_secs(3);
/// How often it is told at most.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// Who is told.
pub type OnDelay = Arc<dyn Fn(&Delay) + Send + Sync>;

/// A call that has had no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Where the storage is.
    pub location: String,
    /// How long it has been waited for.
    pub waited: Duration,
    /// How long it may take by its bytes.
    pub(super) usual: Duration,
    /// What the last attempt failed with; none while the first one goes on.
    pub problem: Option<String>,
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            location, waited, ..
        } = self;
        write!(f, "no answer from {location} for {} s", waited.as_secs())?;
        match &self.problem {
            Some(problem) => write!(f, " ({problem}), trying again"),
            None => write!(f, ", waiting"),
        }
    }
}

/// Tells, now and then.
#[derive(Clone)]
pub(super) struct Teller {
    told: OnDelay,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Teller {
    pub(super) fn new(told: OnDelay) -> Self {
        Self {
            told,
            last: Arc::default(),
        }
    }

    pub(super) fn tell(&self, delay: &Delay) {
        if delay.waited < MOMENT {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= NOW_AND_THEN) {
            *last = Some(Instant::now());
            drop(last);
            (self.told)(delay);
        }
    }

    /// Does `work`, and tells where that takes longer than it should.
    pub(super) async fn watch<T>(
        teller: Option<&Self>,
        delay: impl Fn() -> Delay,
        work: impl Future<Output = T>,
    ) -> T {
        let Some(teller) = teller else {
            return work.await;
        };
        let mut work = pin!(work);
        let usual = delay().usual;
        loop {
            if let Ok(done) = timeout(MOMENT + usual, &mut work).await {
                return done;
            }
            teller.tell(&delay());
        }
    }
}
