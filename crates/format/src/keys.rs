//! The keys of a repository: who can read it, who may write to it, and the
//! secret that its hashes are keyed with.
//!
//! Invariants: the root key signs every key record and the descriptor; its
//! seed exists only sealed to the recovery keys, or to the owner's key of an
//! unencrypted repository. A private key is in a repository only under a
//! passphrase. Records of the roles `owner` and `open` exist in unencrypted
//! repositories only.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

use crate::error::Damage;
use crate::hash::{HashKey, decode_hex, encode_hex};
use crate::signing::{Signer, VerifyingKey};
use crate::{FingerprintKey, FormatError, Hash, Recipient};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Opens everything. Its private half is kept offline.
    Recovery,
    /// Writes backups, and opens what the next backup must read.
    Host,
    /// Opens backups from when it was added on. It writes nothing and vouches
    /// for nobody.
    Prover,
    /// Vouches for the hosts of an unencrypted repository.
    Owner,
    /// Stands for the recovery key in an unencrypted repository: there is
    /// nothing to open, and the repository's secret is in the clear.
    Open,
}

impl KeyRole {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Host => "host",
            Self::Prover => "prover",
            Self::Owner => "owner",
            Self::Open => "open",
        }
    }

    /// Whether such a key's record holds the seed of the root key.
    #[must_use]
    pub fn vouches(self) -> bool {
        matches!(self, Self::Recovery | Self::Owner)
    }
}

/// The clear part of a key record, `keys/<fingerprint>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// What the key is for.
    pub role: KeyRole,
    /// Who it belongs to, for people: a host's name.
    pub name: String,
    /// What is sealed to it is sealed to this recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    /// What it signs is verified with this key; hosts have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<VerifyingKey>,
    /// When the record was made.
    pub created: Timestamp,
}

impl KeyRecord {
    /// The name of the record, see [`fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(self.recipient.as_ref(), self.verifier.as_ref())
    }
}

/// The first 16 bytes, in hex, of the BLAKE3 hash of the recipient's text and the
/// verifier's bytes.
#[must_use]
pub fn fingerprint(recipient: Option<&Recipient>, verifier: Option<&VerifyingKey>) -> String {
    let recipient = recipient.map_or("", Recipient::as_str);
    let mut bytes = recipient.as_bytes().to_vec();
    bytes.extend(verifier.map(VerifyingKey::as_bytes).into_iter().flatten());
    encode_hex(&Hash::of(&bytes).0[..16])
}

/// The sealed part of a key record, sealed to that key and to the recovery keys of
/// the moment: each of them finds the repository's secret in any such record.
#[derive(Clone, Serialize, Deserialize, ZeroizeOnDrop)]
pub struct KeySecrets {
    /// The repository's secret.
    pub secret: RepositorySecret,
    /// The seed of the root key; recovery keys and the owner's have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

impl KeySecrets {
    /// The secrets for a host, or for everybody.
    #[must_use]
    pub fn to_write(secret: RepositorySecret) -> Self {
        Self { secret, root: None }
    }

    /// The secrets for whoever may vouch for more keys.
    #[must_use]
    pub fn to_vouch(secret: RepositorySecret, root: &Signer) -> Self {
        Self {
            secret,
            root: Some(encode_hex(&root.seed())),
        }
    }

    /// The plaintext of the sealed part: JSON.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        serde_json::to_vec(self).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }

    /// Reads the plaintext of the sealed part.
    ///
    /// # Errors
    /// `Damaged` where it is no such JSON.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        // serde's words could repeat what was read.
        serde_json::from_slice(bytes).map_err(|_| FormatError::damaged(0, Damage::Text("secrets")))
    }

    /// The root key, where this key has it.
    #[must_use]
    pub fn root(&self) -> Option<Signer> {
        let seed = decode_hex(self.root.as_deref()?)?;
        Some(Signer::from_seed(&seed))
    }
}

impl fmt::Debug for KeySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecrets(…)")
    }
}

/// 32 random bytes of the repository, known to its writers and to the recovery
/// keys: from them come the keys of content hashes and of cutting.
#[derive(Clone, Serialize, Deserialize, ZeroizeOnDrop)]
#[serde(into = "String", try_from = "String")]
pub struct RepositorySecret([u8; 32]);

impl RepositorySecret {
    /// Takes 32 random bytes for the secret.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of the hashes of frames and files.
    #[must_use]
    pub fn content_key(&self) -> HashKey {
        HashKey(blake3::derive_key("pgkeep v1 content hash", &self.0))
    }

    /// The key of fingerprints.
    #[must_use]
    pub fn fingerprint_key(&self) -> FingerprintKey {
        FingerprintKey {
            page: first_number(&blake3::derive_key("pgkeep v1 page fingerprint", &self.0)),
            chunk: blake3::derive_key("pgkeep v1 chunk fingerprint", &self.0),
        }
    }

    /// The seed of the cutter, so that sizes tell nobody what was cut.
    #[must_use]
    pub fn cut_seed(&self) -> u64 {
        first_number(&blake3::derive_key("pgkeep v1 cut seed", &self.0))
    }
}

/// The first 8 bytes as a number.
fn first_number(bytes: &[u8; 32]) -> u64 {
    let first = bytes.iter().take(8).rev();
    first.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl fmt::Debug for RepositorySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepositorySecret(…)")
    }
}

impl From<RepositorySecret> for String {
    fn from(secret: RepositorySecret) -> Self {
        encode_hex(&secret.0)
    }
}

impl TryFrom<String> for RepositorySecret {
    type Error = FormatError;

    fn try_from(text: String) -> Result<Self, FormatError> {
        decode_hex(&text).map(Self).ok_or(FormatError::Key {
            what: "repository secret",
        })
    }
}
