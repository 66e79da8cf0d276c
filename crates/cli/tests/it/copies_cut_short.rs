//! Copies that are stopped, and copies of what cannot be made good: neither is called complete.

use pgkeep_testkit::s3::{Careless, S3s};
use serde_json::Value;

use crate::copies::{
    archive, cluster, configure, configure_at, copy, flip, good_in, grow, like, object,
};
use crate::kills::signal;
use crate::site::{Site, ended, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_stopped_before_it_is_copied_is_not_called_complete() {
    let cluster = cluster().await;
    let server = S3s::start();
    let mut site = Site::of(&cluster).await;
    for (name, value) in server.access().variables() {
        site.set(name, value);
    }
    configure_at(&site, &server.access().url("pg/offsite"), true);
    like(&site).await;
    signal("-STOP", server.process_id());
    let running = site.start(&["backup", "--database", "app", "--json"]);
    let runs = site.path("backups/main/runs");
    until("the run ends in the first repository", async || {
        let mut runs = std::fs::read_dir(&runs).into_iter().flatten().flatten();
        runs.any(|run| run.path().join("outcome").exists())
    })
    .await;
    signal("-TERM", running.id().unwrap());
    signal("-CONT", server.process_id());
    let ran = ended(running).await.ended(130);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["repositories"][0]["complete"], false, "{ran:#?}");
    ran.says(&["repository \"offsite\" misses some"]);
    assert!(good_in(&site, "offsite").await.is_empty());
    copy(&site, &[]).await.ended(0);
    assert_eq!(good_in(&site, "offsite").await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_needs_and_is_hurt_there_is_mended_before_it_is_copied() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let first = site.back_up("app").await;
    copy(&site, &[]).await.ended(0);
    grow(&cluster, "b").await;
    let second = site.back_up("app").await;
    let hurt = object(&site, "offsite", &first, "packs/0");
    flip(&hurt);
    site.run(&["verify", "--repository", "offsite"])
        .await
        .ended(1);
    site.run(&["prune", "--id", &first, "--yes"]).await.ended(0);
    // Nobody knows yet that it is hurt there as well.
    let source = object(&site, "backups", &first, "packs/0");
    flip(&source);
    copy(&site, &[])
        .await
        .ended(1)
        .says(&["packs/0", "is not what the backup cites"]);
    assert!(good_in(&site, "offsite").await.is_empty());
    assert!(!object(&site, "offsite", &second, "backup").exists());
    flip(&source);
    copy(&site, &[]).await.ended(0);
    assert_eq!(
        good_in(&site, "offsite").await,
        [first.clone(), second.clone()]
    );
    assert!(archive(&site, &second, "local").await == archive(&site, &second, "offsite").await);
    site.run(&["verify", "--repository", "offsite"])
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_read_is_missed_in_a_copy_of_all() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let first = site.back_up("app").await;
    let second = site.back_up("app").await;
    copy(&site, &[&second[..]]).await.ended(0);
    flip(&object(&site, "backups", &first, "backup"));
    let ran = copy(&site, &[]).await.ended(1);
    let told = format!(
        "backup {first} of database app is not copied: it cannot be read in repository \"local\": "
    );
    assert!(ran.stdout.starts_with(&told), "{ran:#?}");
    assert!(!ran.stdout.contains("already"), "{ran:#?}");
    let ran = copy(&site, &["--json"]).await.ended(1);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["backups"][0]["id"], first);
    assert_eq!(report["backups"][0]["status"], "left");
    // Who asks for another one does not ask for it.
    copy(&site, &[&second[..]]).await.ended(0);
    let ran = copy(&site, &[&first[..]]).await.ended(4);
    ran.says(&[
        "is damaged in repository \"local\" and cannot be copied",
        "no other repository",
    ]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_repository_that_takes_no_write_is_passed_over_and_told() {
    let cluster = cluster().await;
    let server = Careless::start_honest();
    let mut site = Site::of(&cluster).await;
    for (name, value) in server.access().variables() {
        site.set(name, value);
    }
    configure_at(&site, &server.access().url("pg/offsite"), true);
    like(&site).await;
    let path = site.path("pgkeep.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let swapped = config.replace("[\"local\", \"offsite\"]", "[\"offsite\", \"local\"]");
    assert_ne!(swapped, config);
    std::fs::write(&path, swapped).unwrap();
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(0);
    server.refuse_writes(true);
    site.run(&backup).await.ended(3).says(&[
        "dump of \"app\": complete",
        "repository \"offsite\" misses some; 'pgkeep copy --from local --to offsite' makes it good",
    ]);
    assert_eq!(good_in(&site, "local").await.len(), 2);
    assert_eq!(good_in(&site, "offsite").await.len(), 1);
    server.refuse_writes(false);
    site.run(&backup).await.ended(0);
    copy(&site, &[]).await.ended(0);
    assert_eq!(good_in(&site, "offsite").await.len(), 3);
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_is_gone_on_with_and_is_whole_in_the_end() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let mut ids = Vec::new();
    for table in ["b", "c", "d"] {
        grow(&cluster, table).await;
        ids.push(site.back_up("app").await);
    }
    // Each is killed when the next pack of the backups is there.
    for pack in ["packs/0", "manifest"] {
        for id in &ids {
            let slow = [
                "copy", "--from", "local", "--to", "offsite", "--rate", "500kB",
            ];
            let mut running = site.start(&slow);
            let there = object(&site, "offsite", id, pack);
            until("a piece of a backup", async || there.exists()).await;
            running.kill().await.unwrap();
        }
    }
    copy(&site, &[]).await.ended(0);
    assert_eq!(good_in(&site, "offsite").await, ids);
    for id in &ids {
        assert!(archive(&site, id, "local").await == archive(&site, id, "offsite").await);
    }
    site.run(&["verify", "--repository", "offsite"])
        .await
        .ended(0);
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert_eq!(good_in(&site, "offsite").await, ids);
    cluster.stop().await;
}
