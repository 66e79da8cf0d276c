//! The directory that a repository is to be made in, and what is in the way.
//!
//! Invariant: nothing is made among somebody's files: a repository has its directory to
//! itself.

use std::fs;
use std::io;
use std::path::Path;

use pgkeep_config::{Settings, StorageText};
use pgkeep_format::names;
use pgkeep_storage::{Storage, list_all};
use pgkeep_types::{BackupId, ClusterName, RunId};

use super::Plan;
use crate::error::CliError;

/// What tells that there is a repository: making another one is refused elsewhere.
const DESCRIPTOR: &str = "pgkeep.json";
/// What an earlier try may have left.
const LEFT: [&str; 2] = ["keys", "probe-"];
/// What file systems have in a directory that is empty.
const OF_FILE_SYSTEMS: [&str; 3] = [".", "@", "lost+found"];

/// Refuses a directory that holds something else.
///
/// # Errors
/// `NotEmpty`, with one of the names; `File` where it cannot be looked into.
pub(super) fn refuse_occupied(repository: &StorageText) -> Result<(), CliError> {
    let StorageText::Directory(path) = repository else {
        return Ok(());
    };
    match foreign(path) {
        Ok(None) => Ok(()),
        Ok(Some(name)) => Err(CliError::NotEmpty {
            path: path.clone(),
            name,
        }),
        // It will be made.
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CliError::File {
            what: "look into",
            path: path.clone(),
            source,
        }),
    }
}

/// The name of something that is no repository's.
fn foreign(path: &Path) -> io::Result<Option<String>> {
    if path.join(DESCRIPTOR).exists() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    // That a repository has lost its descriptor is told where one is made.
    let has_keys = holds_keys(&path.join("keys"));
    let known = |name: &str| {
        let mut all = LEFT.iter().chain(&OF_FILE_SYSTEMS);
        let folder = path.join(name);
        all.any(|known| name.starts_with(known))
            || has_keys && is_cluster(&folder)
            || holds_runs_or_backups(&folder)
    };
    Ok(names.into_iter().find(|name| !known(name)))
}

/// Whether an object of a repository's keys is in the folder.
fn holds_keys(folder: &Path) -> bool {
    let Ok(mut entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.any(|entry| {
        let name = entry.ok().map(|entry| entry.file_name());
        let name = name.and_then(|name| format!("keys/{}", name.to_str()?).parse().ok());
        name.is_some_and(|name| names::key_object(&name).is_some())
    })
}

/// Whether the folder is a cluster's, with what was backed up of it.
fn is_cluster(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.parse::<ClusterName>().is_ok())
        && ["backups", "runs"]
            .iter()
            .any(|of| folder.join(of).is_dir())
}

/// Whether the folder holds folders of runs or backups, named as such are: what is in them
/// is told where a repository is made.
fn holds_runs_or_backups(folder: &Path) -> bool {
    let holds = |of: &str, is_one: fn(&str) -> bool| {
        let mut entries = fs::read_dir(folder.join(of)).into_iter().flatten();
        entries.any(|entry| {
            let name = entry.ok().map(|entry| entry.file_name());
            name.is_some_and(|name| name.to_str().is_some_and(is_one))
        })
    };
    is_cluster(folder)
        && (holds("runs", |name| name.parse::<RunId>().is_ok())
            || holds("backups", |name| name.parse::<BackupId>().is_ok()))
}

/// Why the files on this machine could not be written: where they are there already, and
/// of the same repository, and that is not there, an earlier `init` may have been cut off.
pub(super) async fn explained(
    error: CliError,
    plan: &Plan,
    settings: Option<&Settings>,
    storage: &dyn Storage,
) -> CliError {
    let CliError::Exists { path } = error else {
        return error;
    };
    let is_same = settings.is_none_or(|settings| {
        let mut configured = settings.repositories.values();
        configured.any(|repository| repository.storage == plan.repository)
    });
    if !is_same || !holds_keys_alone(storage).await {
        return CliError::Exists { path };
    }
    let beside = |name: &str| plan.config.with_file_name(name);
    let own = [beside("recovery.key"), beside("owner.key")];
    let named = plan
        .recovery_key
        .iter()
        .chain([&plan.host_key, &plan.config]);
    let mut left: Vec<_> = named.cloned().chain(own).collect();
    left.retain(|file| file.exists());
    left.sort();
    left.dedup();
    CliError::CutOff {
        path,
        left,
        location: storage.location(),
    }
}

/// Whether there are neither a repository nor backups: what lost its `pgkeep.json` alone
/// needs its keys.
async fn holds_keys_alone(storage: &dyn Storage) -> bool {
    match list_all(storage, "").await {
        Ok(objects) => !objects.iter().any(|object| {
            object.name.as_str() == DESCRIPTOR || names::place(&object.name).is_some()
        }),
        Err(error) => error.is_not_found(),
    }
}
