//! `pgkeep copy`: from one repository to another of the same family.
//!
//! Invariants: what is copied is verified while it is read; a backup that cannot be copied
//! keeps no other from its turn, and makes the command end with 1, or with 3 where others
//! were copied.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use pgkeep_config::{SIZE_WANTED, Settings, parse_size};
use pgkeep_format::Identities;
use pgkeep_format::records::BackupRecord;
use pgkeep_maintenance::{Copied, Copy as Copying, CopyProgress, Mended, Todo};
use pgkeep_repository::{Pace, Repository, WriteAccess};
use pgkeep_types::{BackupId, Clock, ClusterName, ObjectName};
use serde::Serialize;

use crate::arguments::Copy;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::output::JSON_VERSION;
use crate::words;

/// What programs are told.
#[derive(Default, Serialize)]
struct Report {
    version: u32,
    dry_run: bool,
    backups: Vec<Line>,
    mended: Vec<MendedLine>,
}

#[derive(Serialize)]
struct Line {
    id: BackupId,
    cluster: ClusterName,
    database: String,
    /// `copied`, `to copy`, `failed` or `left`.
    status: &'static str,
    bytes: Option<u64>,
    error: Option<String>,
}

#[derive(Serialize)]
struct MendedLine {
    object: ObjectName,
    /// `mended`, `to mend` or `failed`.
    status: &'static str,
    error: Option<String>,
}

/// Two repositories, open for a copy.
pub(super) struct Pair {
    from: Repository,
    to: Repository,
    access: WriteAccess,
    name: String,
}

/// How many backups were copied and how many were not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) good: usize,
    pub(super) bad: usize,
}

/// Copies.
pub(crate) async fn run(arguments: &Copy, context: &Context) -> Result<Exit, CliError> {
    let pace = arguments.rate.as_deref().map(|text| {
        let rate = parse_size(text).and_then(NonZeroU64::new);
        rate.ok_or_else(|| CliError::Usage {
            problem: format!("--rate {text:?} cannot be understood"),
            hint: format!("give {SIZE_WANTED}"),
        })
    });
    let pace = pace.transpose()?.map(|rate| Arc::new(Pace::new(rate)));
    let settings = context.settings()?;
    let opened = open(context, &settings, &arguments.from, &arguments.to);
    let pair = context.unless_interrupted("the copy", opened).await?;
    let mut report = Report {
        version: JSON_VERSION,
        dry_run: arguments.dry_run,
        ..Report::default()
    };
    let mut count = Count::default();
    let (clusters, ids) = meant(arguments, &settings, &pair).await?;
    let mut found = BTreeSet::new();
    for cluster in clusters {
        let wanted = |record: &BackupRecord| {
            ids.is_empty() || ids.iter().any(|id| record.id.is_meant_by(id))
        };
        let job = Job {
            context,
            pair: &pair,
            pace: pace.as_ref(),
            dry_run: arguments.dry_run,
            is_quiet: false,
        };
        let of_cluster = job
            .cluster(&cluster, wanted, &mut found, &mut report)
            .await?;
        count.good += of_cluster.good;
        count.bad += of_cluster.bad;
        if context.interrupt.was_requested() {
            break;
        }
    }
    if let Some(text) = ids
        .iter()
        .find(|text| !found.iter().any(|id: &BackupId| id.is_meant_by(text)))
    {
        return Err(CliError::NoSuchBackup {
            problem: format!(
                "found no good backup {text:?} in repository {:?}",
                arguments.from
            ),
            hint: "'pgkeep list' shows what there is".to_owned(),
        });
    }
    if report.backups.is_empty() && report.mended.is_empty() {
        context.output.data(format_args!(
            "all of it is in repository {:?} already\n",
            arguments.to
        ));
    }
    context.output.json(&report)?;
    Ok(
        match (context.interrupt.was_requested(), count.good, count.bad) {
            (true, ..) => Exit::Interrupted,
            (_, _, 0) => Exit::Done,
            (_, 0, _) => Exit::Failed,
            _ => Exit::Partial,
        },
    )
}

/// The clusters and the ids that are meant.
async fn meant(
    arguments: &Copy,
    settings: &Settings,
    pair: &Pair,
) -> Result<(Vec<ClusterName>, Vec<String>), CliError> {
    let mut all: Vec<ClusterName> = settings.clusters.keys().cloned().collect();
    if all.is_empty() {
        all = pair.from.clusters().await?;
    }
    let (mut clusters, mut ids) = (Vec::new(), Vec::new());
    for what in &arguments.what {
        match all.iter().find(|cluster| cluster.as_str() == what) {
            Some(cluster) => clusters.push(cluster.clone()),
            None => ids.push(what.clone()),
        }
    }
    if clusters.is_empty() {
        clusters = all;
    }
    Ok((clusters, ids))
}

/// Opens two repositories, and refuses those that are not of one family.
pub(super) async fn open(
    context: &Context,
    settings: &Settings,
    from: &str,
    to: &str,
) -> Result<Pair, CliError> {
    if from == to {
        return Err(CliError::Usage {
            problem: format!("repository {from:?} is named twice"),
            hint: "name another one with --to".to_owned(),
        });
    }
    let pins = context.keys(settings, None)?.pins();
    let source = context.open_repository(settings, from, &pins).await?;
    let target = context.open_repository(settings, to, &pins).await?;
    let others = context.write_access(settings, &source, context.keys(settings, None)?)?;
    let access = context.write_access(settings, &target, context.keys(settings, None)?)?;
    if !target.is_like(&access, &source, &others) {
        return Err(no_family(from, to));
    }
    Ok(Pair {
        from: source,
        to: target,
        access,
        name: to.to_owned(),
    })
}

/// Why nothing is copied between two repositories that do not share their secret.
pub(super) fn no_family(from: &str, to: &str) -> CliError {
    CliError::Disagrees {
        problem: format!(
            "repositories {from:?} and {to:?} are of no one family: what the one has sealed and \
             hashed the other cannot read"
        ),
        hint: format!(
            "'pgkeep init --like {from} --repository NAME' makes one, in a new place, that \
             shares its secret and its keys"
        ),
    }
}

struct Job<'a> {
    context: &'a Context,
    pair: &'a Pair,
    pace: Option<&'a Arc<Pace>>,
    dry_run: bool,
    /// Whether what was deleted there is not worth a word.
    is_quiet: bool,
}

impl Job<'_> {
    async fn cluster(
        &self,
        cluster: &ClusterName,
        wanted: impl Fn(&BackupRecord) -> bool,
        found: &mut BTreeSet<BackupId>,
        report: &mut Report,
    ) -> Result<Count, CliError> {
        let Self { context, pair, .. } = self;
        let none = Identities::default();
        let there = pair.from.catalogue(cluster, &none).await?;
        let here = pair.to.catalogue(cluster, &none).await?;
        found.extend(there.complete().filter(|r| wanted(r)).map(|r| r.id.clone()));
        let progress = CopyProgress::default();
        let copy = Copying {
            from: &pair.from,
            to: &pair.to,
            access: &pair.access,
            there: &there,
            here: &here,
            pace: self.pace,
            progress: &progress,
            clock: &context.clock,
            random: &context.random,
            pgkeep: env!("CARGO_PKG_VERSION"),
        };
        let todo = copy.todo(wanted)?;
        let mut count = Count::default();
        for left in &todo.plan.left {
            count.bad += usize::from(!left.is_meant);
            if self.is_quiet && left.is_meant {
                continue;
            }
            context.output.data(format_args!(
                "backup {} of database {} is not copied: {}\n",
                left.id,
                words::printable(&left.database),
                left.reason
            ));
            report.backups.push(Line {
                id: left.id.clone(),
                cluster: cluster.clone(),
                database: left.database.clone(),
                status: "left",
                bytes: None,
                error: Some(left.reason.clone()),
            });
        }
        if self.dry_run {
            self.tell(cluster, &todo, report);
            return Ok(count);
        }
        let mut mended = Vec::new();
        copy.mend(&todo, |object| mended.push(object)).await;
        for object in mended {
            self.take_mended(object, &mut count, report);
        }
        let stop = || context.interrupt.was_requested();
        let ran = copy.run(
            &todo,
            stop,
            |record| self.begun(record),
            |copied| {
                self.take(cluster, copied, &mut count, report);
            },
        );
        ran.await?;
        Ok(count)
    }

    fn tell(&self, cluster: &ClusterName, todo: &Todo, report: &mut Report) {
        for (object, _) in &todo.mends {
            let object = object.name.clone();
            self.context
                .output
                .data(format_args!("{object} would be mended\n"));
            report.mended.push(MendedLine {
                object,
                status: "to mend",
                error: None,
            });
        }
        for planned in &todo.plan.backups {
            let record = &planned.record;
            self.context.output.data(format_args!(
                "backup {} of database {} would be copied: {} are its own\n",
                record.id,
                words::printable(&record.database),
                words::size(record.new_bytes)
            ));
            report.backups.push(Line {
                id: record.id.clone(),
                cluster: cluster.clone(),
                database: record.database.clone(),
                status: "to copy",
                bytes: Some(record.new_bytes),
                error: None,
            });
        }
    }

    fn take_mended(&self, mended: Mended, count: &mut Count, report: &mut Report) {
        let Mended { object, error } = mended;
        let output = self.context.output;
        match &error {
            None => {
                count.good += 1;
                output.data(format_args!("{object} is mended\n"));
            }
            Some(error) => {
                count.bad += 1;
                let error = sentence(error);
                output.data(format_args!("{object} could not be mended: {error}\n"));
            }
        }
        report.mended.push(MendedLine {
            object,
            status: if error.is_none() { "mended" } else { "failed" },
            error: error.as_ref().map(|error| sentence(error)),
        });
    }

    fn begun(&self, record: &BackupRecord) {
        let now = words::time(self.context.clock.now());
        let (database, id, name) = (&record.database, &record.id, &self.pair.name);
        self.context.output.say(format_args!(
            "{now} START copy of {database:?}, backup {id}, to repository {name:?}"
        ));
    }

    fn take(&self, cluster: &ClusterName, copied: Copied, count: &mut Count, report: &mut Report) {
        let Copied {
            id,
            database,
            result,
        } = copied;
        let now = words::time(self.context.clock.now());
        let output = self.context.output;
        let (status, bytes, error) = match result {
            Ok(bytes) => {
                count.good += 1;
                let sent = words::size(bytes);
                output.say(format_args!(
                    "{now} END   copy of {database:?}: complete, {sent} sent"
                ));
                ("copied", Some(bytes), None)
            }
            Err(error) => {
                count.bad += 1;
                output.say(format_args!("{now} END   copy of {database:?}: FAILED"));
                let error = CliError::Repository(error);
                output.failure(&error);
                ("failed", None, Some(sentence(&error)))
            }
        };
        report.backups.push(Line {
            id,
            cluster: cluster.clone(),
            database,
            status,
            bytes,
            error,
        });
    }
}

/// Copies what a run has just made to another repository of the cluster; tells how it went.
pub(super) async fn follow(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    from: &str,
    to: &str,
) -> Result<Count, CliError> {
    let pair = open(context, settings, from, to).await?;
    let job = Job {
        context,
        pair: &pair,
        pace: None,
        dry_run: false,
        is_quiet: true,
    };
    let (mut found, mut report) = (BTreeSet::new(), Report::default());
    job.cluster(cluster, |_| true, &mut found, &mut report)
        .await
}
