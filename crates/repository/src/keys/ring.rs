//! Key records and rings that are to be written: what `init` and a change of the keys share.
//!
//! Invariant: a record is sealed as FORMAT.md's table of roles says.

use std::collections::BTreeMap;

use pgkeep_format::{
    Encryption, Hash, KeyRecord, KeyRing, KeyRole, KeySecrets, Recipient, RecordKind, RepositoryId,
    Seal, names,
};
use pgkeep_types::{ObjectName, Timestamp};

use crate::RepositoryError;
use crate::records::Draft;

/// The number of a new repository's ring.
pub(crate) const FIRST_RING: u32 = 1;

/// A key record that is about to be written.
pub(crate) struct NewKeyRecord {
    pub(crate) record: KeyRecord,
    pub(crate) secrets: KeySecrets,
}

impl NewKeyRecord {
    /// The object's name.
    pub(crate) fn name(&self) -> Result<ObjectName, RepositoryError> {
        Ok(names::key(&self.record.fingerprint())?)
    }

    /// The record under its `name`; `recovery` are the recovery recipients.
    pub(crate) fn draft<'a>(
        &self,
        name: &'a ObjectName,
        repository: RepositoryId,
        recovery: &[Recipient],
        encryption: Encryption,
    ) -> Result<Draft<'a, KeyRecord>, RepositoryError> {
        let plain = self.secrets.to_bytes();
        let plain = plain.map_err(|source| RepositoryError::Make {
            what: "the key record",
            source,
        })?;
        Ok(Draft {
            repository,
            name,
            kind: RecordKind::Key,
            clear: self.record.clone(),
            hidden: Some((plain, self.seal(recovery, encryption))),
        })
    }

    fn seal(&self, recovery: &[Recipient], encryption: Encryption) -> Seal {
        let mut recipients: Vec<Recipient> = match (self.record.role, encryption) {
            (KeyRole::Owner, _) => Vec::new(),
            (_, Encryption::None) => return Seal::Open,
            (_, Encryption::Age) => recovery.to_vec(),
        };
        recipients.extend(self.record.recipient.clone());
        recipients.sort();
        recipients.dedup();
        Seal::To(recipients)
    }
}

/// A ring that lists `objects`.
pub(crate) fn ring_draft(
    repository: RepositoryId,
    name: &ObjectName,
    number: u32,
    created: Timestamp,
    objects: BTreeMap<ObjectName, Hash>,
) -> Draft<'_, KeyRing> {
    Draft {
        repository,
        name,
        kind: RecordKind::KeyRing,
        clear: KeyRing {
            number,
            created,
            objects,
        },
        hidden: None,
    }
}
