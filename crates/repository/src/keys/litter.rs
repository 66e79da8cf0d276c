//! What changes of the keys that came to no end have left below `keys/`.
//!
//! Invariant: only what counts as nothing goes, and only once it is so old that nobody
//! is about to list it. Foreign objects stay, and keep everybody from writing.

use pgkeep_format::names::{self, KeyObject};
use pgkeep_storage::{ObjectMeta, list_all};
use pgkeep_types::Timestamp;

use crate::{Repository, RepositoryError};

impl Repository {
    /// Removes private keys under a passphrase that came to be before `before`, by the
    /// storage's clock, and that the newest ring does not list: a passphrase of before,
    /// or one that was never set to its end. Tells how many went, and their bytes.
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
        let is_litter = |object: &ObjectMeta| {
            matches!(
                names::key_object(&object.name),
                Some(KeyObject::Wrapped(..))
            ) && !self.keys.objects.contains_key(&object.name)
                && object.modified < before
        };
        for object in list_all(storage, names::KEYS).await? {
            if is_litter(&object) {
                storage.delete(&object.name).await?;
                gone = (gone.0 + 1, gone.1 + object.size);
            }
        }
        Ok(gone)
    }
}
