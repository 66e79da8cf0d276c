//! Whose record an object is, found out without holding it whole.
//!
//! Invariant: of the object only its first bytes and its trailer are kept: whoever can write
//! to the storage can make it as long as its kind may be.

use pgkeep_types::ObjectName;

use crate::envelope::{Envelope, MAGIC, TRAILER};
use crate::{Hash, Hasher, RecordKind, RepositoryId, VerifyingKey};

/// An object in a record's place, of which the bytes come in pieces.
#[derive(Clone)]
pub struct Attribution {
    /// How many bytes there are before the trailer.
    content: u64,
    seen: u64,
    head: Vec<u8>,
    trailer: Vec<u8>,
    of_content: Hasher,
    of_all: Hasher,
}

impl Attribution {
    /// Begins with an object of `length` bytes; none where that is too few for a record.
    #[must_use]
    pub fn of(length: u64) -> Option<Self> {
        Some(Self {
            content: length.checked_sub(TRAILER as u64)?,
            seen: 0,
            head: Vec::new(),
            trailer: Vec::new(),
            of_content: Hasher::unkeyed(),
            of_all: Hasher::unkeyed(),
        })
    }

    /// Takes the next bytes in, and tells whether it may still be a record.
    #[must_use]
    pub fn update(&mut self, bytes: &[u8]) -> bool {
        let left = self.content.saturating_sub(self.seen);
        let of_content = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (content, trailer) = bytes.split_at(of_content);
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        let missing = MAGIC.len() - self.head.len();
        self.head.extend(content.iter().take(missing));
        // A byte more than it has is enough to refuse it.
        let room = (TRAILER + 1).saturating_sub(self.trailer.len());
        self.trailer.extend(trailer.iter().take(room));
        let may_be = MAGIC.starts_with(&self.head);
        if may_be {
            self.of_content.update(content);
            self.of_all.update(bytes);
        }
        may_be
    }

    /// Whose record it is, as the object `name`, and the hash by which others cite it; of
    /// whatever kind it is, and whether or not anybody vouches for the writer. None where it
    /// is no record that its writer signed for this place.
    #[must_use]
    pub fn finish(
        &self,
        repository: RepositoryId,
        name: &ObjectName,
    ) -> Option<(VerifyingKey, Hash)> {
        let hash = self.of_content.finish();
        let is_whole = self.head == MAGIC && self.trailer.len() == TRAILER;
        if !is_whole || self.trailer.first_chunk::<32>() != Some(&hash.0) {
            return None;
        }
        let place = Envelope {
            repository,
            name,
            // No signature covers the kind but by the hash.
            kind: RecordKind::Key,
        };
        let writer = VerifyingKey::from_bytes(self.trailer.get(32..64)?.try_into().ok()?);
        let checked = place.check_writer(&self.trailer, &hash, &[writer], 0);
        checked.ok().map(|writer| (writer, self.of_all.finish()))
    }
}
