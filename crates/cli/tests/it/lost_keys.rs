//! What is lost of a repository's keys, or of its first object, is told as that.

use std::fs;

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::site::Site;

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
    let elsewhere = [
        "init",
        "--repository",
        "backups",
        "--config",
        "x/pgkeep.toml",
    ];
    for command in [&["list"][..], &["prune"], &elsewhere] {
        let ran = site.run(command).await.ended(1);
        let ran = ran.says(&[
            "and its backups, and no pgkeep.json",
            "bring pgkeep.json back",
        ]);
        assert!(!ran.stderr.contains("'pgkeep init' makes"), "{ran:#?}");
    }
    cluster.stop().await;
}
