//! The directory that a storage is, and whether it is still there.
//!
//! Invariants: nobody but who makes a repository makes it; all else is written below it
//! only while it is there. Once seen it is held open, and what is at its path must stay the
//! same directory: below an empty mount point, or in another directory that took its place,
//! nothing is written, and nothing that is missing there is taken for deleted.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;

use super::draft::sync_directory;

/// A storage's own directory.
#[derive(Debug)]
pub(super) struct Root {
    path: Box<Path>,
    /// As it was when it was first seen. It is held open, as some file systems number a
    /// directory anew once nobody has it open.
    held: OnceLock<File>,
}

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            held: OnceLock::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work`, and believes what came of it only where the directory was the same one
    /// before it and after it.
    pub(super) fn on<T>(&self, work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        self.check()?;
        let done = work(&self.path);
        self.check()?;
        done
    }

    /// Refuses where the directory is another one than when it was first seen.
    ///
    /// # Errors
    /// [`Vanished`], as an error that is never taken for an object that is not there.
    pub(super) fn check(&self) -> io::Result<()> {
        let found = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        match (self.held.get(), found) {
            (Some(held), Some(found)) if is_same(&held.metadata()?, &found) => Ok(()),
            (Some(_), Some(_)) => Err(io::Error::other(Vanished::Replaced)),
            (Some(_), None) => Err(io::Error::other(Vanished::Gone)),
            (None, Some(found)) if found.is_dir() => {
                // Who may not list it cannot open it: then it cannot be held.
                if let Ok(held) = File::open(&self.path) {
                    let _ = self.held.set(held);
                }
                Ok(())
            }
            // What is then asked of it says why it cannot be had.
            (None, _) => Ok(()),
        }
    }

    /// Makes the directory, durably, and those above it, where they are not there.
    pub(super) fn make(&self) -> io::Result<()> {
        let mut known: &Path = &self.path;
        while !known.exists() {
            known = match known.parent() {
                Some(above) if above != Path::new("") => above,
                _ => break,
            };
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)?;
        for directory in self.path.ancestors() {
            sync_directory(directory)?;
            if directory == known {
                break;
            }
        }
        self.check()
    }
}

fn is_same(held: &Metadata, found: &Metadata) -> bool {
    (held.dev(), held.ino()) == (found.dev(), found.ino())
}

/// How a storage's directory is no longer what it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vanished {
    /// It is not there.
    Gone,
    /// Another directory is there.
    Replaced,
}

impl fmt::Display for Vanished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "this directory is not there any more",
            Self::Replaced => {
                "this is another directory than before: a file system was mounted or unmounted \
                 here, or the directory was replaced"
            }
        })
    }
}

impl std::error::Error for Vanished {}
