//! The whole table of contents, from the beginning of an archive.
//!
//! Invariant: nothing is left out of it but large objects, of which there can be
//! millions; what is not understood is an error.

use super::GaveUp;
use super::head::Head;
use super::input::{Input, Stop};
use super::toc::{Kept, Toc, TocEntry};

/// Reads the table of contents of an archive that comes in pieces.
#[derive(Debug, Default)]
pub struct ContentsReader {
    /// Of the next byte, from the archive's beginning.
    offset: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Head(Head),
    Toc(Toc),
}

impl Default for Stage {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl ContentsReader {
    /// Sees the next piece, and tells the entries in their order once all were seen. No
    /// more is to be pushed then.
    ///
    /// # Errors
    /// Where the archive is not understood.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Vec<TocEntry>>, GaveUp> {
        let mut input = Input::new(bytes, self.offset);
        self.offset = input.end();
        loop {
            let read = match &mut self.stage {
                Stage::Head(head) => match head.read(&mut input) {
                    Ok(version) => {
                        self.stage = Stage::Toc(Toc::new(version, Kept::All));
                        continue;
                    }
                    Err(stop) => Err(stop),
                },
                Stage::Toc(toc) => toc.read(&mut input),
            };
            return match read {
                Ok(entries) => Ok(Some(entries)),
                Err(Stop::PieceEnds) => Ok(None),
                Err(Stop::NotUnderstood(why)) => Err(GaveUp {
                    offset: input.offset(),
                    why,
                }),
            };
        }
    }
}
