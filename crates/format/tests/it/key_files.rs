//! The files with private keys. Nothing guards them but age's own checksums,
//! so what is held here is that they are refused without a panic and without
//! showing what is in them.

use pgkeep_format::{HostKey, RecoveryKeyFile, RepositoryId, Signer, Trust};
use pgkeep_testkit::SeededRandom;

use crate::examples;
use crate::mutation::{mutated, noise};

fn trust(random: &SeededRandom) -> Trust {
    let recipients = (random.below(2) == 0).then(|| vec![examples::identity().recipient()]);
    let repository = RepositoryId::new(noise(random, 16).try_into().unwrap());
    Trust {
        recipients,
        ..Trust::in_root(repository, Signer::from_seed(&[1; 32]).verifying_key())
    }
}

/// Whether eight characters in a row of `secret` are in `told`.
fn shows(told: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    let mut pieces = secret.windows(8);
    pieces.any(|piece| told.contains(&piece.iter().collect::<String>()))
}

/// An identity that is read is the one that was written: it has a checksum.
pub(crate) fn host_key_changed(random: &SeededRandom) {
    let seed = [7; 32];
    let mut key = HostKey::generate("db1".to_owned(), &seed);
    key.identity = examples::identity();
    key.trust = (0..random.below(3)).map(|_| trust(random)).collect();
    let text = key.to_secret_text().unwrap();
    let changed = mutated(random, text.as_bytes(), text.as_bytes());
    let secret = key.identity.to_secret_text();
    let secret = secret.trim_start_matches("AGE-SECRET-KEY-1");
    match HostKey::from_secret_text(&String::from_utf8_lossy(&changed)) {
        Ok(read) => assert_eq!(read.identity.recipient(), key.identity.recipient()),
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(
                !shows(&told, secret) && !shows(&told, &"07".repeat(32)),
                "{told}"
            );
        }
    }
}

/// The same of a recovery key's file.
pub(crate) fn recovery_key_changed(random: &SeededRandom) {
    let identity = examples::identity();
    let text = RecoveryKeyFile::to_secret_text(&identity, &trust(random), "2026-11-20");
    let changed = mutated(random, text.as_bytes(), text.as_bytes());
    let secret = identity.to_secret_text();
    let secret = secret.trim_start_matches("AGE-SECRET-KEY-1");
    match RecoveryKeyFile::from_secret_text(&String::from_utf8_lossy(&changed)) {
        Ok(read) => {
            assert!(!read.identities.is_empty());
            for read in &read.identities {
                assert_eq!(read.recipient(), identity.recipient());
            }
        }
        Err(error) => {
            let told = format!("{error} {error:?}");
            assert!(!shows(&told, secret), "{told}");
        }
    }
}
