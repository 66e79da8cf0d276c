//! Cutting files into chunks, the grain at which the next backup finds again what
//! is stored.
//!
//! Invariant: the chunks of a file, put together, are the file.

mod content;
mod pages;

pub use content::{CHUNK_AVERAGE, CHUNK_MAXIMUM, CHUNK_MINIMUM, ContentCutter};
pub use pages::PageCutter;

use bytes::Bytes;

/// How a file is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutting {
    /// By its content: streams, and files that are no relations.
    Content,
    /// At every page of so many bytes: the files of relations.
    Pages(PageSize),
}

/// The length of a page in bytes, PostgreSQL's `BLCKSZ`: a power of two from 1 to
/// 32 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u32);

impl PageSize {
    /// PostgreSQL's usual one, 8 KiB.
    pub const USUAL: Self = Self(8192);

    /// The size of so many bytes, where PostgreSQL can be built with it.
    #[must_use]
    pub fn new(bytes: u32) -> Option<Self> {
        let possible = bytes.is_power_of_two() && (1024..=32 << 10).contains(&bytes);
        possible.then_some(Self(bytes))
    }

    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        self.0
    }
}

/// Chunks that follow one another: a block of bytes, and the lengths that it is
/// cut into. The lengths come to the block's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// The bytes.
    pub block: Bytes,
    /// The length of each chunk, in bytes.
    pub lengths: Vec<u32>,
}
