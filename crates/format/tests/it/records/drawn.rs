//! Records of each kind, drawn at random.
//!
//! Invariant: what is drawn is valid, and every optional part is there in some and not in
//! others.

use std::collections::BTreeMap;

use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Copies, DatabaseFacts, DatabaseSetting, DumpFacts,
    Extension, Finding, FindingId, Grant, Lift, LocaleProvider, Need, Outcome, PackSummary,
    PinRecord, PlannedBackup, Problem, ProofAnswer, ProofDetails, ProofOutcome, ProofRecord,
    ProofStep, RecordHashes, RunAlive, RunBegin, RunDead, RunErrors, RunOutcome, SecurityLabel,
    Selection, SequenceFacts, StepOutcome, TableFacts, Tombstone, Verification, WholeObjects,
    WholePack,
};
use pgkeep_format::{Ending, Hash, KeyRecord, KeyRing, KeyRole, Retirement};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::{ObjectName, SystemId};

use super::{repository, signer};
use crate::examples::{self, backup_id, cluster, hash, pin_id, run_id, text, time};
use crate::mutation::one_of;

pub(super) fn key(random: &SeededRandom) -> KeyRecord {
    let sealed = random.below(2) == 0;
    KeyRecord {
        role: *one_of(random, &[KeyRole::Recovery, KeyRole::Host, KeyRole::Open]),
        name: text(random),
        recipient: sealed.then(|| examples::identity().recipient()),
        verifier: (random.below(2) == 0).then(|| signer().verifying_key()),
        created: time(random),
    }
}

pub(super) fn objects(random: &SeededRandom) -> BTreeMap<ObjectName, Hash> {
    let drawn = (0..random.below(4)).map(|_| (examples::name_of_any_object(random), hash(random)));
    drawn.collect()
}

pub(super) fn ending(random: &SeededRandom) -> Ending {
    Ending {
        key: hash(random).to_string()[..32].to_owned(),
        since: time(random),
    }
}

pub(super) fn proof(random: &SeededRandom) -> ProofRecord {
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
        repository: some(random.below(9)).map(|_| repository()),
        damage: random.below(2) == 0,
    }
}

pub(super) fn proof_details(random: &SeededRandom) -> ProofDetails {
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

pub(super) fn verification(random: &SeededRandom) -> Verification {
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

pub(super) fn retirement(random: &SeededRandom) -> Retirement {
    Retirement {
        key: key(random).fingerprint(),
        retired: time(random),
        records: objects(random),
    }
}

pub(super) fn key_ring(random: &SeededRandom) -> KeyRing {
    KeyRing {
        number: u32::try_from(random.below(9)).unwrap(),
        created: time(random),
        objects: objects(random),
    }
}

pub(super) fn begin(random: &SeededRandom) -> RunBegin {
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

pub(super) fn tombstone(random: &SeededRandom) -> Tombstone {
    Tombstone {
        backup: backup_id(random),
        cluster: cluster(random),
        deleted: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        reason: text(random),
    }
}

pub(super) fn pin(random: &SeededRandom) -> PinRecord {
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

pub(super) fn lift(random: &SeededRandom) -> Lift {
    Lift {
        pin: pin_id(random),
        backup: backup_id(random),
        cluster: cluster(random),
        lifted: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
    }
}

pub(super) fn dead(random: &SeededRandom) -> RunDead {
    RunDead {
        run: run_id(random),
        cluster: cluster(random),
        declared: time(random),
        host: text(random),
        pgkeep: "0.0.0".to_owned(),
        last_sign: time(random),
    }
}

pub(super) fn alive(random: &SeededRandom) -> RunAlive {
    RunAlive {
        run: run_id(random),
        cluster: cluster(random),
        number: u32::try_from(random.below(2000)).unwrap(),
    }
}

pub(super) fn outcome(random: &SeededRandom) -> RunOutcome {
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

pub(super) fn errors(random: &SeededRandom) -> RunErrors {
    let errors = (0..random.below(4)).map(|_| (backup_id(random), text(random)));
    RunErrors {
        errors: errors.collect(),
        globals: (random.below(2) == 0).then(|| text(random)),
    }
}

pub(super) fn backup(random: &SeededRandom) -> BackupRecord {
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

pub(super) fn facts(random: &SeededRandom) -> DumpFacts {
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
