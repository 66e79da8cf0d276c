//! Somebody who changes the keys of a repository.

use jiff::SignedDuration;
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{HostKey, Identities, KeyRequest, KeyRole, RecoveryIdentity};
use pgkeep_repository::{OwnerAccess, Repository, RepositoryError, UnendedRuns};

use crate::world::World;

pub(crate) fn host_request(key: &HostKey) -> KeyRequest {
    KeyRequest {
        role: KeyRole::Host,
        name: key.name.clone(),
        recipient: key.identity.recipient(),
        verifier: Some(key.signer.verifying_key()),
    }
}

pub(crate) fn reader_request(role: KeyRole, key: &RecoveryIdentity) -> KeyRequest {
    KeyRequest {
        role,
        name: "another".to_owned(),
        recipient: key.recipient(),
        verifier: None,
    }
}

pub(crate) fn alone(key: &RecoveryIdentity) -> Identities {
    Identities::new(vec![key.clone()])
}

/// The repository, and the right to change its keys.
pub(crate) async fn owned(world: &World) -> (Repository, OwnerAccess) {
    let repository = world.open().await.unwrap();
    let owner = repository.owner_access(&world.identities).unwrap();
    (repository, owner)
}

/// Adds a key, an hour later.
pub(crate) async fn add(world: &World, request: &KeyRequest) -> Repository {
    let (repository, owner) = owned(world).await;
    world.clock.advance(SignedDuration::from_secs(3600));
    let added = repository.add_key(&owner, request, &world.clock).await;
    world.clock.advance(SignedDuration::from_secs(3600));
    added.unwrap()
}

/// Adds a reader's key, and has the world's host accept it.
pub(crate) async fn add_reader(world: &mut World, role: KeyRole) -> RecoveryIdentity {
    let key = RecoveryIdentity::generate();
    let changed = add(world, &reader_request(role, &key)).await;
    world.host.pin(changed.trust());
    key
}

/// Adds a host, which accepts the repository as it is.
pub(crate) async fn add_host(world: &World, seed: u8) -> HostKey {
    let mut host = HostKey::generate(format!("db{seed}"), &[seed; 32]);
    let changed = add(world, &host_request(&host)).await;
    host.pin(changed.trust());
    host
}

pub(crate) async fn retire(
    world: &World,
    fingerprint: &str,
) -> Result<(Repository, usize), RepositoryError> {
    let (repository, owner) = owned(world).await;
    let retired = repository
        .retire_key(&owner, fingerprint, UnendedRuns::WaitedFor, &world.clock)
        .await?;
    assert_eq!(retired.unattributed, []);
    Ok((retired.repository, retired.believed))
}

/// What a key alone makes of a backup.
pub(crate) async fn read_with(
    world: &World,
    key: &RecoveryIdentity,
    record: &BackupRecord,
) -> Result<Vec<u8>, RepositoryError> {
    world.read_back_with(record, &alone(key)).await
}
