//! Proving a backup: the story, from its record to a proof of it.
//!
//! Invariants: whatever comes in between, the throwaway server is stopped and removed
//! before there is a proof; what was interrupted is no proof of anything; none takes longer
//! than it may, but for the making of its server and the removal, which have limits of
//! their own.

use std::path::Path;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pgkeep_config::{Isolation, ProveSettings, Question};
use pgkeep_format::Hash;
use pgkeep_format::records::{BackupRecord, ProofDetails, ProofOutcome, ProofRecord};
use pgkeep_postgres::tools::Tools;
use pgkeep_repository::{ReadAccess, Repository, RepositoryError};
use pgkeep_restore::StopSignal;
use pgkeep_types::{BackupId, Clock, ObjectName, ProofId, Random};

use crate::ProofProgress;
use crate::attempt::{Attempt, ComeTo};
use crate::refusal::Refusal;
use crate::steps::Steps;

/// Who proves, with what.
pub struct Prover<'a> {
    /// Where backups are.
    pub repository: &'a Repository,
    /// What opens them.
    pub access: &'a ReadAccess,
    /// The programs of this machine.
    pub tools: &'a Tools,
    /// The directory in which throwaway servers are made.
    pub scratch: &'a Path,
    /// Whether they are kept from everything else.
    pub isolation: Isolation,
    /// How long a proof may take.
    pub timeout: Duration,
    /// What is asked; of a database the questions about it.
    pub questions: &'a [Question],
    /// Tells when it was.
    pub clock: &'a dyn Clock,
    /// Draws names.
    pub random: &'a dyn Random,
    /// The host's name.
    pub host: &'a str,
    /// The version of pgkeep.
    pub pgkeep: &'a str,
    /// Told how far it is.
    pub progress: &'a ProofProgress,
}

/// What came of it, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What everybody may see.
    pub record: ProofRecord,
    /// The rest.
    pub details: ProofDetails,
    /// The object that was missing or damaged, where it failed for one.
    pub damaged: Option<ObjectName>,
}

/// Why there is no proof, neither a good one nor a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The record of the backup cannot be had any more.
    #[error("backup {backup} cannot be proved")]
    Record {
        /// The backup.
        backup: BackupId,
        /// Why not.
        #[source]
        source: RepositoryError,
    },
    /// Somebody asked to stop.
    #[error("the proof of backup {backup} was interrupted")]
    Interrupted {
        /// The backup.
        backup: BackupId,
    },
}

impl Prover<'_> {
    /// Restores a backup, compares it and asks.
    ///
    /// # Errors
    /// Where the backup's record cannot be had, or somebody asked to stop. That the backup
    /// is not good is no error but a proof.
    pub async fn prove(
        &self,
        backup: &BackupRecord,
        mut stop: StopSignal<'_>,
    ) -> Result<Proof, ProofError> {
        let (begun, started) = (Instant::now(), self.clock.now());
        let hash = tokio::select! {
            hash = self.repository.record_hash(backup) => hash,
            () = &mut stop => return Err(interrupted(backup)),
        };
        let hash = hash.map_err(|source| ProofError::Record {
            backup: backup.id.clone(),
            source,
        })?;
        let attempt = Attempt {
            prover: self,
            backup,
            steps: Steps::new(self.progress),
            begun,
            started,
            come_to: Mutex::default(),
        };
        let refusal = self.attempt(&attempt, stop).await?;
        Ok(self.write_down(attempt, hash, refusal.as_ref()))
    }

    /// What was in the way; nothing where all was right.
    async fn attempt(
        &self,
        attempt: &Attempt<'_>,
        mut stop: StopSignal<'_>,
    ) -> Result<Option<Refusal>, ProofError> {
        let interrupted = || interrupted(attempt.backup);
        let mut late = pin!(self.is_late(attempt.begun));
        let opened = tokio::select! {
            opened = attempt.open() => opened,
            () = &mut stop => return Err(interrupted()),
            refusal = &mut late => Err(refusal),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Some(refusal)),
        };
        let place = match attempt.start(opened).await {
            Ok(place) => place,
            Err(refusal) => return Ok(Some(refusal)),
        };
        let worked = tokio::select! {
            biased;
            () = &mut stop => None,
            worked = attempt.work(&place) => Some(worked),
            refusal = &mut late => Some(Err(refusal)),
            () = place.has_ended() => Some(Err(Refusal::has_ended())),
        };
        let refusal = worked.as_ref().and_then(|worked| worked.as_ref().err());
        let mishap = place.mishap_behind(refusal).await;
        let cleared = place.clear().await;
        let Some(worked) = worked else {
            return Err(interrupted());
        };
        Ok(mishap.or(worked.err()).or(cleared.err()))
    }

    /// Waits until the time is up for a proof that began then; tells so.
    async fn is_late(&self, begun: Instant) -> Refusal {
        let left = self.timeout.saturating_sub(begun.elapsed());
        tokio::time::sleep(left).await;
        Refusal::Host(format!(
            "the proof was given up: it has taken longer than {} ('timeout' in \
             [cluster.NAME.prove], --timeout), and was at step {:?}",
            ProveSettings::in_words(self.timeout),
            self.progress.step().as_str()
        ))
    }

    fn write_down(&self, attempt: Attempt<'_>, record: Hash, refusal: Option<&Refusal>) -> Proof {
        let Attempt {
            backup,
            steps,
            started,
            come_to,
            ..
        } = attempt;
        let ComeTo {
            answers,
            restore_ms,
            server_version,
            pg_restore_version,
        } = come_to.into_inner().unwrap_or_else(PoisonError::into_inner);
        let count = |answers: usize| u32::try_from(answers).unwrap_or(u32::MAX);
        let outcome = match refusal {
            Some(Refusal::Backup(_) | Refusal::Damage { .. }) => ProofOutcome::Failed,
            Some(Refusal::Host(_)) => ProofOutcome::NotProvable,
            None if answers.is_empty() => ProofOutcome::Restorable,
            None => ProofOutcome::Proven,
        };
        let problem = refusal.map(Refusal::words);
        let loss = started.duration_since(backup.started).as_secs();
        Proof {
            record: ProofRecord {
                id: ProofId::new(self.clock, self.random),
                backup: backup.id.clone(),
                cluster: backup.cluster.clone(),
                record,
                host: self.host.to_owned(),
                pgkeep: self.pgkeep.to_owned(),
                started,
                finished: self.clock.now(),
                outcome,
                questions: count(answers.len()),
                right: count(answers.iter().filter(|answer| answer.right).count()),
                restore_ms,
                loss_seconds: u64::try_from(loss).ok(),
                server_version,
                pg_restore_version,
                repository: None,
                damage: matches!(refusal, Some(Refusal::Damage { .. })),
            },
            damaged: refusal.and_then(Refusal::object).cloned(),
            details: ProofDetails {
                steps: steps.into_list(problem),
                problem: problem.map(str::to_owned),
                questions: answers,
            },
        }
    }
}

fn interrupted(backup: &BackupRecord) -> ProofError {
    ProofError::Interrupted {
        backup: backup.id.clone(),
    }
}
