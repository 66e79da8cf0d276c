//! What somebody wants kept.
//!
//! Invariant: a policy without rules keeps everything.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Weekday;

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

impl fmt::Display for Policy {
    /// As it is configured: `daily=6, weekly=4`, or `all` where everything is kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rules.is_empty() {
            return f.write_str("all");
        }
        let rules = &self.rules;
        let mut said = Vec::new();
        said.extend(rules.last.map(|count| format!("last={count}")));
        let periods = rules.periods.iter();
        said.extend(periods.map(|(period, count)| format!("{}={count}", period.adjective())));
        if let Some(rolling) = rules.rolling {
            said.push(format!("rolling.daily={}", rolling.daily));
            said.push(format!("rolling.weekly={}", rolling.weekly));
            said.push(format!("rolling.monthly={}", rolling.monthly));
        }
        if self.minimum > 0 {
            said.push(format!("minimum={}", self.minimum));
        }
        let calendar = &self.calendar;
        if calendar.zone != jiff::tz::TimeZone::UTC {
            let zone = calendar.zone.iana_name().unwrap_or("unnamed");
            said.push(format!("timezone='{zone}'"));
        }
        if calendar.week_starts != Weekday::Monday {
            said.push(format!("first_weekday='{}'", name(calendar.week_starts)));
        }
        f.write_str(&said.join(", "))
    }
}

fn name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}
