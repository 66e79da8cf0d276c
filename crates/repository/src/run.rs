//! A run: what it set out to do is written down first, how it ended last.
//!
//! Invariant: a backup is started through its run, whose `begin` is durable.

use jiff::Timestamp;
use pgkeep_format::names::{self, RunRecord};
use pgkeep_format::records::{
    BackupKind, BackupOutcome, Outcome, PlannedBackup, RunBegin, RunErrors, RunOutcome,
};
use pgkeep_format::{Hash, RecordKind};
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};
use serde::Serialize;

use crate::records::Draft;
use crate::write::{Limits, StreamWriter};
use crate::{BackupWriter, Repository, RepositoryError, WriteAccess};

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

/// A run whose `begin` is durable.
#[derive(Debug)]
pub struct Run {
    pub(crate) repository: Repository,
    pub(crate) access: WriteAccess,
    pub(crate) plan: RunPlan,
}

impl Repository {
    /// Writes down what is about to be done.
    ///
    /// # Errors
    /// Where the storage fails; then nothing was begun.
    pub async fn begin(&self, access: &WriteAccess, plan: RunPlan) -> Result<Run, RepositoryError> {
        check_clock(&plan)?;
        let begin = RunBegin {
            run: plan.id.clone(),
            cluster: plan.cluster.clone(),
            kind: plan.kind,
            started: plan.started,
            host: access.host.clone(),
            pgkeep: plan.pgkeep.clone(),
            backups: plan.backups.clone(),
        };
        let name = names::run(&plan.cluster, &plan.id, RunRecord::Begin)?;
        self.write(access, RecordKind::Begin, &name, begin, None)
            .await?;
        Ok(Run {
            repository: self.clone(),
            access: access.clone(),
            plan,
        })
    }

    pub(crate) async fn write(
        &self,
        access: &WriteAccess,
        kind: RecordKind,
        name: &ObjectName,
        clear: impl Serialize + Send + 'static,
        hidden: Option<Vec<u8>>,
    ) -> Result<Hash, RepositoryError> {
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

impl Run {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.plan.id
    }

    /// Starts one of the backups that the run set out to make.
    ///
    /// # Errors
    /// Where a thread cannot be started.
    pub fn backup(
        &self,
        planned: &PlannedBackup,
        limits: Limits,
    ) -> Result<BackupWriter<'_>, RepositoryError> {
        let cluster = &self.plan.cluster;
        let stream =
            StreamWriter::start(&self.repository, &self.access, cluster, &planned.id, limits)?;
        Ok(BackupWriter::new(self, planned.clone(), stream))
    }

    /// Writes down how the run ended; `errors` say why backups failed.
    ///
    /// # Errors
    /// Where the storage fails; the backups are what they are all the same.
    pub async fn finish(
        self,
        finished: Timestamp,
        backups: Vec<BackupOutcome>,
        errors: RunErrors,
    ) -> Result<Outcome, RepositoryError> {
        let good = backups.iter().filter(|b| b.outcome == Outcome::Complete);
        let outcome = match good.count() {
            0 => Outcome::Failed,
            all if all == backups.len() => Outcome::Complete,
            _ => Outcome::Partial,
        };
        let record = RunOutcome {
            run: self.plan.id.clone(),
            finished,
            outcome,
            backups,
        };
        let name = names::run(&self.plan.cluster, &self.plan.id, RunRecord::Outcome)?;
        let errors = errors.to_json().map_err(|source| RepositoryError::Make {
            what: "the outcome",
            source,
        })?;
        let kind = RecordKind::Outcome;
        self.repository
            .write(&self.access, kind, &name, record, Some(errors))
            .await?;
        Ok(outcome)
    }
}
