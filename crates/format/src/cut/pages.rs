//! Cutting a relation's file at its pages.
//!
//! Invariant: every chunk but the last one of the file is a page.

use bytes::{Bytes, BytesMut};

use super::{Chunks, PageSize};

/// Cuts a file into pages. Bytes that come in whole pages are never copied.
#[derive(Debug)]
pub struct PageCutter {
    size: usize,
    /// The beginning of a page whose end has not come yet.
    rest: BytesMut,
}

impl PageCutter {
    /// Starts a file.
    #[must_use]
    pub fn new(size: PageSize) -> Self {
        Self {
            size: size.bytes() as usize,
            rest: BytesMut::new(),
        }
    }

    /// Takes the next bytes in and hands the pages that they complete to `emit`,
    /// until it fails.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn push<E>(
        &mut self,
        mut bytes: Bytes,
        mut emit: impl FnMut(Chunks) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.rest.is_empty() {
            let missing = (self.size - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes.split_to(missing));
            if self.rest.len() < self.size {
                return Ok(());
            }
            emit(self.pages(self.rest.clone().freeze()))?;
            self.rest.clear();
        }
        let whole = bytes.len() - bytes.len() % self.size;
        let pages = bytes.split_to(whole);
        self.rest.extend_from_slice(&bytes);
        if pages.is_empty() {
            return Ok(());
        }
        emit(self.pages(pages))
    }

    /// Ends the file: hands a page that is cut short to `emit`.
    ///
    /// # Errors
    /// Whatever `emit` fails with.
    pub fn finish<E>(self, mut emit: impl FnMut(Chunks) -> Result<(), E>) -> Result<(), E> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let block = self.rest.clone().freeze();
        emit(self.pages(block))
    }

    fn pages(&self, block: Bytes) -> Chunks {
        let lengths = block.chunks(self.size);
        // A page has at most 32 KiB.
        let lengths = lengths.map(|page| u32::try_from(page.len()).unwrap_or(u32::MAX));
        Chunks {
            lengths: lengths.collect(),
            block,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn pages(file: &[u8], pieces: &[usize]) -> Vec<Vec<u8>> {
        let mut cutter = PageCutter::new(PageSize::new(1024).unwrap());
        let mut pages = Vec::new();
        let mut keep = |chunks: Chunks| {
            let mut block = chunks.block;
            for length in chunks.lengths {
                pages.push(block.split_to(length as usize).to_vec());
            }
            assert!(block.is_empty());
            Ok::<(), Infallible>(())
        };
        let mut rest = Bytes::copy_from_slice(file);
        for piece in pieces {
            let now = rest.split_to(rest.len().min(*piece));
            cutter.push(now, &mut keep).unwrap();
        }
        cutter.push(rest, &mut keep).unwrap();
        cutter.finish(&mut keep).unwrap();
        pages
    }

    proptest! {
        #[test]
        fn the_pages_are_the_files_however_it_arrives(
            file in prop::collection::vec(any::<u8>(), 0..10_000),
            pieces in prop::collection::vec(0_usize..3_000, 0..12),
        ) {
            let expected: Vec<Vec<u8>> = file.chunks(1024).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(pages(&file, &pieces), expected);
        }
    }
}
