//! Scratch space: an archive in a file, for what a stream cannot do.
//!
//! Invariants: it holds the whole archive, found right; it has no name from the moment
//! that it was made, so that nothing is left of it however the process ends; nobody else
//! can read it.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use pgkeep_format::records::DUMP_FILE;
use pgkeep_repository::OpenBackup;
use rustix::fs::{Access, access, statvfs};

use crate::file::{Draft, copy};
use crate::preflight::Problem;
use crate::{Progress, RestoreError};

/// A restore with several sessions, which needs scratch space.
#[derive(Clone, Copy, Debug)]
pub struct Jobs<'a> {
    /// How many sessions, at least two.
    pub count: NonZeroUsize,
    /// The directory for the scratch space.
    pub scratch: &'a Path,
}

/// An archive in a file that has no name.
pub(crate) struct Scratch {
    file: File,
    raw_bytes: u64,
}

impl Scratch {
    /// Writes the archive of a backup into `directory`.
    pub(crate) async fn write(
        backup: &OpenBackup,
        directory: &Path,
        progress: &Progress,
    ) -> Result<Self, RestoreError> {
        let (draft, mut file) = Draft::create(&directory.join("pgkeep"))?;
        drop(draft);
        let raw_bytes = copy(backup, DUMP_FILE, &mut file, directory, progress).await?;
        Ok(Self {
            file: file.into_std().await,
            raw_bytes,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }
}

/// What keeps `directory` from holding so many bytes; nothing where it can.
pub(crate) fn missing(directory: &Path, needed: u64) -> Option<Problem> {
    let problem = |why: String| {
        Some(Problem {
            what: format!("the scratch space in {} {why}", directory.display()),
            hint: Some(
                "name another directory with --scratch DIR, or restore with one job, which \
                 streams"
                    .to_owned(),
            ),
        })
    };
    let looked = access(directory, Access::WRITE_OK | Access::EXEC_OK);
    let free = match looked.and_then(|()| statvfs(directory)) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => return problem(format!("cannot be used: {}", io::Error::from(error))),
    };
    if free >= needed {
        return None;
    }
    problem(format!(
        "has {free} bytes free, and the archive takes {needed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_that_is_too_small_or_not_there_is_told_with_a_way_out() {
        let here = Path::new(".");
        assert_eq!(missing(here, 1), None);
        let problem = missing(here, u64::MAX).unwrap();
        assert!(
            problem
                .what
                .contains("and the archive takes 1844674407370955")
        );
        assert!(problem.hint.unwrap().contains("--scratch"));
        let nowhere = missing(Path::new("/nowhere"), 1).unwrap();
        assert!(nowhere.what.contains("/nowhere cannot be used"));
    }
}
