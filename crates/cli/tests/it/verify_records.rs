//! `pgkeep verify` of what no backup needs, of nothing, and beside another one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_format::Identities;
use pgkeep_format::records::ProofOutcome;
use pgkeep_maintenance::{Amount, Verified, Verify, VerifyProgress};
use pgkeep_repository::Catalogue;
use pgkeep_testkit::ScriptedClock;
use serde_json::Value;

use crate::keeping::shelf::Shelf;
use crate::site::{Ran, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_what_is_said_of_backups_is_found() {
    let shelf = Shelf::new("").await;
    let ids = shelf.nights("2026-04-01", 2).await;
    shelf.prove(&ids[1], ProofOutcome::Restorable).await;
    let site = &shelf.site;
    let pin = ["pin", &ids[1], "--reason", "audit"];
    site.run(&pin).await.ended(0);
    let unpin = ["unpin", &ids[1]];
    site.run(&unpin).await.ended(0);
    site.run(&["prune", "--id", &ids[0], "--yes"])
        .await
        .ended(0);
    site.run(&["verify"]).await.ended(0);
    for folder in ["proofs", "pins", "tombstones"] {
        let start = site.path("backups/main").join(folder);
        let files = site.repository_files().into_iter();
        let files: Vec<_> = files.filter(|file| file.starts_with(&start)).collect();
        assert!(!files.is_empty(), "{folder}");
        for file in files {
            let name = file.strip_prefix(site.path("backups")).unwrap();
            let name = name.display().to_string();
            let whole = std::fs::read(&file).unwrap();
            let mut hurt = whole.clone();
            let middle = hurt.len() / 2;
            hurt[middle] ^= 1;
            std::fs::write(&file, hurt).unwrap();
            let ran = site.run(&["verify", "--json"]).await.ended(1);
            assert!(ran.stderr.contains(&name), "{name}: {ran:#?}");
            let report: Value = serde_json::from_str(&ran.stdout).unwrap();
            let mut records = report["records"].as_array().unwrap().iter();
            let told = records.any(|record| record["object"] == *name);
            assert!(told, "{name}: {report:#}");
            std::fs::write(&file, whole).unwrap();
            site.run(&["verify"]).await.ended(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_to_be_verified_that_is_told_and_is_no_success() {
    let shelf = Shelf::new("").await;
    let site = &shelf.site;
    let told = "cluster main in repository \"local\": nothing is there";
    let ran = site.run(&["verify"]).await.ended(4);
    assert!(ran.stdout.starts_with(told), "{ran:#?}");
    assert!(!ran.stdout.contains("whole"), "{ran:#?}");
    shelf.nights("2026-04-01", 1).await;
    site.run(&["verify"]).await.ended(0);
    forget_clusters(site);
    site.run(&["verify"]).await.ended(0);
    std::fs::remove_dir_all(site.path("backups/main")).unwrap();
    let ran = site.run(&["verify"]).await.ended(4);
    let told = "repository \"local\": nothing is there";
    assert!(ran.stdout.starts_with(told), "{ran:#?}");
}

/// Leaves the repositories in the configuration, and no cluster.
fn forget_clusters(site: &Site) {
    let path = site.path("pgkeep.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut parsed: toml::Table = text.parse().unwrap();
    parsed.remove("cluster");
    std::fs::write(&path, parsed.to_string()).unwrap();
}

async fn verify(shelf: &Shelf, catalogue: &Catalogue, at: &str) -> Verified {
    let access = shelf.repository.write_access(&shelf.host).unwrap();
    let progress = Arc::new(VerifyProgress::default());
    let verify = Verify {
        repository: &shelf.repository,
        catalogue,
        access: Some(&access),
        amount: Amount::All,
        resumes: false,
        pace: None,
        within: None,
        progress: &progress,
        clock: &ScriptedClock::at(at),
        random: &shelf.random,
        pgkeep: "0.0.0",
    };
    let stop = pin!(std::future::pending());
    verify.run(stop).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_verification_has_found_whole_meanwhile_is_hurt_where_it_is_found_so_again() {
    let shelf = Shelf::new("").await;
    let ids = shelf.nights("2026-04-01", 1).await;
    let pack = shelf
        .site
        .path(&format!("backups/main/backups/{}/packs/0", ids[0]));
    let whole = std::fs::read(&pack).unwrap();
    let mut hurt = whole.clone();
    hurt[1000] ^= 1;
    let cluster = "main".parse().unwrap();
    let none = Identities::default();
    let look = || shelf.repository.catalogue(&cluster, &none);
    std::fs::write(&pack, &hurt).unwrap();
    verify(&shelf, &look().await.unwrap(), "2026-04-02T01:00:00Z").await;
    // One knows the finding and is slow; another finds the pack whole.
    let slow = look().await.unwrap();
    std::fs::write(&pack, &whole).unwrap();
    verify(&shelf, &look().await.unwrap(), "2026-04-02T02:00:00Z").await;
    assert_eq!(look().await.unwrap().complete().count(), 1);
    std::fs::write(&pack, &hurt).unwrap();
    let found = verify(&shelf, &slow, "2026-04-02T03:00:00Z").await;
    assert!(found.hurt[0].was_known);
    assert_eq!(look().await.unwrap().complete().count(), 0);
    // However often it is found, one record has the finding.
    for hour in 4..8 {
        let at = format!("2026-04-02T0{hour}:00:00Z");
        verify(&shelf, &look().await.unwrap(), &at).await;
    }
    assert_eq!(look().await.unwrap().read_back().open().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_backups_folder_and_no_backup_cites_is_told() {
    let shelf = Shelf::new("").await;
    let ids = shelf.nights("2026-04-01", 2).await;
    let site = &shelf.site;
    let folder = site.path("backups/main/backups").join(&ids[0]);
    let names = ["packs", "index"].map(|part| format!("main/backups/{}/{part}/7", ids[0]));
    for part in ["packs", "index"] {
        let part = folder.join(part);
        std::fs::create_dir_all(&part).unwrap();
        std::fs::write(part.join("7"), "twelve bytes").unwrap();
    }
    let ran = site.run(&["verify", "--json"]).await.ended(0);
    let told = names.each_ref().map(|name| {
        format!("{name} (12 B) in repository \"local\" is cited by no backup, and nothing reads it")
    });
    let ran = ran.says(&[&told[0], &told[1]]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let uncited = report["uncited"].as_array().unwrap();
    assert_eq!(uncited.len(), 2, "{report:#}");
    assert_eq!(uncited[0]["bytes"], 12, "{report:#}");
    // Where the backup is deleted, that is no news: it goes with it.
    site.run(&["prune", "--id", &ids[0], "--yes"])
        .await
        .ended(0);
    assert!(!folder.join("packs/7").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_of_a_run_is_told_as_long_as_its_backup_is_there() {
    let shelf = Shelf::new("").await;
    shelf.nights("2026-04-01", 2).await;
    let site = &shelf.site;
    let run = std::fs::read_dir(site.path("backups/main/runs")).unwrap();
    let run = run.flatten().next().unwrap().path();
    let name = |record: &str| {
        let name = run.strip_prefix(site.path("backups")).unwrap();
        format!("{}/{record}", name.display())
    };
    let begin = std::fs::read(run.join("begin")).unwrap();
    std::fs::remove_file(run.join("begin")).unwrap();
    let ran = site.run(&["verify"]).await.ended(1);
    let last = ran.stdout.lines().last().unwrap();
    let told = [&name("begin"), "not all is well", "it is not there, though"];
    assert!(told.iter().all(|told| last.contains(*told)), "{ran:#?}");
    std::fs::write(run.join("begin"), begin).unwrap();

    // A run of which nothing was heard for so short a time may go on.
    std::fs::remove_file(run.join("outcome")).unwrap();
    let report = |ran: Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap();
    let found = report(site.run(&["verify", "--json"]).await.ended(0));
    assert_eq!(found["unended"].as_array().unwrap().len(), 0, "{found:#}");
    for file in site.repository_files() {
        let file = std::fs::File::options().append(true).open(file).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - Duration::from_hours(1)).unwrap();
    }
    let ran = site.run(&["verify", "--json"]).await.ended(0);
    let told = format!(
        "{} in repository \"local\" is not there: its run was cut off, or the storage has lost it",
        name("outcome")
    );
    let found = report(ran.says(&[&told]));
    assert_eq!(found["unended"][0]["object"], name("outcome"), "{found:#}");
}
