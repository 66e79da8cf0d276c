//! The bytes of an object that are at hand, as a file that can be sought in.
//!
//! Invariant: what is not at hand is an error, never the end of the file, which is
//! at the object's length alone.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Shared by whoever hands bytes in and the decryptor that takes them.
#[derive(Clone)]
pub(super) struct Window(Arc<Mutex<State>>);

struct State {
    /// Where in the object the bytes at hand begin.
    start: u64,
    bytes: Bytes,
    length: u64,
    position: u64,
}

impl Window {
    /// The first bytes of an object that has `length`.
    pub(super) fn new(head: Bytes, length: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            start: 0,
            bytes: head,
            length,
            position: 0,
        })))
    }

    /// Puts other bytes at hand: the object's from `start` on.
    pub(super) fn show(&self, start: u64, bytes: Bytes) {
        let mut state = self.state();
        state.start = start;
        state.bytes = bytes;
    }

    /// So many bytes of the object from `start` on, without copying them.
    pub(super) fn slice(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let state = self.state();
        let at = start.checked_sub(state.start);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let end = at.and_then(|at| at.checked_add(length));
        match (at, end) {
            (Some(at), Some(end)) if end <= state.bytes.len() => Ok(state.bytes.slice(at..end)),
            _ => Err(not_at_hand(start)),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.state().position
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_at_hand(at: u64) -> io::Error {
    io::Error::other(format!("byte {at} of the object is not at hand"))
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.position >= state.length {
            return Ok(0);
        }
        let at = state.position.checked_sub(state.start);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let rest = at.and_then(|at| state.bytes.get(at..)).unwrap_or_default();
        if rest.is_empty() && !buffer.is_empty() {
            return Err(not_at_hand(state.position));
        }
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        state.position += taken as u64;
        Ok(taken)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut state = self.state();
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => state.length.checked_add_signed(by),
            SeekFrom::Current(by) => state.position.checked_add_signed(by),
        };
        state.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(state.position)
    }
}
