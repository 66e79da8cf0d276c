//! Appending frames to a pack.
//!
//! Invariant: nothing stands between two frames.

use std::io::Write;

use crate::seal::SealWriter;
use crate::{FormatError, Frame, Seal};

/// Appends frames to one pack.
pub struct PackWriter<W: Write> {
    sink: SealWriter<W>,
    length: u64,
}

impl<W: Write> PackWriter<W> {
    /// Starts a pack that is sealed as `seal` says.
    ///
    /// # Errors
    /// `Key` where a recipient is none, `Write` where `sink` fails.
    pub fn new(seal: &Seal, sink: W) -> Result<Self, FormatError> {
        Ok(Self {
            sink: seal.writer(sink)?,
            length: 0,
        })
    }

    /// Appends a frame and tells its offset.
    ///
    /// # Errors
    /// `Write` where the sink fails.
    pub fn append(&mut self, frame: &Frame) -> Result<u64, FormatError> {
        let offset = self.length;
        self.sink.write_all(&frame.stored).map_err(writing)?;
        self.length += frame.stored.len() as u64;
        Ok(offset)
    }

    /// How many bytes of frames there are so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Ends the pack and hands the sink back.
    ///
    /// # Errors
    /// `Write` where the sink fails.
    pub fn finish(self) -> Result<W, FormatError> {
        self.sink.finish().map_err(writing)
    }
}

fn writing(source: std::io::Error) -> FormatError {
    FormatError::Write {
        what: "write the pack",
        source,
    }
}
