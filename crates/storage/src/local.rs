//! A storage in a local directory.
//!
//! Invariants: an object is written under a temporary name, synced, linked to
//! its own name (which fails where that exists: create-only) and made durable by
//! syncing the directories above it. Temporary names begin with a dot, which no
//! object's part does. Files have mode 0600, directories 0700. Only regular files are
//! objects; symbolic links are followed, but none to a folder behind another one. The
//! storage's own directory is never made on the way.

mod draft;
mod litter;
mod root;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::{ObjectName, Timestamp};

use draft::{Draft, parent, sync_nearest};
use root::Root;
pub(crate) use root::Vanished;

use crate::error::{Operation, StorageError, StorageErrorKind};
use crate::{Cursor, ObjectMeta, Page, Storage, Unfinished, UnfinishedPage, Upload};

/// Written bytes are pushed to the disk every so many, so that the sync at the
/// end waits for little.
const SYNC_EVERY: u64 = 32 << 20;

/// A directory that holds objects as files.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    root: Arc<Root>,
}

impl LocalStorage {
    /// The storage in `directory`, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            root: Arc::new(Root::new(&directory.into())),
        }
    }

    fn path(&self, name: &ObjectName) -> PathBuf {
        self.root.path().join(name.as_str())
    }

    /// Runs blocking work on the runtime's threads for that, and tells what
    /// failed. It is given the storage's directory.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: Operation,
        object: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let root = Arc::clone(&self.root);
        let done = tokio::task::spawn_blocking(move || root.on(work)).await;
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
        self.root.path().display().to_string()
    }

    async fn prepare(&self) -> Result<(), StorageError> {
        let root = Arc::clone(&self.root);
        self.blocking(Operation::Open, "", move |_| root.make())
            .await
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        let path = self.path(name);
        self.blocking(Operation::Put, name.as_str(), move |root| {
            let mut draft = Draft::create(root, &path)?;
            draft.file.write_all(&bytes)?;
            draft.publish()
        })
        .await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        let path = self.path(name);
        let draft = self
            .blocking(Operation::Upload, name.as_str(), move |root| {
                Draft::create(root, &path)
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
        self.blocking(Operation::Get, name.as_str(), move |_| {
            // A pipe would be waited for.
            if !fs::metadata(&path)?.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
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
        let wanted = prefix.to_owned();
        self.blocking(Operation::List, prefix, move |root| {
            let mut objects = Vec::new();
            // Only the folder that the prefix lies in is walked.
            let folder = wanted.rsplit_once('/').map_or("", |(folder, _)| folder);
            collect(root, folder, &wanted, false, &mut objects)?;
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
        self.blocking(Operation::Head, name.as_str(), move |_| {
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
            move |root| match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(()) => sync_nearest(root, parent(&path)?),
            },
        )
        .await
    }

    async fn unfinished(
        &self,
        prefix: &str,
        _cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let wanted = prefix.to_owned();
        let listed = move |root: &Path| litter::list(root, &wanted);
        self.blocking(Operation::ListUnfinished, prefix, listed)
            .await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        let litter = unfinished.clone();
        let discarded = move |root: &Path| litter::discard(root, &litter);
        self.blocking(Operation::Discard, &unfinished.object, discarded)
            .await
    }

    async fn remove_empty_folders(&self, folder: &str) -> Result<(), StorageError> {
        let path = self.root.path().join(folder);
        self.blocking(Operation::Discard, folder, move |_| remove_empty(&path))
            .await
    }
}

/// Removes the folders inside `folder` in which nothing is, the innermost first. No
/// symbolic link is followed, and what has no object's name is not looked into.
fn remove_empty(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_part = name
            .to_str()
            .is_some_and(|n| n.parse::<ObjectName>().is_ok());
        if !is_part || !entry.file_type()?.is_dir() {
            continue;
        }
        let inner = entry.path();
        remove_empty(&inner)?;
        match fs::remove_dir(&inner) {
            // Something is in it, or somebody else was quicker.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty
                        | io::ErrorKind::AlreadyExists
                        | io::ErrorKind::NotFound
                ) => {}
            other => other?,
        }
    }
    Ok(())
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
    linked: bool,
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
        let is_link = entry.file_type()?.is_symlink();
        let meta = match fs::metadata(entry.path()) {
            // Deleted since the directory was read; or a link that leads nowhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if is_link && leads_nowhere(&error) => continue,
            other => other?,
        };
        if meta.is_dir() {
            let inside = format!("{path}/");
            let is_wanted = inside.starts_with(prefix) || prefix.starts_with(&inside);
            // Links that lead around in circles would have no end.
            if is_wanted && !(is_link && linked) {
                collect(root, &path, prefix, linked || is_link, objects)?;
            }
        } else if meta.is_file() && path.starts_with(prefix) {
            objects.push(object_meta(name, &meta)?);
        }
    }
    Ok(())
}

fn leads_nowhere(error: &io::Error) -> bool {
    let is_loop = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    is_loop || error.kind() == io::ErrorKind::NotADirectory
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
        let write = move |_: &Path| {
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
            .blocking(Operation::Upload, self.name.as_str(), move |_| {
                draft.publish()
            })
            .await
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        drop(self.draft.take());
        Ok(())
    }
}
