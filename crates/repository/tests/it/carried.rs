//! Proofs that were carried to a repository that has a copy of the backup.

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{BackupRecord, Level, ProofOutcome, ProofRecord};
use pgkeep_format::{Envelope, RecordKind};
use pgkeep_repository::{Catalogue, RepositoryError};
use pgkeep_types::{Clock, ProofId};

use crate::family::Family;
use crate::proofs::{details, name, proof, prove, record};
use crate::world::{World, main};

/// Two repositories that have the same backup.
async fn copied() -> Family {
    let family = Family::new().await;
    let target = family.target.open().await.unwrap();
    let plan = family.plan(&target).await.unwrap();
    let good = family.copy(&target, &family.target.host, &plan).await;
    assert_eq!(good.unwrap(), std::slice::from_ref(&family.record.id));
    family
}

/// Carries all that is known in the source to the target; tells how many proofs.
async fn carry(family: &Family) -> Result<usize, RepositoryError> {
    between(&family.source, &family.target).await
}

async fn between(source: &World, target: &World) -> Result<usize, RepositoryError> {
    let (from, to) = (source.open().await?, target.open().await?);
    let access = to.write_access(&target.host)?;
    let there = source.catalogue().await;
    let backup = there.complete().next().unwrap();
    let proofs = there.proofs(&backup.id).iter().map(|proof| &proof.record);
    to.carry_proofs(&access, &from, backup, proofs).await
}

/// Proves the source's copy, and carries that an hour later.
async fn prove_and_carry(family: &Family, outcome: ProofOutcome) -> ProofRecord {
    let proved = prove(&family.source, &family.record, outcome).await;
    family
        .target
        .storage_clock
        .advance(SignedDuration::from_hours(1));
    assert_eq!(carry(family).await.unwrap(), 1);
    proved
}

/// Proves the target's copy.
async fn prove_there(family: &Family, outcome: ProofOutcome, damage: bool) {
    let hour = SignedDuration::from_hours(1);
    family.target.storage_clock.advance(hour);
    family.source.clock.advance(hour);
    let there = there(&family.target.catalogue().await);
    let proof = ProofRecord {
        id: ProofId::new(&family.source.clock, &family.target.random),
        started: family.source.clock.now(),
        damage,
        ..proof(&family.target, &there, outcome).await
    };
    record(&family.target, &proof).await;
}

fn there(catalogue: &Catalogue) -> BackupRecord {
    catalogue.complete().next().unwrap().clone()
}

/// What the target knows: the level of its copy, what the backup is worth, and whether it is
/// refuted.
async fn known(family: &Family) -> (Level, Level, bool) {
    let (catalogue, id) = (family.target.catalogue().await, &family.record.id);
    assert_eq!(catalogue.bad_proofs().len(), 0);
    let refuted = catalogue.refuted(id).is_some();
    (catalogue.level(id), catalogue.worth(id), refuted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carried_proof_tells_what_the_backup_holds_and_not_that_this_copy_was_restored() {
    let family = copied().await;
    let proved = prove_and_carry(&family, ProofOutcome::Proven).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Proven, false));
    let catalogue = family.target.catalogue().await;
    let carried = &catalogue.proofs(&family.record.id)[0].record;
    let target = family.target.open().await.unwrap();
    let expected = ProofRecord {
        repository: Some(family.source.trust.repository),
        record: target.record_hash(&there(&catalogue)).await.unwrap(),
        ..proved
    };
    assert_eq!(*carried, expected);
    let keys = &family.target.identities;
    let inside = target.proof_details(carried, keys).await.unwrap();
    assert_eq!(inside, Some(details()));

    prove_there(&family, ProofOutcome::Proven, false).await;
    assert_eq!(known(&family).await, (Level::Proven, Level::Proven, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carried_failure_refutes_until_any_later_proof_takes_it_back() {
    let family = copied().await;
    prove_there(&family, ProofOutcome::Proven, false).await;
    prove_and_carry(&family, ProofOutcome::Failed).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Stored, true));
    prove_and_carry(&family, ProofOutcome::Proven).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Proven, false));
    prove_there(&family, ProofOutcome::Failed, false).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Stored, true));
    prove_and_carry(&family, ProofOutcome::Proven).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Proven, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_this_copy_was_damaged_no_carried_proof_takes_back() {
    let family = copied().await;
    prove_there(&family, ProofOutcome::Failed, true).await;
    prove_and_carry(&family, ProofOutcome::Proven).await;
    assert_eq!(known(&family).await, (Level::Stored, Level::Stored, true));
    prove_there(&family, ProofOutcome::Proven, false).await;
    assert_eq!(known(&family).await, (Level::Proven, Level::Proven, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_cannot_be_read_is_outweighed_by_no_carried_success() {
    let family = copied().await;
    prove_there(&family, ProofOutcome::Failed, true).await;
    let catalogue = family.target.catalogue().await;
    let unread = name(&catalogue.proofs(&family.record.id)[0].record);
    let mut flipped = family.target.memory.object(&unread).to_vec();
    flipped[100] ^= 1;
    family.target.memory.replace(&unread, Some(flipped.into()));
    prove_and_carry(&family, ProofOutcome::Proven).await;
    let (catalogue, id) = (family.target.catalogue().await, &family.record.id);
    assert_eq!(catalogue.unread_proof(id), Some(&unread));
    assert_eq!(catalogue.worth(id), Level::Stored);
    // Nor by a carried failure, which a carried success would take back.
    prove_and_carry(&family, ProofOutcome::Failed).await;
    prove_and_carry(&family, ProofOutcome::Proven).await;
    let catalogue = family.target.catalogue().await;
    assert_eq!(catalogue.unread_proof(id), Some(&unread));
    assert_eq!(catalogue.worth(id), Level::Stored);
    prove_there(&family, ProofOutcome::Proven, false).await;
    let catalogue = family.target.catalogue().await;
    assert_eq!(catalogue.unread_proof(id), None);
    assert_eq!(catalogue.level(id), Level::Proven);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_tells_of_all_copies_is_carried_and_each_once_and_never_back() {
    let family = copied().await;
    prove(&family.source, &family.record, ProofOutcome::NotProvable).await;
    let hurt = proof(&family.source, &family.record, ProofOutcome::Failed).await;
    let hurt = ProofRecord {
        damage: true,
        ..hurt
    };
    record(&family.source, &hurt).await;
    assert_eq!(carry(&family).await.unwrap(), 0);
    prove_and_carry(&family, ProofOutcome::Restorable).await;
    prove_and_carry(&family, ProofOutcome::Proven).await;
    assert_eq!(carry(&family).await.unwrap(), 0);

    // What was restored here needs nobody elsewhere to tell it.
    let proofs = family.source.catalogue().await;
    for proof in proofs.proofs(&family.record.id) {
        family.source.memory.replace(&name(&proof.record), None);
    }
    assert_eq!(between(&family.target, &family.source).await.unwrap(), 0);
    prove_there(&family, ProofOutcome::Failed, false).await;
    assert_eq!(between(&family.target, &family.source).await.unwrap(), 1);
    let catalogue = family.source.catalogue().await;
    assert!(catalogue.refuted(&family.record.id).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_carried_to_a_backup_that_is_no_copy_or_not_there() {
    let family = copied().await;
    prove(&family.source, &family.record, ProofOutcome::Proven).await;
    let at = names::backup(&main(), &family.record.id, BackupPart::Backup).unwrap();
    let mut other = there(&family.target.catalogue().await);
    other.raw_bytes += 1;
    let envelope = Envelope {
        repository: family.target.trust.repository,
        name: &at,
        kind: RecordKind::Backup,
    };
    let other = envelope.write(&other, None, &family.target.host.signer);
    let target = &family.target.memory;
    target.replace(&at, Some(Bytes::from(other.unwrap())));
    let refused = carry(&family).await.unwrap_err();
    assert!(
        matches!(refused, RepositoryError::NoCopy { .. }),
        "{refused}"
    );
    target.replace(&at, None);
    assert_eq!(carry(&family).await.unwrap(), 0);
    let proofs = names::proofs(&main());
    assert!(
        !target
            .names()
            .iter()
            .any(|name| name.as_str().starts_with(&proofs))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_knows_which_backups_lack_proofs_there() {
    let family = copied().await;
    let lacking = async || {
        let (there, here) = (
            family.source.catalogue().await,
            family.target.catalogue().await,
        );
        here.lacking_proofs(&there, |_| true).len()
    };
    assert_eq!(lacking().await, 0);
    prove(&family.source, &family.record, ProofOutcome::NotProvable).await;
    assert_eq!(lacking().await, 0);
    prove(&family.source, &family.record, ProofOutcome::Failed).await;
    assert_eq!(lacking().await, 1);
    assert_eq!(carry(&family).await.unwrap(), 1);
    assert_eq!(lacking().await, 0);
}
