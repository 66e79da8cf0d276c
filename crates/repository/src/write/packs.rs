//! Filling packs with frames: seal them, cut the sealed bytes into parts, and
//! hand those to the upload.
//!
//! Invariants: a pack's end is told only after its last part; a pack holds at
//! least one frame; its length and hash are those of the bytes handed on.

use std::io::{self, Write};
use std::sync::mpsc::Receiver;

use bytes::Bytes;
use pgkeep_format::records::PackSummary;
use pgkeep_format::{Damage, FormatError, FrameEntry, Hasher, PackWriter, Seal};
use tokio::sync::mpsc;

use super::frames::{Output, Summary};
use super::stream::Limits;

/// What goes to the upload.
pub(super) enum Packed {
    /// The next bytes of a pack.
    Part { number: u32, bytes: Bytes },
    /// The pack is whole.
    End(PackSummary),
    /// The stream is whole.
    Done(Box<Contents>),
    /// A frame could not be made.
    Failed(FormatError),
}

/// What went into the packs.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) summary: Summary,
    pub(super) frames: Vec<FrameEntry>,
}

/// Packs all frames; stops early where the stage before or behind gives up.
pub(super) fn pack(
    frames: &Receiver<Output>,
    seal: &Seal,
    limits: Limits,
    upload: &mpsc::Sender<Packed>,
) {
    let packed = Packer {
        seal,
        limits,
        upload,
        pack: None,
        next: 0,
        entries: Vec::new(),
    }
    .run(frames);
    if let Err(error) = packed {
        // Where the upload is gone it has told why.
        let _ = upload.blocking_send(Packed::Failed(error));
    }
}

struct Packer<'a> {
    seal: &'a Seal,
    limits: Limits,
    upload: &'a mpsc::Sender<Packed>,
    pack: Option<PackWriter<PartSink>>,
    next: u32,
    entries: Vec<FrameEntry>,
}

impl Packer<'_> {
    fn run(mut self, frames: &Receiver<Output>) -> Result<(), FormatError> {
        // A queue that ends without `End` was given up: no end is told here
        // either.
        while let Ok(output) = frames.recv() {
            match output {
                Output::Frame(slot) => {
                    let Ok(frame) = slot.recv() else { break };
                    self.append(&frame?)?;
                }
                Output::End(summary) => {
                    self.close()?;
                    let frames = std::mem::take(&mut self.entries);
                    let contents = Box::new(Contents { summary, frames });
                    return self.tell(Packed::Done(contents));
                }
            }
        }
        Ok(())
    }

    fn append(&mut self, frame: &pgkeep_format::Frame) -> Result<(), FormatError> {
        let full = self
            .pack
            .as_ref()
            .is_some_and(|pack| pack.length() >= self.limits.pack);
        if full {
            self.close()?;
        }
        let pack = match &mut self.pack {
            Some(pack) => pack,
            empty @ None => {
                let sink = PartSink::new(self.next, self.limits.part, self.upload.clone());
                empty.insert(PackWriter::new(self.seal, sink)?)
            }
        };
        let stored_length =
            u32::try_from(frame.stored.len()).map_err(|_| FormatError::Damaged {
                offset: pack.length(),
                damage: Damage::Range("frame's length"),
            })?;
        self.entries.push(FrameEntry {
            pack: self.next,
            offset: pack.append(frame)?,
            stored_length,
            plain_length: frame.plain_length,
            hash: frame.hash,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), FormatError> {
        let Some(pack) = self.pack.take() else {
            return Ok(());
        };
        let summary = pack.finish()?.finish().map_err(gone)?;
        self.next += 1;
        self.tell(Packed::End(summary))
    }

    fn tell(&self, packed: Packed) -> Result<(), FormatError> {
        self.upload
            .blocking_send(packed)
            .map_err(|_| gone(io::ErrorKind::BrokenPipe.into()))
    }
}

fn gone(source: io::Error) -> FormatError {
    FormatError::Write {
        what: "hand the pack on",
        source,
    }
}

/// Collects a pack's sealed bytes into parts.
struct PartSink {
    number: u32,
    part: usize,
    buffer: Vec<u8>,
    length: u64,
    hasher: Hasher,
    upload: mpsc::Sender<Packed>,
}

impl PartSink {
    fn new(number: u32, part: usize, upload: mpsc::Sender<Packed>) -> Self {
        Self {
            number,
            part,
            buffer: Vec::with_capacity(part),
            length: 0,
            hasher: Hasher::unkeyed(),
            upload,
        }
    }

    fn send(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(self.part));
        self.hasher.update(&full);
        let part = Packed::Part {
            number: self.number,
            bytes: full.into(),
        };
        self.upload
            .blocking_send(part)
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn finish(mut self) -> io::Result<PackSummary> {
        if !self.buffer.is_empty() {
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
            let (now, later) = rest.split_at(rest.len().min(self.part - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.length += now.len() as u64;
            if self.buffer.len() >= self.part {
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
