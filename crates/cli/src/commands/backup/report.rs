//! What a run came to: for people, for programs, and for its outcome.
//!
//! Invariant: each of the three says the same: the exit code is the outcome's.

use pgkeep_capture::{CaptureError, Globals, GlobalsError};
use pgkeep_format::records::{BackupRecord, Outcome, PlannedBackup, RunErrors};
use pgkeep_repository::{Run, RunReport};
use pgkeep_types::{ClusterName, RunId};
use serde::Serialize;

use super::others::Replica;
use crate::commands::list::BackupLine;
use crate::commands::prune;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;

/// A backup that had its turn, and what it came to.
pub(super) type Ended = (PlannedBackup, Result<BackupRecord, CaptureError>);

/// What programs are told.
#[derive(Serialize)]
pub(super) struct Report {
    version: u32,
    run: RunId,
    pub(super) outcome: Outcome,
    globals: Option<GlobalsLine>,
    backups: Vec<BackupLine>,
    /// What became of them in the cluster's other repositories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) repositories: Vec<Replica>,
    /// What a prune did afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prune: Option<Pruned>,
}

/// What a prune came to.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Pruned {
    Done(prune::Report),
    Failed { error: String },
}

#[derive(Serialize)]
struct GlobalsLine {
    outcome: Outcome,
    /// Whether the hashes of passwords are among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    passwords: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl GlobalsLine {
    fn new(read: &Result<Globals, GlobalsError>) -> Self {
        match read {
            Ok(globals) => Self {
                outcome: Outcome::Complete,
                passwords: Some(globals.has_passwords()),
                error: None,
            },
            Err(error) => Self {
                outcome: Outcome::Failed,
                passwords: None,
                error: Some(sentence(error)),
            },
        }
    }
}

impl Report {
    pub(super) fn new(
        cluster: &ClusterName,
        run: &Run,
        globals: &Result<Globals, GlobalsError>,
        ended: &[Ended],
    ) -> Self {
        let line = |(planned, made): &Ended| match made {
            Ok(record) => BackupLine::complete(record),
            Err(error) => BackupLine::failed(cluster, planned, sentence(error)),
        };
        let lines = ended.iter().map(line).collect();
        Self::of(run, Some(GlobalsLine::new(globals)), lines)
    }

    /// Of a run whose server could not be asked: all that it set out to make has failed.
    pub(super) fn not_asked(cluster: &ClusterName, run: &Run, error: &CliError) -> Self {
        let why = sentence(error);
        let planned = run.planned().iter();
        let lines = planned.map(|planned| BackupLine::failed(cluster, planned, why.clone()));
        Self::of(run, None, lines.collect())
    }

    fn of(run: &Run, globals: Option<GlobalsLine>, backups: Vec<BackupLine>) -> Self {
        Self {
            version: JSON_VERSION,
            run: run.id().clone(),
            outcome: Outcome::Failed,
            repositories: Vec::new(),
            globals,
            backups,
            prune: None,
        }
    }

    /// What is written down.
    pub(super) fn for_outcome(&self) -> RunReport {
        let lines = self.backups.iter();
        let globals = self.globals.as_ref();
        RunReport {
            backups: lines.clone().filter_map(BackupLine::outcome).collect(),
            globals: globals.map(|globals| globals.outcome),
            errors: RunErrors {
                errors: lines.filter_map(BackupLine::failure).collect(),
                globals: globals.and_then(|globals| globals.error.clone()),
            },
        }
    }
}

/// Tells why backups and the globals failed; whether that was since somebody asked to
/// stop.
pub(super) fn tell_failures(
    context: &Context,
    globals: Result<Globals, GlobalsError>,
    ended: Vec<Ended>,
) -> bool {
    let mut interrupted = false;
    let of_backups = ended.into_iter().filter_map(|(_, made)| made.err());
    let of_globals = globals.err().map(CliError::Globals);
    for error in of_backups.map(CliError::Capture).chain(of_globals) {
        context.output.failure(&error);
        interrupted |= error.exit_code() == Exit::Interrupted;
    }
    interrupted
}
