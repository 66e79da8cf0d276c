//! A file of a backup into a file: a dump's archive, as `pg_restore` takes it, or the
//! globals' SQL.
//!
//! Invariants: the file appears whole and durable, or not at all; one that
//! exists is never replaced; it has mode 0600.

use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pgkeep_repository::OpenBackup;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::{Phase, Progress, RestoreError, StopSignal, room};

/// Writes a backup's file `name`, which has `needed` bytes where that is known, to `path`
/// and tells its length in bytes.
///
/// # Errors
/// Whatever fails; then there is no file.
pub async fn to_file(
    backup: &OpenBackup,
    name: &str,
    needed: Option<u64>,
    path: &Path,
    progress: &Progress,
    stop: StopSignal<'_>,
) -> Result<u64, RestoreError> {
    check_file(path, needed)?;
    let failed = |source| file_error(path, source);
    let (draft, mut file) = Draft::create(path).map_err(failed)?;
    let written = tokio::select! {
        written = copy(backup, name, &mut file, progress, failed) => written?,
        () = stop => return Err(interrupted(backup)),
    };
    draft.publish(path, file).await?;
    Ok(written)
}

/// How many bytes a backup's file `name` has: all of it is read, so it had better be small.
///
/// # Errors
/// Where it cannot be read.
pub async fn length_of(backup: &OpenBackup, name: &str) -> Result<u64, RestoreError> {
    let read = |source| RestoreError::Read {
        backup: backup.record().id.clone(),
        source,
    };
    let mut reader = backup.read(name).map_err(read)?;
    let mut length = 0;
    loop {
        match reader.next().await {
            Ok(Some(bytes)) => length += bytes.len() as u64,
            Ok(None) => return Ok(length),
            Err(error) => return Err(read(backup.explain(error).await)),
        }
    }
}

/// Refuses, before anything is read, a file that cannot be written: `needed` is how many
/// bytes it will have, where that is known.
///
/// # Errors
/// Where it is there already, nothing can be made in its directory, or there is no room.
pub fn check_file(path: &Path, needed: Option<u64>) -> Result<(), RestoreError> {
    if path.symlink_metadata().is_ok() {
        let path = path.to_owned();
        return Err(RestoreError::FileExists { path });
    }
    let failed = |source| file_error(path, source);
    let directory = directory_of(path);
    if !directory.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    let free = room::free(directory).map_err(failed)?;
    match (needed, free) {
        (Some(needed), Some(free)) if free < needed => Err(RestoreError::NoRoom {
            path: path.to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if directory != Path::new("") => directory,
        _ => Path::new("."),
    }
}

pub(crate) fn interrupted(backup: &OpenBackup) -> RestoreError {
    let what = format!("backup {}", backup.record().id);
    RestoreError::Interrupted { what }
}

/// Writes a backup's file `name` into `file`, says by `failed` why that cannot be, and
/// tells its length in bytes.
pub(crate) async fn copy(
    backup: &OpenBackup,
    name: &str,
    file: &mut File,
    progress: &Progress,
    failed: impl Fn(io::Error) -> RestoreError,
) -> Result<u64, RestoreError> {
    let read = |source| RestoreError::Read {
        backup: backup.record().id.clone(),
        source,
    };
    let mut reader = backup.read(name).map_err(read)?;
    progress.enter(Phase::Filling);
    let mut written = 0;
    loop {
        let bytes = match reader.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => return Err(read(backup.explain(error).await)),
        };
        file.write_all(&bytes).await.map_err(&failed)?;
        written += bytes.len() as u64;
        progress.add(bytes.len());
    }
    file.flush().await.map_err(failed)?;
    Ok(written)
}

/// The file under a temporary name beside it; removed when dropped.
pub(crate) struct Draft {
    path: PathBuf,
}

impl Draft {
    /// Makes it, for reading and writing.
    pub(crate) fn create(path: &Path) -> io::Result<(Self, File)> {
        // A name that nobody can foretell, made anew: in a directory that others
        // can write to, a link of theirs must not be followed.
        let drawn = RandomState::new().build_hasher().finish();
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{drawn:016x}.partial"));
        let draft = path.with_file_name(name);
        let opened = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft);
        Ok((Self { path: draft }, File::from_std(opened?)))
    }

    /// Gives the file its name, once it is durable.
    pub(crate) async fn publish(self, path: &Path, file: File) -> Result<(), RestoreError> {
        let synced = file.sync_all().await;
        synced.map_err(|source| file_error(path, source))?;
        // A link refuses what exists. Where there are none (exFAT, some network
        // mounts), a rename that refuses to replace does the same.
        let named = std::fs::hard_link(&self.path, path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(renameat_with(
                CWD,
                &self.path,
                CWD,
                path,
                RenameFlags::NOREPLACE,
            )?),
        });
        named.map_err(|source| file_error(path, source))?;
        let synced =
            std::fs::File::open(directory_of(path)).and_then(|directory| directory.sync_all());
        synced.map_err(|source| {
            // What may not last is not left for somebody to rely on.
            let _ = std::fs::remove_file(path);
            file_error(path, source)
        })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Best effort: after a rename there is nothing under this name.
        let _ = std::fs::remove_file(&self.path);
    }
}

pub(crate) fn file_error(path: &Path, source: io::Error) -> RestoreError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::AlreadyExists {
        RestoreError::FileExists { path }
    } else {
        RestoreError::File { path, source }
    }
}
