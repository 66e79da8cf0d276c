//! Which backups are to be proved.
//!
//! Invariants: of each database the newest good one; where that cannot be told, or a
//! question is about a database of which there is none, there is a line that says so, and
//! it has failed. A cluster whose repository cannot be opened keeps no other from being
//! proved, and has a line of its own.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_config::Settings;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Catalogue, Entry, RepositoryError};
use pgkeep_restore::{RestoreError, Selection, newer_attempt, newest, select};
use pgkeep_types::{Clock, ClusterName, Timestamp};

use super::line::ProofLine;
use crate::arguments::Prove;
use crate::context::{Context, Opened};
use crate::error::{CliError, sentence};

/// An attempt that is older than the newest of the cluster by more seconds may be of a database
/// that is not there any more.
const OF_LATE: i64 = 26 * 3600;

/// What is to be proved.
pub(super) struct Wanted {
    pub(super) clusters: Vec<OfCluster>,
    /// The clusters that could not be opened.
    pub(super) refused: Vec<ProofLine>,
}

/// What is to be proved of one cluster.
pub(super) struct OfCluster {
    pub(super) opened: Opened,
    pub(super) backups: Vec<BackupRecord>,
    /// What cannot even be tried.
    pub(super) refused: Vec<ProofLine>,
}

impl Wanted {
    fn is_nothing(&self) -> bool {
        self.refused.is_empty() && self.clusters.iter().all(OfCluster::is_nothing)
    }

    /// Refuses clusters of which there is nothing, where there is something of others.
    fn refuse_empty(&mut self) {
        for of_cluster in self.clusters.iter_mut().filter(|of| of.is_nothing()) {
            let problem = "there is no backup of this cluster".to_owned();
            let line = ProofLine::refused(&of_cluster.opened.cluster, "-", problem);
            of_cluster.refused.push(line);
        }
    }
}

impl OfCluster {
    fn is_nothing(&self) -> bool {
        self.backups.is_empty() && self.refused.is_empty()
    }
}

/// What is meant of a cluster.
#[derive(Default)]
struct Meant {
    /// The newest of each database.
    all: bool,
    /// These.
    ids: Vec<String>,
}

/// The clusters that were looked at.
#[derive(Default)]
struct Clusters {
    opened: BTreeMap<ClusterName, (Opened, Meant)>,
    shut: BTreeMap<ClusterName, CliError>,
}

impl Clusters {
    /// The cluster; none where it cannot be opened.
    ///
    /// # Errors
    /// Where somebody asked to stop.
    async fn get(
        &mut self,
        arguments: &Prove,
        context: &Context,
        cluster: &ClusterName,
    ) -> Result<Option<&mut (Opened, Meant)>, CliError> {
        if !self.opened.contains_key(cluster) && !self.shut.contains_key(cluster) {
            match open(arguments, context, cluster).await {
                Ok(found) => {
                    let found = (found, Meant::default());
                    self.opened.insert(cluster.clone(), found);
                }
                Err(error @ CliError::Interrupted { .. }) => return Err(error),
                Err(error) => {
                    self.shut.insert(cluster.clone(), error);
                }
            }
        }
        Ok(self.opened.get_mut(cluster))
    }

    /// Refuses a database of which none of the clusters that are meant has anything.
    fn check_databases(&self, arguments: &Prove, context: &Context) -> Result<(), CliError> {
        let meant = || {
            let meant = self.opened.values().filter(|(_, meant)| meant.all);
            meant.map(|(opened, _)| &opened.catalogue)
        };
        for database in &arguments.databases {
            if meant().any(|catalogue| there(catalogue).contains(database.as_str())) {
                continue;
            }
            let newest = Selection::Newest {
                database: database.clone(),
                before: None,
            };
            if let Some(catalogue) = meant().next() {
                select(catalogue, &newest, context.clock.now())?;
            }
        }
        Ok(())
    }
}

/// Finds what is meant, and opens its clusters.
pub(super) async fn find(arguments: &Prove, context: &Context) -> Result<Wanted, CliError> {
    let settings = context.settings()?;
    let mut known = Clusters::default();
    let mut ids = Vec::new();
    let mut clusters = BTreeSet::new();
    for word in &arguments.what {
        match cluster_called(&settings, arguments, word) {
            Some(cluster) => {
                clusters.insert(cluster);
            }
            None => ids.push(word.clone()),
        }
    }
    let all = default_clusters(&settings, arguments, context)?;
    if ids.is_empty() && clusters.is_empty() {
        clusters.extend(all.iter().cloned());
    }
    for cluster in &clusters {
        if let Some((_, meant)) = known.get(arguments, context, cluster).await? {
            meant.all = true;
        }
    }
    for id in ids {
        find_id(arguments, context, &mut known, &all, id).await?;
    }
    // Those that were opened in search of an id alone are nobody's concern.
    known
        .opened
        .retain(|_, (_, meant)| meant.all || !meant.ids.is_empty());
    known.shut.retain(|cluster, _| clusters.contains(cluster));
    if known.shut.is_empty() {
        known.check_databases(arguments, context)?;
    }
    if known.opened.is_empty()
        && known.shut.len() == 1
        && let Some((_, error)) = known.shut.pop_first()
    {
        return Err(error);
    }
    let shut = known.shut.iter().map(|(cluster, error)| {
        context.output.failure(error);
        ProofLine::not_provable(cluster, "-", sentence(error))
    });
    let refused = shut.collect();
    let opened = known.opened.into_values();
    let opened = opened.map(|(opened, meant)| choose(arguments, context, opened, &meant));
    let mut wanted = Wanted {
        clusters: opened.collect::<Result<_, _>>()?,
        refused,
    };
    if arguments.databases.is_empty() && !wanted.is_nothing() {
        wanted.refuse_empty();
    }
    Ok(wanted)
}

/// Finds the cluster that a backup is of.
///
/// # Errors
/// Where there is none; of a cluster that cannot be opened, and may have it, that error.
async fn find_id(
    arguments: &Prove,
    context: &Context,
    known: &mut Clusters,
    clusters: &[ClusterName],
    id: String,
) -> Result<(), CliError> {
    let mut nothing = None;
    for cluster in clusters {
        let Some((found, meant)) = known.get(arguments, context, cluster).await? else {
            continue;
        };
        let meant_id = Selection::Id(id.clone());
        match select(&found.catalogue, &meant_id, context.clock.now()) {
            Err(error @ RestoreError::NothingFound { .. }) => nothing = Some(error),
            // What is wrong with it is told when it has its turn.
            _ => {
                meant.ids.push(id);
                return Ok(());
            }
        }
    }
    if let Some((_, error)) = known.shut.pop_first() {
        return Err(error);
    }
    nothing.map_or(Ok(()), |error| Err(error.into()))
}

/// The databases of which there is anything.
fn there(catalogue: &Catalogue) -> BTreeSet<&str> {
    let of_unreadable = catalogue.unreadable().filter_map(|u| u.database.as_deref());
    let of_good = catalogue.complete().map(|b| b.database.as_str());
    of_good.chain(of_unreadable).collect()
}

/// The databases of which there is nothing but attempts of late that came to nothing.
fn attempted<'a>(
    catalogue: &'a Catalogue,
    there: &BTreeSet<&str>,
    now: Timestamp,
) -> BTreeSet<&'a str> {
    let attempts = || {
        catalogue.entries.iter().filter_map(|entry| match entry {
            Entry::Attempt(attempt) => Some(attempt),
            Entry::Complete(_) | Entry::Unreadable(_) => None,
        })
    };
    let good = catalogue.complete().map(|backup| backup.started);
    let newest = attempts().map(|attempt| attempt.begin.started).chain(good);
    let newest = newest.max().unwrap_or(now);
    let of_late = attempts().filter(|attempt| {
        newest.duration_since(attempt.begin.started).as_secs() <= OF_LATE
            && !catalogue.is_running(attempt, now)
    });
    let names = of_late.map(|attempt| attempt.database.as_str());
    names.filter(|name| !there.contains(name)).collect()
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
) -> Result<OfCluster, CliError> {
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
        let there = there(catalogue);
        let is_meant = |name: &str| {
            let mut named = arguments.databases.iter();
            arguments.databases.is_empty() || named.any(|known| known == name)
        };
        for name in &arguments.databases {
            if !there.contains(name.as_str()) {
                context.output.say(format_args!(
                    "cluster {} has no backup of database {name:?}",
                    opened.cluster
                ));
            }
        }
        for database in there.iter().filter(|name| is_meant(name)) {
            match newest(catalogue, database, None, now) {
                Ok(Some(backup)) => {
                    tell_of_newer(context, &opened, backup);
                    backups.push(backup.clone());
                }
                Ok(None) => refused.push(ProofLine::refused(
                    &opened.cluster,
                    database,
                    format!("there is no good backup of database {database:?}"),
                )),
                Err(error) => refused.push(refuse(database, &error)),
            }
        }
        for database in attempted(catalogue, &there, now) {
            if is_meant(database) {
                refused.push(ProofLine::refused(
                    &opened.cluster,
                    database,
                    format!(
                        "there is no backup of database {database:?}, and every attempt at one has \
                         failed"
                    ),
                ));
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
    Ok(OfCluster {
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
