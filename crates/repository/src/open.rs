//! Opening a repository: the descriptor and the keys that it vouches for.
//!
//! Invariants: an open repository's root key is the pinned one, where one is
//! pinned; every key in it is signed by that root. Opening writes nothing.

use std::sync::Arc;

use pgkeep_format::{
    Descriptor, Encryption, KeyRecord, KeyRole, Recipient, RecordKind, RepositoryId, Seal, Trust,
    Verified, VerifyingKey, names,
};
use pgkeep_storage::{Storage, list_all};

use crate::{RepositoryError, records};

/// An open repository: can be listed; nothing of it is unsealed.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) descriptor: Descriptor,
    pub(crate) keys: Arc<Vec<VouchedKey>>,
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
        let pinned = pins.iter().find(|pin| pin.repository == descriptor.id);
        if !pins.is_empty() && pinned.is_none_or(|pin| pin.root != descriptor.root) {
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
        self.recipients(KeyRole::Recovery)
    }

    fn recipients(&self, role: KeyRole) -> Vec<Recipient> {
        let keys = self.keys.iter().filter(|key| key.record.role == role);
        keys.filter_map(|key| key.record.recipient.clone())
            .collect()
    }

    /// The signing keys of those who may write backups.
    pub(crate) fn writers(&self) -> Vec<VerifyingKey> {
        let hosts = self
            .keys
            .iter()
            .filter(|key| key.record.role == KeyRole::Host);
        hosts.filter_map(|key| key.record.verifier).collect()
    }

    /// The seal of packs: the recovery keys alone.
    pub(crate) fn pack_seal(&self) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => Seal::To(self.recovery_recipients()),
        }
    }

    /// The seal of what the next backup must read: the recovery keys and the
    /// hosts.
    pub(crate) fn host_seal(&self) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => {
                let hosts = self.recipients(KeyRole::Host);
                Seal::To([self.recovery_recipients(), hosts].concat())
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
) -> Result<Vec<VouchedKey>, RepositoryError> {
    let mut keys = Vec::new();
    for object in list_all(storage, names::KEYS).await? {
        let name = object.name;
        let vouched = [descriptor.root];
        let sealed =
            records::read(storage, descriptor.id, RecordKind::Key, &name, &vouched).await?;
        let record = sealed
            .clear()
            .map_err(|source| records::in_object(storage, &name, source))?;
        keys.push(VouchedKey {
            record,
            sealed,
            object: name.to_string(),
        });
    }
    Ok(keys)
}
