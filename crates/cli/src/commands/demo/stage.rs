//! The one directory in which everything of the demo happens.
//!
//! Invariants: it is made anew, and nobody else can look into it; it goes with
//! the value, however the story ends, unless it is to be kept.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::error::DemoError;
use crate::process;

/// How long the last processes of a server may go on writing.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Nobody else enters.
const PRIVATE: u32 = 0o700;
/// Others pass through to what is theirs and see nothing else: as root the
/// server belongs to another account.
const PASSABLE: u32 = 0o711;

/// The directory.
#[derive(Debug)]
pub(super) struct Stage {
    directory: TempDir,
    keep: bool,
}

impl Stage {
    /// Makes it.
    pub(super) fn set(keep: bool) -> Result<Self, DemoError> {
        let mut parent = process::temporary_directory();
        let root = rustix::process::geteuid().is_root();
        let mode = if root { PASSABLE } else { PRIVATE };
        if root && !parent.ancestors().all(is_passable) {
            parent = PathBuf::from("/tmp");
        }
        let mut directory = tempfile::Builder::new()
            .prefix("pgkeep-demo-")
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(&parent)
            .map_err(|source| DemoError::Stage {
                what: "make a directory in",
                path: parent,
                source,
            })?;
        directory.disable_cleanup(keep);
        Ok(Self { directory, keep })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes it, or leaves it to its owner alone.
    pub(super) async fn clear(self) -> Result<(), DemoError> {
        let path = self.path().to_owned();
        let failed = |what| {
            let path = path.clone();
            move |source| DemoError::Stage { what, path, source }
        };
        if self.keep {
            let private = Permissions::from_mode(PRIVATE);
            return fs::set_permissions(&path, private).map_err(failed("close"));
        }
        let deadline = Instant::now() + REMOVE_TIMEOUT;
        loop {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(failed("remove")(error)),
                // Once more, so that its absence is seen and not believed.
                Ok(()) | Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }
}

/// Whether every account may pass through; what cannot be asked is left to be
/// found out.
fn is_passable(directory: &Path) -> bool {
    fs::metadata(directory).map_or(true, |found| found.permissions().mode() & 0o001 != 0)
}
