//! `pgkeep prove`: restores backups into throwaway servers, compares and questions them,
//! and writes down what came of it.
//!
//! Invariants: the server that a backup is of is never connected to; one backup that is
//! not good, or one cluster that cannot be reached, keeps no other from being proved or
//! told; an older backup is never proved in the place
//! of the newest one; a proof that was written down is told to the cluster's other repositories.

mod damage;
mod line;
mod others;
mod page;
mod progress;
mod wanted;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use pgkeep_config::Isolation;
use pgkeep_format::Encryption;
use pgkeep_format::records::BackupRecord;
use pgkeep_postgres::server::remove_leftovers;
use pgkeep_proof::{ProofError, ProofProgress, Prover};
use pgkeep_repository::{ReadAccess, WriteAccess};
use pgkeep_types::Clock;
use serde::Serialize;

use self::line::{ProofLine, REMARK};
use self::others::Others;
use self::progress::ProofRow;
use self::wanted::{OfCluster, Wanted};
use crate::arguments::Prove;
use crate::context::{Context, Opened};
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::words;

pub(in crate::commands) use self::line::{describe, elsewhere, level_word};

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    proofs: &'a [ProofLine],
}

/// Proves.
pub(crate) async fn run(arguments: &Prove, context: &Context) -> Result<Exit, CliError> {
    if let Some(path) = &arguments.report {
        page::check(&context.path(path))?;
    }
    let wanted = wanted::find(arguments, context);
    let wanted = context.unless_interrupted("the proof", wanted).await?;
    let (ready, mut lines) = make_ready(arguments, context, wanted).await?;
    let proved = prove_all(context, &ready, &mut lines).await;
    // What was found until somebody asked to stop is told, and what was not tried.
    tell(context, &lines)?;
    if let Some(path) = &arguments.report {
        page::write(&context.path(path), &lines, context.clock.now())?;
    }
    proved.map(|()| exit_code(&lines))
}

/// A cluster of which backups are to be proved, and what there is to do that with.
struct Ready {
    of_cluster: OfCluster,
    host: Host,
}

/// Gets the host ready for each cluster; where it cannot be, its backups are refused and
/// the others go on.
async fn make_ready(
    arguments: &Prove,
    context: &Context,
    wanted: Wanted,
) -> Result<(Vec<Ready>, Vec<ProofLine>), CliError> {
    let Wanted { clusters, refused } = wanted;
    let is_alone = clusters.len() == 1 && refused.is_empty();
    let (mut ready, mut lines) = (Vec::new(), refused);
    for of_cluster in clusters {
        match Host::of(arguments, context, &of_cluster.opened).await {
            Ok(host) => ready.push(Ready { of_cluster, host }),
            Err(error) if is_alone => return Err(error),
            Err(error) => {
                context.output.failure(&error);
                let problem = sentence(&error);
                let cluster = &of_cluster.opened.cluster;
                lines.extend(of_cluster.backups.iter().map(|backup| {
                    let problem = problem.clone();
                    ProofLine::not_provable(cluster, &backup.database, problem).of_backup(backup)
                }));
                lines.extend(of_cluster.refused);
                if of_cluster.backups.is_empty() {
                    lines.push(ProofLine::not_provable(cluster, "-", problem));
                }
            }
        }
    }
    Ok((ready, lines))
}

/// Proves what is to be proved, one backup after the other.
///
/// # Errors
/// Where somebody asked to stop; what came of the others stands in `lines`, and which were not
/// tried.
async fn prove_all(
    context: &Context,
    ready: &[Ready],
    lines: &mut Vec<ProofLine>,
) -> Result<(), CliError> {
    let mut swept = BTreeSet::new();
    let mut stopped = None;
    for Ready { of_cluster, host } in ready {
        if stopped.is_none() && swept.insert(host.scratch.clone()) {
            for left in remove_leftovers(&host.scratch).await {
                let path = left.path.display();
                match left.removed {
                    Ok(()) => context.output.say(format_args!(
                        "removed what an earlier proof has left in {path}"
                    )),
                    Err(error) => context.output.warning(format_args!(
                        "what an earlier proof has left in {path} could not be removed, and may \
                         have a database in the clear: {error}"
                    )),
                }
            }
        }
        lines.extend(of_cluster.refused.iter().cloned());
        for backup in &of_cluster.backups {
            let opened = &of_cluster.opened;
            let left = |what: &str| {
                let problem = format!("{what}: somebody asked to stop");
                let database = &backup.database;
                ProofLine::not_provable(&opened.cluster, database, problem).of_backup(backup)
            };
            if stopped.is_some() {
                lines.push(left("not tried"));
                continue;
            }
            match prove(context, opened, host, backup).await {
                Ok(line) => lines.push(line),
                Err(error) => {
                    lines.push(left("broken off"));
                    stopped = Some(error);
                }
            }
        }
    }
    stopped.map_or(Ok(()), Err)
}

/// What this host has to prove with.
struct Host {
    access: ReadAccess,
    /// None where nothing is to be written down.
    write: Option<WriteAccess>,
    /// Where copies are of what is proved.
    others: Others,
    /// The file of the key to write there with.
    identity: Option<PathBuf>,
    tools: pgkeep_postgres::tools::Tools,
    scratch: PathBuf,
    isolation: Isolation,
    timeout: Duration,
    name: String,
}

impl Host {
    async fn of(arguments: &Prove, context: &Context, opened: &Opened) -> Result<Self, CliError> {
        let repository = &opened.repository;
        let sealed = repository.encryption() == Encryption::Age;
        if sealed && !repository.is_pinned() && !arguments.unpinned {
            let location = repository.location();
            return Err(CliError::Unpinned { location });
        }
        let write = match arguments.no_record {
            true => None,
            false => {
                let keys = context.keys(&opened.settings, arguments.identity.as_deref())?;
                Some(context.write_access(&opened.settings, repository, keys)?)
            }
        };
        let scratch = match (&arguments.scratch, &opened.cluster_settings.prove.scratch) {
            (Some(directory), _) => context.path(directory),
            (None, Some(directory)) => directory.clone(),
            (None, None) => {
                let named = context.environment.variable("TMPDIR");
                PathBuf::from(named.unwrap_or_else(|| OsStr::new("/tmp")))
            }
        };
        let name = write.as_ref().map(|write| write.host().to_owned());
        Ok(Self {
            access: repository.read_access(&opened.keys.recovery())?,
            tools: context.tools(&opened.settings).await,
            others: Others::of(context, opened)?,
            identity: arguments.identity.clone(),
            name: name.unwrap_or_else(|| "unknown".to_owned()),
            write,
            scratch,
            timeout: arguments
                .timeout
                .unwrap_or(opened.cluster_settings.prove.timeout),
            isolation: match arguments.not_isolated {
                true => Isolation::None,
                false => opened.cluster_settings.prove.isolation,
            },
        })
    }
}

/// Proves one backup, and writes it down.
async fn prove(
    context: &Context,
    opened: &Opened,
    host: &Host,
    backup: &BackupRecord,
) -> Result<ProofLine, CliError> {
    let progress = std::sync::Arc::new(ProofProgress::default());
    let prover = Prover {
        repository: &opened.repository,
        access: &host.access,
        tools: &host.tools,
        scratch: &host.scratch,
        isolation: host.isolation,
        timeout: host.timeout,
        questions: &opened.cluster_settings.prove.queries,
        clock: &context.clock,
        random: &context.random,
        host: &host.name,
        pgkeep: env!("CARGO_PKG_VERSION"),
        progress: &progress,
    };
    let what = format!(
        "proof of backup {}, database {:?}",
        backup.id.short(),
        backup.database
    );
    let started = context.clock.now();
    context
        .output
        .say(format_args!("{} START {what}", words::time(started)));
    let interrupted = || CliError::Interrupted {
        what: format!("the {what}"),
    };
    let shown = context.live(ProofRow::new(backup, &progress));
    let mut stop = Box::pin(context.interrupt.requested());
    let proved = prover.prove(backup, stop.as_mut()).await;
    drop(shown);
    let line = match proved {
        // What was typed at the terminal may have ended pg_restore before us.
        _ if context.interrupt.was_requested() => return Err(interrupted()),
        Err(ProofError::Interrupted { .. }) => return Err(interrupted()),
        Err(error) => ProofLine::refused(&opened.cluster, &backup.database, sentence(&error))
            .of_backup(backup),
        Ok(proof) => {
            let recorded = match &host.write {
                None => Ok(false),
                Some(access) => {
                    let record = proof.record.clone();
                    let written = (opened.repository).record_proof(access, record, &proof.details);
                    let written = written.await.map(|()| true);
                    if written.is_ok() {
                        let (others, identity) = (&host.others, host.identity.as_deref());
                        let carrying =
                            others.carry(context, opened, identity, backup, &proof.record);
                        carrying.await;
                    }
                    written
                }
            };
            let recorded = recorded.map_err(|error| sentence(&error));
            let refuting = opened.catalogue.refuting(&backup.id);
            let refuting = refuting.map(|failed| &failed.record);
            let damaged = proof.damaged.clone();
            let line = ProofLine::of(backup, proof, recorded, refuting);
            match damaged {
                Some(object) => {
                    let access = host.write.as_ref();
                    line.with_damage(damage::look(context, opened, access, &object).await)
                }
                None => line,
            }
        }
    };
    let now = context.clock.now();
    context.output.say(format_args!(
        "{} END   {what}: {} in {}",
        words::time(now),
        line.outcome(),
        words::duration(started, now)
    ));
    Ok(line)
}

fn tell(context: &Context, lines: &[ProofLine]) -> Result<(), CliError> {
    if lines.is_empty() {
        context
            .output
            .say("found no good backup to prove; 'pgkeep list' shows what there is");
    } else {
        context.output.data(line::table(lines, context.output));
        let remarks: Vec<String> = lines.iter().flat_map(ProofLine::remarks).collect();
        if !remarks.is_empty() {
            let remarks = context.output.folded(&remarks.join("\n"), REMARK);
            context.output.data(format_args!("\n{remarks}\n"));
        }
    }
    context.output.json(&Report {
        version: JSON_VERSION,
        proofs: lines,
    })
}

/// One that failed counts more than one that could not be proved here.
fn exit_code(lines: &[ProofLine]) -> Exit {
    if lines.is_empty() {
        return Exit::NothingFound;
    }
    if lines.iter().any(ProofLine::has_failed) {
        return Exit::Failed;
    }
    match lines.iter().all(ProofLine::is_good) {
        true => Exit::Done,
        false => Exit::Partial,
    }
}
