//! Handing packs to the storage.
//!
//! Invariant: a pack is told as stored only once its upload was finished; what a
//! failed upload leaves is litter.

use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::records::PackSummary;
use pgkeep_format::{FormatError, names};
use pgkeep_storage::{Storage, StorageError, Upload};
use pgkeep_types::{BackupId, ClusterName};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::engine::Written;
use super::root::Contents;
use crate::{Parent, RepositoryError};

/// What comes from the packer.
pub(super) enum Upward {
    /// The next bytes of a pack.
    Part { number: u32, bytes: Bytes },
    /// The pack is whole.
    End(PackSummary),
    /// An index pack, whole.
    Index { summary: PackSummary, bytes: Bytes },
    /// All files are packed.
    Done(Box<Contents>),
    /// Something could not be made.
    Failed(FormatError),
    /// What was given cannot be stored.
    Refused(RepositoryError),
}

/// An upload that is being finished.
#[derive(Default)]
struct Finishing(Option<JoinHandle<Result<(), StorageError>>>);

impl Finishing {
    /// Starts finishing an upload, once the one before it is finished.
    async fn follow(&mut self, upload: Box<dyn Upload>) -> Result<(), RepositoryError> {
        self.end().await?;
        self.0 = Some(tokio::spawn(upload.finish()));
        Ok(())
    }

    /// Waits until the last one is finished.
    async fn end(&mut self) -> Result<(), RepositoryError> {
        match self.0.take() {
            None => Ok(()),
            Some(last) => {
                let finished = last.await.map_err(|_| RepositoryError::GivenUp)?;
                Ok(finished?)
            }
        }
    }
}

/// Where a backup's packs go.
pub(super) struct Target {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) cluster: ClusterName,
    pub(super) backup: BackupId,
}

impl Target {
    /// Stores what is packed until all of it is.
    pub(super) async fn store(
        self,
        mut queue: mpsc::Receiver<Upward>,
        parent: Option<Parent>,
    ) -> Result<Written, RepositoryError> {
        let mut open: Option<Box<dyn Upload>> = None;
        // One pack is finished while the next one is begun.
        let mut finishing = Finishing::default();
        let (mut packs, mut index) = (Vec::new(), Vec::new());
        let ended = loop {
            let step = match queue.recv().await {
                Some(Upward::Part { number, bytes }) => self.part(&mut open, number, bytes).await,
                Some(Upward::End(summary)) => match open.take() {
                    Some(upload) => {
                        packs.push(summary);
                        finishing.follow(upload).await
                    }
                    None => Err(RepositoryError::GivenUp),
                },
                Some(Upward::Index { summary, bytes }) => {
                    index.push(summary);
                    self.index(summary.number, bytes).await
                }
                Some(Upward::Done(contents)) => {
                    break match finishing.end().await {
                        Ok(()) => {
                            let parent = parent.as_ref();
                            contents.into_written(&self.backup, packs, index, parent)
                        }
                        Err(error) => Err(error),
                    };
                }
                Some(Upward::Failed(source)) => Err(RepositoryError::Make {
                    what: "a pack",
                    source,
                }),
                Some(Upward::Refused(error)) => Err(error),
                None => Err(RepositoryError::GivenUp),
            };
            if let Err(error) = step {
                break Err(error);
            }
        };
        if let Some(upload) = open {
            // What is left behind is litter; the first failure is what counts.
            let _ = upload.abort().await;
        }
        if ended.is_err() {
            let _ = finishing.end().await;
        }
        ended
    }

    async fn part(
        &self,
        open: &mut Option<Box<dyn Upload>>,
        number: u32,
        bytes: Bytes,
    ) -> Result<(), RepositoryError> {
        let upload = match open {
            Some(upload) => upload,
            None => {
                let name = names::pack(&self.cluster, &self.backup, number)?;
                open.insert(self.storage.upload(&name).await?)
            }
        };
        Ok(upload.part(bytes).await?)
    }

    async fn index(&self, number: u32, bytes: Bytes) -> Result<(), RepositoryError> {
        let name = names::index(&self.cluster, &self.backup, number)?;
        Ok(self.storage.put(&name, bytes).await?)
    }
}
