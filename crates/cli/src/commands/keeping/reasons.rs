//! Why a backup stays, in words.
//!
//! Invariant: the words are short enough to stand several in a line, and the first ones
//! are those that matter most.

use pgkeep_retention::{Doubt, Failure, Level, Period, Rule, Until, Why};
use pgkeep_types::Timestamp;

use crate::words;

/// What ends that a backup may be hurt.
const READ_AGAIN: &str = "'pgkeep verify' has read all of it again";

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
/// among the proven, and what is the newest proven is restorable.
fn is_said(why: &Why, stays: &[Why]) -> bool {
    stays.iter().any(|other| match (why, other) {
        (Why::Rule(place), Why::Rule(other)) => {
            other.rule == place.rule && other.level < place.level
        }
        (Why::Newest(Level::Restorable), Why::Newest(Level::Proven)) => true,
        _ => false,
    })
}

fn rank(why: &Why) -> u8 {
    match why {
        Why::Pinned(_) => 0,
        Why::AfterFailure(_) => 1,
        Why::Undated | Why::Doubted(_) => 2,
        Why::Newest(Level::Proven) => 3,
        Why::Newest(Level::Restorable) => 4,
        Why::Newest(Level::Untried) => 5,
        Why::Rule(_) => 6,
        Why::NoPolicy => 7,
    }
}

fn reason(why: &Why) -> String {
    match why {
        Why::NoPolicy => "all are kept".to_owned(),
        Why::AfterFailure(Failure::Doubted { .. }) => "after a possible failure".to_owned(),
        Why::AfterFailure(_) => "after a failure".to_owned(),
        Why::Newest(level) => match word(*level) {
            Some(word) => format!("the newest {word}"),
            None => "the newest".to_owned(),
        },
        Why::Undated => "its date is in doubt".to_owned(),
        Why::Doubted(Doubt::Proof(_)) => "a proof of it cannot be read".to_owned(),
        Why::Doubted(Doubt::Verification(_)) => {
            "it may be hurt: what a verification has found cannot be read".to_owned()
        }
        Why::Pinned(pin) => format!("pinned: {}", words::printable(&pin.reason)),
        Why::Rule(place) => {
            let among = word(place.level).map(|word| format!(" of the {word}"));
            let (rule, among) = (rule(place.rule), among.unwrap_or_default());
            format!("{rule} {} of {}{among}", place.place, place.of)
        }
    }
}

/// The word for those that have a level at least; none where all do.
pub(super) fn word(level: Level) -> Option<&'static str> {
    match level {
        Level::Untried => None,
        Level::Restorable => Some("restorable"),
        Level::Proven => Some("proven"),
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
        Until::ProvedAgain => {
            Some("the backup of that proof is proved again or deleted".to_owned())
        }
        Until::ReadAgain => Some(READ_AGAIN.to_owned()),
        Until::Time(time) => Some(words::time_to_the_minute(time)),
        Until::Newer {
            count,
            period,
            rolling,
            level,
        } => {
            let (kind, one) = match word(level) {
                Some(word) => (format!("{word} "), format!("a {word} one")),
                None => (String::new(), "one".to_owned()),
            };
            if let Some(period) = period.filter(|_| rolling) {
                let kind = format!("{kind}{}", period.adjective());
                return Some(match count {
                    1 => format!("there is a newer {kind} one"),
                    count => format!("there are {count} newer {kind} ones"),
                });
            }
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
        Until::Success | Until::ProvedAgain | Until::ReadAgain => 0,
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
        Failure::Doubted {
            backup,
            doubt: Doubt::Proof(object),
        } => format!(
            "a test restore of {} may have failed: {object} cannot be read",
            backup.short()
        ),
        Failure::Doubted {
            backup,
            doubt: Doubt::Verification(object),
        } => format!("{} may be hurt: {object} cannot be read", backup.short()),
    }
}

/// What ends that nothing goes.
pub(super) fn end(failure: &Failure) -> String {
    match failure {
        Failure::Doubted {
            backup,
            doubt: Doubt::Proof(_),
        } => format!(
            "{id} is proved again ('pgkeep prove {id}') or deleted ('pgkeep prune --id {id}')",
            id = backup.short()
        ),
        Failure::Doubted {
            doubt: Doubt::Verification(_),
            ..
        } => READ_AGAIN.to_owned(),
        Failure::Refuted(_) => "that one or a newer one is proved".to_owned(),
        _ => "a good one is made".to_owned(),
    }
}
