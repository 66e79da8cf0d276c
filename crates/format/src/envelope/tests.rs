//! What an envelope guards, on one record.

use super::*;
use crate::RecoveryIdentity;

fn repository() -> RepositoryId {
    RepositoryId::new([4; 16])
}

fn place(name: &ObjectName) -> Envelope<'_> {
    Envelope {
        repository: repository(),
        name,
        kind: RecordKind::Facts,
    }
}

struct Example {
    name: ObjectName,
    signer: Signer,
    identities: Identities,
    bytes: Vec<u8>,
}

fn example() -> Example {
    let identity = RecoveryIdentity::generate();
    let name: ObjectName = "main/backups/b/facts".parse().unwrap();
    let signer = Signer::from_seed(&[6; 32]);
    let seal = Seal::To(vec![identity.recipient()]);
    let bytes = place(&name)
        .write(&"clear", Some((b"hidden", &seal)), &signer)
        .unwrap();
    Example {
        name,
        signer,
        identities: Identities::new(vec![identity]),
        bytes,
    }
}

#[test]
fn both_parts_read_back() {
    let e = example();
    let record = place(&e.name)
        .read(&e.bytes, &[e.signer.verifying_key()])
        .unwrap();
    assert_eq!(record.clear::<String>().unwrap(), "clear");
    assert_eq!(record.hidden(Some(&e.identities)).unwrap(), b"hidden");
}

#[test]
fn every_flipped_bit_is_found() {
    let e = example();
    for bit in 0..e.bytes.len() * 8 {
        let mut flipped = e.bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = place(&e.name).read(&flipped, &[e.signer.verifying_key()]);
        assert!(read.is_err(), "bit {bit}");
    }
}

#[test]
fn every_shortened_or_lengthened_form_is_found() {
    let e = example();
    let writers = [e.signer.verifying_key()];
    for length in 0..e.bytes.len() {
        assert!(place(&e.name).read(&e.bytes[..length], &writers).is_err());
    }
    let longer = [e.bytes.as_slice(), &[0]].concat();
    assert!(place(&e.name).read(&longer, &writers).is_err());
}

#[test]
fn a_record_is_none_under_another_name_kind_or_repository() {
    let e = example();
    let writers = [e.signer.verifying_key()];
    let elsewhere: ObjectName = "main/backups/c/facts".parse().unwrap();
    assert!(place(&elsewhere).read(&e.bytes, &writers).is_err());
    let kind = RecordKind::Manifest;
    let other = Envelope {
        kind,
        ..place(&e.name)
    };
    assert!(other.read(&e.bytes, &writers).is_err());
    let repository = RepositoryId::new([5; 16]);
    let other = Envelope {
        repository,
        ..place(&e.name)
    };
    assert!(other.read(&e.bytes, &writers).is_err());
}

#[test]
fn a_stranger_who_signs_is_named_and_refused() {
    let e = example();
    let error = place(&e.name).read(&e.bytes, &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&e.signer.verifying_key().to_string())
    );
}

#[test]
fn without_the_key_the_sealed_part_stays_shut() {
    let e = example();
    let record = place(&e.name)
        .read(&e.bytes, &[e.signer.verifying_key()])
        .unwrap();
    let stranger = Identities::new(vec![RecoveryIdentity::generate()]);
    let error = record.hidden(Some(&stranger)).unwrap_err();
    assert!(matches!(error, FormatError::NoIdentity));
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let e = example();
    let limit = usize::try_from(RecordKind::Facts.limit()).unwrap();
    let plain = vec![0; limit + 1];
    let written = place(&e.name).write(&(), Some((&plain, &Seal::Open)), &e.signer);
    assert!(written.is_err());
    let written = place(&e.name).write(&(), Some((&plain[1..], &Seal::Open)), &e.signer);
    let record = place(&e.name)
        .read(&written.unwrap(), &[e.signer.verifying_key()])
        .unwrap();
    assert_eq!(record.hidden(None).unwrap().len(), limit);
}

#[test]
fn a_clear_part_that_could_not_be_read_back_is_not_written() {
    let e = example();
    let tombstone = Envelope {
        kind: RecordKind::Tombstone,
        ..place(&e.name)
    };
    let limit = usize::try_from(RecordKind::Tombstone.limit()).unwrap();
    // Two quotes belong to it.
    let longest = "x".repeat(limit - HEADER - TRAILER - 2);
    let written = tombstone.write(&longest, None, &e.signer).unwrap();
    assert_eq!(written.len(), limit);
    let longer = tombstone.write(&format!("{longest}x"), None, &e.signer);
    let error = longer.unwrap_err().to_string();
    assert!(error.contains(&limit.to_string()), "{error}");
}

#[test]
fn a_record_of_a_newer_format_is_told_apart_from_damage() {
    let e = example();
    let mut newer = e.bytes[..e.bytes.len() - TRAILER].to_vec();
    newer[8] = 9;
    let hash = Hash::of(&newer);
    newer.extend_from_slice(&hash.0);
    newer.extend_from_slice(&[0; 96]);
    let error = place(&e.name).read(&newer, &[]).unwrap_err();
    assert!(matches!(error, FormatError::TooNew { found: 9, .. }));
}
