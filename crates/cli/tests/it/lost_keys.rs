//! What is lost of a repository's keys, or of its first object, is told as that.

use std::fs;

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::site::Site;

/// Commands of each kind, and one that would make a repository in the same place.
async fn every_command_says(site: &Site, told: &[&str]) {
    let elsewhere = [
        "init",
        "--repository",
        "backups",
        "--config",
        "x/pgkeep.toml",
    ];
    let backup = ["backup", "--database", "postgres"];
    for command in [&["list"][..], &["prune"], &backup, &elsewhere] {
        let ran = site.run(command).await.ended(1).says(told);
        assert!(!ran.stderr.contains("'pgkeep init' makes"), "{ran:#?}");
    }
}

/// Removes the record of the one key of this role, and tells its name.
async fn lose(site: &Site, role: &str) -> String {
    let listed = site.run(&["key", "list", "--json"]).await.ended(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mut keys = listed["keys"].as_array().unwrap().iter();
    let key = keys.find(|key| key["role"] == role).unwrap();
    let name = format!("keys/{}", key["fingerprint"].as_str().unwrap());
    fs::remove_file(site.path("backups").join(&name)).unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_keys_record_that_is_lost_is_no_disagreement_and_no_retired_key() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    let lost = lose(&site, "recovery").await;
    for command in [&["backup", "--database", "postgres"][..], &["prune"]] {
        let ran = site.run(command).await.ended(1);
        let ran = ran.says(&[&lost, "is not there, though keys/ring-1 lists it"]);
        let ran = ran.says(&["bring the objects back", "key repair"]);
        assert!(!ran.stderr.contains("the configuration"), "{ran:#?}");
    }
    let ran = site.run(&["list"]).await;
    assert!(ran.stdout.contains("KEY RECORD LOST"), "{ran:#?}");
    assert!(!ran.stdout.contains("RETIRED"), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_record_that_is_lost_is_hinted_at_where_its_backups_are_believed_no_more() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    let lost = lose(&site, "host").await;
    let ran = site.run(&["list"]).await.ended(1);
    ran.says(&[&lost, "does not vouch for", "key list", "key add"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_object_is_to_be_brought_back_where_it_is_damaged_or_lost_beside_backups() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    let descriptor = site.path("backups/pgkeep.json");
    let mut bytes = fs::read(&descriptor).unwrap();
    bytes[30] ^= 1;
    fs::write(&descriptor, bytes).unwrap();
    let ran = site.run(&["list"]).await.ended(1);
    let ran = ran.says(&["pgkeep.json", "from another copy"]);
    assert!(!ran.stderr.contains("backup --whole"), "{ran:#?}");

    fs::remove_file(descriptor).unwrap();
    let told = [
        "and its backups, and no pgkeep.json",
        "bring pgkeep.json back",
    ];
    every_command_says(&site, &told).await;
    fs::remove_dir_all(site.path("backups/keys")).unwrap();
    let told = [
        "holds backups of a repository (cluster main; main/",
        "neither its pgkeep.json nor anything of its keys/",
        "bring pgkeep.json and keys/ back",
        "choose another place",
    ];
    let before = site.repository_files();
    every_command_says(&site, &told).await;
    assert_eq!(site.repository_files(), before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_stores_all_anew_since_runs_are_lost_says_so() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    let runs = site.path("backups/main/runs");
    let run = fs::read_dir(&runs).unwrap().next().unwrap().unwrap();
    let run = run.file_name().into_string().unwrap();
    fs::remove_dir_all(runs).unwrap();
    let back_up = ["backup", "--database", "postgres"];
    let told = [
        &format!("nothing is there of the runs {run}"),
        "store anew",
        "Bring main/runs/ back",
    ];
    site.run(&back_up).await.ended(0).says(&told);
    // The next one is compared with that one.
    let ran = site.run(&back_up).await.ended(0);
    assert!(!ran.stderr.contains("nothing is there"), "{ran:#?}");
    cluster.stop().await;
}
