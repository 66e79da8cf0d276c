//! What stays of a cluster's backups, and why.
//!
//! Invariants: of every good backup it is said what becomes of it; the series are judged
//! each by itself.

use std::collections::BTreeSet;

use pgkeep_config::Keep;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::Catalogue;
use pgkeep_retention::{Failure, Level, Policy, Why, decide};
use pgkeep_types::{BackupId, Timestamp};

use crate::series::{Damage, Known, SeriesName};

/// What becomes of a series.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// Which one.
    pub name: SeriesName,
    /// What is to be kept of it.
    pub policy: Policy,
    /// What came to nothing after the newest good one.
    pub failed: Option<Failure>,
    /// Of each good backup, the newest first.
    pub verdicts: Vec<Verdict<'a>>,
}

/// What becomes of a backup.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// The backup.
    pub backup: &'a BackupRecord,
    /// Why it stays; it goes where there is no reason.
    pub stays: Vec<Why>,
}

impl Verdict<'_> {
    /// Whether nothing keeps it.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.stays.is_empty()
    }
}

/// Decides what becomes of each good backup of a cluster, and tells what is damaged: that
/// nobody judges. `level` tells how far a backup was tried with success.
/// `now` is the earlier of the clocks at hand.
pub fn judge<'a>(
    catalogue: &'a Catalogue,
    keep: &Keep,
    now: Timestamp,
    level: impl Fn(&BackupId) -> Level,
) -> (Vec<Judged<'a>>, Vec<Damage>) {
    let known = Known::new(catalogue);
    let judged = known.good.iter().map(|(name, good)| {
        let series = known.series(name, good, now, &level);
        let policy = keep.of(&name.database);
        let verdicts = decide(&series, policy, now).into_iter();
        let verdicts = verdicts.filter_map(|decision| {
            let mut records = good.iter();
            let backup = records.find(|record| record.id == decision.id)?;
            let stays = decision.stays;
            Some(Verdict { backup, stays })
        });
        Judged {
            name: name.clone(),
            policy: policy.clone(),
            failed: series.failed,
            verdicts: verdicts.collect(),
        }
    });
    let judged = judged.collect();
    (judged, known.damaged)
}

impl Judged<'_> {
    /// The backups that go.
    pub fn going(&self) -> impl Iterator<Item = &BackupId> {
        let going = self.verdicts.iter().filter(|verdict| verdict.goes());
        going.map(|verdict| &verdict.backup.id)
    }
}

/// The backups of all series that go.
#[must_use]
pub fn all_going(judged: &[Judged<'_>]) -> BTreeSet<BackupId> {
    judged.iter().flat_map(Judged::going).cloned().collect()
}
