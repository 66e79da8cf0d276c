//! What is left of a repository in a place that has none any more, or none yet.
//!
//! Invariant: a place that may hold a repository's backups is never told to be free.

use std::collections::BTreeMap;

use pgkeep_format::names;
use pgkeep_storage::{ObjectMeta, Storage, StorageError, list_all};
use pgkeep_types::{ClusterName, ObjectName};

use crate::RepositoryError;

/// Refuses to make a repository where there is one, or what is left of one.
///
/// # Errors
/// `Exists`, `Remains`, `Beheaded`, and where the storage fails.
pub(crate) async fn refuse_existing(storage: &dyn Storage) -> Result<(), RepositoryError> {
    let location = || storage.location();
    match storage.head(&names::descriptor()?).await {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            return Err(RepositoryError::Exists {
                location: location(),
            });
        }
    }
    match remains(storage).await {
        Ok(Some(remains)) => Err(remains),
        // All of it is looked at: much that is somebody else's may come first.
        Ok(None) => match beheaded(storage, &list_all(storage, "").await?) {
            Some(beheaded) => Err(beheaded),
            None => Ok(()),
        },
        // A directory that does not exist yet has no keys.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What there is of a repository without a descriptor: keys of a creation that was cut off,
/// which under another root would be strangers, or of one that has lost it.
///
/// # Errors
/// Where the storage cannot be listed.
pub(crate) async fn remains(
    storage: &dyn Storage,
) -> Result<Option<RepositoryError>, StorageError> {
    let keys = list_all(storage, names::KEYS).await?;
    let Some(since) = keys.iter().map(|object| object.modified).max() else {
        return Ok(None);
    };
    Ok(Some(RepositoryError::Remains {
        location: storage.location(),
        objects: keys.iter().map(|object| object.name.to_string()).collect(),
        since,
        in_use: holds_backups(storage).await?,
    }))
}

/// Why there is no repository where there are objects of one of these clusters, and neither
/// a descriptor nor keys: it has lost them. Asks for one page of a listing for each cluster.
pub async fn lost_all_but_backups(
    storage: &dyn Storage,
    clusters: &[ClusterName],
) -> Option<RepositoryError> {
    for cluster in clusters {
        // That it cannot be asked was told of the descriptor, or nothing is there.
        let page = storage.list(&format!("{cluster}/"), None).await;
        if let Some(beheaded) = page.ok().and_then(|page| beheaded(storage, &page.objects)) {
            return Some(beheaded);
        }
    }
    None
}

/// Why there is no repository where these objects are, if any of them is a cluster's.
fn beheaded(storage: &dyn Storage, objects: &[ObjectMeta]) -> Option<RepositoryError> {
    let of_clusters = objects.iter().filter_map(|object| {
        let place = names::place(&object.name)?;
        Some((place.cluster().to_string(), &object.name))
    });
    let of_clusters: BTreeMap<String, &ObjectName> = of_clusters.collect();
    let object = of_clusters.values().next()?;
    Some(RepositoryError::Beheaded {
        location: storage.location(),
        object: object.to_string(),
        clusters: of_clusters.keys().cloned().collect(),
    })
}

/// Whether anything of a cluster is there.
async fn holds_backups(storage: &dyn Storage) -> Result<bool, StorageError> {
    let objects = list_all(storage, "").await?;
    let mut places = objects
        .iter()
        .filter_map(|object| names::place(&object.name));
    Ok(places.next().is_some())
}
