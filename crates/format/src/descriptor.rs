//! `pgkeep.json`: what a repository is, written once.
//!
//! Invariant: every byte of it is covered. The last two members are the BLAKE3
//! hash of all bytes before them and the root key's signature of that hash, in
//! one fixed layout; whoever changes one bit changes what is verified.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Damage;
use crate::hash::{decode_hex, encode_hex};
use crate::signing::{Signer, VerifyingKey};
use crate::{FORMAT_VERSION, FormatError, Hash};

const CONTEXT: &[u8] = b"pgkeep descriptor v1\0";
const HASH: &str = "  \"blake3\": \"";
const SIGNATURE: &str = "\",\n  \"signature\": \"";
const END: &str = "\"\n}\n";
const TAIL: usize = HASH.len() + 64 + SIGNATURE.len() + 128 + END.len();

/// The identity of a repository: 16 random bytes, 32 hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RepositoryId([u8; 16]);

impl RepositoryId {
    /// Takes 16 random bytes for an id.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl std::fmt::Debug for RepositoryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<RepositoryId> for String {
    fn from(id: RepositoryId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for RepositoryId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        decode_hex(&text)
            .map(Self)
            .ok_or("a repository id has 32 lower-case hex digits")
    }
}

/// Whether a repository's content is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Sealed with age to X25519 recipients.
    Age,
    /// Not at all: chosen by name, when the repository was made.
    None,
}

/// What the storage was seen to do when the repository was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// A second write to a name is refused, and the first content stays.
    pub create_only: bool,
    /// Finishing an upload to a name that is taken is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_only_upload: bool,
    /// The storage keeps versions, so that what is deleted may still be there.
    /// Where it does not say so, it is unknown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub versions: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The content of `pgkeep.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Always `pgkeep`.
    pub format: String,
    /// The version of the format.
    pub version: u16,
    /// The repository's identity.
    pub id: RepositoryId,
    /// When it was made.
    pub created: Timestamp,
    /// Whether its content is sealed.
    pub encryption: Encryption,
    /// The key that vouches for all others.
    pub root: VerifyingKey,
    /// What its storage can be relied on for.
    pub capabilities: Capabilities,
}

impl Descriptor {
    /// Describes a new repository.
    #[must_use]
    pub fn new(
        id: RepositoryId,
        created: Timestamp,
        encryption: Encryption,
        root: VerifyingKey,
        capabilities: Capabilities,
    ) -> Self {
        Self {
            format: "pgkeep".to_owned(),
            version: FORMAT_VERSION,
            id,
            created,
            encryption,
            root,
            capabilities,
        }
    }

    /// The bytes of `pgkeep.json`, signed by `root`.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_bytes(&self, root: &Signer) -> Result<Vec<u8>, FormatError> {
        let json = serde_json::to_string_pretty(self)
            .map_err(|error| FormatError::damaged(0, Damage::Json(error)))?;
        let body = json.strip_suffix("\n}").unwrap_or(&json);
        let covered = format!("{body},\n");
        let hash = Hash::of(covered.as_bytes());
        let signature = encode_hex(&root.sign(&message(&hash)));
        Ok(format!("{covered}{HASH}{hash}{SIGNATURE}{signature}{END}").into_bytes())
    }

    /// Reads and verifies the bytes of `pgkeep.json`. Whether the root key in it
    /// is the right one is for the caller to say, who may know it.
    ///
    /// # Errors
    /// `Damaged` where anything but the writer's bytes is found, `TooNew` for a
    /// later version of the format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| FormatError::damaged(e.valid_up_to() as u64, Damage::Text("encoding")))?;
        let split = text
            .len()
            .checked_sub(TAIL)
            .filter(|at| text.is_char_boundary(*at))
            .ok_or(FormatError::damaged(0, Damage::Text("layout")))?;
        let (covered, tail) = text.split_at(split);
        let at = |damage| FormatError::damaged(split as u64, damage);
        let (hash, signature) = split_tail(tail).ok_or(at(Damage::Text("layout")))?;
        if Hash::of(covered.as_bytes()).to_string() != hash {
            return Err(FormatError::damaged(0, Damage::Hash));
        }
        let json = format!("{}}}", covered.strip_suffix(",\n").unwrap_or(covered));
        check_version(&json)?;
        let descriptor: Self = serde_json::from_str(&json)
            .map_err(|error| FormatError::damaged(0, Damage::Json(error)))?;
        let signature = decode_hex(signature).ok_or(at(Damage::Signature))?;
        let signed = message(&Hash::of(covered.as_bytes()));
        if !descriptor.root.verifies(&signed, &signature) {
            return Err(at(Damage::Signature));
        }
        Ok(descriptor)
    }
}

/// Looks at the version before anything that a version may change.
fn check_version(json: &str) -> Result<(), FormatError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: String,
        version: u64,
    }
    let found: Versioned =
        serde_json::from_str(json).map_err(|error| FormatError::damaged(0, Damage::Json(error)))?;
    if found.format != "pgkeep" || found.version == 0 {
        return Err(FormatError::damaged(0, Damage::Text("format or version")));
    }
    if found.version > u64::from(FORMAT_VERSION) {
        return Err(FormatError::TooNew {
            found: u16::try_from(found.version).unwrap_or(u16::MAX),
            newest: FORMAT_VERSION,
        });
    }
    Ok(())
}

fn message(hash: &Hash) -> Vec<u8> {
    [CONTEXT, hash.0.as_slice()].concat()
}

/// The hash and the signature of a tail that is laid out as it should be.
fn split_tail(tail: &str) -> Option<(&str, &str)> {
    let rest = tail.strip_prefix(HASH)?;
    let (hash, rest) = rest.split_at_checked(64)?;
    let rest = rest.strip_prefix(SIGNATURE)?;
    let (signature, end) = rest.split_at_checked(128)?;
    (end == END).then_some((hash, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Descriptor, Vec<u8>) {
        let root = Signer::from_seed(&[1; 32]);
        let descriptor = Descriptor::new(
            RepositoryId::new([2; 16]),
            "2026-11-20T03:00:00Z".parse().unwrap(),
            Encryption::Age,
            root.verifying_key(),
            Capabilities {
                create_only: true,
                ..Capabilities::default()
            },
        );
        let bytes = descriptor.to_bytes(&root).unwrap();
        (descriptor, bytes)
    }

    #[test]
    fn it_is_json_and_reads_back() {
        let (descriptor, bytes) = example();
        assert_eq!(Descriptor::from_bytes(&bytes).unwrap(), descriptor);
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["format"], "pgkeep");
        assert_eq!(json["signature"].as_str().unwrap().len(), 128);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (_, bytes) = example();
        for at in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(Descriptor::from_bytes(&flipped).is_err(), "bit {at}");
        }
    }

    #[test]
    fn every_shortened_form_is_found() {
        let (_, bytes) = example();
        for length in 0..bytes.len() {
            assert!(
                Descriptor::from_bytes(&bytes[..length]).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn another_signer_is_found() {
        let (descriptor, _) = example();
        let forged = descriptor.to_bytes(&Signer::from_seed(&[9; 32])).unwrap();
        assert!(Descriptor::from_bytes(&forged).is_err());
    }
}
