//! What each rule keeps of a series, when nothing else keeps anything.

use std::collections::BTreeMap;

use pgkeep_retention::{Level, Period, Place, Rolling, Rule, Rules, Until, Why};

use crate::{about, backup, days, keeping, nightly, series, stay};

fn periods(all: &[(Period, u32)]) -> Rules {
    Rules {
        periods: all.iter().copied().collect(),
        ..Rules::default()
    }
}

#[test]
fn without_rules_everything_stays() {
    let all = series(nightly("2026-01-01", 40));
    assert_eq!(stay(&all, &keeping(Rules::default())).len(), 40);
}

#[test]
fn last_keeps_the_newest_whatever_their_days() {
    let mut all = nightly("2026-01-01", 5);
    all.push(backup("2026-01-05T12:00:00Z"));
    let last = Some(3);
    let kept = days(
        &series(all),
        &keeping(Rules {
            last,
            ..Rules::default()
        }),
    );
    assert_eq!(kept, ["01-05", "01-05", "01-04"]);
}

#[test]
fn daily_keeps_the_newest_of_each_day_and_days_without_one_do_not_count() {
    let all = series(vec![
        backup("2026-01-01T03:00:00Z"),
        backup("2026-01-02T03:00:00Z"),
        backup("2026-01-02T15:00:00Z"),
        backup("2026-01-09T03:00:00Z"),
    ]);
    let policy = keeping(periods(&[(Period::Day, 2)]));
    assert_eq!(days(&all, &policy), ["01-09", "01-02"]);
    let decision = about(&all, &policy, &all.good[2].id);
    let place = Place {
        rule: Rule::Each(Period::Day),
        place: 2,
        of: 2,
        level: Level::Untried,
    };
    assert_eq!(decision.stays, [Why::Rule(place)]);
    assert_eq!(
        decision.stays[0].until(),
        Until::Newer {
            count: 1,
            period: Some(Period::Day),
            rolling: false,
            level: Level::Untried
        }
    );
}

#[test]
fn days_weeks_and_months_each_keep_their_own() {
    let all = series(nightly("2026-01-01", 75));
    let policy = keeping(periods(&[
        (Period::Day, 3),
        (Period::Week, 3),
        (Period::Month, 3),
    ]));
    // The 16th of March is a Monday.
    assert_eq!(
        days(&all, &policy),
        ["03-16", "03-15", "03-14", "03-08", "02-28", "01-31"]
    );
}

#[test]
fn rolling_keeps_of_each_kind_by_itself() {
    let all = series(nightly("2026-01-01", 75));
    let rolling = Some(Rolling {
        daily: 2,
        weekly: 2,
        monthly: 2,
    });
    let policy = keeping(Rules {
        rolling,
        ..Rules::default()
    });
    assert_eq!(
        days(&all, &policy),
        ["03-16", "03-15", "03-14", "03-08", "02-28", "01-31"]
    );
}

#[test]
fn a_rule_that_keeps_nothing_leaves_the_newest() {
    let all = series(nightly("2026-01-01", 9));
    for rules in [
        Rules {
            last: Some(0),
            ..Rules::default()
        },
        periods(&[(Period::Day, 0), (Period::Year, 0)]),
        Rules {
            rolling: Some(Rolling {
                daily: 0,
                weekly: 0,
                monthly: 0,
            }),
            periods: BTreeMap::new(),
            last: None,
        },
    ] {
        assert_eq!(days(&all, &keeping(rules)), ["01-09"]);
    }
}
