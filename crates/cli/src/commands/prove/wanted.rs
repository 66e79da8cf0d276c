//! Which backups are to be proved.
//!
//! Invariants: of each database the newest good one; where that cannot be told, or a
//! question is about a database of which there is none, there is a line that says so, and
//! it has failed.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_config::Settings;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::RepositoryError;
use pgkeep_restore::{RestoreError, Selection, newer_attempt, newest, select};
use pgkeep_types::{Clock, ClusterName};

use super::line::ProofLine;
use crate::arguments::Prove;
use crate::context::{Context, Opened};
use crate::error::{CliError, sentence};

/// What is to be proved of one cluster.
pub(super) struct Wanted {
    pub(super) opened: Opened,
    pub(super) backups: Vec<BackupRecord>,
    /// What cannot even be tried.
    pub(super) refused: Vec<ProofLine>,
}

/// What is meant of a cluster.
#[derive(Default)]
struct Meant {
    /// The newest of each database.
    all: bool,
    /// These.
    ids: Vec<String>,
}

/// Finds what is meant, and opens its clusters.
pub(super) async fn find(arguments: &Prove, context: &Context) -> Result<Vec<Wanted>, CliError> {
    let settings = context.settings()?;
    let mut opened: BTreeMap<ClusterName, (Opened, Meant)> = BTreeMap::new();
    let mut ids = Vec::new();
    let mut clusters = Vec::new();
    for word in &arguments.what {
        match cluster_called(&settings, arguments, word) {
            Some(cluster) => clusters.push(cluster),
            None => ids.push(word.clone()),
        }
    }
    if ids.is_empty() && clusters.is_empty() {
        clusters = default_clusters(&settings, arguments, context)?;
    }
    for cluster in clusters {
        let found = open(arguments, context, &cluster).await?;
        let (_, meant) = opened.entry(cluster).or_insert((found, Meant::default()));
        meant.all = true;
    }
    for id in ids {
        let mut nothing = None;
        for cluster in default_clusters(&settings, arguments, context)? {
            if !opened.contains_key(&cluster) {
                let found = open(arguments, context, &cluster).await?;
                opened.insert(cluster.clone(), (found, Meant::default()));
            }
            let Some((found, meant)) = opened.get_mut(&cluster) else {
                continue;
            };
            let meant_id = Selection::Id(id.clone());
            match select(&found.catalogue, &meant_id, context.clock.now()) {
                Err(error @ RestoreError::NothingFound { .. }) => nothing = Some(error),
                // What is wrong with it is told when it has its turn.
                _ => {
                    meant.ids.push(id.clone());
                    nothing = None;
                    break;
                }
            }
        }
        if let Some(error) = nothing {
            return Err(error.into());
        }
    }
    let opened = opened.into_values();
    let wanted = opened.map(|(opened, meant)| choose(arguments, context, opened, &meant));
    wanted.collect()
}

/// The cluster that a word names: one that is configured, or where none is, any.
fn cluster_called(settings: &Settings, arguments: &Prove, word: &str) -> Option<ClusterName> {
    let cluster: ClusterName = word.parse().ok()?;
    let is_one = match settings.clusters.is_empty() {
        true => arguments.cluster.is_none(),
        false => settings.clusters.contains_key(&cluster),
    };
    is_one.then_some(cluster)
}

fn default_clusters(
    settings: &Settings,
    arguments: &Prove,
    context: &Context,
) -> Result<Vec<ClusterName>, CliError> {
    match &arguments.cluster {
        Some(cluster) => Ok(vec![context.cluster(settings, Some(cluster))?.0]),
        None if settings.clusters.is_empty() => Ok(vec![context.cluster(settings, None)?.0]),
        None => Ok(settings.clusters.keys().cloned().collect()),
    }
}

async fn open(
    arguments: &Prove,
    context: &Context,
    cluster: &ClusterName,
) -> Result<Opened, CliError> {
    let opened = context
        .open_for_reading(Some(cluster), arguments.identity.as_deref())
        .await?;
    for bad in opened.catalogue.bad_proofs() {
        let what = match bad.error {
            RepositoryError::ForeignProof { .. } => "a proof counts as none",
            _ => "a proof cannot be read, and may have FAILED",
        };
        let told = sentence(&bad.error);
        context.output.warning(format_args!("{what}: {told}"));
    }
    opened.unlock(context, true).await
}

fn choose(
    arguments: &Prove,
    context: &Context,
    opened: Opened,
    meant: &Meant,
) -> Result<Wanted, CliError> {
    let now = context.clock.now();
    let catalogue = &opened.catalogue;
    let (mut backups, mut refused) = (Vec::new(), Vec::new());
    let refuse = |database: &str, error: &RestoreError| {
        let line = ProofLine::refused(&opened.cluster, database, sentence(error));
        match error {
            RestoreError::Unreadable { backup, .. } => line.of_id(backup),
            _ => line,
        }
    };
    for id in &meant.ids {
        match select(catalogue, &Selection::Id(id.clone()), now) {
            Ok(backup) => backups.push(backup.clone()),
            Err(error) if error.is_nothing_found() => return Err(error.into()),
            Err(error) => refused.push(refuse("-", &error)),
        }
    }
    if meant.all {
        let of_unreadable = catalogue.unreadable().filter_map(|u| u.database.as_deref());
        let of_good = catalogue.complete().map(|b| b.database.as_str());
        let there: BTreeSet<&str> = of_good.chain(of_unreadable).collect();
        let is_meant = |name: &str| {
            let mut named = arguments.databases.iter();
            arguments.databases.is_empty() || named.any(|known| known == name)
        };
        for name in arguments
            .databases
            .iter()
            .filter(|n| !there.contains(n.as_str()))
        {
            let meant = Selection::Newest {
                database: name.clone(),
                before: None,
            };
            select(catalogue, &meant, now)?;
        }
        for database in there.iter().filter(|name| is_meant(name)) {
            match newest(catalogue, database, None, now) {
                Ok(Some(backup)) => {
                    tell_of_newer(context, &opened, backup);
                    backups.push(backup.clone());
                }
                Ok(None) => {}
                Err(error) => refused.push(refuse(database, &error)),
            }
        }
        let questions = opened.cluster_settings.prove.queries.iter();
        for question in questions.filter(|q| is_meant(&q.database)) {
            if !there.contains(question.database.as_str()) {
                refused.push(ProofLine::refused(
                    &opened.cluster,
                    &question.database,
                    format!(
                        "question {:?} is about database {:?}, of which there is no backup",
                        question.name, question.database
                    ),
                ));
            }
        }
    }
    Ok(Wanted {
        backups,
        refused,
        opened,
    })
}

fn tell_of_newer(context: &Context, opened: &Opened, backup: &BackupRecord) {
    let now = context.clock.now();
    for unread in opened.catalogue.unread_of_run(backup) {
        context.output.warning(format_args!(
            "whether the run of backup {} ended well is not known: {}",
            backup.id.short(),
            sentence(&unread.error)
        ));
    }
    if let Some((id, state)) = newer_attempt(&opened.catalogue, backup, None, now) {
        context.output.warning(format_args!(
            "backup {id} of database {:?} is newer and {state}; {} is proved",
            backup.database, backup.id
        ));
    }
}
