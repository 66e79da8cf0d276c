//! Names are taken apart as they were put together, and foreign ones stand for nothing.

use super::*;

#[test]
fn every_name_is_taken_apart_as_it_was_put_together() {
    let main: ClusterName = "main".parse().unwrap();
    let id: BackupId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
    let run_id: RunId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
    for record in [RunRecord::Begin, RunRecord::Outcome, RunRecord::Dead] {
        let name = run(&main, &run_id, record).unwrap();
        assert_eq!(
            place(&name),
            Some(Place::Run(main.clone(), run_id.clone(), record))
        );
    }
    for part in [BackupPart::Manifest, BackupPart::Facts, BackupPart::Backup] {
        let name = backup(&main, &id, part).unwrap();
        assert_eq!(
            place(&name),
            Some(Place::Backup(main.clone(), id.clone(), part))
        );
    }
    let name = pack(&main, &id, 12).unwrap();
    assert_eq!(
        name.as_str(),
        "main/backups/20261120T030000Z-7k3m9q2x/packs/12"
    );
    assert_eq!(
        place(&name),
        Some(Place::Pack(main.clone(), id.clone(), 12))
    );
    let name = index(&main, &id, 3).unwrap();
    assert_eq!(
        place(&name),
        Some(Place::Index(main.clone(), id.clone(), 3))
    );
    let name = alive(&main, &run_id, 7).unwrap();
    assert_eq!(place(&name), Some(Place::Alive(main.clone(), run_id, 7)));
    let proof_id: ProofId = "20261121T040000Z-7k3m9q2x".parse().unwrap();
    let name = proof(&main, &id, &proof_id).unwrap();
    assert_eq!(
        name.as_str(),
        "main/proofs/20261120T030000Z-7k3m9q2x/20261121T040000Z-7k3m9q2x"
    );
    let expected = Place::Proof(main.clone(), id.clone(), proof_id);
    assert_eq!(place(&name), Some(expected));
    let verified: VerificationId = "20261120T030000Z-7k3m9q2x".parse().unwrap();
    let name = verification(&main, &verified).unwrap();
    assert_eq!(name.as_str(), "main/verified/20261120T030000Z-7k3m9q2x");
    let expected = Place::Verification(main.clone(), verified);
    assert_eq!(place(&name), Some(expected));
    let name = tombstone(&main, &id).unwrap();
    assert_eq!(
        place(&name),
        Some(Place::Tombstone(main.clone(), id.clone()))
    );
    let name = second_tombstone(&main, &id).unwrap();
    assert_eq!(
        name.as_str(),
        "main/tombstones/20261120T030000Z-7k3m9q2x.again"
    );
    assert_eq!(place(&name), Some(Place::SecondTombstone(main, id)));
}

#[test]
fn every_name_below_keys_is_taken_apart_as_it_was_put_together() {
    let print = "00112233445566778899aabbccddeeff".to_owned();
    for (name, expected) in [
        (key(&print), KeyObject::Record(print.clone())),
        (retirement(&print), KeyObject::Retirement(print.clone())),
        (ending(&print), KeyObject::Ending(print.clone())),
        (wrapped_key(&print, 2), KeyObject::Wrapped(print.clone(), 2)),
        (key_ring(12), KeyObject::Ring(12)),
    ] {
        assert_eq!(key_object(&name.unwrap()), Some(expected));
    }
    for foreign in [
        "README",
        "ring-01",
        "ring-0",
        "ring-",
        &print.to_uppercase(),
        "00",
    ] {
        let name = key(foreign).unwrap();
        assert_eq!(key_object(&name), None, "{name}");
    }
    assert_eq!(key_object(&key(&format!("{print}.x")).unwrap()), None);
    assert_eq!(key_object(&key(&format!("{print}.01.age")).unwrap()), None);
    assert_eq!(key_object(&key(&format!("{print}.0.age")).unwrap()), None);
}

#[test]
fn a_probe_is_told_from_what_only_begins_like_one() {
    for drawn in [0, 0x0123_4567_89ab_cdef, u64::MAX] {
        let name = probe(drawn).unwrap();
        assert!(is_probe(name.as_str()), "{name}");
    }
    for foreign in [
        "probe-",
        "probe-notes.txt",
        "probe-0123456789abcde",
        "probe-0123456789abcdef0",
        "probe-0123456789abcdeF",
        "probe-0123456789abcdef/x",
        "probe-results/measurements.csv",
        "main/probe-0123456789abcdef",
    ] {
        assert!(!is_probe(foreign), "{foreign}");
    }
}

#[test]
fn a_foreign_name_stands_for_nothing() {
    for name in [
        "pgkeep.json",
        "keys/00",
        "main/backups/x/backup",
        "main/runs/20261120T030000Z-7k3m9q2x/end",
        "main/backups/20261120T030000Z-7k3m9q2x/packs/01",
        "main/runs/20261120T030000Z-7k3m9q2x/alive/01",
        "main/tombstones/x",
    ] {
        assert_eq!(place(&name.parse().unwrap()), None, "{name}");
    }
}
