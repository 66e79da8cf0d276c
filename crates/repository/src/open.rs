//! Opening a repository: the descriptor and the keys that it vouches for.
//!
//! Invariants: an open repository's root key is the pinned one, where one is
//! pinned; every key in it is signed by that root. A key record that cannot be
//! read grants nothing: it keeps nobody from restoring, and everybody from
//! writing. Opening writes nothing.

use std::sync::Arc;

use pgkeep_format::{
    Descriptor, Encryption, KeyRecord, KeyRole, Recipient, RecordKind, RepositoryId, Seal, Trust,
    Verified, VerifyingKey, names,
};
use pgkeep_storage::{Storage, list_all};
use pgkeep_types::ObjectName;

use crate::{RepositoryError, records};

/// An open repository: can be listed; nothing of it is unsealed.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) descriptor: Descriptor,
    pub(crate) keys: Arc<Keys>,
    pub(crate) pinned: bool,
}

/// What is below `keys/`.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub(crate) vouched: Vec<VouchedKey>,
    /// Each record that cannot be read, and what is wrong with it.
    pub(crate) unreadable: Vec<String>,
}

/// A key record that the root key has signed.
#[derive(Debug)]
pub(crate) struct VouchedKey {
    pub(crate) record: KeyRecord,
    pub(crate) sealed: Verified,
    pub(crate) object: String,
}

impl Repository {
    /// Opens the repository in `storage`, holding it against what is known of it
    /// already: `pins` of the host's key file or of a recovery key's file.
    ///
    /// # Errors
    /// `Missing` where there is none, `Foreign` where it is another one.
    pub async fn open(storage: Arc<dyn Storage>, pins: &[Trust]) -> Result<Self, RepositoryError> {
        let descriptor = read_descriptor(storage.as_ref()).await?;
        let mut known = pins.iter().filter(|pin| pin.repository == descriptor.id);
        let is_known = known.clone().next().is_some() || pins.is_empty();
        if !is_known || known.any(|pin| pin.root != descriptor.root) {
            return Err(RepositoryError::Foreign {
                location: storage.location(),
                id: descriptor.id,
            });
        }
        let keys = read_keys(storage.as_ref(), &descriptor).await?;
        Ok(Self {
            storage,
            descriptor,
            keys: Arc::new(keys),
            pinned: !pins.is_empty(),
        })
    }

    /// The repository's identity.
    #[must_use]
    pub fn id(&self) -> RepositoryId {
        self.descriptor.id
    }

    /// Whether its content is sealed.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        self.descriptor.encryption
    }

    /// Where it is, for people.
    #[must_use]
    pub fn location(&self) -> String {
        self.storage.location()
    }

    /// The recovery keys: whoever has one of them can read everything.
    #[must_use]
    pub fn recovery_recipients(&self) -> Vec<Recipient> {
        let keys = self.keys.vouched.iter().map(|key| &key.record);
        keys.filter(|record| record.role == KeyRole::Recovery)
            .filter_map(|record| record.recipient.clone())
            .collect()
    }

    /// Whether it was held against anything that was known of it before. If not,
    /// whoever can write to the storage may have made it.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// Key records that cannot be read, and what is wrong with each.
    #[must_use]
    pub fn unreadable_keys(&self) -> &[String] {
        &self.keys.unreadable
    }

    /// The signing keys of those who may write backups.
    pub(crate) fn writers(&self) -> Vec<VerifyingKey> {
        let keys = self.keys.vouched.iter().map(|key| &key.record);
        keys.filter(|record| record.role == KeyRole::Host)
            .filter_map(|record| record.verifier)
            .collect()
    }

    /// The seal of packs: the recovery keys alone.
    pub(crate) fn pack_seal(&self) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => Seal::To(self.recovery_recipients()),
        }
    }

    /// The seal of what the next backup must read: the recovery keys and the
    /// host that writes.
    pub(crate) fn host_seal(&self, host: &Recipient) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => {
                let mut recipients = self.recovery_recipients();
                recipients.push(host.clone());
                Seal::To(recipients)
            }
        }
    }
}

async fn read_descriptor(storage: &dyn Storage) -> Result<Descriptor, RepositoryError> {
    let name = names::descriptor()?;
    let bytes = match storage.get(&name, None).await {
        Err(error) if error.is_not_found() => {
            return Err(RepositoryError::Missing {
                location: storage.location(),
            });
        }
        other => other?,
    };
    Descriptor::from_bytes(&bytes).map_err(|source| records::in_object(storage, &name, source))
}

async fn read_keys(
    storage: &dyn Storage,
    descriptor: &Descriptor,
) -> Result<Keys, RepositoryError> {
    let mut keys = Keys::default();
    for object in list_all(storage, names::KEYS).await? {
        match read_key(storage, descriptor, &object.name).await {
            Ok(key) => keys.vouched.push(key),
            Err(error) => keys.unreadable.push(error.to_string()),
        }
    }
    Ok(keys)
}

async fn read_key(
    storage: &dyn Storage,
    descriptor: &Descriptor,
    name: &ObjectName,
) -> Result<VouchedKey, RepositoryError> {
    let vouched = [descriptor.root];
    let sealed = records::read(storage, descriptor.id, RecordKind::Key, name, &vouched).await?;
    let record: KeyRecord = sealed
        .clear()
        .map_err(|source| records::in_object(storage, name, source))?;
    if names::key(&record.fingerprint())? != *name {
        return Err(records::misplaced(storage, name));
    }
    Ok(VouchedKey {
        record,
        sealed,
        object: name.to_string(),
    })
}
