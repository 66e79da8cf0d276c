//! Opening a repository: the descriptor and the keys that it vouches for.
//!
//! Invariants: an open repository's root key is the pinned one, where one is
//! pinned; every key in it is signed by that root. A key record that cannot be
//! read grants nothing: it keeps nobody from restoring, and everybody from
//! writing. Opening writes nothing.

use std::sync::Arc;

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{
    Capabilities, Damage, Descriptor, Encryption, FormatError, KeyRecord, KeyRole, Recipient,
    RepositoryId, Seal, Trust, VerifyingKey, names,
};
use pgkeep_storage::{Storage, list_all};

use crate::keys::{Keys, read_keys};
use crate::remains::remains;
use crate::{RepositoryError, records};

/// No descriptor is longer, in bytes. Who holds the storage may send anything.
const DESCRIPTOR_LIMIT: u64 = 64 << 10;

/// An open repository: can be listed; nothing of it is unsealed.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) descriptor: Descriptor,
    pub(crate) keys: Arc<Keys>,
    pub(crate) pinned: bool,
}

impl Repository {
    /// Opens the repository in `storage`, holding it against what is known of it
    /// already: `pins` of the host's key file or of a recovery key's file.
    ///
    /// # Errors
    /// `Missing` where there is none, `Foreign` where it is another one.
    pub async fn open(storage: Arc<dyn Storage>, pins: &[Trust]) -> Result<Self, RepositoryError> {
        let list = || list_all(storage.as_ref(), names::KEYS);
        let descriptor = async {
            let descriptor = read_descriptor(storage.as_ref()).await?;
            hold_against(&descriptor, pins, storage.as_ref())?;
            Ok::<_, RepositoryError>(descriptor)
        };
        // What is not the one that is known is refused, however much it lists.
        let (descriptor, listed) = tokio::try_join!(descriptor, async { Ok(list().await) })?;
        let mut keys = read_keys(&storage, &descriptor, listed?).await?;
        // Its keys were there before its descriptor, but it may have been listed before
        // either was.
        if !keys.unreadable.is_empty() {
            keys = read_keys(&storage, &descriptor, list().await?).await?;
        }
        let seen = pins.iter().filter(|pin| pin.repository == descriptor.id);
        let seen = seen.map(|pin| pin.ring).max().unwrap_or(0);
        if seen > keys.ring {
            let lost = RepositoryError::Lost {
                object: names::key_ring(seen)?.to_string(),
                location: storage.location(),
                problem: "it is not there, though this host has seen it: what was changed of the \
                          keys may have been taken back"
                    .to_owned(),
            };
            keys.unreadable.push(lost.to_string());
        }
        Ok(Self {
            storage,
            descriptor,
            keys: Arc::new(keys),
            pinned: !pins.is_empty(),
        })
    }

    /// The same repository, held against more that is known of it.
    ///
    /// # Errors
    /// `Foreign` where it is another one.
    pub fn held_against(self, pins: &[Trust]) -> Result<Self, RepositoryError> {
        hold_against(&self.descriptor, pins, self.storage.as_ref())?;
        let pinned = self.pinned || !pins.is_empty();
        Ok(Self { pinned, ..self })
    }

    /// What a host knows of the repository from now on, if it trusts it as it is.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            recipients: Some(self.recovery_recipients()),
            provers: self.prover_recipients(),
            ring: self.keys.ring,
            ..Trust::in_root(self.descriptor.id, self.descriptor.root)
        }
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

    /// What its storage was seen to do when it was made.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.descriptor.capabilities
    }

    /// Where it is, for people.
    #[must_use]
    pub fn location(&self) -> String {
        self.storage.location()
    }

    /// The recovery keys in use: whoever has one of them can read everything that
    /// was written since it was added.
    #[must_use]
    pub fn recovery_recipients(&self) -> Vec<Recipient> {
        self.keys.recipients(KeyRole::Recovery)
    }

    /// The provers' keys in use.
    #[must_use]
    pub fn prover_recipients(&self) -> Vec<Recipient> {
        self.keys.recipients(KeyRole::Prover)
    }

    /// Whether it was held against anything that was known of it before. If not,
    /// whoever can write to the storage may have made it.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// What is below `keys/` and cannot be used, or is missing there, and what is
    /// wrong with each.
    #[must_use]
    pub fn unreadable_keys(&self) -> &[String] {
        &self.keys.unreadable
    }

    /// The signing keys of all who may write backups, or once might.
    pub(crate) fn writers(&self) -> Vec<VerifyingKey> {
        self.keys.writers()
    }

    /// The seal of packs: the recovery keys and the provers'.
    pub(crate) fn pack_seal(&self) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => Seal::To(self.reading_recipients()),
        }
    }

    /// The seal of what the next backup must read: the recovery keys, the provers'
    /// and the host that writes.
    pub(crate) fn host_seal(&self, host: &Recipient) -> Seal {
        match self.descriptor.encryption {
            Encryption::None => Seal::Open,
            Encryption::Age => {
                let mut recipients = self.reading_recipients();
                recipients.push(host.clone());
                Seal::To(recipients)
            }
        }
    }

    /// The fingerprints of the keys that everything is sealed to: the recovery keys
    /// and the provers'.
    pub(crate) fn readers(&self) -> Vec<String> {
        let keys = self.keys.in_use(KeyRole::Recovery);
        let keys = keys.chain(self.keys.in_use(KeyRole::Prover));
        keys.map(KeyRecord::fingerprint).collect()
    }

    /// Whether everybody who is to read what is written now opens that backup too.
    /// Only then may a new one refer to its packs.
    #[must_use]
    pub fn opens_to_all(&self, backup: &BackupRecord) -> bool {
        let mut readers = self.readers().into_iter();
        readers.all(|key| backup.sealed_to.contains(&key))
    }

    /// Whether any key that is in use opens that backup: where not, only who has kept a
    /// retired one reads it.
    #[must_use]
    pub fn opens_to_anybody(&self, backup: &BackupRecord) -> bool {
        let mut readers = self.readers().into_iter();
        self.encryption() == Encryption::None || readers.any(|key| backup.sealed_to.contains(&key))
    }

    /// Whether the record of a key that it is sealed to is lost: that key may be in use.
    #[must_use]
    pub fn lacks_a_key_of(&self, backup: &BackupRecord) -> bool {
        let is_known = |key: &String| {
            let mut vouched = self.keys.vouched.iter();
            vouched.any(|known| known.record.fingerprint() == *key)
        };
        !backup.sealed_to.iter().all(is_known)
    }

    /// The keys that a backup is sealed to, retired ones too, as people know them.
    #[must_use]
    pub fn sealed_to(&self, backup: &BackupRecord) -> Vec<String> {
        backup.sealed_to.iter().map(|key| self.told(key)).collect()
    }

    fn reading_recipients(&self) -> Vec<Recipient> {
        let mut readers = self.recovery_recipients();
        readers.extend(self.prover_recipients());
        readers
    }
}

fn hold_against(
    descriptor: &Descriptor,
    pins: &[Trust],
    storage: &dyn Storage,
) -> Result<(), RepositoryError> {
    let mut known = pins.iter().filter(|pin| pin.repository == descriptor.id);
    let is_known = known.clone().next().is_some() || pins.is_empty();
    if !is_known || known.any(|pin| pin.root != descriptor.root) {
        return Err(RepositoryError::Foreign {
            location: storage.location(),
            id: descriptor.id,
        });
    }
    Ok(())
}

pub(crate) async fn read_descriptor(storage: &dyn Storage) -> Result<Descriptor, RepositoryError> {
    let name = names::descriptor()?;
    // A byte more than it may have: then it is refused for its length, unread.
    let most = DESCRIPTOR_LIMIT + 1;
    let bytes = match storage.get(&name, Some(0..most)).await {
        Err(error) if error.is_not_found() => {
            // Of what is in no bucket some servers say no more than that it is not there,
            // and of the bucket only when they are to list it.
            return Err(match remains(storage).await {
                Ok(Some(in_use @ RepositoryError::Remains { in_use: true, .. })) => in_use,
                Err(error) if !error.is_not_found() => error.into(),
                _ => RepositoryError::Missing {
                    location: storage.location(),
                },
            });
        }
        other => other?,
    };
    let found = bytes.len() as u64;
    if found >= most {
        let expected = DESCRIPTOR_LIMIT;
        let damage = Damage::Length { expected, found };
        let too_long = FormatError::Damaged { offset: 0, damage };
        return Err(records::in_object(storage, &name, too_long));
    }
    Descriptor::from_bytes(&bytes).map_err(|source| records::in_object(storage, &name, source))
}
