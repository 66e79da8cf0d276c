//! The explorations: what holds in every state, and that the model notices where a
//! part of the protocol is left out.
#![expect(clippy::print_stdout, reason = "how many states there were")]

use pgkeep_testkit::soak;

use super::explore::{Explored, all, loss, walks};
use super::losses::RECORDS;
use super::state::Kind;
use super::{Listings, Setting, Without};

const SETTING: Setting = Setting {
    writers: 1,
    pruners: 1,
    sweeps: 1,
    reader: false,
    pinners: 0,
    listings: Listings::Whole,
    losses: &[],
    half: false,
    copies: false,
    rests: false,
    litter: false,
    without: &[],
};

/// Two of each, listings that pass by single objects, and a reader.
const LARGEST: Setting = Setting {
    writers: 2,
    pruners: 2,
    sweeps: 2,
    reader: true,
    pinners: 2,
    listings: Listings::Single,
    losses: &[],
    half: false,
    copies: false,
    rests: false,
    litter: false,
    without: &[],
};

/// Somebody has chosen the one backup; then two do so again, and a third one pins it.
const DAMAGED_TOMBSTONE: Setting = Setting {
    writers: 0,
    pruners: 2,
    sweeps: 2,
    pinners: 1,
    losses: &[Kind::Tombstone],
    ..SETTING
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

#[test]
fn no_good_backup_loses_anything_because_the_storage_has_lost_a_record() {
    let setting = Setting {
        losses: RECORDS,
        reader: true,
        ..SETTING
    };
    holds(setting, 100_000);
    for listings in [Listings::Single, Listings::Backwards] {
        let setting = Setting {
            losses: RECORDS,
            listings,
            ..SETTING
        };
        holds(setting, 100_000);
    }
}

#[test]
fn no_good_backup_loses_anything_in_half_a_copy() {
    for losses in [&[], RECORDS] {
        let setting = Setting {
            losses,
            half: true,
            ..SETTING
        };
        holds(setting, 1000);
    }
}

#[test]
fn what_was_told_to_be_pinned_stays_whole_with_two_pruners_and_two_who_pin() {
    let setting = Setting {
        writers: 0,
        pruners: 2,
        pinners: 2,
        ..SETTING
    };
    holds(setting, 10_000);
}

#[test]
fn what_was_told_to_be_pinned_stays_whole_beside_a_writer_where_listings_pass_by_single_objects() {
    for listings in [Listings::Whole, Listings::Single, Listings::Backwards] {
        let setting = Setting {
            pinners: 1,
            listings,
            ..SETTING
        };
        holds(setting, 10_000);
    }
}

#[test]
fn what_was_told_to_be_pinned_stays_whole_with_two_pruners_though_a_tombstone_is_damaged() {
    holds(DAMAGED_TOMBSTONE, 10_000);
}

/// All that two pruners can do are millions of states.
#[test]
fn soak_no_good_backup_loses_anything_with_two_pruners_because_a_tombstone_was_lost() {
    let setting = Setting {
        losses: &[Kind::Tombstone],
        pruners: 2,
        ..SETTING
    };
    if soak::so_many(1, 0) == 1 {
        return holds(setting, 10_000_000);
    }
    for seed in soak::rounds("the model of deletion, two pruners and a tombstone") {
        let Explored { states, wrong } = walks(&setting, seed, 2000);
        println!("{states} states of {setting:?}");
        assert_eq!(wrong, None);
    }
}

#[track_caller]
fn walk(seed: u64, ways: usize) {
    let losses: [&[Kind]; 2] = [&[], RECORDS];
    let listings = [Listings::Single, Listings::Backwards];
    for (listings, losses) in listings.into_iter().flat_map(|l| losses.map(|of| (l, of))) {
        let setting = Setting {
            listings,
            losses,
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
    let losing = |losses, setting| Setting { losses, ..setting };
    let half = Setting {
        half: true,
        ..SETTING
    };
    let pinned = Setting {
        pinners: 1,
        ..SETTING
    };
    let pinned_beside = Setting {
        writers: 0,
        pruners: 2,
        ..pinned
    };
    // What was deleted is forgotten by then.
    let pinned_for_long = Setting {
        writers: 0,
        sweeps: 4,
        ..pinned
    };
    let pinned_twice = Setting {
        writers: 0,
        pruners: 2,
        pinners: 2,
        ..SETTING
    };
    let mut unnoticed = Vec::new();
    let settings: [(Setting, &[W]); _] = [
        (small, &[W::SecondLook]),
        (losing(RECORDS, small), &[W::RunsAgain]),
        (two_pruners, &[W::RunsFirst]),
        (small, &[W::Confirmation]),
        (small, &[W::BeginBeforeDead]),
        // Each is the other's net: nothing is lost without one of them.
        (small, &[W::ParentAfterBegin, W::LookAfterCommits]),
        (small, &[W::ParentsSpared]),
        (losing(RECORDS, small), &[W::ReadAgain]),
        (two_pruners, &[W::DeadBeforeBegin]),
        (two_writers, &[W::ConfirmedParent]),
        (losing(&[Kind::Commit], half), &[W::UnaccountedStays]),
        (losing(&[Kind::Commit], small), &[W::MissingStops]),
        (losing(&[Kind::Tombstone], small), &[W::LookAfterCommits]),
        (losing(&[Kind::Tombstone], two_pruners), &[W::NoParentStops]),
        (pinned_beside, &[W::PinsAfterTombstones]),
        (pinned, &[W::LookAfterPin]),
        (pinned, &[W::PinsSpared]),
        (pinned_twice, &[W::TombstonesStay]),
        (pinned_for_long, &[W::TombstoneBeforeCommit]),
        (DAMAGED_TOMBSTONE, &[W::DamagedTombstonesStay]),
    ];
    for (setting, without) in settings {
        let found = loss(&Setting { without, ..setting });
        println!("without {without:?}: {found:?}");
        if found.wrong.is_none() {
            unnoticed.push(without);
        }
    }
    assert!(
        unnoticed.is_empty(),
        "nothing is wrong without {unnoticed:?}"
    );
}

const COPIES: Setting = Setting {
    writers: 2,
    copies: true,
    ..SETTING
};

#[test]
fn no_copied_backup_loses_anything_though_two_runs_use_the_same_names() {
    for (sweeps, litter) in [(1, false), (2, false), (1, true)] {
        let setting = Setting {
            sweeps,
            litter,
            ..COPIES
        };
        let Explored { states, wrong } = loss(&setting);
        println!("{states} states of copies, {sweeps} sweeps, litter: {litter}");
        assert_eq!(wrong, None);
    }
}

const RESTS: Setting = Setting {
    rests: true,
    ..COPIES
};

#[test]
fn no_copied_backup_loses_the_pack_of_another_one_of_its_run() {
    let Explored { states, wrong } = loss(&RESTS);
    println!("{states} states of a copy that rests on another");
    assert_eq!(wrong, None);
    let without = &[Without::OthersTombstones];
    let wrong = loss(&Setting { without, ..RESTS }).wrong;
    assert!(wrong.is_some(), "{without:?} is not missed");
}

#[test]
fn the_model_notices_each_part_of_copying_that_is_left_out() {
    for (part, litter) in [
        (&[Without::CopiesStay][..], false),
        (&[Without::OthersRecordStays], false),
        (&[Without::Confirmation], false),
        (&[Without::OthersPartsStay], false),
        (&[Without::AloneAtIt], true),
    ] {
        let setting = Setting {
            without: part,
            litter,
            ..COPIES
        };
        let wrong = loss(&setting).wrong;
        println!("without {part:?}: {wrong:?}");
        assert!(wrong.is_some(), "{part:?} is not missed");
    }
}
