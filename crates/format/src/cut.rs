//! Cutting a stream by its content (FastCDC, 2020 variant, normalisation 1), so
//! that an insertion moves no cut but those beside it.
//!
//! Invariants: the pieces, put together, are the stream; where a stream is cut
//! depends on its bytes and on the repository's seed alone, never on how the
//! bytes arrive.

use std::borrow::Cow;

use fastcdc::v2020;

/// The shortest chunk but for the last one, in bytes.
pub const CHUNK_MINIMUM: usize = 16 << 10;
/// What chunks come to on average, in bytes.
pub const CHUNK_AVERAGE: usize = 64 << 10;
/// The longest chunk, in bytes.
pub const CHUNK_MAXIMUM: usize = 256 << 10;
/// A frame is closed at the first cut at or past this many bytes.
pub const FRAME_TARGET: usize = 1 << 20;

/// Cuts a stream into the plaintexts of frames: runs of whole chunks.
pub struct Cutter {
    rules: Rules,
    pending: Vec<u8>,
    /// How much of `pending` has been cut into chunks already.
    cut: usize,
}

struct Rules {
    masks: (u64, u64),
    gear: Cow<'static, [u64]>,
    gear_shifted: Cow<'static, [u64]>,
}

impl Cutter {
    /// Starts a stream; `seed` is the repository's.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (gear, gear_shifted) = v2020::get_gear_with_seed(seed);
        Self {
            rules: Rules {
                masks: v2020::select_masks(CHUNK_AVERAGE, v2020::Normalization::Level1),
                gear,
                gear_shifted,
            },
            pending: Vec::with_capacity(FRAME_TARGET + 2 * CHUNK_MAXIMUM),
            cut: 0,
        }
    }

    /// Takes the next bytes in and hands each frame that they complete to
    /// `emit`, until it fails.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        mut emit: impl FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let room = FRAME_TARGET + 2 * CHUNK_MAXIMUM - self.pending.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            // A cut is known only when the longest chunk fits before it.
            while self.pending.len() - self.cut >= CHUNK_MAXIMUM {
                self.cut += self.rules.first_cut(&self.pending[self.cut..]);
                if self.cut >= FRAME_TARGET {
                    emit(self.take_frame())?;
                }
            }
        }
        Ok(())
    }

    /// Ends the stream: hands the rest to `emit`.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn finish<E>(mut self, mut emit: impl FnMut(Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        while self.cut < self.pending.len() {
            self.cut += self.rules.first_cut(&self.pending[self.cut..]);
            if self.cut >= FRAME_TARGET {
                emit(self.take_frame())?;
            }
        }
        if self.pending.is_empty() {
            Ok(())
        } else {
            emit(self.pending)
        }
    }

    fn take_frame(&mut self) -> Vec<u8> {
        let mut rest = Vec::with_capacity(FRAME_TARGET + 2 * CHUNK_MAXIMUM);
        rest.extend_from_slice(&self.pending[self.cut..]);
        self.pending.truncate(self.cut);
        self.cut = 0;
        std::mem::replace(&mut self.pending, rest)
    }
}

impl Rules {
    fn first_cut(&self, bytes: &[u8]) -> usize {
        let (strict, loose) = self.masks;
        let (_, length) = v2020::cut_gear(
            bytes,
            CHUNK_MINIMUM,
            CHUNK_AVERAGE,
            CHUNK_MAXIMUM,
            strict,
            loose,
            strict << 1,
            loose << 1,
            &self.gear,
            &self.gear_shifted,
        );
        length
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect()
    }

    fn frames(stream: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(42);
        let mut frames = Vec::new();
        let mut keep = |frame| {
            frames.push(frame);
            Ok::<(), Infallible>(())
        };
        let mut rest = stream;
        for piece in pieces {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            cutter.push(now, &mut keep).unwrap();
            rest = later;
        }
        cutter.push(rest, &mut keep).unwrap();
        cutter.finish(&mut keep).unwrap();
        frames
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_frames_are_the_stream_however_it_arrives(
            length in 0_usize..6_000_000,
            seed: u64,
            pieces in prop::collection::vec(0_usize..700_000, 0..12),
        ) {
            let stream = noise(length, seed);
            let whole = frames(&stream, std::iter::empty());
            prop_assert_eq!(&whole.concat(), &stream);
            prop_assert!(whole.iter().all(|f| f.len() < FRAME_TARGET + CHUNK_MAXIMUM));
            prop_assert_eq!(frames(&stream, pieces.into_iter()), whole);
        }
    }

    #[test]
    fn an_empty_stream_has_no_frames() {
        assert!(frames(&[], std::iter::empty()).is_empty());
    }
}
