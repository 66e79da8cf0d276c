//! The envelope that all records share: magic, version, kind, a clear part, a
//! sealed part, a BLAKE3 hash and the writer's signature.
//!
//! Invariants: nothing of a record is looked at before its hash holds; nothing
//! of it is believed before its signature holds for this repository and this
//! name, by a writer that the repository vouches for. The last 128 bytes and the
//! first 12 keep their meaning in every version of the format.

use std::fmt;

use pgkeep_types::ObjectName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::descriptor::RepositoryId;
use crate::error::{Damage, FormatError};
use crate::record_kind::RecordKind;
use crate::sealed_part::{compress, decompress};
use crate::signing::{Signer, VerifyingKey};
use crate::{FORMAT_VERSION, Hash, Identities, Seal};

pub(crate) const MAGIC: &[u8; 8] = b"pgkeeprc";
const HEADER: usize = 24;
pub(crate) const TRAILER: usize = 32 + 32 + 64;
const CONTEXT: &[u8] = b"pgkeep record v1\0";

/// Of a record's last bytes those that tell who has signed it.
const SIGNED: usize = 32 + 64;

/// Whether two records say the same, and differ in who has signed them at most.
#[must_use]
pub fn says_the_same(one: &[u8], other: &[u8]) -> bool {
    let said = |bytes: &[u8]| bytes.len().checked_sub(SIGNED);
    let (Some(said), true) = (said(one), one.len() == other.len()) else {
        return false;
    };
    one.get(..said) == other.get(..said)
}

/// Where a record belongs: the same bytes are no record anywhere else.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The repository.
    pub repository: RepositoryId,
    /// The object that holds the record.
    pub name: &'a ObjectName,
    /// What it holds.
    pub kind: RecordKind,
}

/// A record whose hash and signature hold.
pub struct Verified {
    /// The clear part: JSON.
    clear: Vec<u8>,
    /// The sealed part, still sealed.
    sealed: Vec<u8>,
    /// Who wrote it.
    pub writer: VerifyingKey,
    /// The hash of the whole object, as other records cite it.
    pub object_hash: Hash,
    kind: RecordKind,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({})", self.object_hash)
    }
}

impl Envelope<'_> {
    /// The bytes of a record with `clear` for everybody, and `hidden` compressed
    /// and sealed.
    ///
    /// # Errors
    /// `TooLong` where it could not be read back; where sealing fails.
    pub fn write(
        &self,
        clear: &impl Serialize,
        hidden: Option<(&[u8], &Seal)>,
        signer: &Signer,
    ) -> Result<Vec<u8>, FormatError> {
        let json = |error| FormatError::damaged(HEADER as u64, Damage::Json(error));
        let clear = serde_json::to_vec(clear).map_err(json)?;
        let sealed = match hidden {
            Some((plain, seal)) => {
                self.check_length(plain.len())?;
                seal.seal(compress(plain)?)?
            }
            None => Vec::new(),
        };
        self.assemble(&clear, &sealed, signer)
    }

    /// The bytes of a record with a sealed part that another one of the same repository
    /// secret and recipients has.
    ///
    /// # Errors
    /// `TooLong` where it could not be read back.
    pub fn write_sealed(
        &self,
        clear: &impl Serialize,
        sealed: &[u8],
        signer: &Signer,
    ) -> Result<Vec<u8>, FormatError> {
        let json = |error| FormatError::damaged(HEADER as u64, Damage::Json(error));
        let clear = serde_json::to_vec(clear).map_err(json)?;
        self.assemble(&clear, sealed, signer)
    }

    fn assemble(
        &self,
        clear: &[u8],
        sealed: &[u8],
        signer: &Signer,
    ) -> Result<Vec<u8>, FormatError> {
        self.check_length(HEADER + clear.len() + sealed.len() + TRAILER)?;
        let clear_length = u32::try_from(clear.len())
            .map_err(|_| FormatError::damaged(12, Damage::Range("clear part's length")))?;
        let mut bytes = Vec::with_capacity(HEADER + clear.len() + sealed.len() + TRAILER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.kind as u16).to_le_bytes());
        bytes.extend_from_slice(&clear_length.to_le_bytes());
        bytes.extend_from_slice(&(sealed.len() as u64).to_le_bytes());
        bytes.extend_from_slice(clear);
        bytes.extend_from_slice(sealed);
        let hash = Hash::of(&bytes);
        bytes.extend_from_slice(&hash.0);
        bytes.extend_from_slice(signer.verifying_key().as_bytes());
        bytes.extend_from_slice(&signer.sign(&self.message(&hash)));
        Ok(bytes)
    }

    /// Refuses what could not be read back.
    fn check_length(&self, length: usize) -> Result<(), FormatError> {
        let (length, limit) = (length as u64, self.kind.limit());
        if length > limit {
            return Err(FormatError::TooLong { length, limit });
        }
        Ok(())
    }

    /// Verifies the bytes of a record: what it is, where it belongs, and that one
    /// of `writers` wrote it.
    ///
    /// # Errors
    /// `Damaged`, `TooNew` or `UnknownWriter`.
    pub fn read(&self, bytes: &[u8], writers: &[VerifyingKey]) -> Result<Verified, FormatError> {
        let total = bytes.len();
        let body = total.checked_sub(TRAILER).filter(|body| *body >= HEADER);
        let Some(body) = body else {
            return Err(FormatError::damaged(
                total as u64,
                Damage::Length {
                    expected: (HEADER + TRAILER) as u64,
                    found: total as u64,
                },
            ));
        };
        let (content, trailer) = bytes.split_at(body);
        if !content.starts_with(MAGIC) {
            return Err(FormatError::damaged(0, Damage::Magic));
        }
        let hash = Hash::of(content);
        if trailer.first_chunk::<32>() != Some(&hash.0) {
            return Err(FormatError::damaged(0, Damage::Hash));
        }
        let header = Header::read(content)?;
        if header.version == 0 {
            return Err(FormatError::damaged(8, Damage::Range("version")));
        }
        if header.version > FORMAT_VERSION {
            return Err(FormatError::TooNew {
                found: header.version,
                newest: FORMAT_VERSION,
            });
        }
        self.check_writer(trailer, &hash, writers, body as u64)
            .and_then(|writer| {
                if header.kind != self.kind as u16 {
                    let (expected, found) = (self.kind as u16, header.kind);
                    return Err(FormatError::damaged(10, Damage::Kind { expected, found }));
                }
                let (clear, sealed) = header.parts(content)?;
                Ok(Verified {
                    clear: clear.to_vec(),
                    sealed: sealed.to_vec(),
                    writer,
                    object_hash: Hash::of(bytes),
                    kind: self.kind,
                })
            })
    }

    pub(crate) fn check_writer(
        &self,
        trailer: &[u8],
        hash: &Hash,
        writers: &[VerifyingKey],
        at: u64,
    ) -> Result<VerifyingKey, FormatError> {
        let refused = || FormatError::damaged(at + 64, Damage::Signature);
        let writer = trailer.get(32..64).and_then(|key| key.try_into().ok());
        let writer = VerifyingKey::from_bytes(writer.ok_or_else(refused)?);
        let signature: [u8; 64] = trailer
            .get(64..)
            .and_then(|signature| signature.try_into().ok())
            .ok_or_else(refused)?;
        if !writers.contains(&writer) {
            return Err(FormatError::UnknownWriter {
                writer: writer.to_string(),
                offset: at + 32,
            });
        }
        if writer.verifies(&self.message(hash), &signature) {
            Ok(writer)
        } else {
            Err(refused())
        }
    }

    fn message(&self, hash: &Hash) -> Vec<u8> {
        let name = self.name.as_str().as_bytes();
        let mut message = CONTEXT.to_vec();
        message.extend_from_slice(self.repository.as_bytes());
        message.extend_from_slice(&(name.len() as u64).to_le_bytes());
        message.extend_from_slice(name);
        message.extend_from_slice(&hash.0);
        message
    }
}

impl Verified {
    /// The clear part.
    ///
    /// # Errors
    /// `NotUnderstood` where the JSON is not that of a `T`: its writer signed it,
    /// so it is a newer one's.
    pub fn clear<T: DeserializeOwned>(&self) -> Result<T, FormatError> {
        serde_json::from_slice(&self.clear).map_err(|problem| FormatError::NotUnderstood {
            offset: HEADER as u64,
            problem,
        })
    }

    /// The sealed part, as it is stored.
    #[must_use]
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// Opens the sealed part with `identities`; with `None` in an unencrypted
    /// repository.
    ///
    /// # Errors
    /// `NoIdentity` where no key fits, `Damaged` where the bytes are no such
    /// part.
    pub fn hidden(&self, identities: Option<&Identities>) -> Result<Vec<u8>, FormatError> {
        let base = (HEADER + self.clear.len()) as u64;
        let opened = identities.map(|keys| keys.open(&self.sealed)).transpose();
        let opened = opened.map_err(|error| error.at(base))?;
        let limit = self.kind.limit();
        decompress(opened.as_deref().unwrap_or(&self.sealed), limit, base)
    }
}

struct Header {
    version: u16,
    kind: u16,
    clear: u64,
    sealed: u64,
}

impl Header {
    fn read(content: &[u8]) -> Result<Self, FormatError> {
        let field = |range: std::ops::Range<usize>| {
            let bytes = content.get(range).unwrap_or_default();
            bytes
                .iter()
                .rev()
                .fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let narrow = |value| {
            u16::try_from(value).map_err(|_| FormatError::damaged(8, Damage::Range("version")))
        };
        Ok(Self {
            version: narrow(field(8..10))?,
            kind: narrow(field(10..12))?,
            clear: field(12..16),
            sealed: field(16..24),
        })
    }

    fn parts<'a>(&self, content: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), FormatError> {
        let parts = content.get(HEADER..).unwrap_or_default();
        let wrong = || FormatError::damaged(12, Damage::Range("parts' lengths"));
        if self.clear.checked_add(self.sealed) != Some(parts.len() as u64) {
            return Err(wrong());
        }
        let clear = usize::try_from(self.clear).map_err(|_| wrong())?;
        parts.split_at_checked(clear).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests;
