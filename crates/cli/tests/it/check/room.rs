//! The free space, by what was newly stored of late.

use std::fs;

use super::{hours_ago, says};
use crate::keeping::shelf::{APP, Dump, Shelf};
use crate::site::{PROGRAM, ended};

#[tokio::test(flavor = "multi_thread")]
async fn room_that_does_not_last_is_told_with_the_days_that_it_lasts() {
    let shelf = Shelf::new("").await;
    for night in (0..14).rev() {
        let dump = Dump {
            content: u64::try_from(night).unwrap(),
            ..APP
        };
        shelf.dump(dump, &hours_ago(&shelf.site, 24 * night)).await;
    }
    // 300 kB each, since none refers to another.
    for (free, code, words) in [
        ("24M", 1, ""),
        ("3M", 1, "(wanted for 14 days)"),
        ("512k", 2, "CRITICAL"),
    ] {
        let script = format!(
            "cp -a backups copy; mount -t tmpfs -o size=100m tmpfs backups; cp -a copy/. backups; \
             mount -o remount,size=$(( $(du -sk backups | cut -f1) + $(echo {free} | sed \
             's/M/*1024/; s/k//') ))k backups; rm -r copy; {PROGRAM} check"
        );
        let ran = ended(shelf.site.start_with_own_mounts(&script)).await;
        let ran = says(ran, code, &[words]);
        let told = ran.stdout.contains(" are free, which at ");
        assert_eq!(told, !words.is_empty(), "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_store_there_and_are_not_checked_are_told() {
    let shelf = Shelf::new("").await;
    shelf.app(1).await;
    let other = Dump {
        cluster: "other",
        ..APP
    };
    shelf.dump(other, &hours_ago(&shelf.site, 1)).await;
    let words = "how long the room lasts is reckoned without what cluster other stores there";
    says(shelf.check(&[]).await, 1, &[words]);
    let file = shelf.site.path("pgkeep.toml");
    let text = fs::read_to_string(&file).unwrap();
    let more = "\n[cluster.other]\nconnection = \"host=/no\"\n";
    fs::write(&file, format!("{text}{more}")).unwrap();
    let ran = shelf.check(&[]).await.ended(1);
    assert!(!ran.stdout.contains("reckoned without"), "{ran:#?}");
    says(shelf.check(&["main"]).await, 1, &[words]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_other_clusters_cannot_be_listed_all_else_is_judged() {
    let shelf = Shelf::new("").await;
    shelf.app(30).await;
    let other = Dump {
        cluster: "other",
        ..APP
    };
    shelf.dump(other, &hours_ago(&shelf.site, 1)).await;
    let check = |more: &str| {
        // Also where the tests run as root, whom no permission stops.
        let script = format!(
            "chmod 000 backups/other; setpriv --bounding-set=-dac_override,-dac_read_search -- \
             {PROGRAM} check {more} || code=$?; chmod 700 backups/other; exit $code"
        );
        ended(shelf.site.start_with_own_mounts(&script))
    };
    says(
        check("").await,
        1,
        &[
            "database \"app\" has had no good backup for 30 h",
            "not looked at: what other clusters store, which takes room, too: ",
            "other",
        ],
    );
    says(
        check("--critical-age 29h").await,
        2,
        &["main: CRITICAL: database"],
    );
}
