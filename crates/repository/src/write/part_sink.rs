//! Collecting a pack's sealed bytes into the parts of an upload.
//!
//! Invariant: the length and the hash that it tells are those of the bytes that it
//! handed on.

use std::io::{self, Write};

use pgkeep_format::Hasher;
use pgkeep_format::records::PackSummary;
use tokio::sync::mpsc;

use super::buffers::{Buffer, Buffers};
use super::upload::Upward;

/// Takes one pack's bytes.
pub(super) struct PartSink {
    number: u32,
    part: usize,
    buffers: Buffers,
    buffer: Buffer,
    length: u64,
    hasher: Hasher,
    upload: mpsc::Sender<Upward>,
}

impl PartSink {
    pub(super) fn new(number: u32, buffers: &Buffers, upload: mpsc::Sender<Upward>) -> Self {
        Self {
            number,
            part: buffers.size(),
            buffers: buffers.clone(),
            buffer: buffers.take(),
            length: 0,
            hasher: Hasher::unkeyed(),
            upload,
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.buffer, self.buffers.take());
        self.hasher.update(full.as_ref());
        let part = Upward::Part {
            number: self.number,
            bytes: full.into(),
        };
        self.upload
            .blocking_send(part)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Hands the rest on, and tells what the pack is.
    pub(super) fn finish(mut self) -> io::Result<PackSummary> {
        if !self.buffer.bytes.is_empty() {
            self.send()?;
        }
        Ok(PackSummary {
            number: self.number,
            length: self.length,
            blake3: self.hasher.finish(),
        })
    }
}

impl Write for PartSink {
    /// Takes all of `bytes`: age takes a short write of its header for a failure.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.part - self.buffer.bytes.len()));
            self.buffer.bytes.extend_from_slice(now);
            self.length += now.len() as u64;
            if self.buffer.bytes.len() >= self.part {
                self.send()?;
            }
            rest = later;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
