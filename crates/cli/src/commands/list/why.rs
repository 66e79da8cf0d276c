//! `pgkeep list --why`: whether each backup stays or goes, by which rule and until when.
//!
//! Invariant: it only reads.

use pgkeep_config::ClusterSettings;
use pgkeep_maintenance::{all_going, going};
use pgkeep_repository::Repository;
use pgkeep_repository::deletion::Terms;
use pgkeep_types::{Clock, ClusterName};
use serde::Serialize;

use super::{is_readable, wanted, warn_of_pins};
use crate::arguments::List;
use crate::commands::keeping::{Kept, Report, keep, table, warn_of_unread};
use crate::context::{Context, unconfigured};
use crate::error::{CliError, Exit};
use crate::keys::KeysAtHand;
use crate::output::JSON_VERSION;

#[derive(Serialize)]
struct Listing {
    version: u32,
    clusters: Vec<OfCluster>,
}

#[derive(Serialize)]
struct OfCluster {
    cluster: ClusterName,
    #[serde(flatten)]
    report: Report,
}

pub(super) async fn run(arguments: &List, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let keys = context.keys(&settings, None)?;
    let mut clusters = Vec::new();
    let mut exit = Exit::Done;
    let wanted = wanted(arguments, context, &settings, &keys).await?;
    let several = wanted.len() > 1;
    for (cluster, repository) in wanted {
        let of_cluster = settings.clusters.get(&cluster).cloned();
        let of_cluster = of_cluster.unwrap_or_else(|| unconfigured(&settings));
        if several {
            context.output.data(format_args!("cluster {cluster}\n\n"));
        }
        let told = of_one(
            arguments,
            context,
            &cluster,
            &of_cluster,
            &repository,
            &keys,
        )
        .await?;
        if !told.is_readable {
            exit = Exit::Failed;
        }
        clusters.push(OfCluster {
            cluster,
            report: told.report,
        });
    }
    context.output.json(&Listing {
        version: JSON_VERSION,
        clusters,
    })?;
    Ok(exit)
}

struct Told {
    report: Report,
    is_readable: bool,
}

async fn of_one(
    arguments: &List,
    context: &Context,
    cluster: &ClusterName,
    settings: &ClusterSettings,
    repository: &Repository,
    keys: &KeysAtHand,
) -> Result<Told, CliError> {
    let keep = keep(settings, arguments.policy.as_deref())?;
    for key in repository.unreadable_keys() {
        context
            .output
            .failure(&CliError::UnreadableKey(key.clone()));
    }
    let catalogue = repository.catalogue(cluster, &keys.all()).await?;
    warn_of_pins(context, &catalogue);
    warn_of_unread(&catalogue, context.output);
    // Nothing is written that would tell the storage's now. All is judged by one clock.
    let newest = repository.newest_instant(cluster).await?;
    let now = context.clock.now();
    let now = newest.map_or(now, |newest| newest.min(now));
    let terms = Terms::at(now);
    let kept = Kept::of(&catalogue, &keep, now);
    let kept = match going(repository, cluster, all_going(&kept.judged), &terms).await {
        Ok(going) => kept.with(&going, &catalogue),
        Err(error) => {
            context.output.warning(format_args!(
                "what a prune gives back cannot be told, and none would delete anything: {error}"
            ));
            kept
        }
    };
    context.output.data(table(&kept, context.output, now));
    Ok(Told {
        report: Report::of(&kept),
        is_readable: is_readable(repository, &catalogue),
    })
}
