//! A file on its way to be an object.
//!
//! Invariants: it has a temporary name until it is synced; its own name is given by a
//! link or a rename that refuses to replace, and is durable when `publish` has returned.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{RenameFlags, renameat_with};

use super::litter;

/// How often a folder is made that is gone before anything is in it.
const TRIES: usize = 100;

/// A file under a temporary name; removed when dropped before it is published.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) file: File,
    temporary: PathBuf,
    path: PathBuf,
    /// The storage's own directory: up to it the new name has to be made durable.
    root: PathBuf,
    /// How many bytes were written since the last sync.
    pub(super) unsynced: u64,
}

impl Draft {
    pub(super) fn create(root: &Path, path: &Path) -> io::Result<Self> {
        // Whoever prunes may remove a folder that is still empty.
        for _ in 1..TRIES {
            match Self::create_once(root, path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                created => return created,
            }
        }
        Self::create_once(root, path)
    }

    fn create_once(root: &Path, path: &Path) -> io::Result<Self> {
        let directory = parent(path)?;
        create_folders(root, directory)?;
        // Several hosts may write here: the name is drawn, not counted.
        let drawn = RandomState::new().build_hasher().finish();
        let temporary = directory.join(litter::temporary_name(drawn));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        Ok(Self {
            file,
            temporary,
            path: path.to_owned(),
            root: root.to_owned(),
            unsynced: 0,
        })
    }

    /// Gives the file its own name, durably; refuses where that exists.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => {}
            Err(error) if cannot_link(&error) => {
                // No hard links here (exFAT, some network mounts): a rename that
                // refuses to replace does the same.
                renameat_with(
                    rustix::fs::CWD,
                    &self.temporary,
                    rustix::fs::CWD,
                    &self.path,
                    RenameFlags::NOREPLACE,
                )?;
            }
            Err(error) => return Err(error),
        }
        let synced = self.sync_directories();
        if synced.is_err() {
            // What is there and may not stay must not be found by who asks again.
            let _ = fs::remove_file(&self.path);
        }
        synced
    }

    fn sync_directories(&self) -> io::Result<()> {
        let mut directory = parent(&self.path)?;
        loop {
            sync_directory(directory)?;
            if directory == self.root {
                return Ok(());
            }
            directory = parent(directory)?;
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Best effort: what stays no listing shows, and is discarded when it is old.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn cannot_link(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error();
    [
        Errno::PERM,
        Errno::NOTSUP,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::MLINK,
    ]
    .iter()
    .any(|cannot| errno == Some(cannot.raw_os_error()))
}

/// The directory that holds `path`.
pub(super) fn parent(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::other("the path has no directory above it"))
}

/// Makes the folders that are missing below the storage's own directory.
fn create_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder == root {
        return Err(io::ErrorKind::NotFound.into());
    }
    create_folders(root, parent(folder)?)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(_) if folder.is_dir() => Ok(()),
        // A file has the folder's name; the object's own may be free.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(io::ErrorKind::NotADirectory.into())
        }
        created => created,
    }
}

/// Makes what is gone from a folder durable: where somebody has removed the folder, too, in
/// the nearest one above it that is there.
pub(super) fn sync_nearest(root: &Path, folder: &Path) -> io::Result<()> {
    match sync_directory(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder != root => {
            sync_nearest(root, parent(folder)?)
        }
        synced => synced,
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
