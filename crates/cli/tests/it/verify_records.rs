//! `pgkeep verify` of what no backup needs, of nothing, and beside another one.

use std::pin::pin;
use std::sync::Arc;

use pgkeep_format::Identities;
use pgkeep_format::records::ProofOutcome;
use pgkeep_maintenance::{Amount, Verified, Verify, VerifyProgress};
use pgkeep_repository::Catalogue;
use pgkeep_testkit::ScriptedClock;
use serde_json::Value;

use crate::keeping::shelf::Shelf;
use crate::site::Site;

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
