//! What is told of dumps while they are made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pgkeep_capture::{Phase, Progress};

use crate::live::{Rate, Row, line};
use crate::words;

/// The line of one dump.
pub(super) struct DumpRow {
    database: String,
    progress: Arc<Progress>,
    rate: Mutex<Rate>,
}

impl DumpRow {
    pub(super) fn new(database: &str, progress: &Arc<Progress>) -> Self {
        Self {
            database: database.to_owned(),
            progress: Arc::clone(progress),
            rate: Mutex::default(),
        }
    }
}

impl Row for DumpRow {
    fn line(&self, columns: usize, now: Instant) -> String {
        let phase = match self.progress.phase() {
            Phase::Connecting => "connecting".to_owned(),
            Phase::Schema => "schema".to_owned(),
            Phase::WaitingFor { schema, table } => {
                format!("waiting for a lock on {schema}.{table}")
            }
            Phase::Rows { schema, table } => format!("rows of {schema}.{table}"),
            Phase::LargeObjects => "large objects".to_owned(),
            Phase::Storing => "storing".to_owned(),
            Phase::Committing => "committing".to_owned(),
        };
        let bytes = self.progress.read_bytes();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = words::size(rate.at(now, bytes));
        let read = words::size(bytes);
        let new = words::size(self.progress.stored_bytes());
        let figures = match bytes {
            // There is the more room to say what it waits for.
            0 => Vec::new(),
            _ => vec![
                format!("{read:>9}  {rate:>9}/s  {new:>9} new"),
                format!("{read:>9}  {new:>9} new"),
                format!("{read:>9}"),
            ],
        };
        line(columns, &format!("  {}", self.database), &phase, &figures)
    }
}

/// How many databases are done.
pub(super) struct DoneRow {
    pub(super) done: AtomicUsize,
    pub(super) databases: usize,
}

impl Row for DoneRow {
    fn line(&self, columns: usize, _: Instant) -> String {
        let done = self.done.load(Ordering::Relaxed);
        let text = format!("{done} of {} databases done", self.databases);
        line(columns, "", &text, &[])
    }
}
