//! Cutting a stream by its content (FastCDC, 2020 variant, normalisation 1), so
//! that an insertion moves no cut but those beside it.
//!
//! Invariants: where a stream is cut depends on its bytes, on the hints and on the
//! repository's seed alone, never on how the bytes arrive; every chunk but the last
//! one has at least [`CHUNK_MINIMUM`] bytes, and none more than [`CHUNK_MAXIMUM`].

use std::borrow::Cow;

use bytes::BytesMut;
use fastcdc::v2020;

use super::Chunks;

/// The shortest chunk but for the last one, in bytes.
pub const CHUNK_MINIMUM: usize = 16 << 10;
/// What chunks come to on average, in bytes.
pub const CHUNK_AVERAGE: usize = 64 << 10;
/// The longest chunk, in bytes.
pub const CHUNK_MAXIMUM: usize = 256 << 10;
/// How many bytes are gathered before they are cut.
const BLOCK: usize = 2 << 20;

/// Cuts a stream into chunks.
pub struct ContentCutter {
    rules: Rules,
    pending: BytesMut,
    /// The lengths of the chunks that `pending` begins with.
    lengths: Vec<u32>,
    /// What those come to.
    cut: usize,
}

struct Rules {
    masks: (u64, u64),
    gear: Cow<'static, [u64]>,
    gear_shifted: Cow<'static, [u64]>,
}

impl ContentCutter {
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
            pending: BytesMut::new(),
            lengths: Vec::new(),
            cut: 0,
        }
    }

    /// Takes the next bytes in and hands chunks on to `emit`, until it fails.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn push<E>(
        &mut self,
        mut bytes: &[u8],
        mut emit: impl FnMut(Chunks) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            self.pending
                .reserve(BLOCK.saturating_sub(self.pending.len()));
            let room = BLOCK.saturating_sub(self.pending.len()).max(1);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() >= BLOCK {
                self.cut_known();
                self.hand_on(&mut emit)?;
            }
        }
        Ok(())
    }

    /// Says that something begins here, such as a table's data: a chunk that is long
    /// enough ends. So what follows is cut as it was when something else came before
    /// it.
    pub fn hint(&mut self) {
        self.cut_known();
        // What is left may hold cuts, and ends here.
        while self.pending.len() - self.cut >= CHUNK_MINIMUM {
            let length = self.rules.first_cut(&self.pending[self.cut..]);
            self.add(length);
        }
    }

    /// Ends the stream: hands the rest to `emit`.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn finish<E>(mut self, emit: impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        while self.cut < self.pending.len() {
            let length = self.rules.first_cut(&self.pending[self.cut..]);
            self.add(length);
        }
        self.hand_on(emit)
    }

    /// Makes the cuts that no later byte can change: those before which the longest
    /// chunk fits.
    fn cut_known(&mut self) {
        while self.pending.len() - self.cut >= CHUNK_MAXIMUM {
            let length = self.rules.first_cut(&self.pending[self.cut..]);
            self.add(length);
        }
    }

    fn add(&mut self, length: usize) {
        self.cut += length;
        // A chunk has at most 256 KiB.
        self.lengths.push(u32::try_from(length).unwrap_or(u32::MAX));
    }

    fn hand_on<E>(&mut self, mut emit: impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        if self.lengths.is_empty() {
            return Ok(());
        }
        let block = self.pending.split_to(self.cut).freeze();
        self.cut = 0;
        let lengths = std::mem::take(&mut self.lengths);
        emit(Chunks { block, lengths })
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

    /// The chunks of a stream that comes in these pieces, with hints at these places.
    fn chunks(stream: &[u8], pieces: &[usize], hints: &[usize]) -> Vec<Vec<u8>> {
        let mut cutter = ContentCutter::new(42);
        let mut chunks = Vec::new();
        let mut keep = |cut: Chunks| {
            let mut block = cut.block;
            for length in cut.lengths {
                chunks.push(block.split_to(length as usize).to_vec());
            }
            assert!(block.is_empty());
            Ok::<(), Infallible>(())
        };
        let mut stops: Vec<usize> = Vec::new();
        let mut at = 0;
        for piece in pieces {
            at += piece;
            stops.push(at.min(stream.len()));
        }
        stops.extend(hints);
        stops.push(stream.len());
        stops.sort_unstable();
        let mut at = 0;
        for stop in stops {
            cutter.push(&stream[at..stop], &mut keep).unwrap();
            if hints.contains(&stop) {
                cutter.hint();
            }
            at = stop;
        }
        cutter.finish(&mut keep).unwrap();
        chunks
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_chunks_are_the_stream_however_it_arrives(
            length in 0_usize..6_000_000,
            seed: u64,
            pieces in prop::collection::vec(0_usize..700_000, 0..12),
            hints in prop::collection::vec(0_usize..6_000_000, 0..5),
        ) {
            let stream = noise(length, seed);
            let hints: Vec<usize> = hints.into_iter().filter(|at| *at <= length).collect();
            let whole = chunks(&stream, &[], &hints);
            prop_assert_eq!(&whole.concat(), &stream);
            let all_but_last = whole.iter().rev().skip(1);
            prop_assert!(all_but_last.clone().all(|chunk| chunk.len() >= CHUNK_MINIMUM));
            prop_assert!(whole.iter().all(|chunk| chunk.len() <= CHUNK_MAXIMUM));
            prop_assert_eq!(chunks(&stream, &pieces, &hints), whole);
        }
    }

    #[test]
    fn a_chunk_begins_where_a_hint_says_that_something_begins() {
        let (before, data) = (noise(300_000, 1), noise(900_000, 2));
        let stream = [before.as_slice(), data.as_slice()].concat();
        let alone = chunks(&data, &[], &[]);
        let behind = chunks(&stream, &[], &[before.len()]);
        assert_eq!(behind[behind.len() - alone.len()..], alone);
    }

    #[test]
    fn a_hint_makes_no_chunk_that_is_too_short() {
        let stream = noise(100_000, 3);
        let hints: Vec<usize> = (0..100).map(|n| n * 1000).collect();
        let cut = chunks(&stream, &[], &hints);
        assert!(
            cut.iter()
                .rev()
                .skip(1)
                .all(|chunk| chunk.len() >= CHUNK_MINIMUM)
        );
    }

    #[test]
    fn an_empty_stream_has_no_chunks() {
        assert!(chunks(&[], &[], &[0]).is_empty());
    }
}
