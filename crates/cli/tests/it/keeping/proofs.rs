//! What a proof is worth to what is kept, and what one that failed costs.

use pgkeep_format::records::ProofOutcome;

use super::shelf::Shelf;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_proven_goes_only_for_a_newer_one_that_was_proven() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[1], ProofOutcome::Proven).await;
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    assert!(told.contains("the newest that was proven"), "{told}");
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    // Restored alone it is not proven.
    shelf.prove(&ids[3], ProofOutcome::Restorable).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 3]);
    shelf.prove(&ids[3], ProofOutcome::Proven).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_its_proof_is_a_failure_and_keeps_no_place() {
    let shelf = Shelf::new("keep = { last = 2 }").await;
    let mut ids = shelf.nights("2026-04-01", 4).await;
    shelf.prove(&ids[3], ProofOutcome::Failed).await;
    let pruned = shelf.site.run(&["prune", "--yes"]).await.ended(0);
    pruned.says(&["nothing goes", "a test restore of"]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3]);
    ids.extend(shelf.nights("2026-04-05", 1).await);
    assert_eq!(shelf.left_of(&ids, &[]).await, [2, 3, 4]);
}
