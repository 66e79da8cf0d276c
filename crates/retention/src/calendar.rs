//! Hours, days, weeks, months and years of a place.
//!
//! Invariant: a moment belongs to exactly one of each; what a clock's change does to a
//! day's length or an hour's name changes nothing of that.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// A stretch of time that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// An hour of the day. One that a change of the clock brings twice is two.
    Hour,
    /// From midnight to midnight.
    Day,
    /// Seven days.
    Week,
    /// Of the calendar.
    Month,
    /// Of the calendar.
    Year,
}

impl Period {
    /// All, shortest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// As people say it: `daily`.
    #[must_use]
    pub const fn adjective(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// One of them: `day`.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// Where days begin, and weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Whose midnight.
    pub zone: TimeZone,
    /// A week's first day.
    pub week_starts: Weekday,
}

impl Default for Calendar {
    /// UTC, and weeks as ISO 8601 has them.
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            week_starts: Weekday::Monday,
        }
    }
}

/// A period that a moment belongs to: its first day, and for an hour the seconds since
/// 1970 at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch(Date, i64);

impl Calendar {
    /// The day.
    pub(crate) fn day(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// The period of that length which a moment belongs to.
    pub(crate) fn stretch(&self, period: Period, at: Timestamp) -> Stretch {
        let day = self.day(at);
        match period {
            Period::Hour => {
                // Not the hour's name: that comes twice when clocks are set back.
                let local = self.zone.to_datetime(at).time();
                let since = i64::from(local.minute()) * 60 + i64::from(local.second());
                Stretch(day, at.as_second() - since)
            }
            Period::Day => Stretch(day, 0),
            Period::Week => {
                let since = self.week_starts.until(day.weekday());
                Stretch(day.saturating_sub(i64::from(since).days()), 0)
            }
            Period::Month => Stretch(day.first_of_month(), 0),
            Period::Year => Stretch(day.first_of_year(), 0),
        }
    }

    /// What a backup of that day is where each is of one kind: the last day of a month is
    /// monthly, else a week's last day is weekly, else it is daily.
    pub(crate) fn kind(&self, at: Timestamp) -> Period {
        let day = self.day(at);
        if day == day.last_of_month() {
            return Period::Month;
        }
        match day.weekday() == self.week_starts.previous() {
            true => Period::Week,
            false => Period::Day,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Calendar {
        Calendar {
            zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
            week_starts: Weekday::Monday,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_the_place_s_own() {
        let late = at("2026-11-20T23:30:00Z");
        let (utc, berlin) = (Calendar::default(), berlin());
        assert_ne!(utc.day(late), berlin.day(late));
        let same = at("2026-11-21T10:00:00Z");
        assert_eq!(
            berlin.stretch(Period::Day, late),
            berlin.stretch(Period::Day, same)
        );
    }

    #[test]
    fn the_hour_that_comes_twice_is_two_and_the_day_of_25_hours_is_one() {
        let (summer, winter) = (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z"));
        let berlin = berlin();
        let hour = |at| berlin.stretch(Period::Hour, at);
        assert_ne!(hour(summer), hour(winter));
        assert_eq!(hour(summer), hour(at("2026-10-25T00:00:00Z")));
        let day = |at| berlin.stretch(Period::Day, at);
        assert_eq!(
            day(at("2026-10-24T22:00:00Z")),
            day(at("2026-10-25T22:59:59Z"))
        );
        assert_ne!(
            day(at("2026-10-24T22:00:00Z")),
            day(at("2026-10-25T23:00:00Z"))
        );
    }

    #[test]
    fn a_week_begins_where_it_is_told_to() {
        let (sunday, monday) = (at("2026-11-22T12:00:00Z"), at("2026-11-23T12:00:00Z"));
        let week = |starts, at| {
            let week_starts = starts;
            let calendar = Calendar {
                week_starts,
                ..Calendar::default()
            };
            calendar.stretch(Period::Week, at)
        };
        assert_ne!(week(Weekday::Monday, sunday), week(Weekday::Monday, monday));
        assert_eq!(week(Weekday::Sunday, sunday), week(Weekday::Sunday, monday));
    }

    #[test]
    fn the_kind_of_a_day_is_the_rarest_that_fits() {
        let kind = |text: &str| Calendar::default().kind(at(text));
        // A Sunday that is a month's last day.
        assert_eq!(kind("2026-05-31T03:00:00Z"), Period::Month);
        assert_eq!(kind("2024-02-29T03:00:00Z"), Period::Month);
        assert_eq!(kind("2026-02-28T03:00:00Z"), Period::Month);
        assert_eq!(kind("2026-11-22T03:00:00Z"), Period::Week);
        assert_eq!(kind("2026-11-20T03:00:00Z"), Period::Day);
        let week_starts = Weekday::Sunday;
        let other = Calendar {
            week_starts,
            ..Calendar::default()
        };
        assert_eq!(other.kind(at("2026-11-21T03:00:00Z")), Period::Week);
    }
}
