//! `pgkeep copy`: from one repository to another of the same family.
//!
//! Invariants: what is copied is verified while it is read; a backup or a cluster that cannot
//! be copied keeps no other from its turn, and makes the command end with 1, or with 3 where
//! others were copied; that all is there is said only of what was looked at, and is; a cluster
//! that is stored and was not looked at is named.

mod job;
mod proofs;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use pgkeep_config::{SIZE_WANTED, Settings, parse_size};
use pgkeep_format::RepositoryId;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Pace, Repository, WriteAccess};
use pgkeep_types::{BackupId, ClusterName};

use self::job::{Job, Report};
use crate::arguments::Copy;
use crate::context::Context;
use crate::elsewhere::who_has;
use crate::error::{CliError, Exit};

/// Two repositories, open for a copy.
pub(super) struct Pair {
    pub(super) from: Repository,
    pub(super) to: Repository,
    pub(super) access: WriteAccess,
    /// Their names.
    from_name: String,
    name: String,
}

/// How many backups were copied and how many were not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// The backups that were looked at, good or not.
    pub(super) seen: usize,
    pub(super) good: usize,
    pub(super) bad: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.good += other.good;
        self.bad += other.bad;
    }
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
    let mut report = Report::new(arguments.dry_run);
    let mut count = Count::default();
    let Meant {
        clusters,
        ids,
        passed_over,
    } = meant(arguments, &settings, &pair).await?;
    for cluster in &passed_over {
        let (from, to) = (&arguments.from, &arguments.to);
        context.output.warning(format_args!(
            "cluster {cluster} of repository {from:?} is not configured, and was not looked at: \
             'pgkeep copy {cluster} --from {from} --to {to}' copies it"
        ));
    }
    let mut found = BTreeSet::new();
    for cluster in &clusters {
        let wanted = |record: &BackupRecord| {
            ids.is_empty() || ids.iter().any(|id| record.id.is_meant_by(id))
        };
        let job = Job {
            context,
            pair: &pair,
            pace: pace.as_ref(),
            dry_run: arguments.dry_run,
            is_quiet: false,
            takes_all: ids.is_empty(),
        };
        match job.cluster(cluster, wanted, &mut found, &mut report).await {
            Ok(of_cluster) => count.add(of_cluster),
            Err(error) => {
                context.output.failure(&error);
                report.failed(cluster, &error);
                count.bad += 1;
            }
        }
        if context.interrupt.was_requested() {
            break;
        }
    }
    let interrupted = context.interrupt.was_requested();
    let all_looked_at = !interrupted && !report.has_failed();
    if let Some(text) = ids
        .iter()
        .find(|text| all_looked_at && !found.iter().any(|id: &BackupId| id.is_meant_by(text)))
    {
        return Err(match report.damaged(text) {
            Some((cluster, id, problem)) => {
                let from = &arguments.from;
                let others = who_has(context, &settings, cluster, id, from).await;
                CliError::NoSuchBackup {
                    problem: format!(
                        "backup {id} is damaged in repository {from:?} and cannot be copied: \
                         {problem}"
                    ),
                    hint: others.unwrap_or_else(|| {
                        "no other repository that is configured and answers has it as a good one"
                            .to_owned()
                    }),
                }
            }
            None => CliError::NoSuchBackup {
                problem: format!(
                    "found no good backup {text:?} in repository {:?}",
                    arguments.from
                ),
                hint: "'pgkeep list' shows what there is".to_owned(),
            },
        });
    }
    let is_nothing_there = all_looked_at && count.seen == 0;
    if is_nothing_there {
        context.output.data(format_args!(
            "repository {:?} holds no backup {}\n",
            arguments.from,
            of_clusters(&clusters)
        ));
    } else if all_looked_at && report.is_empty() {
        let what = match passed_over.is_empty() {
            true => "all of it".to_owned(),
            false => format!("all {}", of_clusters(&clusters)),
        };
        context.output.data(format_args!(
            "{what} is in repository {:?} already\n",
            arguments.to
        ));
    }
    context.output.json(&report)?;
    Ok(match (interrupted, count.good, count.bad) {
        (true, ..) => Exit::Interrupted,
        (_, _, 0) if is_nothing_there => Exit::NothingFound,
        (_, _, 0) => Exit::Done,
        (_, 0, _) => Exit::Failed,
        _ => Exit::Partial,
    })
}

/// What is to be copied.
struct Meant {
    clusters: Vec<ClusterName>,
    /// Beginnings of backups' ids; none where all of the clusters is meant.
    ids: Vec<String>,
    /// What is stored and is not meant, since nobody has named or configured it.
    passed_over: Vec<ClusterName>,
}

async fn meant(arguments: &Copy, settings: &Settings, pair: &Pair) -> Result<Meant, CliError> {
    let stored: BTreeSet<ClusterName> = pair.from.clusters().await?.into_iter().collect();
    let configured: BTreeSet<ClusterName> = settings.clusters.keys().cloned().collect();
    let known: BTreeSet<&ClusterName> = stored.union(&configured).collect();
    let (mut clusters, mut ids) = (Vec::new(), Vec::new());
    for what in &arguments.what {
        match known.iter().find(|cluster| cluster.as_str() == what) {
            Some(cluster) => clusters.push((*cluster).clone()),
            None => ids.push(what.clone()),
        }
    }
    let mut passed_over = Vec::new();
    if clusters.is_empty() {
        // A backup that is named may be of any cluster.
        let takes_any = configured.is_empty() || !ids.is_empty();
        let all = known.into_iter().cloned();
        (clusters, passed_over) =
            all.partition(|cluster| takes_any || configured.contains(cluster));
    }
    Ok(Meant {
        clusters,
        ids,
        passed_over,
    })
}

fn of_clusters(clusters: &[ClusterName]) -> String {
    let names: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
    match names.as_slice() {
        [] => "of any cluster".to_owned(),
        [one] => format!("of cluster {one}"),
        several => format!("of clusters {}", several.join(", ")),
    }
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
    if source.id() == target.id() {
        return Err(one_and_the_same(from, to));
    }
    let others = context.write_access(settings, &source, context.keys(settings, None)?)?;
    let access = context.write_access(settings, &target, context.keys(settings, None)?)?;
    if !target.is_like(&access, &source, &others) {
        return Err(no_family(from, to));
    }
    Ok(Pair {
        from: source,
        to: target,
        access,
        from_name: from.to_owned(),
        name: to.to_owned(),
    })
}

/// Why nothing is copied between two names of one repository, or from it to what somebody
/// has made of it with other means.
pub(super) fn one_and_the_same(from: &str, to: &str) -> CliError {
    CliError::Disagrees {
        problem: format!(
            "repositories {from:?} and {to:?} are one and the same: there is no second copy"
        ),
        hint: format!(
            "give the second another place, and make it with 'pgkeep init --like {from} \
             --repository {to}'; a directory or bucket that was copied by other means is no second \
             repository"
        ),
    }
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

/// Copies what a run has just made to another repository of the cluster; tells how it went.
/// What was `filled` so far is no place for a second copy.
pub(super) async fn follow(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    from: &str,
    to: &str,
    filled: &mut BTreeMap<RepositoryId, String>,
) -> Result<Count, CliError> {
    let pair = open(context, settings, from, to).await?;
    if let Some(other) = filled.insert(pair.to.id(), to.to_owned()) {
        return Err(one_and_the_same(&other, to));
    }
    let job = Job {
        context,
        pair: &pair,
        pace: None,
        dry_run: false,
        is_quiet: true,
        takes_all: false,
    };
    let (mut found, mut report) = (BTreeSet::new(), Report::new(false));
    job.cluster(cluster, |_| true, &mut found, &mut report)
        .await
}
