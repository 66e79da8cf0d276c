//! Proofs in several repositories: what was proven or refuted in one of them counts for the
//! copies in the others.

use std::fs;

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::copies::{configure, copy, flip, good_in, like, object};
use crate::site::{Ran, Site, restore};

/// Database `app`, two repositories for it, and a question that it answers right.
async fn asked() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE orders AS SELECT n FROM generate_series(1, 2000) AS n";
    cluster.psql("app", fill).await;
    let mut site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=2");
    let path = site.path("pgkeep.toml");
    let config = fs::read_to_string(&path).unwrap();
    let question = "{ database = \"app\", sql = \"SELECT count(*) > 1000 FROM orders\" }";
    let prove = format!("{config}\n[cluster.main.prove]\nqueries = [{question}]\n");
    fs::write(&path, prove).unwrap();
    (cluster, site)
}

async fn back_up(site: &Site) {
    let backup = ["backup", "--database", "app", "--prune", "--yes"];
    site.run(&backup).await.ended(0);
}

async fn prove(site: &Site) -> Ran {
    site.run(&["prove", "--identity", "recovery.key"]).await
}

/// Of each good backup in the second repository, the oldest first: its level, what it is
/// worth, and whether it is refuted.
async fn there(site: &Site) -> Vec<String> {
    let list = ["list", "--json", "--repository", "offsite"];
    let ran = site.run(&list).await.ended(0);
    let listing: Value = serde_json::from_str(&ran.stdout).unwrap();
    let backups = listing["backups"].as_array().unwrap().iter();
    let told = backups.map(|backup| match backup["refuted"] == true {
        true => "refuted".to_owned(),
        false => format!("{} {}", backup["level"], backup["worth"]).replace('"', ""),
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_what_is_proven_goes_for_none_that_failed_and_these_are_told_there_too() {
    let (cluster, site) = asked().await;
    back_up(&site).await;
    prove(&site).await.ended(0);
    let proven = good_in(&site, "offsite").await.remove(0);
    assert_eq!(there(&site).await, ["stored proven"]);
    let list = ["list", "--repository", "offsite"];
    let told = site.run(&list).await.ended(0).stdout;
    assert!(told.contains("stored, proven elsewhere"), "{told}");
    let short = proven.rsplit('-').next().unwrap();
    let show = ["show", short, "--repository", "offsite"];
    let told = site.run(&show).await.ended(0).stdout;
    assert!(told.contains("stored, proven elsewhere"), "{told}");
    assert!(told.contains("of the copy in another repository"), "{told}");

    cluster.psql("app", "TRUNCATE orders").await;
    for _ in 0..3 {
        back_up(&site).await;
        prove(&site).await.ended(1);
    }
    let expected = ["stored proven", "refuted", "refuted", "refuted"];
    assert_eq!(there(&site).await, expected);
    assert_eq!(good_in(&site, "offsite").await[0], proven);

    let plan = ["--database", "app", "--repository", "offsite", "--dry-run"];
    let plan = site.run(&restore(&plan)).await.ended(0);
    let instead = format!("that is proven elsewhere; --backup {short} restores");
    let plan = plan.says(&[
        "FAILED, at ",
        ", of the copy in another repository",
        &instead,
    ]);
    assert!(plan.stdout.contains("FAILED PROOF"), "{plan:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_there_a_copy_brings_and_damage_to_one_copy_is_nobody_elses() {
    let (cluster, site) = asked().await;
    back_up(&site).await;
    fs::rename(site.path("offsite"), site.path("away")).unwrap();
    prove(&site).await.ended(0).says(&[
        "warning: repository \"offsite\" does not know of what was proved",
        "'pgkeep copy --from local --to offsite'",
    ]);
    fs::rename(site.path("away"), site.path("offsite")).unwrap();
    assert_eq!(there(&site).await, ["stored stored"]);
    let dry = copy(&site, &["--dry-run"]).await.ended(0).stdout;
    assert!(dry.contains("would be carried"), "{dry}");
    assert_eq!(there(&site).await, ["stored stored"]);
    let ran = copy(&site, &["--json"]).await.ended(0);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["proofs"][0]["count"], 1, "{told:#}");
    assert_eq!(there(&site).await, ["stored proven"]);
    let again = copy(&site, &[]).await.ended(0).stdout;
    assert!(again.contains("all of it is in repository"), "{again}");

    let id = good_in(&site, "local").await.remove(0);
    flip(&object(&site, "backups", &id, "packs/0"));
    prove(&site).await.ended(1);
    assert_eq!(there(&site).await, ["stored proven"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_copied_after_its_proof_has_that_with_it() {
    let (cluster, site) = asked().await;
    fs::rename(site.path("offsite"), site.path("away")).unwrap();
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(3);
    cluster.psql("app", "TRUNCATE orders").await;
    site.run(&backup).await.ended(3);
    prove(&site).await.ended(1);
    fs::rename(site.path("away"), site.path("offsite")).unwrap();
    copy(&site, &[]).await.ended(0);
    assert_eq!(there(&site).await, ["stored stored", "refuted"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_proven_elsewhere_goes_for_none_that_nobody_has_tried() {
    let (cluster, mut site) = asked().await;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=1");
    back_up(&site).await;
    prove(&site).await.ended(0);
    for _ in 0..2 {
        back_up(&site).await;
    }
    assert_eq!(there(&site).await, ["stored proven", "stored stored"]);
    cluster.stop().await;
}
