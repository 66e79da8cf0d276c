//! Where else a backup is: the cluster's other repositories, where the one that was asked fails.
//!
//! Invariant: a repository is named where it was asked and has what is wanted, and no other; one
//! that does not answer in time is not waited for.

use std::time::Duration;

use pgkeep_config::Settings;
use pgkeep_format::Identities;
use pgkeep_repository::{Catalogue, RepositoryError};
use pgkeep_restore::RestoreError;
use pgkeep_types::{BackupId, ClusterName};

use crate::context::Context;
use crate::error::CliError;
use crate::words;

/// So long one may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a repository fails to give.
enum Wanted<'a> {
    /// Whatever it has.
    All,
    Backup(&'a BackupId),
}

/// The error, with where else to look, if it is of a repository that is lost or damaged.
pub(crate) async fn with_others(
    context: &Context,
    named: Option<&ClusterName>,
    error: CliError,
) -> CliError {
    let Some(wanted) = wanted(&error) else {
        return error;
    };
    match others_of(context, named, &wanted).await {
        Some(hint) => CliError::Elsewhere {
            source: Box::new(error),
            hint,
        },
        None => error,
    }
}

fn wanted(error: &CliError) -> Option<Wanted<'_>> {
    match error {
        CliError::Storage(_) => Some(Wanted::All),
        CliError::Repository(error) if is_loss(error) => Some(Wanted::All),
        CliError::Restore(RestoreError::Unreadable { backup, .. }) => Some(Wanted::Backup(backup)),
        CliError::Restore(RestoreError::Read { backup, source }) if is_loss(source) => {
            Some(Wanted::Backup(backup))
        }
        _ => None,
    }
}

/// Whether something is lost, damaged or not to be had, as it is of this repository alone.
fn is_loss(error: &RepositoryError) -> bool {
    error.is_of_damage()
        || matches!(
            error,
            RepositoryError::Storage(_)
                | RepositoryError::Missing { .. }
                | RepositoryError::Vanished { .. }
                | RepositoryError::Beheaded { .. }
                | RepositoryError::UnreadableKeys { .. }
                | RepositoryError::Uncited { .. }
                | RepositoryError::Lost { .. }
                | RepositoryError::Hurt { .. }
        )
}

async fn others_of(
    context: &Context,
    named: Option<&ClusterName>,
    wanted: &Wanted<'_>,
) -> Option<String> {
    let settings = context.settings().ok()?;
    let (cluster, of_cluster) = context.cluster(&settings, named).ok()?;
    let here = context.name_of(&settings, &of_cluster).ok()?;
    let others = of_cluster.repositories.iter().filter(|name| *name != here);
    let mut told = Vec::new();
    for name in others {
        let Some(catalogue) = catalogue(context, &settings, name, &cluster).await else {
            continue;
        };
        match wanted {
            Wanted::All => {
                let count = catalogue.complete().count();
                if count > 0 {
                    told.push(format!(
                        "repository {name:?} has {} of cluster {cluster}: '--repository {name}' \
                         uses it",
                        words::counted(count, "good backup")
                    ));
                }
            }
            Wanted::Backup(id) => told.extend(offer(&catalogue, id, name, here)),
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// What is to be done where another repository, of this name, has a backup that is hurt in the
/// one `here`.
fn offer(catalogue: &Catalogue, id: &BackupId, name: &str, here: &str) -> Option<String> {
    let mut good = catalogue.complete();
    good.any(|record| record.id == *id).then(|| {
        let id = id.short();
        format!(
            "repository {name:?} has backup {id} as a good one: '--repository {name}' uses it, \
             and 'pgkeep copy {id} --from {name} --to {here}' mends what is hurt here"
        )
    })
}

/// What another repository has, if it answers.
async fn catalogue(
    context: &Context,
    settings: &Settings,
    name: &str,
    cluster: &ClusterName,
) -> Option<Catalogue> {
    let asked = async {
        let pins = context.keys(settings, None)?.pins();
        let repository = context.open_repository(settings, name, &pins).await?;
        let none = Identities::default();
        Ok::<_, CliError>(repository.catalogue(cluster, &none).await?)
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
}

/// The same for a backup that cannot be copied out of the repository `here`, since it is damaged
/// there: which of `names` has it.
pub(crate) async fn who_has(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    id: &BackupId,
    here: &str,
) -> Option<String> {
    let names = settings.repositories.keys().filter(|name| *name != here);
    let mut told = Vec::new();
    for name in names {
        let there = catalogue(context, settings, name, cluster).await;
        told.extend(there.and_then(|there| offer(&there, id, name, here)));
    }
    (!told.is_empty()).then(|| told.join("; "))
}
