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
    /// What stays all the same: the run that goes on and refers to it, if it is that.
    in_use: BTreeMap<BackupId, Option<RunId>>,
}

/// Warns of what keeps a policy from letting anything go.
pub(super) fn warn_of_failures(kept: &Kept<'_>, output: Output) {
    for series in kept.judged.iter().filter(|s| !s.policy.rules.is_empty()) {
        if let Some(failure) = &series.failed {
            let (end, failure) = (reasons::end(failure), reasons::failure(failure));
            output.warning(format_args!(
                "{}: nothing goes until {end}: {failure}",
                sentence(&series.name)
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

impl<'a> Kept<'a> {
    /// Decides; what a prune would do is not looked at yet.
    pub(super) fn of(catalogue: &'a Catalogue, keep: &Keep, now: Timestamp) -> Self {
        let level = |id: &BackupId| match catalogue.level(id) {
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
        let in_use = going.in_use.iter();
        let in_use = in_use.map(|one| (one.backup.clone(), one.run.clone()));
        let space = Space {
            freed: going.freed(),
            left: left(catalogue, &going.backups),
            in_use: in_use.collect(),
        };
        Self {
            space: Some(space),
            ..self
        }
    }

    /// The backups that go.
    fn going(&self) -> impl Iterator<Item = &BackupId> {
        let going = self.judged.iter().flat_map(Judged::going);
        going.filter(|id| self.in_use(id).is_none())
    }

    fn in_use(&self, id: &BackupId) -> Option<Option<&RunId>> {
        self.space.as_ref()?.in_use.get(id).map(Option::as_ref)
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
