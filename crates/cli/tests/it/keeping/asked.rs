//! Pruning with somebody at the terminal, who is asked, and what changes while the question
//! is there.

use std::fs;
use std::time::Duration;

use pgkeep_format::records::ProofOutcome;

use super::shelf::{APP, Shelf};
use crate::site::Ran;
use crate::terminal::watched;

/// Prunes by policy and answers; before that, `meanwhile` happens.
async fn prune_while(shelf: &mut Shelf, answer: &str, meanwhile: impl AsyncFnOnce(&Shelf)) -> Ran {
    run_while(shelf, &["prune"], answer, meanwhile).await
}

/// The same of any command that asks.
async fn run_while(
    shelf: &mut Shelf,
    command: &[&str],
    answer: &str,
    meanwhile: impl AsyncFnOnce(&Shelf),
) -> Ran {
    let waits = "touch asked; while [ ! -e go ]; do sleep 0.1; done";
    shelf.site.set("MEANWHILE", waits);
    let [asked, go] = ["asked", "go"].map(|file| shelf.site.path(file));
    let shelf = &*shelf;
    let happens = async {
        while !asked.exists() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        meanwhile(shelf).await;
        fs::write(&go, "").unwrap();
    };
    let steps = [("[y/N]", answer)];
    let pruned = watched(&shelf.site, 80, &steps, command);
    let (ran, ()) = tokio::join!(pruned, happens);
    fs::remove_file(&asked).unwrap();
    fs::remove_file(&go).unwrap();
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sits_there_is_asked_and_a_no_changes_nothing() {
    let mut shelf = Shelf::new("keep = { last = 3 }").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    let before = shelf.site.repository_files();
    let ran = prune_while(&mut shelf, "\n", async |_| {}).await.ended(1);
    assert!(ran.stdout.contains("delete this backup for good?"));
    assert_eq!(shelf.site.repository_files(), before);
    prune_while(&mut shelf, "y\n", async |_| {}).await.ended(0);
    assert_eq!(shelf.still_there(&ids).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_while_it_asks_stays() {
    let mut shelf = Shelf::new("keep = { last = 3 }").await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let pin = ["pin", &ids[0], "--reason", "audit"];
    let pins = async |shelf: &Shelf| drop(shelf.site.run(&pin).await.ended(0));
    let ran = prune_while(&mut shelf, "y\n", pins).await.ended(0);
    assert!(
        ran.stdout.contains("stays: what it was to go by"),
        "{ran:#?}"
    );
    assert_eq!(shelf.still_there(&ids).await, [0, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_is_what_was_done_and_not_what_was_told_before() {
    let mut shelf = Shelf::new("keep = { last = 3 }").await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let pin = ["pin", &ids[0], "--reason", "audit"];
    let pins = async |shelf: &Shelf| drop(shelf.site.run(&pin).await.ended(0));
    let prune = ["prune", "--json"];
    let ran = run_while(&mut shelf, &prune, "y\n", pins).await.ended(0);
    let version = ran.stdout.find("\"version\"").expect(&ran.stdout);
    let report = &ran.stdout[ran.stdout[..version].rfind('{').unwrap()..];
    let report: serde_json::Value = serde_json::from_str(report).expect(report);
    let retention = &report["retention"];
    assert_eq!(retention["going"], 1, "{retention:#}");
    let backups = retention["series"][0]["backups"].as_array().unwrap();
    let goes = backups.iter().filter(|backup| backup["goes"] == true);
    let goes: Vec<_> = goes.map(|backup| backup["id"].as_str().unwrap()).collect();
    assert_eq!(goes, [ids[1].as_str()]);
    assert_eq!(backups[4]["why"][0]["reason"], "pinned");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_its_proof_is_no_good_one_that_is_left() {
    let shelf = Shelf::new("keep = { last = 3 }").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let by_id = |id| ["prune", "--id", id];
    shelf.prove(&ids[2], ProofOutcome::Failed).await;
    let refused = shelf.site.run(&by_id(ids[1].as_str())).await.ended(2);
    refused.says(&["the newest good one of database \"app\" is among them"]);
    let refused = shelf.site.run(&by_id(ids[2].as_str())).await.ended(2);
    assert!(!refused.stderr.contains("good one"), "{refused:?}");
    shelf.prove(&ids[1], ProofOutcome::Failed).await;
    let refused = shelf.site.run(&by_id(ids[0].as_str())).await.ended(2);
    refused.says(&["the only good one of database \"app\" is among them"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_while_it_asks_lets_nothing_go() {
    let mut shelf = Shelf::new("keep = { last = 3 }").await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let fails = async |shelf: &Shelf| drop(shelf.failure(APP, "2026-04-06T03:00:00Z").await);
    let ran = prune_while(&mut shelf, "y\n", fails).await.ended(0);
    assert!(
        ran.stdout.contains("stays: what it was to go by"),
        "{ran:#?}"
    );
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3, 4]);
}
