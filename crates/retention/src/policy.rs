//! What somebody wants kept.
//!
//! Invariant: a policy without rules keeps everything.

use std::collections::BTreeMap;

use crate::calendar::{Calendar, Period};

/// What of a series is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whose days and weeks.
    pub calendar: Calendar,
    /// So many stay in any case, the newest.
    pub minimum: u32,
    /// The rules: what one of them keeps stays.
    pub rules: Rules,
}

/// What is kept, each by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The newest so many.
    pub last: Option<u32>,
    /// Of each of the newest so many periods that have a backup, one.
    pub periods: BTreeMap<Period, u32>,
    /// The newest so many of each kind, where a backup is of one kind.
    pub rolling: Option<Rolling>,
}

/// How many of each kind: monthly is what was made on a month's last day, weekly what was
/// made on a week's last, daily is the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// Of the rest.
    pub daily: u32,
    /// Of a week's last days.
    pub weekly: u32,
    /// Of months' last days.
    pub monthly: u32,
}

impl Rules {
    /// Whether there are none, and everything is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_none() && self.periods.is_empty() && self.rolling.is_none()
    }
}
