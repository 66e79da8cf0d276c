//! Why a backup stays, in words.
//!
//! Invariant: the words are short enough to stand several in a line, and the first ones
//! are those that matter most.

use pgkeep_retention::{Failure, Period, Place, Rule, Until, Why};
use pgkeep_types::Timestamp;

use crate::words;

/// Why it stays, and until when.
pub(super) fn told(stays: &[Why], now: Timestamp) -> String {
    let mut reasons: Vec<&Why> = stays.iter().filter(|why| !is_said(why, stays)).collect();
    reasons.sort_by_key(|why| rank(why));
    let reasons: Vec<String> = reasons.into_iter().map(reason).collect();
    let reasons = reasons.join(", ");
    let last = stays
        .iter()
        .map(Why::until)
        .max_by_key(|u| lasting(*u, now));
    match last.and_then(until) {
        Some(until) => format!("{reasons}; until {until}"),
        None => reasons,
    }
}

/// Whether another reason says the same: a rule's place among all says more than the one
/// among the proven.
fn is_said(why: &Why, stays: &[Why]) -> bool {
    let Why::Rule(Place {
        rule, proven: true, ..
    }) = why
    else {
        return false;
    };
    stays
        .iter()
        .any(|other| matches!(other, Why::Rule(place) if place.rule == *rule && !place.proven))
}

fn rank(why: &Why) -> u8 {
    match why {
        Why::Pinned(_) => 0,
        Why::AfterFailure(_) => 1,
        Why::Undated => 2,
        Why::NewestProven => 3,
        Why::Newest => 4,
        Why::Rule(_) => 5,
        Why::NoPolicy => 6,
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::NoPolicy => "all are kept".to_owned(),
        Why::AfterFailure(_) => "after a failure".to_owned(),
        Why::Newest => "the newest".to_owned(),
        Why::NewestProven => "the newest that was proven".to_owned(),
        Why::Undated => "its date is in doubt".to_owned(),
        Why::Pinned(pin) => format!("pinned: {}", words::printable(&pin.reason)),
        Why::Rule(place) => {
            let proven = if place.proven { " of the proven" } else { "" };
            let rule = rule(place.rule);
            format!("{rule} {} of {}{proven}", place.place, place.of)
        }
    }
}

/// A rule's name.
pub(super) fn rule(rule: Rule) -> String {
    match rule {
        Rule::Minimum => "minimum".to_owned(),
        Rule::Last => "last".to_owned(),
        Rule::Each(period) => period.adjective().to_owned(),
        Rule::Rolling(period) => format!("rolling {}", period.adjective()),
    }
}

fn until(until: Until) -> Option<String> {
    match until {
        Until::Open => None,
        Until::Success => Some("a good one is made".to_owned()),
        Until::Time(time) => Some(words::time_to_the_minute(time)),
        Until::Newer {
            count,
            period,
            proven,
        } => {
            let (kind, one) = match proven {
                true => ("proven ", "a proven one"),
                false => ("", "one"),
            };
            Some(match (period.map(Period::noun), count) {
                (None, 1) => format!("there is a newer {kind}one"),
                (None, count) => format!("there are {count} newer {kind}ones"),
                (Some(period), 1) => format!("a newer {period} has {one}"),
                (Some(period), count) => format!("{count} newer {period}s have {one}"),
            })
        }
    }
}

/// What lasts longest, as far as that can be compared: by the days that pass until then if
/// there is a backup a day.
fn lasting(until: Until, now: Timestamp) -> i64 {
    match until {
        Until::Open => i64::MAX,
        Until::Success => 0,
        Until::Time(time) => time.duration_since(now).as_hours(),
        Until::Newer { count, period, .. } => {
            let hours = match period {
                Some(Period::Hour) => 1,
                None | Some(Period::Day) => 24,
                Some(Period::Week) => 24 * 7,
                Some(Period::Month) => 24 * 30,
                Some(Period::Year) => 24 * 365,
            };
            i64::from(count) * hours
        }
    }
}

/// What came to nothing, in a sentence.
pub(super) fn failure(failure: &Failure) -> String {
    match failure {
        Failure::Attempt(id) => format!("{} came to nothing", id.short()),
        Failure::Damaged(id) => format!("{} is damaged", id.short()),
        Failure::Refuted(id) => format!("a test restore of {} failed", id.short()),
        Failure::Lacking(id) => {
            format!("{} is without globals, which earlier ones have", id.short())
        }
        Failure::Unread(object) => format!("{object} cannot be read"),
    }
}
