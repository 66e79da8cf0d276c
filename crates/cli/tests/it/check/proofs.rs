//! What is proven, and how long ago.

use std::fs;

use pgkeep_format::records::ProofOutcome;

use super::{hours_ago, says, shelf};
use crate::keeping::shelf::Shelf;

const DAILY: &str = "[cluster.main.prove]\nmax_age = \"24h\"\n\
                     queries = [{ database = \"app\", sql = \"select true\" }]\n";

impl Shelf {
    /// Writes down a test restore of a backup, made so many hours ago.
    async fn proof(&self, id: &str, outcome: ProofOutcome, hours: i64) {
        self.prove_at(id, outcome, &hours_ago(&self.site, hours))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_to_be_as_young_as_is_configured() {
    let (cluster, shelf) = shelf(DAILY).await;
    let id = shelf.app(9).await;
    says(
        shelf.check(&[]).await,
        1,
        &["WARNING: database \"app\" was never proven"],
    );
    shelf.proof(&id, ProofOutcome::Restorable, 8).await;
    // Questions are to be asked.
    says(
        shelf.check(&[]).await,
        1,
        &["WARNING: database \"app\" was never proven"],
    );
    shelf.proof(&id, ProofOutcome::Proven, 7).await;
    says(
        shelf.check(&[]).await,
        0,
        &["main: OK: ", " 9 h old, proven 7 h ago\n"],
    );
    says(
        shelf.check(&["--max-proof-age", "6h"]).await,
        1,
        &[
            "WARNING: database \"app\" was not proven for 7 h (last 20",
            "wanted every 6 h)",
        ],
    );
    says(
        shelf.check(&["--max-proof-age", "3h"]).await,
        2,
        &["CRITICAL"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_database_without_backups_is_told() {
    let misspelt = DAILY.replace("\"app\"", "\"ap\"");
    let (cluster, shelf) = shelf(&misspelt).await;
    let id = shelf.app(9).await;
    shelf.proof(&id, ProofOutcome::Restorable, 8).await;
    says(
        shelf.check(&[]).await,
        1,
        &["main: WARNING: a question is about database \"ap\", of which there is no backup\n"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_was_asked_less_than_is_configured_now_is_told() {
    let question = "{ database = \"app\", sql = \"select true\" }";
    let (cluster, shelf) = shelf(&DAILY.replace(question, &[question; 2].join(", "))).await;
    let id = shelf.app(9).await;
    shelf.proof(&id, ProofOutcome::Proven, 8).await;
    says(
        shelf.check(&[]).await,
        1,
        &[
            "main: WARNING: the newest proof of database \"app\" (20",
            ") answered 1 question, and 2 are configured now\n",
        ],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_failed_is_critical_and_what_a_host_cannot_tell_is_not() {
    let (cluster, shelf) = shelf("").await;
    let id = shelf.app(9).await;
    shelf.proof(&id, ProofOutcome::Proven, 8).await;
    shelf.proof(&id, ProofOutcome::NotProvable, 7).await;
    says(
        shelf.check(&[]).await,
        1,
        &["database \"app\" is not provable on host db1"],
    );
    shelf.proof(&id, ProofOutcome::Failed, 6).await;
    says(
        shelf.check(&[]).await,
        2,
        &["the proof of database \"app\" FAILED"],
    );
    // One that succeeds takes it back, and what is damaged may be one that failed.
    shelf.proof(&id, ProofOutcome::Proven, 1).await;
    says(shelf.check(&[]).await, 0, &["proven 1 h ago"]);
    let proofs = shelf.site.path(&format!("backups/main/proofs/{id}"));
    for proof in fs::read_dir(proofs).unwrap() {
        fs::write(proof.unwrap().path(), "nothing").unwrap();
    }
    says(
        shelf.check(&[]).await,
        1,
        &["a proof cannot be read, and may have FAILED"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_cannot_tell_of_a_newer_backup_takes_no_failed_proof_back() {
    let (cluster, shelf) = shelf("").await;
    let first = shelf.app(9).await;
    shelf.proof(&first, ProofOutcome::Failed, 8).await;
    let second = shelf.app(7).await;
    shelf.proof(&second, ProofOutcome::NotProvable, 6).await;
    says(
        shelf.check(&[]).await,
        2,
        &["CRITICAL: the proof of database \"app\" FAILED"],
    );
    shelf.proof(&second, ProofOutcome::Restorable, 5).await;
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    cluster.stop().await;
}
