//! What stays whatever the policy, the clock and the newcomers are.

use jiff::{SignedDuration, Timestamp};
use pgkeep_retention::{
    Candidate, Doubt, Failure, Level, Period, Pin, Policy, Rolling, Rules, Series, Why, decide,
};
use pgkeep_types::ObjectName;
use proptest::prelude::*;

use crate::{
    about, backup, days, keeping, made, nightly, proven, restorable, second, series, stay,
};

fn last(count: u32) -> Policy {
    keeping(Rules {
        last: Some(count),
        ..Rules::default()
    })
}

#[test]
fn nothing_goes_after_a_failure() {
    let mut all = series(nightly("2026-01-01", 9));
    let failed = "20260110T030000Z-00000000".parse().unwrap();
    all.failed = Some(Failure::Attempt(failed));
    assert_eq!(stay(&all, &last(1)).len(), 9);
    all.failed = None;
    assert_eq!(stay(&all, &last(1)).len(), 1);
}

#[test]
fn what_was_proven_is_displaced_by_what_was_proven_alone() {
    let mut all = nightly("2026-01-01", 9);
    for at in [0, 2, 4] {
        all[at] = proven(all[at].clone());
    }
    let kept = days(&series(all.clone()), &last(2));
    assert_eq!(kept, ["01-09", "01-08", "01-05", "01-03"]);
    all[7] = proven(all[7].clone());
    let kept = days(&series(all), &last(2));
    assert_eq!(kept, ["01-09", "01-08", "01-05"]);
}

#[test]
fn what_was_restored_goes_for_what_was_restored_or_proven_and_stands_for_nothing_proven() {
    let mut all = nightly("2026-01-01", 9);
    all[0] = proven(all[0].clone());
    all[2] = restorable(all[2].clone());
    all[4] = restorable(all[4].clone());
    let kept = days(&series(all.clone()), &last(1));
    assert_eq!(kept, ["01-09", "01-05", "01-01"]);
    all[6] = proven(all[6].clone());
    let kept = days(&series(all), &last(1));
    assert_eq!(kept, ["01-09", "01-07"]);
}

#[test]
fn a_backup_of_the_same_day_displaces_none_that_was_tried_further() {
    let earlier = || backup("2026-01-01T03:00:00Z");
    let later = || backup("2026-01-01T15:00:00Z");
    let policy = keeping(Rules {
        periods: [(Period::Day, 1)].into(),
        ..Rules::default()
    });
    for (earlier, later, left) in [
        (proven(earlier()), later(), 2),
        (proven(earlier()), restorable(later()), 2),
        (restorable(earlier()), later(), 2),
        (restorable(earlier()), restorable(later()), 1),
        (restorable(earlier()), proven(later()), 1),
        (earlier(), restorable(later()), 1),
    ] {
        let all = series(vec![earlier, later]);
        assert_eq!(stay(&all, &policy).len(), left, "{all:?}");
    }
}

#[test]
fn what_has_no_date_to_be_believed_stays_and_takes_nobody_s_place() {
    let mut all = nightly("2026-01-01", 4);
    all.push(Candidate {
        dated: false,
        ..backup("2038-01-19T03:14:07Z")
    });
    let all = series(all);
    assert_eq!(days(&all, &last(2)), ["01-19", "01-04", "01-03"]);
    assert_eq!(about(&all, &last(2), &all.good[4].id).stays, [Why::Undated]);
}

#[test]
fn what_may_be_no_good_one_stays_and_takes_nobody_s_place() {
    let object: ObjectName = "main/proofs/a/b".parse().unwrap();
    for doubt in [Doubt::Proof(object.clone()), Doubt::Verification(object)] {
        let mut all = nightly("2026-01-01", 4);
        all[3].doubt = Some(doubt.clone());
        let all = series(all);
        assert_eq!(days(&all, &last(2)), ["01-04", "01-03", "01-02"]);
        let stays = about(&all, &last(2), &all.good[3].id).stays;
        assert_eq!(stays, [Why::Doubted(doubt)]);
    }
}

#[test]
fn a_pin_holds_until_its_end() {
    let mut all = nightly("2026-01-01", 4);
    let until: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let pin = Pin {
        reason: "before the migration".to_owned(),
        until: Some(until),
    };
    all[0].pin = Some(pin.clone());
    let all = series(all);
    let goes = |now| {
        let decisions = decide(&all, &last(1), now);
        decisions.last().unwrap().goes()
    };
    assert!(!goes(until - SignedDuration::from_secs(1)));
    assert!(goes(until));
}

#[test]
fn what_was_chosen_for_deletion_stays_for_its_pin_alone_and_takes_nobody_s_place() {
    let mut all = nightly("2026-01-01", 4);
    all[3].chosen = true;
    all[3].pin = Some(Pin {
        reason: "before the migration".to_owned(),
        until: None,
    });
    let all = series(all);
    assert_eq!(days(&all, &last(1)), ["01-04", "01-03"]);
    let why = &about(&all, &last(1), &all.good[3].id).stays;
    assert!(matches!(why[..], [Why::Pinned(_)]), "{why:?}");
    let mut lifted = all.clone();
    lifted.good[3].pin = None;
    lifted.failed = Some(Failure::Damaged(all.good[3].id.clone()));
    assert_eq!(days(&lifted, &last(1)), ["01-03", "01-02", "01-01"]);
}

#[test]
fn the_minimum_stays_whatever_the_rules() {
    let policy = Policy {
        minimum: 3,
        ..last(0)
    };
    let all = series(nightly("2026-01-01", 9));
    assert_eq!(days(&all, &policy), ["01-09", "01-08", "01-07"]);
}

fn any_backup() -> impl Strategy<Value = Candidate> {
    let start = 1_760_000_000_i64;
    let pin = prop_oneof![
        4 => Just(None),
        1 => (0..1_000_000_i64).prop_map(move |after| Some(Pin {
            reason: "for somebody".to_owned(),
            until: Some(second(start + after)),
        })),
    ];
    let times = 0..10_000_000_i64;
    (
        times,
        0..3_u64,
        prop::sample::select(&Level::ALL[..]),
        (prop::bool::weighted(0.9), prop::bool::weighted(0.1)),
        pin,
    )
        .prop_map(
            move |(after, number, level, (dated, chosen), pin)| Candidate {
                level,
                dated,
                chosen,
                pin,
                ..made(second(start + after), number)
            },
        )
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let periods =
        prop::collection::btree_map(prop::sample::select(&Period::ALL[..]), 0..9_u32, 0..5);
    let rolling = prop::option::of((0..9_u32, 0..5_u32, 0..3_u32));
    (0..5_u32, prop::option::of(0..9_u32), periods, rolling).prop_map(
        |(minimum, last, periods, rolling)| Policy {
            minimum,
            rules: Rules {
                last,
                periods,
                rolling: rolling.map(|(daily, weekly, monthly)| Rolling {
                    daily,
                    weekly,
                    monthly,
                }),
            },
            ..Policy::default()
        },
    )
}

fn any_series() -> impl Strategy<Value = Series> {
    let failed = prop::option::weighted(
        0.2,
        Just("20260110T030000Z-00000000".parse().expect("an id")),
    );
    (prop::collection::vec(any_backup(), 0..40), failed).prop_map(|(mut good, failed)| {
        let failed = failed.map(Failure::Attempt);
        good.sort_by(|a, b| a.id.cmp(&b.id));
        good.dedup_by(|a, b| a.id == b.id);
        Series { good, failed }
    })
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64).prop_map(second)
}

proptest! {
    #[test]
    fn each_backup_has_one_decision(series in any_series(), policy in any_policy(), now in any_time()) {
        let mut decided: Vec<_> = decide(&series, &policy, now).into_iter().map(|d| d.id).collect();
        let mut given: Vec<_> = series.good.iter().map(|b| b.id.clone()).collect();
        decided.sort();
        given.sort();
        prop_assert_eq!(decided, given);
    }

    #[test]
    fn whatever_the_clock_and_the_policy_the_newest_of_each_level_stays(
        series in any_series(), policy in any_policy(), now in any_time(),
    ) {
        let stays = |candidate: Option<&Candidate>| candidate.is_none_or(|candidate| {
            let mut decisions = decide(&series, &policy, now).into_iter();
            decisions.any(|d| d.id == candidate.id && !d.goes())
        });
        let dated = || series.good.iter().filter(|b| b.dated && !b.chosen);
        let newest = |a: &&Candidate, b: &&Candidate| (a.started, &a.id).cmp(&(b.started, &b.id));
        for level in Level::ALL {
            prop_assert!(stays(dated().filter(|b| b.level >= level).max_by(newest)));
        }
        if series.failed.is_some() {
            let chosen = |id| series.good.iter().any(|b| b.id == id && b.chosen);
            let decisions = decide(&series, &policy, now).into_iter();
            prop_assert!(decisions.into_iter().all(|d| !d.goes() || chosen(d.id)));
        }
        let others = series.good.iter().filter(|b| !b.chosen).count();
        let kept = decide(&series, &policy, now).iter().filter(|d| !d.goes()).count();
        prop_assert!(kept >= others.min(policy.minimum as usize));
    }

    #[test]
    fn to_prune_twice_is_to_prune_once(
        series in any_series(), policy in any_policy(), now in any_time(),
    ) {
        let stays = |series: &Series| -> Vec<_> {
            let decisions = decide(series, &policy, now).into_iter();
            decisions.filter(|d| !d.goes()).map(|d| d.id).collect()
        };
        let once = stays(&series);
        let mut rest = series.clone();
        rest.good.retain(|backup| once.contains(&backup.id));
        prop_assert_eq!(stays(&rest), once);
    }

    #[test]
    fn a_newcomer_displaces_none_that_was_tried_further(
        series in any_series(), policy in any_policy(), now in any_time(), newcomer in any_backup(),
    ) {
        let that_stay = |series: &Series| -> Vec<_> {
            let further = |id| series.good.iter().any(|b| b.id == id && b.level > newcomer.level);
            let decisions = decide(series, &policy, now).into_iter();
            let stay = decisions.filter(|d| !d.goes() && further(d.id.clone()));
            stay.map(|d| d.id).collect()
        };
        let before = that_stay(&series);
        let mut more = series.clone();
        more.good.retain(|backup| backup.id != newcomer.id);
        prop_assume!(more.good.len() == series.good.len());
        more.good.push(newcomer.clone());
        let after = that_stay(&more);
        prop_assert!(before.iter().all(|id| after.contains(id)), "{:?} became {:?}", before, after);
    }
}
