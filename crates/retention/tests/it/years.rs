//! Two years, a run after the other, beside a plain model that knows all of history.
//!
//! The model is written by another rule than the code: it asks of each backup how many
//! newer days (weeks, …) there were, by the names that a calendar prints, where the code
//! walks and counts. Pruning goes on from what earlier pruning left; the model starts from
//! all that ever was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_retention::{
    Calendar, Candidate, Failure, Level, Period, Policy, Rolling, Rules, decide,
};
use pgkeep_types::BackupId;

use crate::{made, series};

/// Numbers that look drawn, and are the same each time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: u64) -> u64 {
        // Knuth's MMIX generator; its high bits are the better ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// What has happened, and what a calendar prints for it.
struct Past {
    backup: Candidate,
    names: BTreeMap<Period, String>,
    kind: Period,
}

impl Past {
    fn new(backup: Candidate, calendar: &Calendar) -> Self {
        let local = backup.started.to_zoned(calendar.zone.clone());
        let mut week = local.date();
        while week.weekday() != calendar.week_starts {
            week = week.yesterday().expect("in range");
        }
        let printed = |format: &str| local.strftime(format).to_string();
        let names = [
            // The offset tells the two hours apart that have one name.
            (Period::Hour, printed("%Y-%m-%d %H %z")),
            (Period::Day, printed("%Y-%m-%d")),
            (Period::Week, week.to_string()),
            (Period::Month, printed("%Y-%m")),
            (Period::Year, printed("%Y")),
        ];
        let tomorrow = local.date().tomorrow().expect("in range");
        let kind = if tomorrow.month() != local.month() {
            Period::Month
        } else if tomorrow.weekday() == calendar.week_starts {
            Period::Week
        } else {
            Period::Day
        };
        Self {
            backup,
            names: names.into(),
            kind,
        }
    }
}

/// Whether one would be there, had everything been kept until now; `newer` came after it.
fn would_stay(past: &Past, newer: &[Past], policy: &Policy) -> bool {
    let in_places = |counts: &dyn Fn(&Past) -> bool| {
        let of_these = || newer.iter().filter(|newer| counts(newer));
        let fewer = |count: usize, most: u32| count < most as usize;
        let by_period = policy.rules.periods.iter().any(|(period, most)| {
            let mut names = BTreeSet::new();
            for newer in of_these() {
                names.insert(&newer.names[period]);
                if !fewer(names.len(), *most) {
                    return false;
                }
            }
            *most > 0 && !names.contains(&past.names[period])
        });
        let by_kind = policy.rules.rolling.is_some_and(|rolling| {
            let most = match past.kind {
                Period::Month => rolling.monthly,
                Period::Week => rolling.weekly,
                _ => rolling.daily,
            };
            fewer(of_these().filter(|b| b.kind == past.kind).count(), most)
        });
        let most = policy.minimum.max(policy.rules.last.unwrap_or(0));
        by_period || by_kind || fewer(of_these().count(), most)
    };
    // What was tried further than one stands for it as well.
    let stands_for = |level: Level| {
        let tried = move |of: &Past| of.backup.level >= level;
        tried(past) && (!newer.iter().any(tried) || in_places(&tried))
    };
    [Level::Untried, Level::Restorable, Level::Proven]
        .into_iter()
        .any(stands_for)
}

/// Lives through two years by a policy; how many backups were pruned.
fn live(policy: &Policy, seed: u64) -> usize {
    let mut draws = Draws(seed);
    let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("in range");
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().expect("in range");
    let (mut history, mut there) = (Vec::new(), Vec::new());
    let mut pruned = 0;
    while now < end {
        // Mostly once a day; at times thrice, or not for days.
        let hours =
            [24, 24, 24, 24, 24, 24, 8, 1, 90][usize::try_from(draws.below(9)).expect("in range")];
        let minutes = i64::try_from(draws.below(50)).expect("in range");
        now += SignedDuration::from_mins(hours * 60 + minutes - 25);
        if draws.below(12) == 0 {
            // A failure: whatever is pruned now, nothing goes.
            let failed: BackupId = made(now, 9).id;
            let mut all = series(there.clone());
            all.failed = Some(Failure::Attempt(failed));
            assert!(decide(&all, policy, now).iter().all(|d| !d.goes()));
            continue;
        }
        let level = match draws.below(12) {
            0 | 1 => Level::Proven,
            2..=4 => Level::Restorable,
            _ => Level::Untried,
        };
        let backup = Candidate {
            level,
            ..made(now, 0)
        };
        history.push(Past::new(backup.clone(), &policy.calendar));
        there.push(backup);
        if draws.below(4) == 0 {
            // Nobody pruned that day.
            continue;
        }
        let decisions = decide(&series(there.clone()), policy, now);
        let stays: BTreeSet<BackupId> = decisions
            .into_iter()
            .filter(|d| !d.goes())
            .map(|d| d.id)
            .collect();
        pruned += there.len() - stays.len();
        there.retain(|backup| stays.contains(&backup.id));
        // Often enough that nothing which goes wrong goes unseen for long.
        if draws.below(20) == 0 {
            let model = history.iter().zip(1..);
            let model = model.filter(|(past, at)| would_stay(past, &history[*at..], policy));
            let model: BTreeSet<BackupId> = model.map(|(past, _)| past.backup.id.clone()).collect();
            assert_eq!(stays, model, "at {now}, seed {seed}, {policy:?}");
        }
    }
    pruned
}

fn calendars() -> Vec<Calendar> {
    let zone = |rule| TimeZone::posix(rule).expect("in range");
    vec![
        Calendar::default(),
        Calendar {
            zone: zone("CET-1CEST,M3.5.0,M10.5.0/3"),
            week_starts: Weekday::Monday,
        },
        Calendar {
            zone: zone("EST5EDT,M3.2.0,M11.1.0"),
            week_starts: Weekday::Sunday,
        },
        // Half an hour of summer time, on Lord Howe Island.
        Calendar {
            zone: zone("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
            week_starts: Weekday::Saturday,
        },
    ]
}

fn policies() -> Vec<(u32, Rules)> {
    let last = |count| Rules {
        last: Some(count),
        ..Rules::default()
    };
    let periods = |all: &[(Period, u32)]| Rules {
        periods: all.iter().copied().collect(),
        ..Rules::default()
    };
    let rolling = |daily, weekly, monthly| Rules {
        rolling: Some(Rolling {
            daily,
            weekly,
            monthly,
        }),
        ..Rules::default()
    };
    vec![
        (0, last(1)),
        (3, last(5)),
        (
            0,
            periods(&[(Period::Day, 6), (Period::Week, 4), (Period::Month, 1)]),
        ),
        (
            2,
            periods(&[(Period::Hour, 5), (Period::Day, 7), (Period::Year, 2)]),
        ),
        (0, rolling(6, 4, 1)),
        (
            4,
            Rules {
                last: Some(2),
                ..rolling(0, 0, 3)
            },
        ),
        (
            1,
            Rules {
                last: Some(0),
                rolling: Some(Rolling {
                    daily: 2,
                    weekly: 0,
                    monthly: 1,
                }),
                ..periods(&[(Period::Month, 14), (Period::Week, 3)])
            },
        ),
    ]
}

#[test]
fn for_two_years_what_is_there_is_what_the_model_says_for_each_policy_and_place() {
    for (minimum, rules) in policies() {
        for (seed, calendar) in (1..).zip(calendars()) {
            let policy = Policy {
                calendar,
                minimum,
                rules: rules.clone(),
            };
            let pruned = live(&policy, seed);
            assert!(pruned > 300, "only {pruned} went by {policy:?}");
        }
    }
}
