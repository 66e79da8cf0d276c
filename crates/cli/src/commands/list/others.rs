//! What the other repositories of a cluster miss of what is listed.
//!
//! Invariant: it is only told: one that does not answer hides nothing that is listed.

use std::collections::BTreeSet;
use std::time::Duration;

use pgkeep_config::Settings;
use pgkeep_format::Identities;
use pgkeep_repository::{Catalogue, Repository};
use pgkeep_types::BackupId;

use crate::commands::copy;
use crate::context::Context;
use crate::error::{CliError, sentence};
use crate::words;

/// So long one may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells of each other repository that misses a good backup, or cannot be asked.
pub(super) async fn tell(
    context: &Context,
    settings: &Settings,
    repository: &Repository,
    listed: &Catalogue,
) {
    let of_cluster = settings.clusters.get(&listed.cluster);
    let names = of_cluster.map_or(&[][..], |of| &of.repositories);
    let Some((first, others)) = names.split_first() else {
        return;
    };
    if context.repository.is_some() {
        return;
    }
    for name in others {
        let asked = tokio::time::timeout(
            PATIENCE,
            missed(context, settings, name, repository, listed),
        )
        .await;
        match asked {
            Ok(Ok(None)) => context
                .output
                .warning(sentence(&copy::one_and_the_same(first, name))),
            Ok(Ok(Some(0))) => {}
            Ok(Ok(Some(missed))) => context.output.warning(format_args!(
                "{} UNDER-REPLICATED: not in repository {name:?}; 'pgkeep copy --from {first} --to \
                 {name}' makes it good",
                match missed {
                    1 => "1 backup is".to_owned(),
                    missed => format!("{} are", words::counted(missed, "backup")),
                }
            )),
            Ok(Err(error)) => context.output.warning(format_args!(
                "repository {name:?} cannot be looked at: {}",
                sentence(&error)
            )),
            Err(_) => context.output.warning(format_args!(
                "repository {name:?} does not answer: whether the backups are there too is not known"
            )),
        }
    }
}

/// How many of the good backups that are listed another repository does not have, and has
/// not deleted; none where it is the one that is listed.
async fn missed(
    context: &Context,
    settings: &Settings,
    name: &str,
    first: &Repository,
    listed: &Catalogue,
) -> Result<Option<usize>, CliError> {
    let keys = context.keys(settings, None)?;
    let repository = context
        .open_repository(settings, name, &keys.pins())
        .await?;
    if repository.id() == first.id() {
        return Ok(None);
    }
    let there = repository
        .catalogue(&listed.cluster, &Identities::default())
        .await?;
    let good = there.complete().map(|record| &record.id);
    let deleted = there.deleted.iter().map(|deleted| &deleted.id);
    let plan = there.plan_copy(listed, |_| true)?;
    let settled = plan.left.iter().filter(|left| left.is_settled);
    let settled = settled.map(|left| &left.id);
    let known: BTreeSet<&BackupId> = good.chain(deleted).chain(settled).collect();
    let missed = listed
        .complete()
        .filter(|record| !known.contains(&record.id));
    Ok(Some(missed.count()))
}
