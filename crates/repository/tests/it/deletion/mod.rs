//! Deletion without locks: the protocol as a model, the real code under schedules,
//! and what a prune does for its users.

mod beside;
mod damaged;
mod faults;
mod full;
pub(crate) mod gate;
mod looks;
mod model;
pub(crate) mod pins;
mod rules;
mod schedules;
mod second_tombstones;
mod unfinished;
mod unlisted_keys;

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::Tombstone;
use pgkeep_format::{self as format, Envelope, RecordKind};
use pgkeep_repository::deletion::{PlanError, Pruner, Swept, Terms};
use pgkeep_repository::{Repository, RepositoryError};
use pgkeep_types::{BackupId, Clock, ObjectName, Timestamp};

use crate::world::{World, main};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A dump, as the world backs it up.
pub(crate) fn dump(content: &[u8]) -> [(String, Cutting, Bytes); 1] {
    let content = Bytes::copy_from_slice(content);
    [("dump".to_owned(), Cutting::Content, content)]
}

/// By what a prune goes that deletes `chosen`.
pub(crate) fn terms(now: Timestamp, chosen: &[&BackupId]) -> Terms {
    Terms {
        now,
        grace: Terms::GRACE,
        history: Terms::HISTORY,
        chosen: chosen.iter().map(|id| (*id).clone()).collect(),
    }
}

/// Prunes in a repository that was opened before.
async fn prune_in(
    world: &World,
    repository: &Repository,
    terms: Terms,
) -> Result<Swept, RepositoryError> {
    let access = repository.write_access(&world.host)?;
    let pruner = Pruner {
        access: &access,
        pgkeep: "0.0.0",
        now: world.clock.now(),
        reason: "it was chosen",
    };
    let prune = repository.prune(&main(), terms).await?;
    prune.carry_out(pruner, |_| {}).await
}

/// Prunes.
pub(crate) async fn prune(world: &World, chosen: &[&BackupId]) -> Result<Swept, RepositoryError> {
    let repository = world.open().await?;
    let now = repository.storage_now(&world.random).await?;
    prune_in(world, &repository, terms(now, chosen)).await
}

/// Why a prune cannot tell what to delete.
async fn refused(world: &World, chosen: &[&BackupId]) -> PlanError {
    let refused = match prune(world, chosen).await.unwrap_err() {
        RepositoryError::NotDeleted { source, .. } => Some(source),
        _ => None,
    };
    refused.expect("it cannot be told what to delete")
}

/// A tombstone of a backup, as a prune writes it.
pub(crate) fn tombstone(world: &World, id: &BackupId) -> (ObjectName, Bytes) {
    let name = format::names::tombstone(&main(), id).unwrap();
    let envelope = Envelope {
        repository: world.trust.repository,
        name: &name,
        kind: RecordKind::Tombstone,
    };
    let tombstone = Tombstone {
        backup: id.clone(),
        cluster: main(),
        deleted: world.clock.now(),
        host: "db1".to_owned(),
        pgkeep: "0.0.0".to_owned(),
        reason: "it was chosen".to_owned(),
    };
    let bytes = envelope.write(&tombstone, None, &world.host.signer);
    let bytes = Bytes::from(bytes.unwrap());
    (name, bytes)
}

/// The names of all objects below the cluster's folder.
fn names(world: &World) -> BTreeSet<String> {
    let names = world.memory.names().into_iter().map(|n| n.to_string());
    names.filter(|name| name.starts_with("main/")).collect()
}

/// Those that belong to one backup.
fn names_of(world: &World, id: &BackupId) -> BTreeSet<String> {
    let folder = format!("main/backups/{id}/");
    let all = names(world).into_iter();
    all.filter(|name| name.starts_with(&folder)).collect()
}
