//! Records: what is under a signature, and what a signature does not guard
//! against.

use pgkeep_format::records::{
    BackupRecord, DumpFacts, Lift, PinRecord, ProofDetails, ProofRecord, RunAlive, RunBegin,
    RunDead, RunErrors, RunOutcome, Tombstone, Verification,
};
use pgkeep_format::{
    Ending, Envelope, FormatError, Hash, Identities, KeyRecord, KeyRing, KeySecrets, Manifest,
    RecordKind, RepositoryId, RepositorySecret, Retirement, Signer, Verified,
};
use pgkeep_testkit::SeededRandom;
use pgkeep_types::ObjectName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::examples;
use crate::mutation::{below, mutated, one_of};
use drawn::{
    alive, backup, begin, dead, ending, errors, facts, key, key_ring, lift, outcome, pin, proof,
    proof_details, retirement, tombstone, verification,
};

mod drawn;

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
