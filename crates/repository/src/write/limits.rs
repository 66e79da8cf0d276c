//! Sizes that a writer keeps to.

use std::num::NonZeroUsize;

/// Sizes that a writer keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A pack is closed once it has so many bytes of frames.
    pub pack: u64,
    /// How many bytes go to the storage at a time; a multipart upload's part.
    pub part: usize,
    /// The zstd level.
    pub level: i32,
    /// How many threads compress.
    pub workers: NonZeroUsize,
}

impl Default for Limits {
    /// Packs of 256 MiB in parts of 8 MiB (so 32 parts, well under every
    /// provider's limit), zstd 1, a thread a core.
    fn default() -> Self {
        Self {
            pack: 256 << 20,
            part: 8 << 20,
            level: 1,
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        }
    }
}
