//! What is kept, as it is told: each backup, whether it stays or goes, by which rule and
//! until when.
//!
//! Invariants: every good backup has a line, and every damaged one a sentence; what is told
//! of a backup is what a prune does with it.

mod json;
mod reasons;
mod table;

use std::collections::BTreeMap;

use pgkeep_config::{ClusterSettings, Keep, policy_in};
use pgkeep_format::records as proof;
use pgkeep_maintenance::{Damage, Going, Judged, judge, left};
use pgkeep_repository::Catalogue;
use pgkeep_retention::Level;
use pgkeep_types::{BackupId, RunId, Timestamp};

use crate::error::CliError;
use crate::output::Output;

pub(super) use json::Report;
pub(super) use table::{sentence, table};

/// What is to be kept of a cluster: what is configured, or what `policy` says in its place.
pub(super) fn keep(settings: &ClusterSettings, policy: Option<&str>) -> Result<Keep, CliError> {
    let keep = &settings.dump.keep;
    let Some(text) = policy else {
        return Ok(keep.clone());
    };
    Ok(Keep {
        policy: policy_in("--policy", text, &keep.policy)?,
        of_databases: keep.of_databases.clone(),
    })
}

/// What becomes of each backup of a cluster.
pub(super) struct Kept<'a> {
    pub(super) judged: Vec<Judged<'a>>,
    pub(super) damaged: Vec<Damage>,
    /// What a prune would do; none where that cannot be told.
    pub(super) space: Option<Space>,
}

/// What comes back of backups that go.
pub(super) struct Space {
    /// How many bytes of each.
    freed: BTreeMap<BackupId, u64>,
    /// How many bytes of each stay, since backups that stay need them.
    left: BTreeMap<BackupId, u64>,
    /// What stays all the same.
    spared: BTreeMap<BackupId, Spared>,
}

/// Why a backup stays that no rule keeps.
#[derive(Clone, Debug)]
pub(super) enum Spared {
    /// This run goes on, and refers to it.
    InUse(RunId),
    /// Somebody has just pinned it.
    Pinned,
    /// No rule keeps it any more since just now, and nothing of that was told before.
    Later,
}

/// Warns of what keeps a policy from letting anything go.
pub(super) fn warn_of_failures(kept: &Kept<'_>, output: Output) {
    for series in kept.judged.iter().filter(|s| !s.policy.rules.is_empty()) {
        if let Some(failure) = &series.failed {
            let (end, failure) = (reasons::end(failure), reasons::failure(failure));
            output.warning(format_args!(
                "{}: nothing goes until {end}: {failure}",
                sentence(&series.name, &kept.judged)
            ));
        }
    }
}

/// Warns of proofs that cannot be read, and of what verifications have found.
pub(super) fn warn_of_unread(catalogue: &Catalogue, output: Output) {
    for bad in catalogue.bad_proofs() {
        output.warning(&bad.error);
    }
    for bad in catalogue.unread_verifications() {
        output.warning(format_args!(
            "{}: what it says of backups cannot be told; once 'pgkeep verify' has read again what \
             they need, 'pgkeep prune' removes it",
            bad.error
        ));
    }
}

/// The same of one backup.
pub(super) fn warn_of_unread_of(catalogue: &Catalogue, id: &BackupId, output: Output) {
    let mut proofs = catalogue.bad_proofs().iter();
    let of_it = proofs.find(|bad| catalogue.unread_proof(id) == Some(&bad.object));
    if let Some(bad) = of_it {
        output.warning(format_args!(
            "what a proof of backup {id} says cannot be read, and may be that it FAILED; 'pgkeep \
             prove {id}' tells anew: {}",
            bad.error,
            id = id.short()
        ));
    }
    let mut verifications = catalogue.unread_verifications();
    let of_it = verifications.find(|bad| catalogue.unread_verification(id) == Some(&bad.object));
    if let Some(bad) = of_it {
        output.warning(format_args!(
            "backup {} may be HURT, which 'pgkeep verify' tells: {}",
            id.short(),
            bad.error
        ));
    }
}

impl<'a> Kept<'a> {
    /// Decides; what a prune would do is not looked at yet.
    pub(super) fn of(catalogue: &'a Catalogue, keep: &Keep, now: Timestamp) -> Self {
        let level = |id: &BackupId| match catalogue.worth(id) {
            proof::Level::Stored | proof::Level::Intact => Level::Untried,
            proof::Level::Restorable => Level::Restorable,
            proof::Level::Proven => Level::Proven,
        };
        let (judged, damaged) = judge(catalogue, keep, now, level);
        Self {
            judged,
            damaged,
            space: None,
        }
    }

    pub(super) fn with(self, going: &Going, catalogue: &Catalogue) -> Self {
        let judged = self.judged.iter().flat_map(Judged::going);
        let later = judged.filter(|id| !going.backups.contains(id));
        let later = later.map(|id| (id.clone(), Spared::Later));
        let in_use = going.in_use.iter().map(|one| {
            let spared = one.run.clone().map_or(Spared::Pinned, Spared::InUse);
            (one.backup.clone(), spared)
        });
        let space = Space {
            freed: going.freed(),
            left: left(catalogue, &going.backups),
            spared: later.chain(in_use).collect(),
        };
        Self {
            space: Some(space),
            ..self
        }
    }

    /// The backups that go.
    fn going(&self) -> impl Iterator<Item = &BackupId> {
        let going = self.judged.iter().flat_map(Judged::going);
        going.filter(|id| self.spared(id).is_none())
    }

    fn spared(&self, id: &BackupId) -> Option<&Spared> {
        self.space.as_ref()?.spared.get(id)
    }

    fn freed(&self, id: &BackupId) -> Option<u64> {
        let space = self.space.as_ref()?;
        Some(space.freed.get(id).copied().unwrap_or(0))
    }

    fn left(&self, id: &BackupId) -> u64 {
        let space = self.space.as_ref();
        space.map_or(0, |space| space.left.get(id).copied().unwrap_or(0))
    }
}
