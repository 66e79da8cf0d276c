//! Files that hold private keys, or lead to them: made with mode 0600, durably.
//!
//! Invariants: nothing that exists is touched but what is replaced by name, and
//! that in one step: whoever reads sees the old file or the new one, whole.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::CliError;

/// Files that are removed again unless all goes well.
#[derive(Default)]
pub(crate) struct Drafts(Vec<PathBuf>);

impl Drafts {
    /// Writes a private file that must not be there yet, durably.
    pub(crate) fn write(&mut self, path: &Path, text: &str) -> Result<(), CliError> {
        let failed = |source| cannot_write(path, source);
        let parent = directory_of(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)
            .map_err(failed)?;
        let mut file = create_new(path).map_err(failed)?;
        self.0.push(path.to_owned());
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync(parent).map_err(failed)
    }

    /// Keeps the files.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        for path in &self.0 {
            // What they were for was not made: these keys open nothing.
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes one private file that must not be there yet, durably.
pub(crate) fn create(path: &Path, text: &str) -> Result<(), CliError> {
    let mut draft = Drafts::default();
    draft.write(path, text)?;
    draft.keep();
    Ok(())
}

/// Puts `text` in the place of what the file holds, durably.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source| cannot_write(path, source);
    // A link stays one: what it names is replaced.
    let path = fs::canonicalize(path).map_err(failed)?;
    // Not every file system has locks. Whoever is at it is done soon.
    let directory = File::open(directory_of(&path)).map_err(failed)?;
    let _ = directory.lock();
    put_in_place(&path, text, |_| true)
}

/// Puts into the file what `change` makes of its text, durably, where that can be done
/// without anybody's noticing: not where it is read-only or somebody else's, and not while
/// another one is at it.
pub(crate) fn amend(
    path: &Path,
    change: impl FnOnce(&str) -> Option<Zeroizing<String>>,
) -> Result<(), CliError> {
    let failed = |source| cannot_write(path, source);
    let path = fs::canonicalize(path).map_err(failed)?;
    let directory = File::open(directory_of(&path)).map_err(failed)?;
    if directory.try_lock().is_err() {
        return Ok(());
    }
    let before = fs::metadata(&path).map_err(failed)?;
    if before.permissions().readonly() {
        return Ok(());
    }
    let text = Zeroizing::new(fs::read_to_string(&path).map_err(failed)?);
    match change(&text) {
        Some(text) => put_in_place(&path, &text, |draft| draft.uid() == before.uid()),
        None => Ok(()),
    }
}

/// Writes a file beside the one at `path`, and has it take that one's place where it is
/// as `fits` says.
fn put_in_place(
    path: &Path,
    text: &str,
    fits: impl FnOnce(&Metadata) -> bool,
) -> Result<(), CliError> {
    let failed = |source| cannot_write(path, source);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        // Left behind by one that was cut off; the file itself is whole.
        _ => {}
    }
    let mut draft = Drafts::default();
    draft.write(&beside, text)?;
    if !fits(&fs::metadata(&beside).map_err(failed)?) {
        return Ok(());
    }
    fs::rename(&beside, path).map_err(failed)?;
    draft.keep();
    sync(directory_of(path)).map_err(failed)
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn cannot_write(path: &Path, source: io::Error) -> CliError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => CliError::Exists { path },
        _ => CliError::File {
            what: "write",
            path,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_stays_private_and_a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("key"), directory.path().join("link"));
        create(&file, "old").unwrap();
        assert!(matches!(create(&file, "x"), Err(CliError::Exists { .. })));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        // What one that was cut off has left is in nobody's way.
        fs::write(directory.path().join("key.new"), "half").unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
