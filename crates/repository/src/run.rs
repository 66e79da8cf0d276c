//! A run: what it set out to do is written down first, how it ended last.
//!
//! Invariants: a backup is started through its run, whose `begin` is durable; as
//! long as the run is there, it shows that it lives.

use std::time::Duration;

use jiff::Timestamp;
use pgkeep_format::names::{self, RunRecord};
use pgkeep_format::records::{
    BackupKind, BackupOutcome, Copies, Outcome, PlannedBackup, RunBegin, RunErrors, RunOutcome,
};
use pgkeep_format::{FormatError, Hash, RecordKind};
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};
use serde::Serialize;

use crate::deletion::Signs;
use crate::records::Draft;
use crate::write::{Engine, Limits};
use crate::{BackupWriter, Parent, Repository, RepositoryError, WriteAccess};

/// What a run sets out to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Its id.
    pub id: RunId,
    /// Whose run it is.
    pub cluster: ClusterName,
    /// What its backups are of.
    pub kind: BackupKind,
    /// When it began.
    pub started: Timestamp,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// The backups that it sets out to make.
    pub backups: Vec<PlannedBackup>,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// How each backup ended.
    pub backups: Vec<BackupOutcome>,
    /// How reading the globals ended; none where they were not asked for.
    pub globals: Option<Outcome>,
    /// Why backups or the globals failed.
    pub errors: RunErrors,
}

impl RunReport {
    /// How it ended as a whole: complete only where nothing failed.
    fn outcome(&self) -> Outcome {
        let backups = self.backups.iter().map(|backup| backup.outcome);
        let is_good = |outcome: &Outcome| *outcome == Outcome::Complete;
        match backups.clone().filter(is_good).count() {
            0 => Outcome::Failed,
            _ if backups.chain(self.globals).all(|outcome| is_good(&outcome)) => Outcome::Complete,
            _ => Outcome::Partial,
        }
    }
}

/// A run whose `begin` is durable.
#[derive(Debug)]
pub struct Run {
    pub(crate) repository: Repository,
    pub(crate) access: WriteAccess,
    /// As it was written down, but for parents that must not be used.
    pub(crate) plan: RunPlan,
    signs: Signs,
}

impl Repository {
    /// Writes down what is about to be done, and starts to show that the run lives.
    /// A planned parent that was deleted meanwhile is left out: see
    /// [`Run::planned`]. Must be called inside of a runtime.
    ///
    /// # Errors
    /// Where the storage fails; then nothing was begun.
    pub async fn begin(&self, access: &WriteAccess, plan: RunPlan) -> Result<Run, RepositoryError> {
        self.begin_with_signs(access, plan, Run::SIGN_EVERY).await
    }

    /// The same, with a sign of life every so often.
    ///
    /// # Errors
    /// As for [`begin`](Self::begin).
    pub async fn begin_with_signs(
        &self,
        access: &WriteAccess,
        mut plan: RunPlan,
        every: Duration,
    ) -> Result<Run, RepositoryError> {
        let signs = self.write_begin(access, &plan, None, every).await?;
        for planned in &mut plan.backups {
            // What cannot be told is not relied on.
            let is_good = self.is_good_parent(&plan.cluster, planned).await;
            if !is_good.unwrap_or(false) {
                planned.parent = None;
            }
        }
        Ok(Run {
            repository: self.clone(),
            access: access.clone(),
            plan,
            signs,
        })
    }

    /// Writes the `begin` of a run, and has it show from then on that it lives.
    pub(crate) async fn write_begin(
        &self,
        access: &WriteAccess,
        plan: &RunPlan,
        copies: Option<Copies>,
        every: Duration,
    ) -> Result<Signs, RepositoryError> {
        check_clock(plan)?;
        let begin = RunBegin {
            run: plan.id.clone(),
            cluster: plan.cluster.clone(),
            kind: plan.kind,
            started: plan.started,
            host: access.host.clone(),
            pgkeep: plan.pgkeep.clone(),
            backups: plan.backups.clone(),
            copies,
        };
        let name = names::run(&plan.cluster, &plan.id, RunRecord::Begin)?;
        self.write(access, RecordKind::Begin, &name, begin, None)
            .await?;
        Ok(Signs::start(self, access, plan, every))
    }

    pub(crate) async fn write(
        &self,
        access: &WriteAccess,
        kind: RecordKind,
        name: &ObjectName,
        clear: impl Serialize + Send + 'static,
        hidden: Option<Vec<u8>>,
    ) -> Result<(Hash, u64), RepositoryError> {
        let draft = Draft {
            repository: self.id(),
            name,
            kind,
            clear,
            hidden: hidden.map(|plain| (plain, self.host_seal(&access.recipient))),
        };
        draft.write(self.storage.as_ref(), &access.signer).await
    }
}

/// Refuses ids that no reader would take for ones: those of a clock outside of the
/// years that ids can tell.
fn check_clock(plan: &RunPlan) -> Result<(), RepositoryError> {
    let reads_back = plan.id.as_str().parse::<RunId>().is_ok()
        && plan
            .backups
            .iter()
            .all(|backup| backup.id.as_str().parse::<BackupId>().is_ok());
    if reads_back {
        return Ok(());
    }
    Err(RepositoryError::Clock {
        time: plan.started.to_string(),
    })
}

/// Errors as they are written; cut where they would be longer than they may be: a report
/// that is cut is better than none.
pub(crate) fn errors_within(
    limit: u64,
    errors: RunErrors,
    backups: usize,
) -> Result<Vec<u8>, FormatError> {
    let plain = errors.to_json()?;
    if plain.len() as u64 <= limit {
        return Ok(plain);
    }
    // In JSON a byte of text takes six at most.
    let room = usize::try_from(limit / 8).unwrap_or(usize::MAX);
    errors.cut_to(room / backups.saturating_add(1)).to_json()
}

impl Run {
    /// How often a run shows that it lives.
    pub const SIGN_EVERY: Duration = Duration::from_mins(10);

    /// The backups that it sets out to make, each with the parent that it may refer
    /// to.
    #[must_use]
    pub fn planned(&self) -> &[PlannedBackup] {
        &self.plan.backups
    }

    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.plan.id
    }

    /// Opens the parent that a planned backup may refer to; none where it has none.
    ///
    /// # Errors
    /// Where it cannot be had, opened or verified: the backup can do without.
    pub async fn parent(&self, planned: &PlannedBackup) -> Result<Option<Parent>, RepositoryError> {
        let Some(id) = &self.approved(planned)?.parent else {
            return Ok(None);
        };
        let record = self.repository.backup(&self.plan.cluster, id).await?;
        let parent = self.repository.open_parent(&self.access, &record).await?;
        Ok(Some(parent))
    }

    /// A planned backup, with the parent that it may refer to.
    fn approved(&self, planned: &PlannedBackup) -> Result<&PlannedBackup, RepositoryError> {
        let mut plans = self.planned().iter();
        let approved = plans.find(|approved| approved.id == planned.id);
        approved.ok_or(RepositoryError::GivenUp)
    }

    /// Starts one of the backups that the run set out to make, to be compared with
    /// `parent`, where that is the one that it may refer to. Must be called inside of a runtime.
    ///
    /// # Errors
    /// `GivenUp` where it is none of those; where a thread cannot be started.
    pub fn backup(
        &self,
        planned: &PlannedBackup,
        limits: Limits,
        parent: Option<Parent>,
    ) -> Result<BackupWriter<'_>, RepositoryError> {
        let planned = self.approved(planned)?;
        let parent = parent.filter(|parent| planned.parent.as_ref() == Some(parent.id()));
        let planned = PlannedBackup {
            parent: parent.as_ref().map(|parent| parent.id().clone()),
            ..planned.clone()
        };
        let engine = Engine::start(
            &self.repository,
            &self.access,
            &self.plan.cluster,
            &planned.id,
            limits,
            parent,
        )?;
        Ok(BackupWriter::new(self, planned, engine))
    }

    /// Writes down how the run ended.
    ///
    /// # Errors
    /// Where the storage fails; the backups are what they are all the same.
    pub async fn finish(
        self,
        finished: Timestamp,
        report: RunReport,
    ) -> Result<Outcome, RepositoryError> {
        self.signs.stop().await;
        let outcome = report.outcome();
        let RunReport {
            backups,
            globals,
            errors,
        } = report;
        let record = RunOutcome {
            run: self.plan.id.clone(),
            finished,
            outcome,
            backups,
            globals,
            copies: false,
        };
        let name = names::run(&self.plan.cluster, &self.plan.id, RunRecord::Outcome)?;
        let kind = RecordKind::Outcome;
        let errors = errors_within(kind.limit(), errors, record.backups.len());
        let errors = errors.map_err(|source| RepositoryError::Make {
            what: "the outcome",
            source,
        })?;
        self.repository
            .write(&self.access, kind, &name, record, Some(errors))
            .await?;
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_do_not_fit_are_cut_and_all_of_them_told() {
        let ids = (0..10).map(|n| format!("20261120T030000Z-{n:08}"));
        let errors = RunErrors {
            errors: ids
                .map(|id| (id.parse().unwrap(), "\u{1}ü".repeat(5000)))
                .collect(),
            globals: Some("short".to_owned()),
        };
        let whole = errors_within(u64::MAX, errors.clone(), 10).unwrap();
        assert_eq!(RunErrors::from_json(&whole).unwrap(), errors);
        let limit = 20_000;
        let cut = errors_within(limit, errors.clone(), 10).unwrap();
        assert!(cut.len() as u64 <= limit, "{}", cut.len());
        let cut = RunErrors::from_json(&cut).unwrap();
        assert_eq!(cut.globals, errors.globals);
        for (id, sentence) in &cut.errors {
            let begin = sentence.strip_suffix('…').unwrap();
            assert!(begin.len() > 100 && errors.errors[id].starts_with(begin));
        }
        assert_eq!(cut.errors.len(), 10);
    }
}
