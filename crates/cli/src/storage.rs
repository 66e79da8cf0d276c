//! From a repository of the configuration to its storage.
//!
//! Invariant: an address is read whole before anything is done with it, so that a
//! secret in it is refused before it could be shown.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pgkeep_config::{Origin, StorageText};
use pgkeep_storage::{Delay, Storage, StorageAddress};
use pgkeep_types::Environment;

use crate::error::CliError;
use crate::output::Output;
use crate::process::SystemRandom;

/// The same place without a way back in its path: `/a/../b` is `/b`, unless `/a` is a link.
pub(crate) fn direct(path: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for part in path.components() {
        if part != Component::ParentDir {
            direct.push(part);
            continue;
        }
        match direct.canonicalize() {
            Ok(real) => direct = real,
            // It will be made as it is called.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return path.to_owned(),
        }
        direct.pop();
    }
    direct
}

/// The room that a directory's file system has, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// What this user may still take.
    pub(crate) free: u64,
    /// What there is in all.
    pub(crate) all: u64,
}

/// The room of the file system that a directory is on; none where that tells of none, as some
/// networks' do.
pub(crate) fn room(directory: &Path) -> io::Result<Option<Room>> {
    let found = rustix::fs::statvfs(directory)?;
    let room = Room {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        all: found.f_blocks.saturating_mul(found.f_frsize),
    };
    Ok((room.all > 0).then_some(room))
}

/// Whether this user may make files in a directory, as far as its rights tell.
///
/// # Errors
/// Why not; [`io::ErrorKind::NotFound`] where it is not there.
pub(crate) fn may_write(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Reads the address of the repository that is called `name`.
pub(crate) fn address(
    name: &str,
    storage: &StorageText,
    origin: &Origin,
) -> Result<StorageAddress, CliError> {
    match storage {
        StorageText::Directory(path) => Ok(StorageAddress::Directory(direct(path))),
        StorageText::Url(url) => {
            // A URL has no base.
            StorageAddress::parse(url, Path::new("/")).map_err(|source| CliError::Address {
                repository: name.to_owned(),
                origin: origin.clone(),
                source,
            })
        }
    }
}

/// The storage of the repository that is called `name`. It is told when it does not
/// answer for a while.
pub(crate) fn open(
    name: &str,
    storage: &StorageText,
    origin: &Origin,
    environment: &Environment,
    output: Output,
) -> Result<Arc<dyn Storage>, CliError> {
    let address = address(name, storage, origin)?;
    let told = Arc::new(move |delay: &Delay| output.say(delay));
    Ok(address.open(environment, Arc::new(SystemRandom), told)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_a_way_back_and_leads_where_it_did() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(home.join("a/deep")).unwrap();
        std::os::unix::fs::symlink("a/deep", home.join("link")).unwrap();
        for (given, told) in [
            ("a/../r", "r"),
            ("new/../r", "r"),
            ("a/deep/../../r", "r"),
            ("link/../r", "a/r"),
            ("link/r", "link/r"),
        ] {
            assert_eq!(direct(&home.join(given)), home.join(told), "{given}");
        }
        assert_eq!(direct(Path::new("/../r")), Path::new("/r"));
    }
}
