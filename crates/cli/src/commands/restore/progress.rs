//! What is told of a restore while it is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use pgkeep_restore::{Phase, Progress};

use crate::live::{Rate, Row, line};
use crate::words;

/// The line of a restore.
pub(super) struct RestoreRow {
    name: String,
    /// How many bytes the archive has, about; none where that is not known.
    total: Option<u64>,
    progress: Arc<Progress>,
    rate: Mutex<Rate>,
}

impl RestoreRow {
    pub(super) fn new(name: &str, total: Option<u64>, progress: &Arc<Progress>) -> Self {
        Self {
            name: name.to_owned(),
            total,
            progress: Arc::clone(progress),
            rate: Mutex::default(),
        }
    }
}

impl Row for RestoreRow {
    fn line(&self, columns: usize, now: Instant) -> String {
        let phase = self.progress.phase();
        let word = match phase {
            Phase::Making => "making the database",
            Phase::Filling => "filling",
            Phase::Indexes => "indexes and constraints",
            Phase::Comparing => "comparing",
            Phase::Finishing => "finishing",
        };
        let read = self.progress.read_bytes();
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = rate.at(now, read);
        let figures = match phase {
            Phase::Filling => figures(read, rate, self.total),
            _ => vec![words::size(read)],
        };
        line(columns, &format!("  {}", self.name), word, &figures)
    }
}

/// How much of how much, how fast, and how long it will take; fullest first.
fn figures(read: u64, rate: u64, total: Option<u64>) -> Vec<String> {
    let so_far = words::size(read);
    let speed = format!("{}/s", words::size(rate));
    let Some(total) = total.filter(|total| *total > 0) else {
        return vec![format!("{so_far}  {speed}"), so_far];
    };
    let percent = u128::from(read) * 100 / u128::from(total);
    let percent = format!("{:>3}%", percent.min(100));
    let of = format!("{so_far} of {}", words::size(total));
    let mut figures = Vec::new();
    if let Some(seconds) = total.saturating_sub(read).checked_div(rate) {
        let left = words::span(seconds);
        figures.push(format!("{of}  {percent}  {speed:>11}  {left} left"));
        figures.push(format!("{percent}  {speed:>11}  {left} left"));
    }
    figures.extend([format!("{of}  {percent}  {speed:>11}"), percent]);
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_once_it_is_known_how_fast_it_goes() {
        let mib = 1 << 20;
        let told = figures(25 * mib, mib, Some(100 * mib));
        assert_eq!(
            told[0],
            "25.0 MiB of 100 MiB   25%    1.0 MiB/s  1 min 15 s left"
        );
        let told = figures(0, 0, Some(100 * mib));
        assert_eq!(told[0], "0 B of 100 MiB    0%        0 B/s");
        let told = figures(mib, mib, None);
        assert_eq!(told[0], "1.0 MiB  1.0 MiB/s");
    }
}
