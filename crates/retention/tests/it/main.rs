//! Retention, rule by rule, and over years.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod rules;
mod safeguards;
mod years;

use jiff::{SignedDuration, Timestamp};
use pgkeep_retention::{Candidate, Decision, Level, Policy, Rules, Series, decide};
use pgkeep_types::BackupId;

/// A good backup of a moment.
fn backup(started: &str) -> Candidate {
    made(started.parse().expect("a time"), 0)
}

/// A good backup of a moment; `number` tells it from others of the same second.
fn made(started: Timestamp, number: u64) -> Candidate {
    let id = format!("{}-{number:08}", started.strftime("%Y%m%dT%H%M%SZ"));
    Candidate {
        id: id.parse().expect("an id"),
        started,
        level: Level::Untried,
        dated: true,
        chosen: false,
        doubt: None,
        pin: None,
    }
}

/// A moment, by the seconds since 1970.
fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn restorable(backup: Candidate) -> Candidate {
    Candidate {
        level: Level::Restorable,
        ..backup
    }
}

fn proven(backup: Candidate) -> Candidate {
    Candidate {
        level: Level::Proven,
        ..backup
    }
}

/// A backup a day at three, the newest last.
fn nightly(first: &str, nights: u32) -> Vec<Candidate> {
    let first: Timestamp = format!("{first}T03:00:00Z").parse().expect("a day");
    let night = |n: u32| first + SignedDuration::from_hours(24 * i64::from(n));
    (0..nights).map(|n| made(night(n), 0)).collect()
}

fn series(good: Vec<Candidate>) -> Series {
    Series { good, failed: None }
}

fn keeping(rules: Rules) -> Policy {
    Policy {
        rules,
        ..Policy::default()
    }
}

/// Long after all.
fn later() -> Timestamp {
    second(1_893_456_000)
}

/// What stays, the newest first.
fn stay(series: &Series, policy: &Policy) -> Vec<BackupId> {
    let decisions = decide(series, policy, later()).into_iter();
    decisions.filter(|d| !d.goes()).map(|d| d.id).collect()
}

/// The days of what stays, the newest first.
fn days(series: &Series, policy: &Policy) -> Vec<String> {
    let stay = stay(series, policy);
    stay.iter()
        .map(|id| id.time().strftime("%m-%d").to_string())
        .collect()
}

/// The decision about one.
fn about(series: &Series, policy: &Policy, id: &BackupId) -> Decision {
    let mut decisions = decide(series, policy, later()).into_iter();
    decisions.find(|decision| decision.id == *id).expect("one")
}
