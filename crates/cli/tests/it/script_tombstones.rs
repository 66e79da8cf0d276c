//! What a tombstone is to the script that cannot be verified, or counts as nothing.

use std::path::PathBuf;
use std::process::Command;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::script::script;
use crate::script_choice::{into, two_backups};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_that_cannot_be_verified_hides_its_backup_and_no_older_one_is_taken() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    let tombstone = format!("main/tombstones/{newer}");
    let file = site.path("backups").join(&tombstone);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "garbage").unwrap();
    let listed = script(&site, &["backups", "--list"]).await.ended(1);
    let listed = listed.says(&[&tombstone, "hides its backup"]).stdout;
    assert!(listed.contains(&older) && !listed.contains(&newer));
    for which in [None, Some(newer.as_str())] {
        script(&site, &into("x.dump", which))
            .await
            .ended(1)
            .says(&[&tombstone, "choose another with --backup"]);
        assert!(!site.path("x.dump").exists());
    }
    script(&site, &into("older.dump", Some(&older)))
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_second_tombstone_says_is_deleted_though_the_first_one_is_damaged() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    let file = site.path(&format!("backups/main/tombstones/{newer}"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "garbage").unwrap();
    let prune = ["prune", "--id", &newer, "--yes"];
    site.run(&prune).await.ended(0);
    let listed = script(&site, &["backups", "--list"]).await.ended(0).stdout;
    assert!(listed.contains(&older) && !listed.contains(&newer));
    script(&site, &into("older.dump", None)).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tombstone_that_counts_as_nothing_hides_a_backup_that_is_there_and_no_other() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let older = site.back_up("postgres").await;
    let newer = site.back_up("postgres").await;
    // The newer one is as before it was deleted, and its tombstone is of a host whose key was
    // retired before anybody saw that.
    let main = site.path("backups/main");
    let place = main.join("backups").join(&newer);
    let aside = site.path("aside");
    let mut copy = Command::new("cp");
    let copied = copy.arg("-a").args([&place, &aside]).status();
    assert!(copied.unwrap().success());
    let prune = ["prune", "--id", &newer, "--yes"];
    site.run(&prune).await.ended(0);
    let tombstone = main.join("tombstones").join(&newer);
    let of_thief = site.path("tombstone");
    std::fs::rename(&tombstone, &of_thief).unwrap();
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::rename(&aside, &place).unwrap();
    site.retire_host().await;
    std::fs::create_dir_all(tombstone.parent().unwrap()).unwrap();
    std::fs::rename(&of_thief, &tombstone).unwrap();

    let name = format!("main/tombstones/{newer}");
    let restore = async |which: Option<&str>| {
        let key = ["--identity", "recovery.key"];
        script(&site, &[&into("x.dump", which)[..], &key].concat()).await
    };
    let listed = script(&site, &["backups", "--list"]).await.ended(1);
    let listed = listed.says(&[&name, "was retired", "hides its backup"]);
    assert!(listed.stdout.contains(&older) && !listed.stdout.contains(&newer));
    for which in [None, Some(newer.as_str())] {
        restore(which)
            .await
            .ended(1)
            .says(&[&name, "choose another"]);
    }
    assert!(!site.path("x.dump").exists());

    // Where nothing else tells of that backup, nothing is hidden.
    let runs = std::fs::read_dir(main.join("runs")).unwrap();
    let mut runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
    runs.sort_by_key(|run| {
        std::fs::metadata(run.join("begin"))
            .unwrap()
            .modified()
            .unwrap()
    });
    std::fs::remove_dir_all(runs.pop().unwrap()).unwrap();
    std::fs::remove_dir_all(&place).unwrap();
    let listed = script(&site, &["backups", "--list"]).await.ended(0);
    listed.says(&[&name, "counts as nothing"]);
    assert_eq!(site.good().await, std::slice::from_ref(&older));
    restore(None).await.ended(0).says(&[&older]);
    cluster.stop().await;
}
