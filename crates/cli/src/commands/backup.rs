//! `pgkeep backup`: a run that makes a dump of each database it was given.
//!
//! Invariants: the run is written down before anything else is tried, and how it
//! ended after all else; a database that fails does not keep the next one from
//! its turn; exit code 0 only where every backup is complete.

use pgkeep_capture::{CaptureError, Dump};
use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Outcome, PlannedBackup, RunErrors,
};
use pgkeep_repository::{Limits, Run, RunPlan};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId};
use serde::Serialize;

use crate::arguments::{Backup, Kind};
use crate::commands::list::BackupLine;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::words;

#[derive(Serialize)]
struct Report {
    version: u32,
    run: RunId,
    outcome: Outcome,
    backups: Vec<BackupLine>,
}

/// Backs up, and tells how it ended.
pub(crate) async fn run(arguments: &Backup, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let (cluster, cluster_settings) = context.cluster(&settings, arguments.cluster.as_ref())?;
    let connection = context.connection(&cluster, &cluster_settings)?;
    let databases = match arguments.databases.as_slice() {
        [] => vec![connection.database().to_owned()],
        named => named.to_vec(),
    };
    let plan = plan(context, &cluster, arguments.kind, &databases);
    let planned = plan.backups.clone();
    let begun = begin(context, &settings, &cluster_settings, plan).await;
    let run = begun.map_err(|source| CliError::NotBegun {
        databases,
        source: Box::new(source),
    })?;

    let tools = context.tools(&settings).await;
    let dump = Dump {
        connection: &connection,
        tools: &tools,
        clock: &context.clock,
        limits: Limits::default(),
        warn: &|words| context.output.warning(words),
    };
    let mut ended = Vec::new();
    for backup in &planned {
        let made = one(context, &run, &dump, backup).await;
        let stop = matches!(made, Err(CaptureError::Interrupted { .. }));
        ended.push((backup, made));
        if stop {
            break;
        }
    }
    finish(context, &cluster, run, &planned, ended).await
}

/// Opens the repository and writes down what is about to be done.
async fn begin(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterSettings,
    plan: RunPlan,
) -> Result<Run, CliError> {
    let repository = context.repository(settings, cluster, None).await?;
    let access = context.write_access(settings, &repository)?;
    Ok(repository.begin(&access, plan).await?)
}

fn plan(context: &Context, cluster: &ClusterName, kind: Kind, databases: &[String]) -> RunPlan {
    let planned = databases.iter().map(|database| PlannedBackup {
        id: BackupId::new(&context.clock, &context.random),
        database: database.clone(),
    });
    RunPlan {
        id: RunId::new(&context.clock, &context.random),
        cluster: cluster.clone(),
        kind: match kind {
            Kind::Dump => BackupKind::Dump,
        },
        started: context.clock.now(),
        pgkeep: env!("CARGO_PKG_VERSION").to_owned(),
        backups: planned.collect(),
    }
}

/// Makes one backup and says when it began and how it ended.
async fn one(
    context: &Context,
    run: &Run,
    dump: &Dump<'_>,
    planned: &PlannedBackup,
) -> Result<BackupRecord, CaptureError> {
    let started = context.clock.now();
    let database = &planned.database;
    context.output.say(format_args!(
        "{} START dump of {database:?} as {}",
        words::time(started),
        planned.id
    ));
    let mut stop = Box::pin(context.interrupt.requested());
    let made = dump.capture(run, planned, stop.as_mut()).await;
    let now = context.clock.now();
    let took = words::duration(started, now);
    match &made {
        Ok(committed) => {
            let record = &committed.0;
            context.output.say(format_args!(
                "{} END   dump of {database:?}: complete, {} in {took}, {} new",
                words::time(now),
                words::size(record.raw_bytes),
                words::size(record.new_bytes),
            ));
        }
        Err(_) => context.output.say(format_args!(
            "{} END   dump of {database:?}: FAILED after {took}",
            words::time(now)
        )),
    }
    made.map(|committed| committed.0)
}

/// Writes down how the run ended, and tells it.
async fn finish(
    context: &Context,
    cluster: &ClusterName,
    run: Run,
    planned: &[PlannedBackup],
    ended: Vec<(&PlannedBackup, Result<BackupRecord, CaptureError>)>,
) -> Result<Exit, CliError> {
    let outcome_of = |at: usize, backup: &PlannedBackup| {
        let made = ended.get(at).map(|(_, made)| made);
        BackupOutcome {
            id: backup.id.clone(),
            database: backup.database.clone(),
            outcome: match made {
                Some(Ok(_)) => Outcome::Complete,
                Some(Err(_)) | None => Outcome::Failed,
            },
        }
    };
    let error_of = |(at, backup): (usize, &PlannedBackup)| {
        let error = match ended.get(at).map(|(_, made)| made) {
            Some(Ok(_)) => return None,
            Some(Err(error)) => sentence(error),
            None => "interrupted before its turn".to_owned(),
        };
        Some((backup.id.clone(), error))
    };
    let outcomes = planned.iter().enumerate();
    let outcomes: Vec<BackupOutcome> = outcomes.map(|(at, b)| outcome_of(at, b)).collect();
    let errors = RunErrors {
        errors: planned.iter().enumerate().filter_map(error_of).collect(),
    };
    let id = run.id().clone();
    let written = run.finish(context.clock.now(), outcomes, errors).await;

    let mut exit = Exit::Done;
    let mut lines = Vec::new();
    let mut good = 0;
    for (backup, made) in ended {
        match made {
            Ok(record) => {
                good += 1;
                lines.push(BackupLine::complete(&record));
            }
            Err(error) => {
                let told = sentence(&error);
                let failed = CliError::Capture(error);
                context.output.failure(&failed);
                exit = failed.exit_code();
                lines.push(BackupLine::failed(cluster, backup, told));
            }
        }
    }
    if exit == Exit::Failed && good > 0 {
        exit = Exit::Partial;
    }
    // The backups are what they are; that their run has no end is told.
    let outcome = match written {
        Ok(outcome) => outcome,
        Err(error) => {
            context.output.failure(&CliError::Repository(error));
            exit = if exit == Exit::Interrupted {
                exit
            } else {
                Exit::Failed
            };
            Outcome::Failed
        }
    };
    context.output.json(&Report {
        version: JSON_VERSION,
        run: id,
        outcome,
        backups: lines,
    })?;
    Ok(exit)
}
