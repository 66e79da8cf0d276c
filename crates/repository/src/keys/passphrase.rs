//! Recovery keys under a passphrase.
//!
//! Invariants: only what the newest ring lists is tried, one for each key; the
//! work that a hostile storage can cause is bounded. What comes back is the key
//! that its name says. A new passphrase removes only what a ring listed before its own.

use pgkeep_format::names::{self, KeyObject};
use pgkeep_format::{
    Damage, FormatError, Hash, KeyRole, Passphrase, RecoveryIdentity, RecoveryKeyFile, Trust,
    fingerprint,
};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::{Clock, ObjectName};

use super::{KeysError, OwnerAccess, Wrapped};
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
            true => RepositoryError::Keys(KeysError::WrongPassphrase { location }),
            false => RepositoryError::Keys(KeysError::NoPassphrase { location }),
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

    /// Puts `identity` under a new passphrase: what the ring listed under older ones is
    /// removed, where the storage lets us.
    ///
    /// # Errors
    /// `NoSuchKey` where it is no key of this repository that could open it,
    /// `PassphraseOvertaken` where another change at the same moment is the one that holds.
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
            return Err(RepositoryError::Keys(KeysError::NoSuchKey {
                fingerprint: key,
                location: self.location(),
            }));
        }
        let trust = Trust::in_root(self.id(), self.descriptor.root);
        let wrapped = wrap(identity, &trust, passphrase, clock).await?;
        let name = names::wrapped_key(&key, self.highest_wrapped(&key).await?.saturating_add(1))?;
        let (hash, length) = (Hash::of(&wrapped), wrapped.len() as u64);
        let overtaken = || {
            RepositoryError::Keys(KeysError::PassphraseOvertaken {
                location: self.location(),
            })
        };
        match self.storage.put(&name, wrapped.into()).await {
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => return Err(overtaken()),
            written => written?,
        }
        // What no ring lists may be about to be listed by somebody else, and stays.
        let mut older = Vec::new();
        let changed = self.write_ring(owner, clock, |objects| {
            let is_of_key = |name: &ObjectName| match names::key_object(name) {
                Some(KeyObject::Wrapped(of, _)) => of == key,
                _ => false,
            };
            older = objects
                .keys()
                .filter(|name| is_of_key(name))
                .cloned()
                .collect();
            objects.retain(|name, _| !is_of_key(name));
            objects.insert(name.clone(), hash);
        });
        changed.await?;
        older.retain(|older| *older != name);
        let mut left = Vec::new();
        for name in older {
            if self.storage.delete(&name).await.is_err() {
                left.push(name);
            }
        }
        let repository = self.with_keys_anew().await?;
        let is_listed = |wrapped: &Wrapped| wrapped.object == name && wrapped.hash == hash;
        let most = length.saturating_add(1);
        let is_there = match self.storage.get(&name, Some(0..most)).await {
            Ok(found) => Hash::of(&found) == hash,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error.into()),
        };
        match is_there && repository.keys.wrapped.get(&key).is_some_and(is_listed) {
            true => Ok(Rewrapped { repository, left }),
            false => Err(overtaken()),
        }
    }

    /// The highest number of an object that holds the key under a passphrase, listed or
    /// not; 0 where there is none.
    async fn highest_wrapped(&self, key: &str) -> Result<u32, RepositoryError> {
        let there = pgkeep_storage::list_all(self.storage.as_ref(), names::KEYS).await?;
        let numbers = there
            .iter()
            .filter_map(|object| match names::key_object(&object.name) {
                Some(KeyObject::Wrapped(of, number)) if of == key => Some(number),
                _ => None,
            });
        Ok(numbers.max().unwrap_or(0))
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
