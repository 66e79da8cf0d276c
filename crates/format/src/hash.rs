//! BLAKE3, plain for what lies in the storage and keyed for what is inside.
//!
//! Invariant: a hash of plaintext is always keyed with a secret of the
//! repository, so that nobody who sees it can try out guesses.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use zeroize::ZeroizeOnDrop;

/// A BLAKE3 hash of 32 bytes; 64 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The unkeyed hash of `bytes`, for stored objects.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        decode_hex(&text)
            .map(Self)
            .ok_or("a hash has 64 lower-case hex digits")
    }
}

/// Reads exactly `N` bytes from lower-case hex digits.
pub(crate) fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A key for hashes of plaintext; derived from the repository's secret.
#[derive(Clone, ZeroizeOnDrop)]
pub struct HashKey(pub(crate) [u8; 32]);

impl HashKey {
    /// The keyed hash of `bytes`.
    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> Hash {
        Hash(*blake3::keyed_hash(&self.0, bytes).as_bytes())
    }

    /// Starts the keyed hash of bytes that come in pieces.
    #[must_use]
    pub fn hasher(&self) -> Hasher {
        Hasher(blake3::Hasher::new_keyed(&self.0))
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// A hash of bytes that come in pieces.
#[derive(Clone)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts an unkeyed hash, for stored objects.
    #[must_use]
    pub fn unkeyed() -> Self {
        Self(blake3::Hasher::new())
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}
