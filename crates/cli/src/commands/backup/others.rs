//! The other repositories that a cluster's backups go to.
//!
//! Invariant: one that does not answer, or fails, stops no other; it is told, and the run
//! does not end well.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::Identities;
use pgkeep_repository::{Catalogue, Repository, WriteAccess};
use pgkeep_types::ClusterName;
use serde::Serialize;

use super::report::{Pruned, Report};
use crate::commands::copy;
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};

/// Where backups are copied to once they are made.
pub(super) struct Others<'a> {
    pub(super) settings: &'a Settings,
    pub(super) cluster: &'a ClusterName,
    pub(super) cluster_settings: &'a ClusterSettings,
    /// The repository that they were made in.
    pub(super) first: &'a str,
}

/// What became of the backups in a repository.
#[derive(Serialize)]
pub(super) struct Replica {
    repository: String,
    /// Whether all good backups are there.
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What a prune did there afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    prune: Option<Pruned>,
}

impl Replica {
    /// The repository, where all good backups are there.
    pub(super) fn whole(&self) -> Option<&str> {
        self.complete.then_some(self.repository.as_str())
    }

    pub(super) fn pruned(&mut self, pruned: Pruned) {
        self.prune = Some(pruned);
    }
}

/// Opens a repository to write backups into.
pub(super) async fn open_for_backup(
    context: &Context,
    settings: &Settings,
    name: &str,
) -> Result<(Repository, WriteAccess), CliError> {
    let keys = context.keys(settings, None)?;
    let repository = context
        .open_repository(settings, name, &keys.pins())
        .await?;
    let access = context.write_access(settings, &repository, keys)?;
    Ok((repository, access))
}

/// So long a repository may take to tell what was deleted in it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the cluster's other repositories hold, of those that answer: of the others nobody is
/// waited for, and what the next backup rests on may be missing there.
pub(super) async fn catalogues(
    context: &Context,
    settings: &Settings,
    of_cluster: &ClusterSettings,
    first: &str,
    cluster: &ClusterName,
) -> Vec<Catalogue> {
    let others = of_cluster.repositories.iter().filter(|name| *name != first);
    let asking = others.map(|name| async move {
        let asked = async {
            let keys = context.keys(settings, None)?;
            let (pins, none) = (keys.pins(), Identities::default());
            let repository = context.open_repository(settings, name, &pins).await?;
            Ok::<_, CliError>(repository.catalogue(cluster, &none).await?)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            // What is wrong is told when it is copied to.
            Ok(catalogue) => catalogue.ok(),
            Err(_) => {
                context.output.warning(format_args!(
                    "repository {name:?} has not told within {} s what was deleted in it: the \
                     next backup may rest on that, and could not be copied there then; \
                     'pgkeep backup --whole' makes one that can",
                    PATIENCE.as_secs()
                ));
                None
            }
        }
    });
    join_all(asking).await.into_iter().flatten().collect()
}

/// Copies all good backups to the others, and tells how that went; a run that made its
/// backups is done in part where one of them misses any.
pub(super) async fn copied(
    context: &Context,
    others: Others<'_>,
    exit: Exit,
    report: &mut Report,
) -> Exit {
    let Others {
        settings,
        cluster,
        cluster_settings,
        first,
    } = others;
    let names = cluster_settings.repositories.iter();
    let passed_over = names.clone().take_while(|name| *name != first);
    let passed_over: Vec<&String> = passed_over.collect();
    let mut is_short = false;
    let mut filled = BTreeMap::new();
    for name in names.filter(|name| *name != first) {
        let followed = copy::follow(context, settings, cluster, first, name, &mut filled).await;
        let (complete, error) = match &followed {
            Ok(count) => (count.bad == 0, None),
            Err(error) => {
                context.output.failure(error);
                (false, Some(sentence(error)))
            }
        };
        if !complete {
            is_short = true;
            let copy = format!("'pgkeep copy --from {first} --to {name}'");
            // The next backup is made in the first one that takes it, and copied from there.
            let cure = match (&followed, passed_over.contains(&name)) {
                (Err(CliError::Disagrees { .. }), _) => {
                    "the error above says what to do".to_owned()
                }
                (_, true) => format!("{copy} makes it good"),
                (_, false) => format!("the next backup makes it good, or {copy}"),
            };
            context.output.warning(format_args!(
                "the backups are UNDER-REPLICATED: repository {name:?} misses some; {cure}"
            ));
        }
        report.repositories.push(Replica {
            repository: name.clone(),
            complete,
            error,
            prune: None,
        });
    }
    match exit {
        Exit::Done if is_short && context.interrupt.was_requested() => Exit::Interrupted,
        Exit::Done if is_short => Exit::Partial,
        exit => exit,
    }
}
