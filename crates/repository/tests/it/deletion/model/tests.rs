//! The explorations: what holds in every state, and that the model notices where a
//! part of the protocol is left out.
#![expect(clippy::print_stdout, reason = "how many states there were")]

use pgkeep_testkit::soak;

use super::explore::{Explored, all, loss, walks};
use super::{Listings, Setting, Without};

const SETTING: Setting = Setting {
    writers: 1,
    pruners: 1,
    sweeps: 1,
    reader: false,
    listings: Listings::Whole,
    without: Without::Nothing,
};

/// Two of each, listings that pass by single objects, and a reader.
const LARGEST: Setting = Setting {
    writers: 2,
    pruners: 2,
    sweeps: 2,
    reader: true,
    listings: Listings::Single,
    without: Without::Nothing,
};

#[track_caller]
fn holds(setting: Setting, at_least: usize) {
    let Explored { states, wrong } = all(&setting);
    println!("{states} states of {setting:?}");
    assert_eq!(wrong, None, "{setting:?}");
    assert!(states >= at_least, "only {states} states");
}

#[test]
fn no_good_backup_loses_anything_where_listings_pass_by_single_objects() {
    for listings in [Listings::Single, Listings::Backwards] {
        let setting = Setting {
            listings,
            sweeps: 2,
            reader: true,
            ..SETTING
        };
        holds(setting, 100_000);
    }
}

#[test]
fn no_good_backup_loses_anything_with_two_pruners() {
    let setting = Setting {
        pruners: 2,
        ..SETTING
    };
    holds(setting, 1_000_000);
}

#[test]
fn no_good_backup_loses_anything_with_two_writers() {
    let setting = Setting {
        writers: 2,
        ..SETTING
    };
    holds(setting, 500_000);
}

#[track_caller]
fn walk(seed: u64, ways: usize) {
    for listings in [Listings::Single, Listings::Backwards] {
        let setting = Setting {
            listings,
            ..LARGEST
        };
        let Explored { states, wrong } = walks(&setting, seed, ways);
        println!("{states} states on {ways} ways of {setting:?}");
        assert_eq!(wrong, None);
    }
}

#[test]
fn soak_no_good_backup_loses_anything_on_random_ways_of_two_of_each() {
    for seed in soak::rounds("the model of deletion") {
        walk(seed, 200);
    }
}

#[test]
fn the_model_notices_each_part_of_the_protocol_that_is_left_out() {
    use Without as W;
    let small = SETTING;
    let two_pruners = Setting {
        pruners: 2,
        ..SETTING
    };
    let two_writers = Setting {
        writers: 2,
        ..SETTING
    };
    for (setting, without) in [
        (small, W::SecondLook),
        (small, W::RunsAgain),
        (two_pruners, W::RunsFirst),
        (small, W::Confirmation),
        (small, W::BeginBeforeDead),
        (small, W::ParentAfterBegin),
        (small, W::ParentsSpared),
        (two_pruners, W::ReadAgain),
        (two_pruners, W::DeadBeforeBegin),
        (two_writers, W::ConfirmedParent),
    ] {
        let found = loss(&Setting { without, ..setting });
        println!("without {without:?}: {found:?}");
        assert!(
            found.wrong.is_some(),
            "nothing is wrong without {without:?}"
        );
    }
}
