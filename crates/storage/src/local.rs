//! A storage in a local directory.
//!
//! Invariants: an object is written under a temporary name, synced, linked to
//! its own name (which fails where that exists: create-only) and made durable by
//! syncing the directories above it. Temporary names begin with a dot, which no
//! object's part does. Files have mode 0600, directories 0700.

mod litter;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::{ObjectName, Timestamp};
use rustix::fs::{RenameFlags, renameat_with};

use crate::error::{Operation, StorageError, StorageErrorKind};
use crate::{Cursor, ObjectMeta, Page, Storage, Upload};

/// Written bytes are pushed to the disk every so many, so that the sync at the
/// end waits for little.
const SYNC_EVERY: u64 = 32 << 20;

/// A directory that holds objects as files.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    directory: Arc<Path>,
}

impl LocalStorage {
    /// The storage in `directory`, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into().into(),
        }
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// Runs blocking work on the runtime's threads for that, and tells what
    /// failed.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        object: &str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|source| self.error(operation, object, source))
    }

    fn error(&self, operation: Operation, object: &str, source: io::Error) -> StorageError {
        StorageError {
            operation,
            object: object.to_owned(),
            location: self.location(),
            kind: StorageErrorKind::from(&source),
            source,
        }
    }
}

#[async_trait]
impl Storage for LocalStorage {
    fn location(&self) -> String {
        self.directory.display().to_string()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        let (root, path) = (Arc::clone(&self.directory), self.path(name));
        self.blocking(Operation::Put, name.as_str(), move || {
            let mut draft = Draft::create(&root, &path)?;
            draft.file.write_all(&bytes)?;
            draft.publish()
        })
        .await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        let (root, path) = (Arc::clone(&self.directory), self.path(name));
        let draft = self
            .blocking(Operation::Upload, name.as_str(), move || {
                Draft::create(&root, &path)
            })
            .await?;
        Ok(Box::new(LocalUpload {
            storage: self.clone(),
            name: name.clone(),
            draft: Some(draft),
        }))
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        let path = self.path(name);
        self.blocking(Operation::Get, name.as_str(), move || {
            let mut file = File::open(path)?;
            let whole = file.metadata()?.len();
            let range = range.unwrap_or(0..whole);
            let end = range.end.min(whole);
            let length = end.saturating_sub(range.start);
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes.into())
        })
        .await
    }

    async fn list(&self, prefix: &str, _cursor: Option<Cursor>) -> Result<Page, StorageError> {
        let (root, wanted) = (Arc::clone(&self.directory), prefix.to_owned());
        self.blocking(Operation::List, prefix, move || {
            let mut objects = Vec::new();
            // Only the folder that the prefix lies in is walked.
            let folder = wanted.rsplit_once('/').map_or("", |(folder, _)| folder);
            collect(&root, folder, &wanted, &mut objects)?;
            Ok(Page {
                objects,
                next: None,
            })
        })
        .await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        let path = self.path(name);
        let object = name.clone();
        self.blocking(Operation::Head, name.as_str(), move || {
            let meta = fs::metadata(path)?;
            if meta.is_file() {
                object_meta(object, &meta)
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        })
        .await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        let path = self.path(name);
        self.blocking(
            Operation::Delete,
            name.as_str(),
            move || match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(()) => sync_directory(parent(&path)?),
            },
        )
        .await
    }

    async fn discard_unfinished(
        &self,
        prefix: &str,
        before: Timestamp,
    ) -> Result<u64, StorageError> {
        let (root, wanted) = (Arc::clone(&self.directory), prefix.to_owned());
        self.blocking(Operation::Delete, prefix, move || {
            let folder = wanted.rsplit_once('/').map_or("", |(folder, _)| folder);
            litter::discard(&root, folder, &wanted, before)
        })
        .await
    }
}

fn object_meta(name: ObjectName, meta: &fs::Metadata) -> io::Result<ObjectMeta> {
    let modified = Timestamp::try_from(meta.modified()?).map_err(io::Error::other)?;
    Ok(ObjectMeta {
        name,
        size: meta.len(),
        modified,
    })
}

/// Adds the objects below `folder` whose names begin with `prefix`. A folder
/// that is not there has no objects; the storage's own directory must be there.
fn collect(
    root: &Path,
    folder: &str,
    prefix: &str,
    objects: &mut Vec<ObjectMeta>,
) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let path = match folder {
            "" => part,
            folder => format!("{folder}/{part}"),
        };
        let Ok(name) = path.parse::<ObjectName>() else {
            continue;
        };
        let meta = match entry.metadata() {
            // Deleted since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if meta.is_dir() {
            let inside = format!("{path}/");
            if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                collect(root, &path, prefix, objects)?;
            }
        } else if path.starts_with(prefix) {
            objects.push(object_meta(name, &meta)?);
        }
    }
    Ok(())
}

struct LocalUpload {
    storage: LocalStorage,
    name: ObjectName,
    /// Taken while a thread works on it; none after an error.
    draft: Option<Draft>,
}

impl LocalUpload {
    fn take_draft(&mut self) -> Result<Draft, StorageError> {
        let ended = || io::Error::other("the upload has failed before");
        self.draft.take().ok_or_else(|| {
            self.storage
                .error(Operation::Upload, self.name.as_str(), ended())
        })
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        let mut draft = self.take_draft()?;
        let write = move || {
            draft.file.write_all(&bytes)?;
            draft.unsynced += bytes.len() as u64;
            if draft.unsynced >= SYNC_EVERY {
                draft.file.sync_data()?;
                draft.unsynced = 0;
            }
            Ok(draft)
        };
        let written = self
            .storage
            .blocking(Operation::Upload, self.name.as_str(), write);
        self.draft = Some(written.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StorageError> {
        let draft = self.take_draft()?;
        self.storage
            .blocking(Operation::Upload, self.name.as_str(), move || {
                draft.publish()
            })
            .await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        drop(self.draft.take());
        Ok(())
    }
}

/// A file under a temporary name; removed when dropped before it is published.
#[derive(Debug)]
struct Draft {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    /// The directory up to which the new name has to be made durable.
    known: PathBuf,
    unsynced: u64,
}

impl Draft {
    fn create(root: &Arc<Path>, path: &Path) -> io::Result<Self> {
        let directory = parent(path)?;
        let known = create_directories(root, directory)?;
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
            known,
            unsynced: 0,
        })
    }

    /// Gives the file its own name, durably; refuses where that exists.
    fn publish(self) -> io::Result<()> {
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
            if directory == self.known {
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

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::other("the path has no directory above it"))
}

/// Makes the directories that are missing, and tells the one up to which all of
/// them have to be synced: the storage's own, or where that is new too, the first
/// one above it that was there.
fn create_directories(root: &Path, directory: &Path) -> io::Result<PathBuf> {
    let mut known = root;
    while !known.exists() {
        known = match known.parent() {
            Some(above) if above != Path::new("") => above,
            _ => break,
        };
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    Ok(known.to_owned())
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
