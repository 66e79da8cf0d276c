//! The long random runs of `make soak`: a round each seed, for as long as asked. A test
//! run makes one round of each.
//!
//! A seed decides what a round does and when it strikes. What it then meets
//! depends on the machine's pace too, so a round that failed may have to be run
//! more than once to fail again.
#![expect(
    clippy::print_stdout,
    reason = "a round tells what it does, to whoever has to understand its end"
)]

mod busy_database;
mod kills;
mod storage_faults;
mod store;
mod strike;

use pgkeep_testkit::{SeededRandom, soak};

#[tokio::test(flavor = "multi_thread")]
async fn soak_kills_leave_whole_backups_or_none() {
    for seed in soak::rounds("kills") {
        kills::round(SeededRandom::new(seed)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_storage_faults_leave_whole_backups_or_none() {
    for seed in soak::rounds("storage faults") {
        storage_faults::round(SeededRandom::new(seed)).await;
    }
}
