//! What changes of the keys that came to no end have left below `keys/`.
//!
//! Invariant: only what something that is there stands in the place of goes, or what is of a
//! key that has come to its end, and only once it is old. That no ring lists an object says
//! nothing: the ring that did may be lost. Foreign objects stay, and keep everybody from
//! writing.

use pgkeep_format::names::{self, KeyObject};
use pgkeep_storage::{ObjectMeta, list_all};
use pgkeep_types::{ObjectName, Timestamp};

use super::{Keys, VouchedKey, Wrapped};
use crate::{Repository, RepositoryError};

impl Repository {
    /// Removes private keys under a passphrase that came to be before `before`, by the
    /// storage's clock, and count as nothing for good: of a passphrase of before, or of a key
    /// that was retired. Tells how many went, and their bytes.
    pub(crate) async fn discard_unlisted_keys(
        &self,
        before: Timestamp,
    ) -> Result<(usize, u64), RepositoryError> {
        let mut gone = (0, 0);
        // A ring that cannot be used may list them.
        if !self.keys.unreadable.is_empty() {
            return Ok(gone);
        }
        let storage = self.storage.as_ref();
        let is_litter =
            |object: &ObjectMeta| self.keys.is_over(&object.name) && object.modified < before;
        for object in list_all(storage, names::KEYS).await? {
            if is_litter(&object) {
                storage.delete(&object.name).await?;
                gone = (gone.0 + 1, gone.1 + object.size);
            }
        }
        Ok(gone)
    }
}

impl Keys {
    /// Whether it is a private key under a passphrase, not listed, that nobody will list: the
    /// ring that holds lists a newer one of that key, or the key's end.
    fn is_over(&self, name: &ObjectName) -> bool {
        let Some(KeyObject::Wrapped(key, number)) = names::key_object(name) else {
            return false;
        };
        let is_replaced = |listed: &Wrapped| listed.number > number;
        let has_ended = |of: &VouchedKey| of.is_end_certain && of.record.fingerprint() == key;
        !self.objects.contains_key(name)
            && (self.wrapped.get(&key).is_some_and(is_replaced)
                || self.vouched.iter().any(has_ended))
    }
}
