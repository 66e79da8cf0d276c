//! Buffers that are filled again once whoever was handed their bytes has done with them.
//!
//! Invariant: they come out of one allocation, which is too large for the allocator to
//! keep: while packs are written no memory is taken anew for each part of them, and
//! afterwards all of it is given back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// How many there are: as many as wait, are filled and are on their way.
const BUFFERS: usize = 8;

/// Buffers of one size.
#[derive(Clone)]
pub(super) struct Buffers {
    size: usize,
    free: Arc<Mutex<Vec<BytesMut>>>,
}

impl Buffers {
    /// Buffers of `size` bytes.
    pub(super) fn new(size: usize) -> Self {
        let mut all = BytesMut::zeroed(size * BUFFERS);
        let mut free = Vec::with_capacity(BUFFERS);
        for _ in 0..BUFFERS {
            let mut buffer = all.split_to(size);
            buffer.clear();
            free.push(buffer);
        }
        let free = Arc::new(Mutex::new(free));
        Self { size, free }
    }

    /// How many bytes each takes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// An empty buffer. Where all are in use it is one more, so that nobody waits for
    /// somebody who keeps what he was handed.
    pub(super) fn take(&self) -> Buffer {
        let free = self.lock().pop();
        Buffer {
            bytes: free.unwrap_or_else(|| BytesMut::with_capacity(self.size)),
            home: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BytesMut>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer; when it is dropped, it can be filled again.
pub(super) struct Buffer {
    pub(super) bytes: BytesMut,
    home: Buffers,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        Self::from_owner(buffer)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut free = self.home.lock();
        if free.len() < BUFFERS {
            bytes.clear();
            free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(buffers: &Buffers, byte: u8) -> Bytes {
        let mut buffer = buffers.take();
        assert!(buffer.bytes.is_empty());
        let place = buffer.bytes.as_ptr();
        buffer.bytes.extend_from_slice(&vec![byte; buffers.size()]);
        assert_eq!(buffer.bytes.as_ptr(), place, "it has grown");
        buffer.into()
    }

    #[test]
    fn a_buffer_is_filled_again_once_nobody_reads_it() {
        let buffers = Buffers::new(100);
        let first = filled(&buffers, 1);
        let again = first.clone();
        let place = first.as_ptr();
        drop(first);
        assert_ne!(filled(&buffers, 2).as_ptr(), place);
        assert_eq!(again[..], [1; 100]);
        drop(again);
        assert_eq!(filled(&buffers, 3).as_ptr(), place);
    }

    #[test]
    fn a_buffer_that_was_not_filled_comes_back_too() {
        let buffers = Buffers::new(100);
        drop(buffers.take());
        assert_eq!(buffers.lock().len(), BUFFERS);
    }

    #[test]
    fn nobody_waits_where_all_are_read() {
        let buffers = Buffers::new(100);
        let all: Vec<Bytes> = (0..20).map(|byte| filled(&buffers, byte)).collect();
        for (byte, bytes) in (0..).zip(&all) {
            assert_eq!(bytes[..], [byte; 100]);
        }
        drop(all);
        assert_eq!(buffers.lock().len(), BUFFERS);
    }
}
