//! Records: what is under a signature, and what a signature does not guard
//! against.

use std::collections::BTreeMap;

use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Copies, DatabaseFacts, DatabaseSetting, DumpFacts,
    Extension, Finding, FindingId, Grant, Lift, LocaleProvider, Need, Outcome, PackSummary,
    PinRecord, PlannedBackup, Problem, ProofAnswer, ProofDetails, ProofOutcome, ProofRecord,
    ProofStep, RecordHashes, RunAlive, RunBegin, RunDead, RunErrors, RunOutcome, SecurityLabel,
    Selection, SequenceFacts, StepOutcome, TableFacts, Tombstone, Verification, WholeObjects,
    WholePack,
};
use pgkeep_format::{
    Ending, Envelope, FormatError, Hash, Identities, KeyRecord, KeyRing, KeyRole, KeySecrets,
    Manifest, RecordKind, RepositoryId, RepositorySecret, Retirement, Signer, Verified,
};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::{ObjectName, SystemId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::examples::{self, backup_id, cluster, hash, pin_id, run_id, text, time};
use crate::mutation::{below, mutated, one_of};

const HEADER: usize = 24;
const TRAILER: usize = 128;

const KINDS: [RecordKind; 16] = [
    RecordKind::Key,
    RecordKind::Begin,
    RecordKind::Outcome,
    RecordKind::Manifest,
    RecordKind::Facts,
    RecordKind::Backup,
    RecordKind::Retirement,
    RecordKind::KeyRing,
    RecordKind::Tombstone,
    RecordKind::Dead,
    RecordKind::Alive,
    RecordKind::Ending,
    RecordKind::Proof,
    RecordKind::Verification,
    RecordKind::Pin,
    RecordKind::Lift,
];

struct Example {
    name: ObjectName,
    kind: RecordKind,
    identities: Option<Identities>,
    bytes: Vec<u8>,
}

fn repository() -> RepositoryId {
    RepositoryId::new([4; 16])
}

fn signer() -> Signer {
    Signer::from_seed(&[6; 32])
}

impl Example {
    fn drawn(random: &SeededRandom) -> Self {
        let kind = *one_of(random, &KINDS);
        let name = examples::name_of_any_object(random);
        let (seal, identities) = examples::seal(random);
        let envelope = Envelope {
            repository: repository(),
            name: &name,
            kind,
        };
        let hidden = hidden_part(random, kind);
        let hidden = hidden.as_deref().map(|plain| (plain, &seal));
        let signer = signer();
        let written = match kind {
            RecordKind::Key => envelope.write(&key(random), hidden, &signer),
            RecordKind::Begin => envelope.write(&begin(random), hidden, &signer),
            RecordKind::Outcome => envelope.write(&outcome(random), hidden, &signer),
            RecordKind::Backup => envelope.write(&backup(random), hidden, &signer),
            RecordKind::Retirement => envelope.write(&retirement(random), hidden, &signer),
            RecordKind::KeyRing => envelope.write(&key_ring(random), hidden, &signer),
            RecordKind::Manifest | RecordKind::Facts => envelope.write(&(), hidden, &signer),
            RecordKind::Tombstone => envelope.write(&tombstone(random), hidden, &signer),
            RecordKind::Pin => envelope.write(&pin(random), hidden, &signer),
            RecordKind::Lift => envelope.write(&lift(random), hidden, &signer),
            RecordKind::Dead => envelope.write(&dead(random), hidden, &signer),
            RecordKind::Alive => envelope.write(&alive(random), hidden, &signer),
            RecordKind::Ending => envelope.write(&ending(random), hidden, &signer),
            RecordKind::Proof => envelope.write(&proof(random), hidden, &signer),
            RecordKind::Verification => envelope.write(&verification(random), hidden, &signer),
        };
        Self {
            bytes: written.unwrap(),
            name,
            kind,
            identities,
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Verified, FormatError> {
        let envelope = Envelope {
            repository: repository(),
            name: &self.name,
            kind: self.kind,
        };
        envelope.read(bytes, &[signer().verifying_key()])
    }

    /// Goes all the way that a reader goes.
    fn use_up(&self, record: &Verified) {
        match self.kind {
            RecordKind::Key => drop(record.clear::<KeyRecord>()),
            RecordKind::Begin => drop(record.clear::<RunBegin>()),
            RecordKind::Outcome => drop(record.clear::<RunOutcome>()),
            RecordKind::Backup => drop(record.clear::<BackupRecord>()),
            RecordKind::Retirement => drop(record.clear::<Retirement>()),
            RecordKind::KeyRing => drop(record.clear::<KeyRing>()),
            RecordKind::Manifest | RecordKind::Facts => drop(record.clear::<()>()),
            RecordKind::Tombstone => drop(record.clear::<Tombstone>()),
            RecordKind::Pin => drop(record.clear::<PinRecord>()),
            RecordKind::Lift => drop(record.clear::<Lift>()),
            RecordKind::Dead => drop(record.clear::<RunDead>()),
            RecordKind::Alive => drop(record.clear::<RunAlive>()),
            RecordKind::Ending => drop(record.clear::<Ending>()),
            RecordKind::Proof => drop(record.clear::<ProofRecord>()),
            RecordKind::Verification => drop(record.clear::<Verification>()),
        }
        let Ok(plain) = record.hidden(self.identities.as_ref()) else {
            return;
        };
        match self.kind {
            RecordKind::Key => drop(KeySecrets::from_bytes(&plain)),
            RecordKind::Manifest => drop(Manifest::from_bytes(&plain)),
            RecordKind::Outcome => drop(RunErrors::from_json(&plain)),
            RecordKind::Proof => drop(ProofDetails::from_json(&plain)),
            _ => drop(DumpFacts::from_json(&plain)),
        }
    }

    /// The bytes with a hash and a signature that hold.
    fn signed_again(&self, content: &[u8]) -> Vec<u8> {
        let hash = Hash::of(content);
        let name = self.name.as_str().as_bytes();
        let repository = repository();
        let message = [
            b"pgkeep record v1\0".as_slice(),
            repository.as_bytes(),
            &(name.len() as u64).to_le_bytes(),
            name,
            &hash.0,
        ];
        let signer = signer();
        let signature = signer.sign(&message.concat());
        let key = signer.verifying_key();
        [content, &hash.0, key.as_bytes(), &signature].concat()
    }
}

fn hidden_part(random: &SeededRandom, kind: RecordKind) -> Option<Vec<u8>> {
    match kind {
        RecordKind::Key => {
            let secrets = KeySecrets::to_vouch(RepositorySecret::new([3; 32]), &signer());
            Some(secrets.to_bytes().unwrap())
        }
        RecordKind::Manifest => Some(examples::manifest(random).to_bytes().unwrap()),
        RecordKind::Facts => Some(facts(random).to_json().unwrap()),
        RecordKind::Outcome => Some(errors(random).to_json().unwrap()),
        RecordKind::Proof => {
            let limit = RecordKind::Proof.limit();
            Some(proof_details(random).to_json_within(limit).unwrap())
        }
        RecordKind::Begin
        | RecordKind::Backup
        | RecordKind::Retirement
        | RecordKind::KeyRing
        | RecordKind::Tombstone
        | RecordKind::Pin
        | RecordKind::Lift
        | RecordKind::Dead
        | RecordKind::Alive
        | RecordKind::Verification
        | RecordKind::Ending => None,
    }
}

/// Not one byte of a record can be another one.
pub(crate) fn changed(random: &SeededRandom) {
    let example = Example::drawn(random);
    example.use_up(&example.read(&example.bytes).unwrap());
    let other = Example::drawn(random);
    let changed = mutated(random, &example.bytes, &other.bytes);
    assert!(example.read(&changed).is_err());
}

/// Whatever a writer signs is read or refused, without a panic.
pub(crate) fn forged(random: &SeededRandom) {
    let example = Example::drawn(random);
    let content = &example.bytes[..example.bytes.len() - TRAILER];
    let other = Example::drawn(random);
    let mut changed = mutated(random, content, &other.bytes);
    if below(random, 2) == 0 && changed.len() >= HEADER {
        mend_lengths(random, &mut changed);
    }
    if let Ok(record) = example.read(&example.signed_again(&changed)) {
        example.use_up(&record);
    }
}

/// Makes the two lengths in the header fit the bytes again, so that what is
/// behind them is looked at.
fn mend_lengths(random: &SeededRandom, content: &mut [u8]) {
    let parts = content.len() - HEADER;
    let found = u32::from_le_bytes(content[12..16].try_into().unwrap()) as usize;
    let clear = match found <= parts {
        true => found,
        false => below(random, parts + 1),
    };
    content[12..16].copy_from_slice(&u32::try_from(clear).unwrap().to_le_bytes());
    content[16..24].copy_from_slice(&((parts - clear) as u64).to_le_bytes());
}

/// What is sealed opens to what was written, or not at all, whoever signed it.
pub(crate) fn sealed_part_changed(random: &SeededRandom) {
    let example = Example::drawn(random);
    let Some(identities) = &example.identities else {
        return;
    };
    let written = example.read(&example.bytes).unwrap();
    let Ok(plain) = written.hidden(Some(identities)) else {
        return;
    };
    let content = &example.bytes[..example.bytes.len() - TRAILER];
    let clear = u32::from_le_bytes(content[12..16].try_into().unwrap()) as usize;
    let (before, sealed) = content.split_at(HEADER + clear);
    let mut changed = before.to_vec();
    changed.extend(mutated(random, sealed, content));
    let length = (changed.len() - before.len()) as u64;
    changed[16..24].copy_from_slice(&length.to_le_bytes());
    let record = example.read(&example.signed_again(&changed)).unwrap();
    if let Ok(opened) = record.hidden(Some(identities)) {
        assert!(opened == plain, "wrong data came out");
    }
}

/// JSON that is read says the same when it is written and read again.
pub(crate) fn json_changed(random: &SeededRandom) {
    match random.below(11) {
        8 => json_of(random, &proof(random)),
        9 => json_of(random, &proof_details(random)),
        10 => json_of(random, &verification(random)),
        6 => json_of(random, &retirement(random)),
        7 => json_of(random, &key_ring(random)),
        0 => json_of(random, &key(random)),
        1 => json_of(random, &begin(random)),
        2 => json_of(random, &outcome(random)),
        3 => json_of(random, &backup(random)),
        4 => json_of(random, &errors(random)),
        _ => json_of(random, &facts(random)),
    }
}

fn json_of<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    random: &SeededRandom,
    value: &T,
) {
    let json = serde_json::to_vec(value).unwrap();
    assert_eq!(&serde_json::from_slice::<T>(&json).unwrap(), value);
    let changed = mutated(random, &json, &json);
    if let Ok(read) = serde_json::from_slice::<T>(&changed) {
        let again = serde_json::to_vec(&read).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&again).unwrap(), read);
    }
}

fn key(random: &SeededRandom) -> KeyRecord {
    let sealed = random.below(2) == 0;
    KeyRecord {
        role: *one_of(random, &[KeyRole::Recovery, KeyRole::Host, KeyRole::Open]),
        name: text(random),
        recipient: sealed.then(|| examples::identity().recipient()),
        verifier: (random.below(2) == 0).then(|| signer().verifying_key()),
        created: time(random),
    }
}

fn objects(random: &SeededRandom) -> BTreeMap<ObjectName, Hash> {
    let drawn = (0..random.below(4)).map(|_| (examples::name_of_any_object(random), hash(random)));
    drawn.collect()
}

fn ending(random: &SeededRandom) -> Ending {
    Ending {
        key: hash(random).to_string()[..32].to_owned(),
        since: time(random),
    }
}

fn proof(random: &SeededRandom) -> ProofRecord {
    let some = |number: u64| (number > 3).then_some(number);
    let count = |random: &SeededRandom| u32::try_from(random.below(3)).unwrap();
    let outcomes = [
        ProofOutcome::Proven,
        ProofOutcome::Restorable,
        ProofOutcome::Failed,
        ProofOutcome::NotProvable,
    ];
    ProofRecord {
        id: examples::proof_id(random),
        backup: backup_id(random),
        cluster: cluster(random),
        record: hash(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        started: time(random),
        finished: time(random),
        outcome: *one_of(random, &outcomes),
        questions: count(random),
        right: count(random),
        restore_ms: some(random.below(9)),
        loss_seconds: some(random.below(9)),
        server_version: some(random.below(9)).map(|_| text(random)),
        pg_restore_version: some(random.below(9)).map(|_| text(random)),
    }
}

fn proof_details(random: &SeededRandom) -> ProofDetails {
    let texts = |random: &SeededRandom| (0..random.below(3)).map(|_| text(random)).collect();
    let outcomes = [StepOutcome::Done, StepOutcome::Failed, StepOutcome::NotDone];
    let step = |_| ProofStep {
        name: text(random),
        outcome: *one_of(random, &outcomes),
        ms: random.below(1 << 20),
        notes: texts(random),
    };
    let answer = |_| ProofAnswer {
        name: text(random),
        database: text(random),
        sql: text(random),
        expected: text(random),
        answer: (random.below(2) == 0).then(|| text(random)),
        right: random.below(2) == 0,
        problem: (random.below(2) == 0).then(|| text(random)),
        ms: random.below(1 << 20),
    };
    ProofDetails {
        steps: (0..random.below(4)).map(step).collect(),
        questions: (0..random.below(4)).map(answer).collect(),
        problem: (random.below(2) == 0).then(|| text(random)),
    }
}

fn verification(random: &SeededRandom) -> Verification {
    let number = |random: &SeededRandom| u32::try_from(random.below(9)).unwrap();
    let hashes = |random: &SeededRandom| (random.below(2) == 0).then(|| hash(random));
    let packs = |random: &SeededRandom| {
        let pack = |_| WholePack {
            number: number(random),
            blake3: hash(random),
        };
        (0..random.below(3)).map(pack).collect()
    };
    let whole = |_| WholeObjects {
        backup: backup_id(random),
        manifest: hashes(random),
        facts: hashes(random),
        packs: packs(random),
        index: packs(random),
    };
    let problems = [
        Problem::Missing,
        Problem::Truncated,
        Problem::Longer,
        Problem::Altered,
        Problem::Foreign,
        Problem::Unreadable,
    ];
    let finding = |_| Finding {
        object: examples::name_of_any_object(random),
        blake3: hash(random),
        length: random.below(1 << 40),
        problem: *one_of(random, &problems),
        found: (random.below(2) == 0).then(|| random.below(1 << 40)),
    };
    let mended = |_| FindingId {
        verification: examples::verification_id(random),
        number: number(random),
    };
    Verification {
        id: examples::verification_id(random),
        cluster: cluster(random),
        written: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        round: random.below(1 << 40),
        ended: random.below(2) == 0,
        whole: (0..random.below(3)).map(whole).collect(),
        findings: (0..random.below(3)).map(finding).collect(),
        mended: (0..random.below(3)).map(mended).collect(),
    }
}

fn retirement(random: &SeededRandom) -> Retirement {
    Retirement {
        key: key(random).fingerprint(),
        retired: time(random),
        records: objects(random),
    }
}

fn key_ring(random: &SeededRandom) -> KeyRing {
    KeyRing {
        number: u32::try_from(random.below(9)).unwrap(),
        created: time(random),
        objects: objects(random),
    }
}

fn begin(random: &SeededRandom) -> RunBegin {
    RunBegin {
        run: run_id(random),
        cluster: cluster(random),
        kind: BackupKind::Dump,
        started: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        backups: (0..random.below(4))
            .map(|_| PlannedBackup {
                id: backup_id(random),
                database: text(random),
                parent: (random.below(2) == 0).then(|| backup_id(random)),
            })
            .collect(),
        copies: (random.below(2) == 0).then(|| Copies {
            from: repository().to_string(),
            brings: (0..random.below(3)).map(|_| backup_id(random)).collect(),
        }),
    }
}

fn tombstone(random: &SeededRandom) -> Tombstone {
    Tombstone {
        backup: backup_id(random),
        cluster: cluster(random),
        deleted: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        reason: text(random),
    }
}

fn pin(random: &SeededRandom) -> PinRecord {
    PinRecord {
        id: pin_id(random),
        backup: backup_id(random),
        cluster: cluster(random),
        reason: text(random),
        until: (random.below(2) == 0).then(|| time(random)),
        pinned: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
    }
}

fn lift(random: &SeededRandom) -> Lift {
    Lift {
        pin: pin_id(random),
        backup: backup_id(random),
        cluster: cluster(random),
        lifted: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
    }
}

fn dead(random: &SeededRandom) -> RunDead {
    RunDead {
        run: run_id(random),
        cluster: cluster(random),
        declared: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        last_sign: time(random),
    }
}

fn alive(random: &SeededRandom) -> RunAlive {
    RunAlive {
        run: run_id(random),
        cluster: cluster(random),
        number: u32::try_from(random.below(2000)).unwrap(),
    }
}

fn outcome(random: &SeededRandom) -> RunOutcome {
    const OUTCOMES: [Outcome; 3] = [Outcome::Complete, Outcome::Partial, Outcome::Failed];
    RunOutcome {
        run: run_id(random),
        finished: time(random),
        outcome: *one_of(random, &OUTCOMES),
        backups: (0..random.below(4))
            .map(|_| BackupOutcome {
                id: backup_id(random),
                database: text(random),
                outcome: *one_of(random, &OUTCOMES),
            })
            .collect(),
        globals: (random.below(2) == 0).then(|| *one_of(random, &OUTCOMES)),
        copies: random.below(2) == 0,
    }
}

fn errors(random: &SeededRandom) -> RunErrors {
    let errors = (0..random.below(4)).map(|_| (backup_id(random), text(random)));
    RunErrors {
        errors: errors.collect(),
        globals: (random.below(2) == 0).then(|| text(random)),
    }
}

fn backup(random: &SeededRandom) -> BackupRecord {
    let pack = |number| PackSummary {
        number,
        length: random.below(1 << 40),
        blake3: hash(random),
    };
    BackupRecord {
        id: backup_id(random),
        run: run_id(random),
        cluster: cluster(random),
        kind: BackupKind::Dump,
        database: text(random),
        globals: random.below(2) == 0,
        selected: random.below(2) == 0,
        parent: (random.below(2) == 0).then(|| backup_id(random)),
        system_id: (random.below(2) == 0).then(|| SystemId(random.next())),
        server_version: "18.4".to_owned(),
        started: time(random),
        finished: time(random),
        raw_bytes: random.below(1 << 40),
        stored_bytes: random.below(1 << 40),
        new_bytes: random.below(1 << 40),
        needs: (0..random.below(3))
            .map(|_| Need {
                backup: backup_id(random),
                packs: (0..3).map(pack).collect(),
                index: (0..2).filter(|_| random.below(2) == 0).map(pack).collect(),
            })
            .collect(),
        sealed_to: (0..random.below(3)).map(|_| text(random)).collect(),
        records: RecordHashes {
            manifest: hash(random),
            manifest_length: random.below(1 << 30),
            facts: hash(random),
            facts_length: random.below(1 << 30),
        },
    }
}

fn facts(random: &SeededRandom) -> DumpFacts {
    let perhaps = || (random.below(2) == 0).then(|| text(random));
    let providers = [
        LocaleProvider::Libc,
        LocaleProvider::Icu,
        LocaleProvider::Builtin,
    ];
    let grants = |count| {
        (0..count).map(|_| Grant {
            grantor: text(random),
            grantee: perhaps(),
            privilege: "CONNECT".to_owned(),
            grantable: random.below(2) == 0,
        })
    };
    DumpFacts {
        server_version: "18.4".to_owned(),
        pg_dump_version: "18.4".to_owned(),
        selection: Selection {
            tables: (0..random.below(2)).map(|_| text(random)).collect(),
            ..Selection::default()
        },
        database: DatabaseFacts {
            name: text(random),
            owner: text(random),
            encoding: "UTF8".to_owned(),
            locale_provider: *one_of(random, &providers),
            collate: text(random),
            ctype: text(random),
            locale: perhaps(),
            icu_rules: perhaps(),
            collation_version: perhaps(),
            tablespace: text(random),
            connection_limit: -1,
            is_template: random.below(2) == 0,
            allows_connections: random.below(2) == 0,
            comment: perhaps(),
            security_labels: (0..random.below(2))
                .map(|_| SecurityLabel {
                    provider: text(random),
                    label: text(random),
                })
                .collect(),
            privileges: (random.below(2) == 0).then(|| grants(random.below(3)).collect()),
            settings: (0..random.below(3))
                .map(|_| DatabaseSetting {
                    role: perhaps(),
                    name: text(random),
                    value: text(random),
                })
                .collect(),
            roles: (0..random.below(3)).map(|_| text(random)).collect(),
            extensions: (0..random.below(2))
                .map(|_| Extension {
                    name: text(random),
                    version: text(random),
                    schema: text(random),
                })
                .collect(),
            schemas: (random.below(2) == 0)
                .then(|| (0..random.below(3)).map(|_| text(random)).collect()),
            tablespaces: (random.below(2) == 0)
                .then(|| (0..random.below(3)).map(|_| text(random)).collect()),
            objects: (0..random.below(3))
                .map(|_| (text(random), random.below(1000)))
                .collect(),
            not_dumped: (0..random.below(2))
                .map(|_| (text(random), random.below(1000)))
                .collect(),
            tables: random.below(1000),
            size: random.below(1 << 40),
        },
        tables: (0..random.below(3))
            .map(|_| TableFacts {
                schema: text(random),
                name: text(random),
                rows: (random.below(2) == 0).then(|| random.below(1 << 40)),
                bytes: (random.below(2) == 0).then(|| random.below(1 << 40)),
            })
            .collect(),
        sequences: (0..random.below(2))
            .map(|_| SequenceFacts {
                schema: text(random),
                name: text(random),
                last_value: (random.below(2) == 0).then_some(-5),
            })
            .collect(),
    }
}
