//! The directory that a repository is to be made in.
//!
//! Invariant: nothing is made among somebody's files: a repository has its directory to
//! itself.

use std::fs;
use std::io;
use std::path::Path;

use pgkeep_config::StorageText;

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
    let known = |name: &str| {
        let mut all = LEFT.iter().chain(&OF_FILE_SYSTEMS);
        all.any(|known| name.starts_with(known))
    };
    Ok(names.into_iter().find(|name| !known(name)))
}
