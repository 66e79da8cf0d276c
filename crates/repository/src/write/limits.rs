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

impl Limits {
    /// The smallest part that buckets take, but for the last one.
    const SMALLEST_PART: usize = 5 << 20;

    /// The same for one of several backups that are made at the same time: what they
    /// take of the machine together grows with their number as little as can be.
    #[must_use]
    pub fn shared_by(self, backups: NonZeroUsize) -> Self {
        let each = self.workers.get() / backups;
        Self {
            part: (self.part / backups)
                .max(Self::SMALLEST_PART)
                .min(self.part),
            workers: NonZeroUsize::new(each).unwrap_or(NonZeroUsize::MIN),
            ..self
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_backups_share_threads_and_the_memory_of_parts() {
        let workers = NonZeroUsize::new(8).unwrap();
        let alone = Limits {
            workers,
            ..Limits::default()
        };
        let of = |backups| alone.shared_by(NonZeroUsize::new(backups).unwrap());
        assert_eq!((of(1).workers.get(), of(1).part), (8, 8 << 20));
        assert_eq!((of(3).workers.get(), of(3).part), (2, 5 << 20));
        assert_eq!((of(64).workers.get(), of(64).part), (1, 5 << 20));
        let small = Limits {
            part: 1000,
            ..alone
        };
        assert_eq!(small.shared_by(workers).part, 1000);
    }
}
