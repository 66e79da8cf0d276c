//! What goes of a cluster's backups, and what that gives back.
//!
//! Invariants: what a run that goes on makes or refers to stays until it has ended; what
//! packs stay, since backups that stay need them, is known before anything goes.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_repository::deletion::{Deletion, PlanError, Prune, Reason, Terms};
use pgkeep_repository::{Catalogue, Repository, RepositoryError};
use pgkeep_types::{BackupId, ClusterName, RunId};

/// What goes.
#[derive(Debug)]
pub struct Going {
    /// These backups.
    pub backups: BTreeSet<BackupId>,
    /// What would go too, and stays.
    pub in_use: Vec<InUse>,
    /// The prune that deletes them, and what is left of others.
    pub prune: Prune,
}

/// A backup that stays all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The backup.
    pub backup: BackupId,
    /// The run that makes it, or refers to it; none where somebody has just pinned it.
    pub run: Option<RunId>,
}

/// Looks what goes when these do; `terms` choose nothing yet.
///
/// # Errors
/// Where the storage fails, or it cannot be told what to delete.
pub async fn going(
    repository: &Repository,
    cluster: &ClusterName,
    mut backups: BTreeSet<BackupId>,
    terms: &Terms,
) -> Result<Going, RepositoryError> {
    let mut in_use = Vec::new();
    loop {
        let chosen = backups.clone();
        let terms = Terms {
            chosen,
            ..terms.clone()
        };
        let error = match repository.prune(cluster, terms).await {
            Ok(prune) => {
                return Ok(Going {
                    backups,
                    in_use,
                    prune,
                });
            }
            Err(error) => error,
        };
        let RepositoryError::NotDeleted { source, .. } = &error else {
            return Err(error);
        };
        let (backup, run) = match source {
            PlanError::InUse { backup, run } | PlanError::InTheMaking { backup, run } => {
                (backup.clone(), Some(run.clone()))
            }
            PlanError::Pinned { backup } => (backup.clone(), None),
            _ => return Err(error),
        };
        if !backups.remove(&backup) {
            return Err(error);
        }
        in_use.push(InUse { backup, run });
    }
}

impl Going {
    /// Whether an object goes with one of these backups.
    #[must_use]
    pub fn is_of(&self, deletion: &Deletion) -> bool {
        matches!(&deletion.reason, Reason::Deleted(id) if self.backups.contains(id))
    }

    /// How many bytes come back of each backup that goes.
    #[must_use]
    pub fn freed(&self) -> BTreeMap<BackupId, u64> {
        let mut freed: BTreeMap<BackupId, u64> = BTreeMap::new();
        for deletion in &self.prune.preview().deletions {
            if let Reason::Deleted(id) = &deletion.reason
                && self.backups.contains(id)
            {
                *freed.entry(id.clone()).or_default() += deletion.size;
            }
        }
        freed
    }
}

/// How many bytes of each backup that goes stay, since backups that stay need them.
#[must_use]
pub fn left(catalogue: &Catalogue, going: &BTreeSet<BackupId>) -> BTreeMap<BackupId, u64> {
    let stay = catalogue.complete();
    let stay = stay.filter(|record| !going.contains(&record.id));
    let mut seen = BTreeSet::new();
    let mut left: BTreeMap<BackupId, u64> = BTreeMap::new();
    let needs = stay.flat_map(|record| &record.needs);
    for need in needs.filter(|need| going.contains(&need.backup)) {
        let packs = need.packs.iter().map(|pack| (true, pack));
        let index = need.index.iter().map(|pack| (false, pack));
        for (is_data, pack) in packs.chain(index) {
            if seen.insert((&need.backup, is_data, pack.number)) {
                *left.entry(need.backup.clone()).or_default() += pack.length;
            }
        }
    }
    left
}
