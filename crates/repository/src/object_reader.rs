//! An object as a file that can be read and sought in, from a thread.
//!
//! Invariant: memory holds one block at a time; a failure of the storage comes
//! out as the storage's own error.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use pgkeep_storage::{Storage, StorageError};
use pgkeep_types::ObjectName;
use tokio::runtime::Handle;

/// How many bytes are fetched at a time.
const BLOCK: u64 = 4 << 20;

/// Reads one object in blocks.
pub(crate) struct ObjectReader {
    storage: Arc<dyn Storage>,
    runtime: Handle,
    name: ObjectName,
    length: u64,
    position: u64,
    block: Bytes,
    block_start: u64,
}

impl ObjectReader {
    /// A reader of an object that has `length` bytes. It blocks, so it must not
    /// be used on the runtime's own threads.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        runtime: Handle,
        name: ObjectName,
        length: u64,
    ) -> Self {
        Self {
            storage,
            runtime,
            name,
            length,
            position: 0,
            block: Bytes::new(),
            block_start: 0,
        }
    }

    /// The bytes of the block from the position on, fetched if need be.
    fn rest_of_block(&mut self) -> io::Result<&[u8]> {
        let within = self.position.checked_sub(self.block_start);
        let here = within.filter(|at| *at < self.block.len() as u64);
        let at = if let Some(at) = here {
            at
        } else {
            let end = self.length.min(self.position.saturating_add(BLOCK));
            let range = self.position..end.max(self.position);
            let fetched = self.storage.get(&self.name, Some(range));
            self.block = self.runtime.block_on(fetched).map_err(io::Error::other)?;
            self.block_start = self.position;
            0
        };
        let at = usize::try_from(at).map_err(io::Error::other)?;
        Ok(self.block.get(at..).unwrap_or_default())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length {
            return Ok(0);
        }
        let rest = self.rest_of_block()?;
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.position += taken as u64;
        Ok(taken)
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The storage's error inside an error of this reader.
pub(crate) fn storage_error(error: io::Error) -> Result<StorageError, io::Error> {
    let is_ours = error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<StorageError>);
    if !is_ours {
        return Err(error);
    }
    let Some(inner) = error.into_inner() else {
        return Err(io::ErrorKind::Other.into());
    };
    match inner.downcast() {
        Ok(ours) => Ok(*ours),
        Err(inner) => Err(io::Error::other(inner)),
    }
}
