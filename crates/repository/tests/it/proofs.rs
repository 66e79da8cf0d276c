//! What is proven of backups, and what does not count for it.

use bytes::Bytes;
use jiff::SignedDuration;
use pgkeep_format::records::{BackupRecord, Level, ProofDetails, ProofOutcome, ProofRecord};
use pgkeep_format::{Envelope, Hash, HostKey, Identities, RecordKind, names};
use pgkeep_repository::Catalogue;
use pgkeep_storage::Operation;
use pgkeep_types::{Clock, ObjectName, ProofId};

use crate::deletion::prune;
use crate::world::{World, content, main};

/// A proof of `backup` as of now, of one question.
pub(crate) async fn proof(
    world: &World,
    backup: &BackupRecord,
    outcome: ProofOutcome,
) -> ProofRecord {
    let repository = world.open().await.unwrap();
    let (questions, right) = match outcome {
        ProofOutcome::Proven => (1, 1),
        ProofOutcome::Restorable => (0, 0),
        ProofOutcome::Failed | ProofOutcome::NotProvable => (1, 0),
    };
    ProofRecord {
        id: ProofId::new(&world.clock, &world.random),
        backup: backup.id.clone(),
        cluster: main(),
        record: repository.record_hash(backup).await.unwrap(),
        host: "db1".to_owned(),
        pgkeep: "0.0.0".to_owned(),
        started: world.clock.now(),
        finished: world.clock.now(),
        outcome,
        questions,
        right,
        restore_ms: Some(1200),
        loss_seconds: Some(3600),
        server_version: None,
        pg_restore_version: None,
        repository: None,
        damage: false,
    }
}

pub(crate) fn details() -> ProofDetails {
    ProofDetails {
        problem: Some("table \"public\".\"people\" has 0 rows".to_owned()),
        ..ProofDetails::default()
    }
}

fn an_hour_later(world: &World) {
    let hour = SignedDuration::from_hours(1);
    world.clock.advance(hour);
    world.storage_clock.advance(hour);
}

/// Writes a proof down an hour after whatever was before it.
pub(crate) async fn prove(
    world: &World,
    backup: &BackupRecord,
    outcome: ProofOutcome,
) -> ProofRecord {
    an_hour_later(world);
    let proof = proof(world, backup, outcome).await;
    record(world, &proof).await;
    proof
}

/// The same, of so many questions, so many of which were answered right.
async fn ask(world: &World, backup: &BackupRecord, outcome: ProofOutcome, answers: [u32; 2]) {
    an_hour_later(world);
    let [questions, right] = answers;
    let proof = ProofRecord {
        questions,
        right,
        ..proof(world, backup, outcome).await
    };
    record(world, &proof).await;
}

pub(crate) async fn record(world: &World, proof: &ProofRecord) {
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let details = details();
    let written = repository.record_proof(&access, proof.clone(), &details);
    written.await.unwrap();
}

pub(crate) fn name(proof: &ProofRecord) -> ObjectName {
    names::proof(&main(), &proof.backup, &proof.id).unwrap()
}

/// The backup is listed as ever, at this level.
async fn expect(world: &World, backup: &BackupRecord, level: Level) -> Catalogue {
    let catalogue = world.catalogue().await;
    let newest = catalogue.newest("app", None, world.clock.now());
    assert_eq!(newest.unwrap().unwrap().id, backup.id);
    assert_eq!(catalogue.level(&backup.id), level);
    catalogue
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_stored_until_it_is_proven() {
    use ProofOutcome::{NotProvable, Proven, Restorable};
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    expect(&world, &backup, Level::Stored).await;
    for (outcome, level) in [
        (NotProvable, Level::Stored),
        (Restorable, Level::Restorable),
        (Proven, Level::Proven),
        // Nobody has asked, or could: what is known stays.
        (Restorable, Level::Proven),
        (NotProvable, Level::Proven),
    ] {
        prove(&world, &backup, outcome).await;
        let catalogue = expect(&world, &backup, level).await;
        assert!(catalogue.refuted(&backup.id).is_none());
    }
    assert_eq!(world.catalogue().await.proofs(&backup.id).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_failed_takes_away_what_was_known_until_a_later_one_brings_it_back() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    prove(&world, &backup, ProofOutcome::Proven).await;
    let failed = prove(&world, &backup, ProofOutcome::Failed).await;
    let catalogue = expect(&world, &backup, Level::Stored).await;
    assert_eq!(catalogue.refuted(&backup.id).unwrap().record, failed);
    prove(&world, &backup, ProofOutcome::NotProvable).await;
    expect(&world, &backup, Level::Stored).await;
    prove(&world, &backup, ProofOutcome::Proven).await;
    let catalogue = expect(&world, &backup, Level::Proven).await;
    assert!(catalogue.refuted(&backup.id).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_taken_back_only_by_a_proof_that_asks_as_many_questions() {
    use ProofOutcome::{Failed, Proven, Restorable};
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    for (outcome, answers, level, refuted) in [
        // It could not be restored, and then it could.
        (Failed, [0, 0], Level::Stored, true),
        (Restorable, [0, 0], Level::Restorable, false),
        // It gave a wrong answer: that it can be restored was known.
        (Failed, [2, 1], Level::Stored, true),
        (Restorable, [0, 0], Level::Stored, true),
        (Proven, [1, 1], Level::Stored, true),
        (Proven, [2, 2], Level::Proven, false),
        // Something was wrong with it after the last answer.
        (Failed, [2, 2], Level::Stored, true),
        (Restorable, [0, 0], Level::Stored, true),
        (Proven, [3, 3], Level::Proven, false),
        (Failed, [0, 0], Level::Stored, true),
        (Proven, [1, 1], Level::Proven, false),
    ] {
        ask(&world, &backup, outcome, answers).await;
        let catalogue = expect(&world, &backup, level).await;
        let found = catalogue.refuted(&backup.id).is_some();
        assert_eq!(found, refuted, "{outcome:?} {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_whose_date_is_ahead_does_not_outlive_a_failure() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let mut ahead = proof(&world, &backup, ProofOutcome::Proven).await;
    ahead.started = "2036-11-20T03:00:00Z".parse().unwrap();
    record(&world, &ahead).await;
    expect(&world, &backup, Level::Proven).await;
    let failed = prove(&world, &backup, ProofOutcome::Failed).await;
    let catalogue = expect(&world, &backup, Level::Stored).await;
    assert_eq!(catalogue.refuted(&backup.id).unwrap().record, failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_a_proof_is_guarded_and_one_that_is_damaged_hides_nothing() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let proof = prove(&world, &backup, ProofOutcome::Proven).await;
    let whole = world.memory.object(&name(&proof));
    for at in (0..whole.len()).step_by(7) {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1 << (at % 8);
        world.memory.replace(&name(&proof), Some(flipped.into()));
        let catalogue = expect(&world, &backup, Level::Stored).await;
        assert_eq!(catalogue.unreadable().count(), 0);
        let told = catalogue.bad_proofs()[0].error.to_string();
        assert!(told.starts_with(name(&proof).as_str()), "{told}");
    }
    world.memory.replace(&name(&proof), Some(whole));
    expect(&world, &backup, Level::Proven).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_cannot_be_read_outweighs_earlier_ones_and_no_later_one_that_tells() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    prove(&world, &backup, ProofOutcome::Proven).await;
    let failed = prove(&world, &backup, ProofOutcome::Failed).await;
    let mut flipped = world.memory.object(&name(&failed)).to_vec();
    flipped[100] ^= 1;
    world.memory.replace(&name(&failed), Some(flipped.into()));
    for (outcome, level, unread) in [
        (None, Level::Stored, true),
        (Some(ProofOutcome::NotProvable), Level::Stored, true),
        (Some(ProofOutcome::Proven), Level::Proven, false),
    ] {
        if let Some(outcome) = outcome {
            prove(&world, &backup, outcome).await;
        }
        let catalogue = expect(&world, &backup, level).await;
        let expected = unread.then(|| name(&failed));
        assert_eq!(catalogue.unread_proof(&backup.id), expected.as_ref());
        assert_eq!(catalogue.bad_proofs().len(), 1);
        let hint = catalogue.bad_proofs()[0].error.hint().unwrap();
        let prove = format!("'pgkeep prove {}'", backup.id.short());
        assert!(hint.contains(&prove), "{hint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_too_long_is_told_and_not_read() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let proof = proof(&world, &backup, ProofOutcome::Proven).await;
    let length = usize::try_from(RecordKind::Proof.limit()).unwrap() + 1;
    let long = Bytes::from(vec![0; length]);
    world.memory.replace(&name(&proof), Some(long));
    world.memory.heal();
    let catalogue = expect(&world, &backup, Level::Stored).await;
    let told = catalogue.bad_proofs()[0].error.to_string();
    assert!(told.contains("that it may have"), "{told}");
    let read = (Operation::Get, name(&proof).to_string());
    assert!(!world.memory.calls().contains(&read));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_by_a_stranger_or_of_another_record_counts_as_none() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let good = proof(&world, &backup, ProofOutcome::Proven).await;
    let signed = |proof: &ProofRecord, by: &HostKey, at: &ObjectName| {
        let envelope = Envelope {
            repository: world.trust.repository,
            name: at,
            kind: RecordKind::Proof,
        };
        Bytes::from(envelope.write(proof, None, &by.signer).unwrap())
    };
    let stranger = HostKey::generate("db9".to_owned(), &[9; 32]);
    let mut other = good.clone();
    other.record = Hash::of(b"another");
    let of_another = name(&ProofRecord {
        id: "20261120T030000Z-00000000".parse().unwrap(),
        ..good.clone()
    });
    for (proof, by, at, problem) in [
        (&good, &stranger, name(&good), "as its writer"),
        (&other, &world.host, name(&good), "proves another record of"),
        (&good, &world.host, of_another, "another object's"),
    ] {
        world.memory.replace(&at, Some(signed(proof, by, &at)));
        let catalogue = expect(&world, &backup, Level::Stored).await;
        assert!(catalogue.proofs(&backup.id).is_empty());
        let told = catalogue.bad_proofs()[0].error.to_string();
        assert!(told.contains(problem), "{told}");
        world.memory.replace(&at, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proof_says_inside_opens_to_the_keys_that_open_its_backup() {
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    let proof = prove(&world, &backup, ProofOutcome::Failed).await;
    let repository = world.open().await.unwrap();
    let read = repository.proof_details(&proof, &world.identities).await;
    assert_eq!(read.unwrap(), Some(details()));
    let none = Identities::default();
    let read = repository.proof_details(&proof, &none).await;
    assert_eq!(read.unwrap(), None);
    let bytes = world.memory.object(&name(&proof));
    let clear = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(clear(b"\"failed\"") && !clear(b"people"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_goes_with_its_backup_and_no_sooner() {
    let world = World::sealed().await;
    let old = world.back_up(&content(1000, 1)).await.unwrap();
    let gone = prove(&world, &old, ProofOutcome::Proven).await;
    let new = world.back_up(&content(1000, 2)).await.unwrap();
    let kept = prove(&world, &new, ProofOutcome::Failed).await;
    let is_there = |proof: &ProofRecord| world.memory.names().contains(&name(proof));
    world.storage_clock.advance(SignedDuration::from_hours(48));
    prune(&world, &[]).await.unwrap();
    assert!(is_there(&gone) && is_there(&kept));
    prune(&world, &[&old.id]).await.unwrap();
    assert!(!is_there(&gone) && is_there(&kept));

    // Of a backup of which nothing is known it goes once it is old.
    let mut gone = gone;
    gone.backup = "20261120T030000Z-00000000".parse().unwrap();
    record(&world, &gone).await;
    prune(&world, &[]).await.unwrap();
    assert!(is_there(&gone));
    world.storage_clock.advance(SignedDuration::from_hours(48));
    prune(&world, &[]).await.unwrap();
    assert!(!is_there(&gone) && is_there(&kept));
}

/// Writes down a proof that was begun at one minute and stored at another one, after those
/// that were stored before.
async fn prove_from(
    world: &World,
    backup: &BackupRecord,
    outcome: ProofOutcome,
    [started, stored]: [i64; 2],
) {
    let start = backup.started;
    let minute = |minute| start + SignedDuration::from_mins(minute);
    let mut slow = proof(world, backup, outcome).await;
    slow.started = minute(started);
    let now = world.storage_clock.now();
    world
        .storage_clock
        .advance(minute(stored).duration_since(now));
    record(world, &slow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_was_stored_late_is_taken_back_by_no_proof_that_was_stored_before_it() {
    use ProofOutcome::{Failed, Proven};
    let world = World::sealed().await;
    let backup = world.back_up(&content(1000, 1)).await.unwrap();
    prove_from(&world, &backup, Failed, [180, 190]).await;
    prove_from(&world, &backup, Proven, [195, 210]).await;
    let catalogue = expect(&world, &backup, Level::Proven).await;
    assert!(catalogue.refuted(&backup.id).is_none());
    // A slow host had begun before, and was done last.
    prove_from(&world, &backup, Failed, [120, 360]).await;
    let catalogue = expect(&world, &backup, Level::Stored).await;
    let stands = catalogue.refuted(&backup.id).unwrap();
    assert_eq!(
        stands.record.started,
        backup.started + SignedDuration::from_mins(120)
    );
}
