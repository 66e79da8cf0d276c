//! Reading and writing single records.
//!
//! Invariant: a record is read only with the keys of those who may have written
//! it, and every error names the object.

use bytes::Bytes;
use pgkeep_format::{
    Damage, Envelope, FormatError, Hash, RecordKind, RepositoryId, Seal, Signer, Verified,
    VerifyingKey,
};
use pgkeep_storage::Storage;
use pgkeep_types::ObjectName;
use serde::Serialize;

use crate::RepositoryError;

/// Reads one record and verifies it. No more is read of it than it may have, and than
/// `listed`, where that is known.
pub(crate) async fn read(
    storage: &dyn Storage,
    repository: RepositoryId,
    kind: RecordKind,
    name: &ObjectName,
    listed: Option<u64>,
    writers: &[VerifyingKey],
) -> Result<Verified, RepositoryError> {
    let limit = kind.limit();
    let too_long = move || FormatError::Damaged {
        offset: 0,
        damage: Damage::TooLong(limit),
    };
    if listed.is_some_and(|listed| listed > limit) {
        return Err(in_object(storage, name, too_long()));
    }
    // A byte more than it should have: then it is refused for its length, unread.
    let expected = listed.unwrap_or(limit);
    let bytes = storage.get(name, Some(0..expected.saturating_add(1)));
    let bytes = bytes.await?;
    let (place, writers) = (name.clone(), writers.to_vec());
    let verified = blocking(move || {
        let found = bytes.len() as u64;
        if found > limit {
            return Err(too_long());
        }
        if found > expected {
            let damage = Damage::Length { expected, found };
            let offset = expected;
            return Err(FormatError::Damaged { offset, damage });
        }
        let envelope = Envelope {
            repository,
            name: &place,
            kind,
        };
        envelope.read(&bytes, &writers)
    });
    verified
        .await?
        .map_err(|source| in_object(storage, name, source))
}

/// A record that is about to be written.
pub(crate) struct Draft<'a, T> {
    pub(crate) repository: RepositoryId,
    pub(crate) name: &'a ObjectName,
    pub(crate) kind: RecordKind,
    /// What everybody may read.
    pub(crate) clear: T,
    /// What is compressed and sealed.
    pub(crate) hidden: Option<(Vec<u8>, Seal)>,
}

impl<T: Serialize + Send + 'static> Draft<'_, T> {
    /// Signs and writes the record, and tells the hash and the length of the object.
    pub(crate) async fn write(
        self,
        storage: &dyn Storage,
        signer: &Signer,
    ) -> Result<(Hash, u64), RepositoryError> {
        let name = self.name;
        let bytes = self.sign(storage, signer).await?;
        let (hash, length) = (Hash::of(&bytes), bytes.len() as u64);
        storage.put(name, bytes).await?;
        Ok((hash, length))
    }

    /// Signs the record: the bytes of the object in `storage` that it is to be.
    pub(crate) async fn sign(
        self,
        storage: &dyn Storage,
        signer: &Signer,
    ) -> Result<Bytes, RepositoryError> {
        let Self {
            repository,
            name,
            kind,
            clear,
            hidden,
        } = self;
        let (place, signer) = (name.clone(), signer.clone());
        let bytes = blocking(move || {
            let envelope = Envelope {
                repository,
                name: &place,
                kind,
            };
            let hidden = hidden
                .as_ref()
                .map(|(plain, seal)| (plain.as_slice(), seal));
            envelope.write(&clear, hidden, &signer)
        });
        let bytes = bytes.await?;
        let bytes = bytes.map_err(|source| in_object(storage, name, source))?;
        Ok(Bytes::from(bytes))
    }
}

/// Runs work on the processor off the runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RepositoryError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| RepositoryError::GivenUp)
}

/// A record that is whole, and says that it is another one.
pub(crate) fn misplaced(storage: &dyn Storage, name: &ObjectName) -> RepositoryError {
    let damage = Damage::Text("name, which is another object's,");
    in_object(storage, name, FormatError::Damaged { offset: 0, damage })
}

/// Adds the object's name to what is wrong with its bytes.
pub(crate) fn in_object(
    storage: &dyn Storage,
    name: &ObjectName,
    source: FormatError,
) -> RepositoryError {
    RepositoryError::Object {
        object: name.to_string(),
        location: storage.location(),
        source,
    }
}
