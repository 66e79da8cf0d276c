//! `pgkeep backup`: a run that makes a dump of each database it was given.
//!
//! Invariants: the run is written down before anything else is tried, and how it
//! ended after all else; a database that fails does not keep the next one from
//! its turn; exit code 0 only where every backup is complete.

use pgkeep_capture::{CaptureError, Dump};
use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::Identities;
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Outcome, PlannedBackup, RunErrors,
};
use pgkeep_repository::{
    Committed, Limits, ParentChoice, Repository, Run, RunPlan, WriteAccess, is_ahead,
};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId};
use serde::Serialize;

use crate::arguments::{Backup, Kind};
use crate::commands::database_name::check_name;
use crate::commands::list::{BackupLine, warn_of_clock};
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::{server_password, words};

/// A backup that had its turn, and what it came to.
type Ended = (PlannedBackup, Result<BackupRecord, CaptureError>);

#[derive(Serialize)]
struct Report {
    version: u32,
    run: RunId,
    outcome: Outcome,
    backups: Vec<BackupLine>,
}

impl Report {
    fn new(cluster: &ClusterName, run: &Run, ended: &[Ended]) -> Self {
        let line = |(planned, made): &Ended| match made {
            Ok(record) => BackupLine::complete(record),
            Err(error) => BackupLine::failed(cluster, planned, sentence(error)),
        };
        Self {
            version: JSON_VERSION,
            run: run.id().clone(),
            outcome: Outcome::Failed,
            backups: ended.iter().map(line).collect(),
        }
    }

    fn outcomes(&self) -> Vec<BackupOutcome> {
        self.backups
            .iter()
            .filter_map(BackupLine::outcome)
            .collect()
    }

    fn errors(&self) -> RunErrors {
        RunErrors {
            errors: self
                .backups
                .iter()
                .filter_map(BackupLine::failure)
                .collect(),
        }
    }
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
    for database in &databases {
        check_name(database)?;
    }
    let first = connection.with_database(databases.first().map_or("", String::as_str));
    let password = server_password::typed(context, &first).await?;
    let plan = plan(context, &cluster, arguments.kind, &databases);
    let planned = plan.backups.clone();
    let begun = begin(context, &settings, &cluster_settings, plan, arguments.whole);
    let begun = context.unless_interrupted("the backup", begun).await;
    let run = begun.map_err(|source| CliError::NotBegun {
        databases,
        source: Box::new(source),
    })?;

    let tools = context.tools(&settings).await;
    let mut ended = Vec::new();
    let mut interrupted = false;
    for backup in planned {
        // Those that have not had their turn are told as failed too.
        // A password file can have another line for each database.
        let database = &backup.database;
        let connection = context.connection_to(&cluster, &cluster_settings, Some(database))?;
        let connection = server_password::with_typed(connection, password.as_ref());
        let dump = Dump {
            connection: &connection,
            tools: &tools,
            clock: &context.clock,
            limits: Limits::default(),
            lock_timeout: cluster_settings.dump.lock_timeout,
            warn: &|words| context.output.warning(words),
        };
        let made = match interrupted {
            false => one(context, &run, &dump, &backup).await,
            true => Err(CaptureError::Interrupted {
                database: backup.database.clone(),
            }),
        };
        interrupted |= matches!(made, Err(CaptureError::Interrupted { .. }));
        ended.push((backup, made));
    }
    let report = Report::new(&cluster, &run, &ended);
    let exit = tell_failures(context, ended);
    finish(context, run, report, exit).await
}

/// Opens the repository, finds the backups to compare with, and writes down what is
/// about to be done.
async fn begin(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterSettings,
    mut plan: RunPlan,
    whole: bool,
) -> Result<Run, CliError> {
    let keys = context.keys(settings, None)?;
    let repository = context.repository(settings, cluster, &keys).await?;
    let access = context.write_access(settings, &repository, keys)?;
    if !whole {
        find_parents(context, &repository, &access, &mut plan).await;
    }
    Ok(repository.begin(&access, plan).await?)
}

/// Finds the backups to compare with. Without them more is stored, and nothing lost.
async fn find_parents(
    context: &Context,
    repository: &Repository,
    access: &WriteAccess,
    plan: &mut RunPlan,
) {
    let no_keys = Identities::default();
    match repository.catalogue(&plan.cluster, &no_keys).await {
        Ok(catalogue) => {
            for backup in &mut plan.backups {
                let chosen = catalogue.parent(access, plan.kind, &backup.database);
                tell_choice(context, &backup.database, chosen);
                backup.parent = chosen.backup.map(|parent| parent.id.clone());
            }
            let now = context.clock.now();
            let mut ahead = catalogue.complete().filter(|b| is_ahead(b.started, now));
            if let Some(backup) = ahead.next_back() {
                warn_of_clock(context, &catalogue, backup);
            }
        }
        Err(error) => context.output.warning(format_args!(
            "earlier backups cannot be compared with, and everything is stored: {error}"
        )),
    }
}

/// Tells where more is stored than would be if hosts shared their key.
fn tell_choice(context: &Context, database: &str, chosen: ParentChoice<'_>) {
    let Some(shut) = chosen.shut else { return };
    let instead = match chosen.backup {
        Some(older) => format!(
            "compared with backup {}, an old one of this host's",
            older.id.short()
        ),
        None => "stored whole".to_owned(),
    };
    let host = words::printable(shut.host);
    context.output.warning(format_args!(
        "database {database:?} is {instead}: its last backup, {}, is of host {host}, and this \
         host's key does not open what it would have to be compared with. Where hosts of one \
         cluster share a key, each stores only what has changed: copy the host key file of {host} \
         here, and name it with host_key_file in [encryption]",
        shut.backup.id.short()
    ));
}

fn plan(context: &Context, cluster: &ClusterName, kind: Kind, databases: &[String]) -> RunPlan {
    let planned = databases.iter().map(|database| PlannedBackup {
        id: BackupId::new(&context.clock, &context.random),
        database: database.clone(),
        parent: None,
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
            let record = committed.record();
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
    made.map(Committed::into_record)
}

/// Tells why backups failed, and how the program is to end.
fn tell_failures(context: &Context, ended: Vec<Ended>) -> Exit {
    let count = ended.len();
    let mut exits = Vec::new();
    for (_, made) in ended {
        if let Err(error) = made {
            let error = CliError::Capture(error);
            context.output.failure(&error);
            exits.push(error.exit_code());
        }
    }
    if exits.contains(&Exit::Interrupted) {
        return Exit::Interrupted;
    }
    match exits.len() {
        0 => Exit::Done,
        failed if failed == count => Exit::Failed,
        _ => Exit::Partial,
    }
}

/// Writes down how the run ended. The backups are what they are; that their run
/// could not be given its end is a failure of its own.
async fn finish(
    context: &Context,
    run: Run,
    mut report: Report,
    exit: Exit,
) -> Result<Exit, CliError> {
    let (outcomes, errors) = (report.outcomes(), report.errors());
    let finished = run.finish(context.clock.now(), outcomes, errors).await;
    let exit = match finished {
        Ok(outcome) => {
            report.outcome = outcome;
            exit
        }
        Err(error) => {
            context.output.failure(&CliError::Repository(error));
            report.outcome = Outcome::Failed;
            match exit {
                Exit::Interrupted => exit,
                _ => Exit::Failed,
            }
        }
    };
    context.output.json(&report)?;
    Ok(exit)
}
