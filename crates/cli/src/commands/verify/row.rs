//! What is told of a verification while it goes on.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pgkeep_maintenance::VerifyProgress;
use pgkeep_types::ClusterName;

use crate::live::{Rate, Row, line};
use crate::words;

pub(super) struct VerifyRow {
    cluster: ClusterName,
    progress: Arc<VerifyProgress>,
    rate: Mutex<Rate>,
}

impl VerifyRow {
    pub(super) fn new(cluster: &ClusterName, progress: &Arc<VerifyProgress>) -> Self {
        Self {
            cluster: cluster.clone(),
            progress: Arc::clone(progress),
            rate: Mutex::default(),
        }
    }
}

impl Row for VerifyRow {
    fn line(&self, columns: usize, now: Instant) -> String {
        let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        let bytes = of(&self.progress.bytes);
        let all = words::size(of(&self.progress.all_bytes));
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = words::size(rate.at(now, bytes));
        let read = words::size(bytes);
        let figures = [
            format!("{read:>9} of {all:>9}  {rate:>9}/s"),
            format!("{read:>9} of {all:>9}"),
        ];
        line(
            columns,
            &format!("  {}", self.cluster),
            "reading back",
            &figures,
        )
    }
}
