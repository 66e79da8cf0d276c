//! What is below `keys/`: who may read and write, who no longer may, and how that
//! is changed.
//!
//! Invariants: a key is what the root key says of it; one that was retired stays
//! so. What the newest ring lists and is not there, or is another object, is told
//! and keeps everybody from writing.

mod change;
mod error;
mod litter;
mod passphrase;
mod read;
mod retire;
mod ring;

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::{Hash, KeyRecord, KeyRole, Recipient, Retirement, Verified, VerifyingKey};
use pgkeep_types::{ObjectName, Timestamp};

use crate::{Repository, RepositoryError};

pub use change::OwnerAccess;
pub use error::KeysError;
pub use passphrase::Rewrapped;
pub use retire::{Retired, UnendedRuns};

pub(crate) use passphrase::wrap;
pub(crate) use read::read_keys;
pub(crate) use ring::{FIRST_RING, NewKeyRecord, ring_draft};

/// What is below `keys/`.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The keys, by their fingerprints.
    pub(crate) vouched: Vec<VouchedKey>,
    /// Each object that cannot be used or is missing, and what is wrong with it.
    pub(crate) unreadable: Vec<String>,
    /// The fingerprints of keys that are being retired, or were.
    pub(crate) ending: BTreeSet<String>,
    /// The number of the newest ring; 0 where there is none.
    pub(crate) ring: u32,
    /// The highest number in the name of a ring, whether or not it can be read.
    pub(crate) newest_number: u32,
    /// Everything that is in use, for the next ring.
    objects: BTreeMap<ObjectName, Hash>,
    /// The newest private key under a passphrase for each fingerprint.
    wrapped: BTreeMap<String, Wrapped>,
}

/// A key record that the root key has signed.
#[derive(Debug)]
pub(crate) struct VouchedKey {
    pub(crate) record: KeyRecord,
    pub(crate) sealed: Verified,
    pub(crate) object: String,
    /// Its end, where it has come to one.
    pub(crate) retirement: Option<Retirement>,
    /// Whether that is the end that the newest ring lists: then what it does not name was
    /// never believed by anybody who knew of it.
    is_end_certain: bool,
}

/// A private key under a passphrase.
#[derive(Clone, Debug)]
struct Wrapped {
    number: u32,
    object: ObjectName,
    hash: Hash,
}

/// What there is to know of a key without opening anything.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its record's clear part.
    pub record: KeyRecord,
    /// Whether it is being retired: nothing more is written with it.
    pub is_ending: bool,
    /// When it was retired, by the clock of whoever did it.
    pub retired: Option<Timestamp>,
    /// Whether a passphrase brings back its private half.
    pub has_passphrase: bool,
}

impl Keys {
    /// The keys of a role that were not retired.
    pub(crate) fn in_use(&self, role: KeyRole) -> impl Iterator<Item = &KeyRecord> {
        self.vouched
            .iter()
            .filter(move |key| key.retirement.is_none() && key.record.role == role)
            .map(|key| &key.record)
    }

    /// The recipients of a role that were not retired, sorted.
    pub(crate) fn recipients(&self, role: KeyRole) -> Vec<Recipient> {
        let keys = self.in_use(role);
        let mut recipients: Vec<_> = keys.filter_map(|key| key.recipient.clone()).collect();
        recipients.sort();
        recipients
    }

    /// The signing keys of all hosts that ever were.
    pub(crate) fn writers(&self) -> Vec<VerifyingKey> {
        self.hosts().filter_map(|key| key.record.verifier).collect()
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &VouchedKey> + Clone {
        self.vouched
            .iter()
            .filter(|key| key.record.role == KeyRole::Host)
    }
}

impl VouchedKey {
    /// Whether what this key has signed is believed.
    fn is_believed(&self, name: &ObjectName, read: &Verified) -> bool {
        self.retirement
            .as_ref()
            .is_none_or(|end| end.records.get(name) == Some(&read.object_hash))
    }

    /// Whether it is certain that nothing of that name was ever believed of this key. A name
    /// that the end has with another hash is damage: something else should be there.
    fn disowns(&self, name: &ObjectName) -> bool {
        let end = self.retirement.as_ref().filter(|_| self.is_end_certain);
        end.is_some_and(|end| !end.records.contains_key(name))
    }
}

impl Repository {
    /// Everything that is known of its keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        let keys = self.keys.vouched.iter().map(|key| {
            let fingerprint = key.record.fingerprint();
            KeyInfo {
                has_passphrase: self.keys.wrapped.contains_key(&fingerprint),
                is_ending: key.retirement.is_none() && self.keys.ending.contains(&fingerprint),
                fingerprint,
                record: key.record.clone(),
                retired: key.retirement.as_ref().map(|end| end.retired),
            }
        });
        let mut keys: Vec<KeyInfo> = keys.collect();
        keys.sort_by(|a, b| {
            let order = |key: &KeyInfo| (key.record.created, key.record.role);
            order(a).cmp(&order(b))
        });
        keys
    }

    /// The number of the newest key ring; 0 where there is none.
    #[must_use]
    pub fn key_ring(&self) -> u32 {
        self.keys.ring
    }

    /// Refuses what a retired key has signed, unless it is listed in its end.
    ///
    /// # Errors
    /// `NotBelieved`.
    pub(crate) fn check_believed(
        &self,
        name: &ObjectName,
        read: &Verified,
    ) -> Result<(), RepositoryError> {
        let mut told = None;
        let mut is_nothing = true;
        for key in self.keys.hosts() {
            if key.record.verifier != Some(read.writer) {
                continue;
            }
            if key.is_believed(name, read) {
                return Ok(());
            }
            is_nothing &= key.disowns(name);
            told = key.retirement.as_ref().map(|end| (key, end.retired));
        }
        let Some((key, retired)) = told else {
            return Ok(());
        };
        Err(RepositoryError::NotBelieved {
            object: name.to_string(),
            location: self.location(),
            host: key.record.name.clone(),
            retired,
            is_nothing,
        })
    }
}
