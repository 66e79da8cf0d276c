//! Finding out what a storage can be relied on for.
//!
//! Invariant: a capability is what was seen to hold, never what was said to.

use bytes::Bytes;
use pgkeep_format::Capabilities;
use pgkeep_storage::{Storage, StorageErrorKind};
use pgkeep_types::{ObjectName, Random};

use crate::RepositoryError;
use crate::create::drawn;

/// Tries out what the storage promises, with an object that is removed again.
pub(crate) async fn probe(
    storage: &dyn Storage,
    random: &dyn Random,
) -> Result<Capabilities, RepositoryError> {
    let drawn = u64::from_le_bytes(drawn(random));
    let name: ObjectName = format!("probe-{drawn:016x}").parse()?;
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    storage.put(&name, first.clone()).await?;
    let refused = match storage.put(&name, second).await {
        Ok(()) => false,
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => true,
        Err(error) => return Err(error.into()),
    };
    let kept = storage.get(&name, None).await?;
    storage.delete(&name).await?;
    if refused && kept != first {
        return Err(RepositoryError::Unreliable {
            location: storage.location(),
            what: "a write that was refused changed the object",
        });
    }
    Ok(Capabilities {
        create_only: refused,
    })
}
