//! How a run is begun: where, of what, and compared with what.
//!
//! Invariants: it is begun in the first repository in which that can be; one that can make
//! nothing is begun all the same, so that it is known to have failed.

use pgkeep_config::{ClusterSettings, Databases, Settings};
use pgkeep_format::Identities;
use pgkeep_format::records::{BackupKind, PlannedBackup};
use pgkeep_repository::{Catalogue, RepositoryError, Run, RunPlan};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId, SystemId};

use super::databases;
use super::others::{self, open_for_backup};
use super::parents::find_parents;
use super::systems::Before;
use crate::arguments::Kind;
use crate::context::Context;
use crate::error::CliError;
use crate::keys::note_ring;

/// What a run is begun for.
#[derive(Clone, Copy)]
pub(super) enum Aim {
    /// Backups that store what has changed on this server, where it tells which it is.
    Change(Option<SystemId>),
    /// Backups that are compared with none.
    Whole(Option<SystemId>),
    /// To write down that none can be made.
    Failure,
}

/// Begins in the first repository in which that can be, and tells in which.
pub(super) async fn begin(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterSettings,
    plan: RunPlan,
    aim: Aim,
) -> Result<(Run, String, Before), CliError> {
    let mut failed = None;
    for name in &cluster.repositories {
        let begun = match aim {
            Aim::Failure => {
                let chosen = &cluster.dump.databases;
                let begun = begin_failure(context, settings, name, plan.clone(), chosen).await;
                begun.map(|run| (run, Before::default()))
            }
            Aim::Change(system) => {
                let others = others::catalogues(context, settings, cluster, name, &plan.cluster);
                let (others, plan) = (others.await, plan.clone());
                begin_in(context, settings, name, plan, system, false, &others).await
            }
            Aim::Whole(system) => {
                begin_in(context, settings, name, plan.clone(), system, true, &[]).await
            }
        };
        match begun {
            Ok((run, before)) => return Ok((run, name.clone(), before)),
            // Elsewhere the clock is as wrong.
            Err(error @ CliError::Repository(RepositoryError::ClockBehind { .. })) => {
                return Err(error);
            }
            Err(error) => {
                // Where there is another one it is told when that has the backups.
                if let Some(before) = failed.replace(error) {
                    context.output.failure(&before);
                }
            }
        }
    }
    Err(failed.unwrap_or_else(|| CliError::Usage {
        problem: "the cluster names no repository".to_owned(),
        hint: "name one in the cluster's 'repositories'".to_owned(),
    }))
}

/// Opens a repository, finds the backups to compare with, and writes down what is about to
/// be done.
async fn begin_in(
    context: &Context,
    settings: &Settings,
    name: &str,
    mut plan: RunPlan,
    system: Option<SystemId>,
    whole: bool,
    others: &[Catalogue],
) -> Result<(Run, Before), CliError> {
    let (repository, access) = open_for_backup(context, settings, name).await?;
    note_ring(settings, &repository);
    let found = find_parents(
        context,
        &repository,
        &access,
        &mut plan,
        system,
        whole,
        others,
    );
    let before = found.await?;
    Ok((repository.begin(&access, plan).await?, before))
}

/// Begins a run that has failed already: an attempt of each database that the repository has
/// backups of, since nothing of those may go before they are backed up again.
async fn begin_failure(
    context: &Context,
    settings: &Settings,
    name: &str,
    mut plan: RunPlan,
    chosen: &Databases,
) -> Result<Run, CliError> {
    let (repository, access) = open_for_backup(context, settings, name).await?;
    note_ring(settings, &repository);
    let none = Identities::default();
    let catalogue = repository.catalogue(&plan.cluster, &none).await?;
    // Where none is known, the one that was to be connected to stands for all.
    let known = databases::known(&catalogue, chosen);
    if !known.is_empty() {
        plan.backups = planned(context, &known);
    }
    Ok(repository.begin(&access, plan).await?)
}

fn planned(context: &Context, databases: &[String]) -> Vec<PlannedBackup> {
    let planned = databases.iter().map(|database| PlannedBackup {
        id: BackupId::new(&context.clock, &context.random),
        database: database.clone(),
        parent: None,
    });
    planned.collect()
}

/// What a run sets out to do.
pub(super) fn plan(
    context: &Context,
    cluster: &ClusterName,
    kind: Kind,
    databases: &[String],
) -> RunPlan {
    RunPlan {
        id: RunId::new(&context.clock, &context.random),
        cluster: cluster.clone(),
        kind: match kind {
            Kind::Dump => BackupKind::Dump,
        },
        started: context.clock.now(),
        pgkeep: env!("CARGO_PKG_VERSION").to_owned(),
        backups: planned(context, databases),
    }
}
