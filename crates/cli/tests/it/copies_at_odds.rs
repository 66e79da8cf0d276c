//! Several repositories where something stands in the way of a copy: two that are one, damage
//! that only a copy can mend, what was deleted on one side.

use std::future::ready;
use std::sync::Arc;

use pgkeep_format::records::BackupKind;
use pgkeep_format::{HostKey, Identities};
use pgkeep_maintenance::{Copied, Copy, CopyProgress};
use pgkeep_repository::{Repository, RunPlan};
use pgkeep_storage::LocalStorage;
use pgkeep_testkit::ScriptedClock;
use pgkeep_types::{Clock, RunId};
use serde_json::Value;

use crate::copies::{
    archive, cluster, configure, configure_at, copy, flip, good_in, grow, like, object,
};
use crate::keeping::shelf::{APP, Shelf};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_repository_are_no_second_copy_and_everything_says_so() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    let link = site.path("offsite");
    std::os::unix::fs::symlink(site.path("backups"), &link).unwrap();
    configure_at(&site, &link.display().to_string(), true);
    let told =
        "repositories \"local\" and \"offsite\" are one and the same: there is no second copy";
    let backup = ["backup", "--database", "app", "--json"];
    let ran = site.run(&backup).await.ended(3).says(&[told]);
    assert!(ran.stdout.contains("\"complete\": false"), "{ran:#?}");
    copy(&site, &[]).await.ended(1).says(&[told]);
    let ran = site.run(&["check"]).await.ended(2);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(told), "{ran:#?}");
    let ran = site.run(&["doctor"]).await.ended(1);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(told), "{ran:#?}");
    site.run(&["list"]).await.ended(0).says(&[told]);
    let ran = site.run(&["verify", "--json"]).await.ended(1).says(&[told]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["clusters"].as_array().unwrap().len(), 1);
    // One name twice is no second one either.
    let path = site.path("pgkeep.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let twice = config.replace("[\"local\", \"offsite\"]", "[\"local\", \"local\"]");
    std::fs::write(&path, twice).unwrap();
    let ran = site.run(&["check"]).await.ended(3);
    assert!(
        (ran.stdout + &ran.stderr)
            .contains("cluster main names the repository \"local\" more than once")
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hurt_record_is_put_anew_by_the_next_backup_which_prunes_then() {
    let cluster = cluster().await;
    let mut site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(0);
    let old = good_in(&site, "offsite").await;
    grow(&cluster, "b").await;
    site.run(&backup).await.ended(0);
    flip(&object(&site, "offsite", &old[0], "backup"));
    assert!(!good_in(&site, "offsite").await.contains(&old[0]));
    let ran = copy(&site, &["--dry-run"]).await.ended(0);
    assert!(ran.stdout.contains("would be copied"), "{ran:#?}");
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=9");
    let ran = site
        .run(&["backup", "--database", "app", "--prune"])
        .await
        .ended(0);
    assert!(!ran.stderr.contains("UNDER-REPLICATED"), "{ran:#?}");
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    assert!(archive(&site, &old[0], "local").await == archive(&site, &old[0], "offsite").await);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_copies_at_once_whoever_finds_all_there_in_the_end_ends_well() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    for table in ["b", "c", "d"] {
        site.back_up("app").await;
        grow(&cluster, table).await;
    }
    let (one, other) = tokio::join!(copy(&site, &[]), copy(&site, &[]));
    assert!(
        [one.code(), other.code()].contains(&0),
        "{one:#?} {other:#?}"
    );
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    copy(&site, &[]).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_copy_has_put_is_complete_once_that_one_has_looked_after_it() {
    let shelf = Shelf::new("").await;
    configure(&shelf.site, false);
    shelf.dump(APP, "2026-04-01T03:00:00Z").await;
    like(&shelf.site).await;
    let key = std::fs::read_to_string(shelf.site.path("host.key")).unwrap();
    let host = HostKey::from_secret_text(&key).unwrap();
    let storage = Arc::new(LocalStorage::new(shelf.site.path("offsite")));
    let to = Repository::open(storage, &host.trust).await.unwrap();
    let access = to.write_access(&host).unwrap();
    let (none, cluster) = (Identities::default(), "main".parse().unwrap());
    let there = shelf.repository.catalogue(&cluster, &none).await.unwrap();
    let here = to.catalogue(&cluster, &none).await.unwrap();
    let progress = CopyProgress::default();
    let clock = ScriptedClock::at("2026-04-01T04:00:00Z");
    let copy = Copy {
        from: &shelf.repository,
        to: &to,
        access: &access,
        there: &there,
        here: &here,
        pace: None,
        progress: &progress,
        clock: &clock,
        random: &shelf.random,
        pgkeep: "0.0.0",
    };
    let todo = copy.todo(|_| true).unwrap();
    let overtaken = async || {
        let mut results = Vec::new();
        let told = |copied: Copied| results.push(copied.result.is_ok());
        copy.run(&todo, || false, |_| {}, told).await.unwrap();
        results
    };

    let plan = RunPlan {
        id: RunId::new(&clock, &shelf.random),
        cluster: cluster.clone(),
        kind: BackupKind::Dump,
        started: clock.now(),
        pgkeep: "0.0.0".to_owned(),
        backups: Vec::new(),
    };
    let from = &shelf.repository;
    let mut other = to
        .begin_copy(&access, from, plan, &todo.plan)
        .await
        .unwrap();
    let planned = &todo.plan.backups[0];
    other.copy(from, planned, |_| ready(())).await.unwrap();
    assert_eq!(overtaken().await, [false]);
    other.finish(clock.now()).await.unwrap();
    assert_eq!(overtaken().await, [true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_repository_does_not_give_is_told_to_be_in_the_other_and_how_it_is_mended() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    let ran = site.run(&["backup", "--database", "app"]).await;
    ran.ended(0);
    let id = good_in(&site, "offsite").await.remove(0);
    let short = id.rsplit('-').next().unwrap();
    std::fs::remove_file(object(&site, "backups", &id, "packs/0")).unwrap();
    let mend = format!("pgkeep copy {short} --from offsite --to local");
    let hint = format!("repository \"offsite\" has backup {short} as a good one");
    for command in [&["restore", "--database", "app"][..], &["show", &id]] {
        let command = [command, &["--identity", "recovery.key"]].concat();
        let ran = site.run(&command).await.ended(1);
        ran.says(&[&hint, &mend, "--repository offsite"]);
    }
    let words = ["is damaged in repository \"local\"", &mend];
    copy(&site, &[short]).await.ended(4).says(&words);
    let mend: Vec<&str> = mend.split(' ').skip(1).collect();
    site.run(&mend).await.ended(0);
    site.run(&["show", &id]).await.ended(0);
    let pinned = site.run(&["pin", &id, "--reason", "audit"]).await.ended(0);
    assert!(pinned.stdout.contains("is kept in repository local"));
    pinned.says(&[
        "in repository offsite the rules decide",
        "--repository offsite",
    ]);

    std::fs::rename(site.path("backups"), site.path("gone")).unwrap();
    let words = "repository \"offsite\" has 1 good backup of cluster main";
    for command in [&["list"][..], &["restore", "--database", "app"]] {
        let ran = site.run(command).await.ended(1);
        ran.says(&["no repository in", words, "--repository offsite"]);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_in_the_other_repository_blocks_no_later_backup() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    let backup = ["backup", "--database", "app"];
    for table in ["b", "c"] {
        site.run(&backup).await.ended(0);
        grow(&cluster, table).await;
    }
    let newest = good_in(&site, "offsite").await.pop().unwrap();
    let prune = ["prune", "--repository", "offsite", "--id", &newest, "--yes"];
    site.run(&prune).await.ended(0);
    // What rests on it while the other one is away can never be copied there.
    std::fs::rename(site.path("offsite"), site.path("away")).unwrap();
    site.run(&backup).await.ended(3);
    let stuck = good_in(&site, "local").await.pop().unwrap();
    std::fs::rename(site.path("away"), site.path("offsite")).unwrap();
    let told =
        format!("backup {stuck} of database app is not copied: it needs packs of backup {newest}");
    let ran = copy(&site, &[]).await.ended(1);
    assert!(ran.stdout.contains(&told), "{ran:#?}");
    assert!(ran.stdout.contains("pgkeep backup --whole"), "{ran:#?}");
    // The next one rests on what both have, and is all that is missed.
    grow(&cluster, "d").await;
    let ran = site.run(&backup).await.ended(0);
    assert!(!ran.stderr.contains("UNDER-REPLICATED"), "{ran:#?}");
    let last = good_in(&site, "local").await.pop().unwrap();
    let there = good_in(&site, "offsite").await;
    assert!(there.contains(&last) && !there.contains(&stuck));
    assert!(archive(&site, &last, "local").await == archive(&site, &last, "offsite").await);
    let ran = copy(&site, &[]).await.ended(0);
    assert!(ran.stdout.contains(&told), "{ran:#?}");
    let ran = site.run(&["list"]).await.ended(0);
    assert!(!ran.stderr.contains("UNDER-REPLICATED"), "{ran:#?}");
    cluster.stop().await;
}
