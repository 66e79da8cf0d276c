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

use crate::{Phase, Progress, RestoreError, StopSignal};

/// Writes a backup's file `name` to `path` and tells its length in bytes.
///
/// # Errors
/// Whatever fails; then there is no file.
pub async fn to_file(
    backup: &OpenBackup,
    name: &str,
    path: &Path,
    progress: &Progress,
    stop: StopSignal<'_>,
) -> Result<u64, RestoreError> {
    refuse_existing(path)?;
    let (draft, mut file) = Draft::create(path)?;
    let written = tokio::select! {
        written = copy(backup, name, &mut file, path, progress) => written?,
        () = stop => return Err(interrupted(backup)),
    };
    draft.publish(path, file).await?;
    Ok(written)
}

/// Refuses before anything is read.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), RestoreError> {
    match path.symlink_metadata() {
        Ok(_) => Err(RestoreError::FileExists {
            path: path.to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

pub(crate) fn interrupted(backup: &OpenBackup) -> RestoreError {
    let what = format!("backup {}", backup.record().id);
    RestoreError::Interrupted { what }
}

/// Writes a backup's file `name` into `file`, of which errors say `path`, and tells its
/// length in bytes.
pub(crate) async fn copy(
    backup: &OpenBackup,
    name: &str,
    file: &mut File,
    path: &Path,
    progress: &Progress,
) -> Result<u64, RestoreError> {
    let failed = |source| file_error(path, source);
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
        file.write_all(&bytes).await.map_err(failed)?;
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
    pub(crate) fn create(path: &Path) -> Result<(Self, File), RestoreError> {
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
        let file = opened.map_err(|source| file_error(path, source))?;
        Ok((Self { path: draft }, File::from_std(file)))
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
        let directory = match path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
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
