//! Index packs: leaves and fingerprints, sealed so that this host can read them
//! when it makes the next backup.
//!
//! Invariant: an index pack is handed on whole, and is never longer than whoever
//! reads it takes at once.

use pgkeep_format::records::PackSummary;
use pgkeep_format::{
    FormatError, Frame, FrameEncoder, FrameEntry, Hash, PackWriter, RepositorySecret, Seal,
};
use tokio::sync::mpsc;

use super::packing::{entry_of, gone};
use super::upload::Upward;

/// An index pack is closed once it has so many bytes of frames.
const FULL: u64 = 4 << 20;
/// Leaves are small and read often: they are worth more than the data's level.
const LEVEL: i32 = 3;

/// Fills index packs.
pub(super) struct IndexPacker {
    seal: Seal,
    encoder: FrameEncoder,
    pack: Option<PackWriter<Vec<u8>>>,
    next: u32,
    upload: mpsc::Sender<Upward>,
}

impl IndexPacker {
    pub(super) fn new(
        secret: &RepositorySecret,
        seal: Seal,
        upload: mpsc::Sender<Upward>,
    ) -> Result<Self, FormatError> {
        Ok(Self {
            seal,
            encoder: FrameEncoder::new(secret.content_key(), LEVEL)?,
            pack: None,
            next: 0,
            upload,
        })
    }

    /// Makes a frame, to be looked for among those that are stored already.
    pub(super) fn encode(&mut self, plain: &[u8]) -> Result<Frame, FormatError> {
        self.encoder.encode(plain)
    }

    /// Stores a frame; the entry's pack is the number of this backup's index pack.
    pub(super) fn append(&mut self, frame: &Frame) -> Result<FrameEntry, FormatError> {
        let pack = match &mut self.pack {
            Some(pack) => pack,
            empty @ None => empty.insert(PackWriter::new(&self.seal, Vec::new())?),
        };
        let entry = entry_of(frame, self.next, pack.append(frame)?)?;
        if pack.length() >= FULL {
            self.close()?;
        }
        Ok(entry)
    }

    /// Ends the pack that is being filled.
    pub(super) fn close(&mut self) -> Result<(), FormatError> {
        let Some(pack) = self.pack.take() else {
            return Ok(());
        };
        let bytes = pack.finish()?;
        let summary = PackSummary {
            number: self.next,
            length: bytes.len() as u64,
            blake3: Hash::of(&bytes),
        };
        self.next += 1;
        let bytes = bytes.into();
        self.upload
            .blocking_send(Upward::Index { summary, bytes })
            .map_err(|_| gone())
    }
}
