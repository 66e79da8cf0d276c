//! What is told of a proof while it is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pgkeep_format::records::BackupRecord;
use pgkeep_proof::{ProofProgress, Step};
use pgkeep_restore::Phase;

use crate::live::{Rate, Row, line};
use crate::words;

/// The line of a proof.
pub(super) struct ProofRow {
    name: String,
    total: u64,
    progress: Arc<ProofProgress>,
    rate: Mutex<Rate>,
}

impl ProofRow {
    pub(super) fn new(backup: &BackupRecord, progress: &Arc<ProofProgress>) -> Self {
        Self {
            name: backup.database.clone(),
            total: backup.raw_bytes,
            progress: Arc::clone(progress),
            rate: Mutex::default(),
        }
    }
}

impl Row for ProofRow {
    fn line(&self, columns: usize, now: Instant) -> String {
        let restore = self.progress.restore();
        let word = match (self.progress.step(), restore.phase()) {
            (Step::Open | Step::Room, _) => "opening",
            (Step::Server, _) => "starting a throwaway server",
            (Step::Roles, _) => "making roles",
            (Step::Look, _) => "looking for what it needs",
            (Step::Restore, Phase::Filling) => "filling",
            (Step::Restore, Phase::Indexes) => "indexes and constraints",
            (Step::Restore, Phase::Comparing | Phase::Finishing) | (Step::Compare, _) => {
                "comparing"
            }
            (Step::Restore, _) => "making the database",
            (Step::Questions, _) => "asking",
            (Step::Isolate, _) => "looking whether a server can be isolated",
            (Step::Amcheck, _) => "pg_amcheck",
        };
        let read = restore.read_bytes();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let speed = words::size(rate.at(now, read));
        let figures = match read {
            0 => Vec::new(),
            _ => vec![
                format!(
                    "{} of {}  {speed:>9}/s",
                    words::size(read),
                    words::size(self.total)
                ),
                words::size(read),
            ],
        };
        line(columns, &format!("  {}", self.name), word, &figures)
    }
}
