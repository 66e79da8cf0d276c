//! Recovery keys under a passphrase.
//!
//! Invariants: only what the newest ring lists is tried, one for each key; the
//! work that a hostile storage can cause is bounded. What comes back is the key
//! that its name says.

use pgkeep_format::names::{self, KeyObject};
use pgkeep_format::{
    Damage, FormatError, Hash, KeyRole, Passphrase, RecoveryIdentity, RecoveryKeyFile, Trust,
    fingerprint,
};
use pgkeep_types::{Clock, ObjectName};

use super::{OwnerAccess, Wrapped};
use crate::{Repository, RepositoryError, records};

/// The most keys that a passphrase is tried on, a second each.
const MOST: usize = 8;
/// The most bytes of a private key under a passphrase.
const LIMIT: u64 = 128 << 10;

/// What came of a new passphrase.
#[derive(Debug)]
pub struct Rewrapped {
    /// The repository as it is then.
    pub repository: Repository,
    /// Objects that open with an older passphrase and could not be removed.
    pub left: Vec<ObjectName>,
}

impl Repository {
    /// Whether a passphrase opens it.
    #[must_use]
    pub fn has_passphrase(&self) -> bool {
        !self.keys.wrapped.is_empty()
    }

    /// The object that holds the private half of a key under a passphrase.
    #[must_use]
    pub fn wrapped_key(&self, fingerprint: &str) -> Option<String> {
        let wrapped = self.keys.wrapped.get(fingerprint)?;
        Some(wrapped.object.to_string())
    }

    /// The recovery key that opens with this passphrase, with what its file knows
    /// of the repository. Takes about a second for each.
    ///
    /// # Errors
    /// `NoPassphrase` where there is nothing to open, `WrongPassphrase` where it
    /// opens none.
    pub async fn unwrap_key(
        &self,
        passphrase: &Passphrase,
    ) -> Result<RecoveryKeyFile, RepositoryError> {
        let location = self.location();
        let mut failed = match self.has_passphrase() {
            true => RepositoryError::WrongPassphrase { location },
            false => RepositoryError::NoPassphrase { location },
        };
        for (key, wrapped) in self.keys.wrapped.iter().take(MOST) {
            match self.unwrap_one(passphrase, key, wrapped).await {
                Ok(file) => return Ok(file),
                Err(RepositoryError::Object {
                    source: FormatError::NoIdentity,
                    ..
                }) => {}
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn unwrap_one(
        &self,
        passphrase: &Passphrase,
        key: &str,
        wrapped: &Wrapped,
    ) -> Result<RecoveryKeyFile, RepositoryError> {
        let storage = self.storage.as_ref();
        let bytes = storage.get(&wrapped.object, Some(0..LIMIT)).await?;
        let (passphrase, expected) = (passphrase.clone(), wrapped.hash);
        let opened = records::blocking(move || {
            if Hash::of(&bytes) != expected {
                let damage = Damage::Hash;
                return Err(FormatError::Damaged { offset: 0, damage });
            }
            let text = passphrase.unwrap(&bytes)?;
            RecoveryKeyFile::from_secret_text(&text)
        });
        let wrong = |source| records::in_object(storage, &wrapped.object, source);
        let file = opened.await?.map_err(wrong)?;
        let keys = file.identities.iter().map(RecoveryIdentity::recipient);
        let mut keys = keys.map(|recipient| fingerprint(Some(&recipient), None));
        if keys.any(|found| found == key) {
            Ok(file)
        } else {
            Err(records::misplaced(storage, &wrapped.object))
        }
    }

    /// Puts `identity` under a new passphrase: the older ones are removed, where
    /// the storage lets us.
    ///
    /// # Errors
    /// `NoSuchKey` where it is no key of this repository that could open it.
    pub async fn wrap_key(
        &self,
        owner: &OwnerAccess,
        identity: &RecoveryIdentity,
        passphrase: &Passphrase,
        clock: &dyn Clock,
    ) -> Result<Rewrapped, RepositoryError> {
        self.check_changeable()?;
        let key = fingerprint(Some(&identity.recipient()), None);
        let mut fitting = self
            .keys
            .in_use(KeyRole::Recovery)
            .chain(self.keys.in_use(KeyRole::Owner));
        if !fitting.any(|record| record.fingerprint() == key) {
            return Err(RepositoryError::NoSuchKey {
                fingerprint: key,
                location: self.location(),
            });
        }
        let trust = Trust::in_root(self.id(), self.descriptor.root);
        let wrapped = wrap(identity, &trust, passphrase, clock).await?;
        let older = self.wrapped_before(&key).await?;
        let number = older.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let name = names::wrapped_key(&key, number.saturating_add(1))?;
        let hash = Hash::of(&wrapped);
        self.storage.put(&name, wrapped.into()).await?;
        let changed = self.write_ring(owner, clock, |objects| {
            objects.retain(|name, _| older.iter().all(|(_, older)| older != name));
            objects.insert(name.clone(), hash);
        });
        let repository = changed.await?;
        let mut left = Vec::new();
        for (_, name) in older {
            if self.storage.delete(&name).await.is_err() {
                left.push(name);
            }
        }
        Ok(Rewrapped { repository, left })
    }

    /// What there is of a key under a passphrase, listed or not.
    async fn wrapped_before(&self, key: &str) -> Result<Vec<(u32, ObjectName)>, RepositoryError> {
        let listed = pgkeep_storage::list_all(self.storage.as_ref(), names::KEYS).await?;
        let wrapped =
            listed
                .into_iter()
                .filter_map(|object| match names::key_object(&object.name) {
                    Some(KeyObject::Wrapped(of, number)) if of == key => {
                        Some((number, object.name))
                    }
                    _ => None,
                });
        Ok(wrapped.collect())
    }
}

/// The file of a recovery key, under a passphrase.
pub(crate) async fn wrap(
    identity: &RecoveryIdentity,
    trust: &Trust,
    passphrase: &Passphrase,
    clock: &dyn Clock,
) -> Result<Vec<u8>, RepositoryError> {
    let today = clock.now().strftime("%Y-%m-%d").to_string();
    let text = RecoveryKeyFile::to_secret_text(identity, trust, &today);
    let passphrase = passphrase.clone();
    let wrapped = records::blocking(move || passphrase.wrap(&text)).await?;
    wrapped.map_err(|source| RepositoryError::Make {
        what: "the key under a passphrase",
        source,
    })
}
