//! Clusters that are stored, and that the configuration does not name any more.

use pgkeep_testkit::cluster::Cluster;
use serde_json::Value;

use crate::copies::{cluster, configure, copy, good_in, like};
use crate::site::Site;
use crate::verify::verify;

/// A site with a backup of cluster `main`, which is called `prod` now, and one of that.
async fn renamed(cluster: &Cluster) -> Site {
    let site = Site::of(cluster).await;
    configure(&site, false);
    like(&site).await;
    site.back_up("app").await;
    rename(&site, "main", "prod");
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(0);
    site
}

fn rename(site: &Site, old: &str, new: &str) {
    let path = site.path("pgkeep.toml");
    let configuration = std::fs::read_to_string(&path).unwrap();
    let configuration =
        configuration.replace(&format!("[cluster.{old}"), &format!("[cluster.{new}"));
    std::fs::write(&path, configuration).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_names_the_clusters_that_it_passes_over_and_calls_nothing_of_them_copied() {
    let cluster = cluster().await;
    let site = renamed(&cluster).await;
    let passed_over = "cluster main of repository \"local\" is not configured, and was not looked \
                       at: 'pgkeep copy main --from local --to offsite' copies it";
    copy(&site, &[]).await.ended(0).says(&[passed_over]);
    let again = copy(&site, &[]).await.ended(0).says(&[passed_over]);
    assert_eq!(
        again.stdout,
        "all of cluster prod is in repository \"offsite\" already\n"
    );
    let named = copy(&site, &["main"]).await.ended(0);
    assert!(!named.stderr.contains("not looked at"), "{named:#?}");
    rename(&site, "prod", "main");
    assert_eq!(good_in(&site, "offsite").await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_cluster_that_is_configured_no_more_is_copied_by_its_id() {
    let cluster = cluster().await;
    let site = renamed(&cluster).await;
    rename(&site, "prod", "main");
    let of_main = good_in(&site, "local").await.remove(0);
    rename(&site, "main", "prod");
    copy(&site, &[&of_main]).await.ended(0);
    rename(&site, "prod", "main");
    assert_eq!(good_in(&site, "offsite").await, [of_main]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_backups_has_nothing_that_could_be_called_copied() {
    let cluster = cluster().await;
    let site = renamed(&cluster).await;
    let back = ["copy", "--from", "offsite", "--to", "local"];
    let ran = site.run(&back).await.ended(4);
    assert_eq!(
        ran.stdout,
        "repository \"offsite\" holds no backup of cluster prod\n"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_looked_at_keeps_no_other_from_being_copied() {
    let cluster = cluster().await;
    let site = renamed(&cluster).await;
    std::fs::write(site.path("offsite/main"), "no folder").unwrap();
    let ran = copy(&site, &["main", "prod", "--json"]).await.ended(3);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["failed"][0]["cluster"], "main", "{ran:#?}");
    assert_eq!(report["backups"][0]["status"], "copied", "{ran:#?}");
    assert_eq!(report["backups"][0]["cluster"], "prod", "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_names_the_clusters_that_it_passes_over() {
    let cluster = cluster().await;
    let site = renamed(&cluster).await;
    let passed_over = "cluster main in repository \"local\" is not configured there, and is not \
                       read: 'pgkeep verify main --repository local' reads it";
    let ran = verify(&site, &["--json"])
        .await
        .ended(0)
        .says(&[passed_over]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["passed_over"][0]["cluster"], "main", "{ran:#?}");
    let named = verify(&site, &["main", "--repository", "local"]).await;
    let told = "cluster main in repository \"local\": 4 objects of 4, all whole";
    assert!(named.ended(0).stdout.contains(told));
    cluster.stop().await;
}
