//! Whose record an object is, told from its bytes in pieces as from all of them at once.

use pgkeep_format::{
    Attribution, Envelope, Hash, RecordKind, RepositoryId, Seal, Signer, VerifyingKey,
};
use pgkeep_types::ObjectName;

fn repository() -> RepositoryId {
    RepositoryId::new([4; 16])
}

fn name() -> ObjectName {
    "keys/ring-1".parse().unwrap()
}

fn attributed(bytes: &[u8], piece: usize) -> Option<(VerifyingKey, Hash)> {
    let mut attribution = Attribution::of(bytes.len() as u64)?;
    for bytes in bytes.chunks(piece) {
        if !attribution.update(bytes) {
            return None;
        }
    }
    attribution.finish(repository(), &name())
}

fn record(signer: &Signer) -> Vec<u8> {
    let name = name();
    let envelope = Envelope {
        repository: repository(),
        name: &name,
        kind: RecordKind::KeyRing,
    };
    let hidden = Some((&b"hidden"[..], &Seal::Open));
    envelope.write(&"clear", hidden, signer).unwrap()
}

#[test]
fn a_record_is_its_signers_however_it_comes() {
    let signer = Signer::from_seed(&[6; 32]);
    let bytes = record(&signer);
    let whole = (signer.verifying_key(), Hash::of(&bytes));
    for piece in [1, 7, 127, 128, 129, bytes.len() - 1, bytes.len()] {
        assert_eq!(attributed(&bytes, piece), Some(whole), "{piece}");
    }
}

#[test]
fn what_was_changed_or_is_elsewhere_is_nobodys() {
    let signer = Signer::from_seed(&[6; 32]);
    let bytes = record(&signer);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(attributed(&changed, 50), None, "{at}");
    }
    assert_eq!(attributed(&bytes[..bytes.len() - 1], 50), None);
    assert_eq!(attributed(&[&bytes[..], b"x"].concat(), 50), None);
    assert_eq!(attributed(b"pgkeeprc", 50), None);
    let mut attribution = Attribution::of(bytes.len() as u64).unwrap();
    assert!(attribution.update(&bytes));
    let elsewhere = "keys/ring-2".parse().unwrap();
    assert_eq!(attribution.finish(repository(), &elsewhere), None);
    let another = RepositoryId::new([9; 16]);
    assert_eq!(attribution.finish(another, &name()), None);
    // More than was said.
    assert!(attribution.update(b"x"));
    assert_eq!(attribution.finish(repository(), &name()), None);
}
