//! The free space, by what was newly stored of late.

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
