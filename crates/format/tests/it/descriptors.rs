//! `pgkeep.json` under attack: every change of its bytes is found.

use pgkeep_format::{Capabilities, Descriptor, Encryption, Hash, RepositoryId, Signer};
use pgkeep_testkit::SeededRandom;

use crate::examples;
use crate::mutation::{below, mutated, noise};

/// The length of the two last members, of which FORMAT.md tells each byte.
const TAIL: usize = 13 + 64 + 19 + 128 + 4;

fn root() -> Signer {
    Signer::from_seed(&[1; 32])
}

fn descriptor(random: &SeededRandom) -> Descriptor {
    let encryption = match random.below(2) {
        0 => Encryption::Age,
        _ => Encryption::None,
    };
    Descriptor::new(
        RepositoryId::new(noise(random, 16).try_into().unwrap()),
        examples::time(random),
        encryption,
        root().verifying_key(),
        Capabilities {
            create_only: random.below(2) == 0,
            create_only_upload: random.below(2) == 0,
            versions: random.below(2) == 0,
        },
    )
}

/// Not one byte can be another one.
pub(crate) fn changed(random: &SeededRandom) {
    let written = descriptor(random);
    let bytes = written.to_bytes(&root()).unwrap();
    assert_eq!(Descriptor::from_bytes(&bytes).unwrap(), written);
    let other = descriptor(random).to_bytes(&root()).unwrap();
    let changed = mutated(random, &bytes, &other);
    if changed != other {
        assert!(Descriptor::from_bytes(&changed).is_err());
    }
}

/// Whatever the root key signs is read or refused, without a panic.
pub(crate) fn forged(random: &SeededRandom) {
    let bytes = descriptor(random).to_bytes(&root()).unwrap();
    let (covered, tail) = bytes.split_at(bytes.len() - TAIL);
    let mut covered = mutated(random, covered, tail);
    if below(random, 2) == 0 && !covered.ends_with(b",\n") {
        covered.extend_from_slice(b",\n");
    }
    let hash = Hash::of(&covered);
    let message = [b"pgkeep descriptor v1\0".as_slice(), &hash.0].concat();
    let signature: String = root()
        .sign(&message)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tail = format!("  \"blake3\": \"{hash}\",\n  \"signature\": \"{signature}\"\n}}\n");
    assert_eq!(tail.len(), TAIL);
    covered.extend_from_slice(tail.as_bytes());
    let _ = Descriptor::from_bytes(&covered);
}
