//! What changes of the keys that came to no end have left below `keys/`.
//!
//! Invariant: only what something that is there stands in the place of goes, or what is of a
//! key that has come to its end, and only once it is old. That no ring lists an object says
//! nothing: the ring that did may be lost. Foreign objects stay, and keep everybody from
//! writing.

use std::collections::BTreeSet;

use pgkeep_format::names::{self, KeyObject};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::ObjectName;

use super::{Keys, VouchedKey, Wrapped};

impl Keys {
    /// Private keys under a passphrase, of what was `listed` below `keys/`, that count as
    /// nothing for good: of a passphrase of before, or of a key that was retired.
    pub(crate) fn over(&self, listed: &[ObjectMeta]) -> BTreeSet<ObjectName> {
        // A ring that cannot be used may list them.
        if !self.unreadable.is_empty() {
            return BTreeSet::new();
        }
        let names = listed.iter().map(|object| &object.name);
        names.filter(|name| self.is_over(name)).cloned().collect()
    }

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
