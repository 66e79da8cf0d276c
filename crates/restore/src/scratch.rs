//! Scratch space: an archive in a file, for what a stream cannot do.
//!
//! Invariants: it holds the whole archive, found right; it has no name from the moment
//! that it was made, so that nothing is left of it however the process ends; nobody else
//! can read it.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;

use pgkeep_format::records::DUMP_FILE;
use pgkeep_repository::OpenBackup;
use pgkeep_types::size;

use crate::file::{Draft, copy};
use crate::preflight::Problem;
use crate::{Progress, RestoreError, room};

/// What to do where scratch space cannot be had.
pub(crate) const WAY_OUT: &str =
    "name another directory with --scratch DIR, or restore with --jobs 1, which needs none";

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
        let failed = |source| RestoreError::Scratch {
            directory: directory.to_owned(),
            needed: backup.record().raw_bytes,
            source,
        };
        let (draft, mut file) = Draft::create(&directory.join("pgkeep")).map_err(failed)?;
        drop(draft);
        let raw_bytes = copy(backup, DUMP_FILE, &mut file, progress, failed).await?;
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
            hint: Some(WAY_OUT.to_owned()),
        })
    };
    match room::free(directory) {
        Err(error) => problem(format!("cannot be used: {error}")),
        Ok(Some(free)) if free < needed => problem(format!(
            "has {} free, and the archive takes {}",
            size(free),
            size(needed)
        )),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_that_is_too_small_or_not_there_is_told_with_a_way_out() {
        let here = Path::new(".");
        assert_eq!(missing(here, 1), None);
        let problem = missing(here, u64::MAX).unwrap();
        assert!(problem.what.ends_with("and the archive takes 16.0 EiB"));
        assert!(problem.hint.unwrap().contains("--scratch"));
        let nowhere = missing(Path::new("/nowhere"), 1).unwrap();
        assert!(nowhere.what.contains("/nowhere cannot be used"));
    }
}
