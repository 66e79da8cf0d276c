//! Why a backup stays, and until when.
//!
//! Invariant: a reason names what would have to happen for it to end.

use pgkeep_types::Timestamp;

use crate::calendar::Period;
use crate::series::{Doubt, Failure, Level, Pin};

/// A reason to keep a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing was said of how long backups are kept.
    NoPolicy,
    /// What was made last came to nothing: nothing goes until a good one is made.
    AfterFailure(Failure),
    /// The newest that has at least this level.
    Newest(Level),
    /// A rule keeps it.
    Rule(Place),
    /// Somebody wants it kept.
    Pinned(Pin),
    /// Its times cannot be believed.
    Undated,
    /// It may be no good one.
    Doubted(Doubt),
}

/// A place that a rule has for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which rule.
    pub rule: Rule,
    /// The place; the newest is the first.
    pub place: u32,
    /// How many places there are.
    pub of: u32,
    /// Only what has at least this level counts for it.
    pub level: Level,
}

/// What a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The fewest that are kept in any case.
    Minimum,
    /// The newest.
    Last,
    /// One of each period.
    Each(Period),
    /// Those of a kind.
    Rolling(Period),
}

/// How long a reason lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until the policy, the clock or somebody's mind changes.
    Open,
    /// Until a good backup is made.
    Success,
    /// Until the backup of which a proof cannot be read is proved again, or deleted.
    ProvedAgain,
    /// Until the backup that may be hurt was read again, or deleted.
    ReadAgain,
    /// Until so many newer ones were made that count.
    Newer {
        /// How many.
        count: u32,
        /// Of how many different periods, or of which kind; none where each counts.
        period: Option<Period>,
        /// Whether only those of that kind count, as rolling rules have it.
        rolling: bool,
        /// The level that they must have at least.
        level: Level,
    },
    /// Until then.
    Time(Timestamp),
}

impl Why {
    /// How long it lasts.
    #[must_use]
    pub fn until(&self) -> Until {
        match self {
            Self::NoPolicy | Self::Undated => Until::Open,
            Self::Doubted(doubt) | Self::AfterFailure(Failure::Doubted { doubt, .. }) => {
                match doubt {
                    Doubt::Proof(_) => Until::ProvedAgain,
                    Doubt::Verification(_) => Until::ReadAgain,
                }
            }
            Self::AfterFailure(_) => Until::Success,
            Self::Newest(level) => Until::Newer {
                count: 1,
                period: None,
                rolling: false,
                level: *level,
            },
            Self::Rule(place) => place.until(),
            Self::Pinned(Pin { until, .. }) => until.map_or(Until::Open, Until::Time),
        }
    }
}

impl Place {
    fn until(self) -> Until {
        Until::Newer {
            count: self.of.saturating_sub(self.place).saturating_add(1),
            period: match self.rule {
                Rule::Minimum | Rule::Last => None,
                Rule::Each(period) | Rule::Rolling(period) => Some(period),
            },
            rolling: matches!(self.rule, Rule::Rolling(_)),
            level: self.level,
        }
    }
}
