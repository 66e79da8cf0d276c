//! What the root key says of all keys: the ring, which lists what is below `keys/`
//! so that nothing can be taken away unseen, and the end of a key.
//!
//! Invariants: a ring lists every object that was there when it was written but
//! rings and endings; the one with the highest number holds. A key that was retired is never
//! brought back, and what it signed is believed only where its end lists it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgkeep_types::ObjectName;
use serde::{Deserialize, Serialize};

use crate::Hash;

/// The clear part of `keys/ring-<n>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// The number in its name.
    pub number: u32,
    /// When it was made.
    pub created: Timestamp,
    /// The objects below `keys/`, by their BLAKE3 hashes.
    pub objects: BTreeMap<ObjectName, Hash>,
}

/// The clear part of `keys/<fingerprint>.ending`: the key's end is about to be written.
/// That it is there is all that counts of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The fingerprint of the key.
    pub key: String,
    /// Since when.
    pub since: Timestamp,
}

/// The clear part of `keys/<fingerprint>.retired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retirement {
    /// The fingerprint of the key.
    pub key: String,
    /// When it was retired.
    pub retired: Timestamp,
    /// The records signed by that key that are still believed, by their BLAKE3
    /// hashes.
    pub records: BTreeMap<ObjectName, Hash>,
}
