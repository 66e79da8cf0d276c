//! Reading and writing single records.
//!
//! Invariant: a record is read only with the keys of those who may have written
//! it, and every error names the object.

use bytes::Bytes;
use pgkeep_format::{
    Damage, Envelope, FormatError, RecordKind, RepositoryId, Seal, Signer, Verified, VerifyingKey,
};
use pgkeep_storage::Storage;
use pgkeep_types::ObjectName;
use serde::Serialize;

use crate::RepositoryError;

/// Reads one record and verifies it.
pub(crate) async fn read(
    storage: &dyn Storage,
    repository: RepositoryId,
    kind: RecordKind,
    name: &ObjectName,
    writers: &[VerifyingKey],
) -> Result<Verified, RepositoryError> {
    let bytes = storage.get(name, None).await?;
    let envelope = Envelope {
        repository,
        name,
        kind,
    };
    envelope
        .read(&bytes, writers)
        .map_err(|source| in_object(storage, name, source))
}

/// Writes one record and hands back its bytes.
pub(crate) async fn write(
    storage: &dyn Storage,
    envelope: Envelope<'_>,
    clear: &impl Serialize,
    hidden: Option<(&[u8], &Seal)>,
    signer: &Signer,
) -> Result<Bytes, RepositoryError> {
    let bytes = envelope
        .write(clear, hidden, signer)
        .map_err(|source| in_object(storage, envelope.name, source))?;
    let bytes = Bytes::from(bytes);
    storage.put(envelope.name, bytes.clone()).await?;
    Ok(bytes)
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
