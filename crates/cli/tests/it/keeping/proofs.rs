//! What a proof is worth to what is kept, and what one that failed costs.

use std::fs;
use std::path::Path;

use pgkeep_format::records::ProofOutcome;

use super::shelf::{APP, Shelf};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_goes_only_for_a_newer_one_that_was_proven() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[1], ProofOutcome::Proven).await;
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    assert!(told.contains("the newest proven"), "{told}");
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    // Restored alone it is not proven.
    shelf.prove(&ids[3], ProofOutcome::Restorable).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    shelf.prove(&ids[3], ProofOutcome::Proven).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restorable_stays_beside_one_of_the_same_day_that_nobody_has_tried() {
    let shelf = Shelf::new("keep = { daily = 1 }").await;
    let ids = [
        shelf.dump(APP, "2026-04-01T03:00:00Z").await,
        shelf.dump(APP, "2026-04-01T15:00:00Z").await,
    ];
    shelf.prove(&ids[0], ProofOutcome::Restorable).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1]);
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    let of_first = "the newest restorable, daily 1 of 1 of the restorable";
    assert!(told.contains(of_first), "{told}");
    let told = shelf.site.run(&["list", "--why", "--json"]).await.ended(0);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let why = &told["clusters"][0]["series"][0]["backups"][1]["why"];
    let expected = serde_json::json!([
        {"reason": "rule", "rule": "daily", "place": 1, "of": 1, "among": "restorable",
         "until": {"newer": {"count": 1, "period": "day", "among": "restorable"}}},
        {"reason": "newest_restorable", "until": {"newer": {"count": 1, "among": "restorable"}}},
    ]);
    assert_eq!(*why, expected);
    // One that failed its proof is nothing in its place.
    shelf.prove(&ids[1], ProofOutcome::Failed).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1]);
    shelf.dump(APP, "2026-04-01T18:00:00Z").await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_its_proof_is_a_failure_and_keeps_no_place() {
    let shelf = Shelf::new("keep = { last = 2 }").await;
    let mut ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[3], ProofOutcome::Failed).await;
    let pruned = shelf.site.run(&["prune", "--yes"]).await.ended(0);
    pruned.says(&["nothing goes", "a test restore of"]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3]);
    // The next one may be no better, as long as nobody has tried it.
    ids.extend(shelf.nights("2026-04-05", 1).await);
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1, 2, 3, 4]);
    shelf.prove(&ids[4], ProofOutcome::Restorable).await;
    assert_eq!(shelf.left_of(&ids, &[]).await, [2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_cannot_be_read_may_have_failed_and_nothing_goes_until_another_tells() {
    let shelf = Shelf::new("keep = { last = 2 }").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[3], ProofOutcome::Failed).await;
    let proof = damage_the_proof(&shelf, &ids[3]);
    let short = ids[3].rsplit('-').next().unwrap();
    let said = [
        proof.as_str(),
        "nothing goes until",
        &format!("a test restore of {short} may have failed"),
    ];
    let pruned = shelf.site.run(&["prune", "--yes"]).await;
    pruned.ended(0).says(&said);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3]);
    let told = shelf.site.run(&["list", "--why"]).await.ended(1);
    assert!(told.stdout.contains("a proof of it cannot be read"));
    told.says(&[&proof]);
    shelf.site.run(&["list"]).await.ended(1).says(&[&proof]);
    let shown = shelf.site.run(&["show", short]).await.ended(0);
    let line = "proof         one that cannot be read: it may have FAILED\n";
    assert!(shown.stdout.contains(line), "{shown:?}");
    shown.says(&[
        "may be that it FAILED",
        &proof,
        &format!("pgkeep prove {short}"),
    ]);
    let shown = shelf.site.run(&["show", short, "--json"]).await.ended(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["unread_proof"], proof);
    // What is newer does not tell of it.
    let newer = shelf.nights("2026-04-05", 2).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1, 2, 3]);
    assert_eq!(shelf.still_there(&newer).await, [0, 1]);

    let again = "2026-05-02T00:00:00Z";
    shelf
        .prove_at(&ids[3], ProofOutcome::NotProvable, again)
        .await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1, 2, 3]);
    shelf.prove_at(&ids[3], ProofOutcome::Failed, again).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1, 2, 3]);
    shelf.prove_at(&newer[1], ProofOutcome::Proven, again).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [3]);
    assert_eq!(shelf.still_there(&newer).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_the_newest_proven_one_stays() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[1], ProofOutcome::Proven).await;
    damage_the_proof(&shelf, &ids[1]);
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1, 2, 3]);
    let again = "2026-05-02T00:00:00Z";
    shelf.prove_at(&ids[1], ProofOutcome::Proven, again).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_verification_found_and_nobody_can_read_may_be_that_a_backup_is_hurt() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let site = &shelf.site;
    let pack = site.path(&format!("backups/main/backups/{}/packs/0", ids[2]));
    let whole = fs::read(&pack).unwrap();
    flip(&pack);
    site.run(&["verify"]).await.ended(1);
    let folder = site.path("backups/main/verified");
    let unread = fs::read_dir(folder).unwrap().next().unwrap();
    let unread = unread.unwrap().path();
    flip(&unread);
    let name = unread.file_name().unwrap().to_str().unwrap();
    let name = format!("main/verified/{name}");

    let short = ids[2].rsplit('-').next().unwrap();
    let may_be_hurt = format!("{short} may be hurt: {name} cannot be read");
    let said = [&may_be_hurt, "nothing goes until 'pgkeep verify' has read"];
    site.run(&["prune", "--yes"]).await.ended(0).says(&said);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2]);
    let shown = site.run(&["show", short]).await.ended(0);
    shown.says(&["may be HURT", &name]);
    let told = site.run(&["list", "--why"]).await.ended(1);
    assert!(told.stdout.contains("after a possible failure"), "{told:?}");
    told.says(&[&name, "has read again what they need"]);
    site.run(&["list"]).await.ended(1);
    let told = site.run(&["list", "--why", "--json"]).await.ended(1);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let series = &told["clusters"][0]["series"][0];
    let failed = &series["after_failure"]["unread_verification"];
    assert_eq!(failed["backup"], ids[2].as_str());

    // Read again it is found again, and where nothing else goes that record does.
    site.run(&["verify"]).await.ended(1);
    site.run(&["prune", "--yes"]).await.ended(0);
    assert!(!unread.exists());
    assert_eq!(shelf.still_there(&ids).await, [0, 1]);
    fs::write(&pack, whole).unwrap();
    site.run(&["verify"]).await.ended(0);
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [2]);
}

/// Flips a bit of the one proof of a backup; tells its name in the repository.
fn damage_the_proof(shelf: &Shelf, id: &str) -> String {
    let directory = format!("main/proofs/{id}");
    let path = shelf.site.path(&format!("backups/{directory}"));
    let path = fs::read_dir(path).unwrap().next().unwrap().unwrap().path();
    flip(&path);
    let name = path.file_name().unwrap().to_str().unwrap();
    format!("{directory}/{name}")
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
