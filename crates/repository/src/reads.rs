//! Reads that are under way at once.
//!
//! Invariant: what is under way has at most [`TOGETHER`] bytes by the listing, or is one
//! alone: memory is bounded, however much others have put into the storage.

use std::future::Future;

use tokio::task::JoinSet;

use crate::RepositoryError;

/// How many bytes are under way at once.
const TOGETHER: u64 = 32 << 20;
/// How many objects are under way at once.
const AT_ONCE: usize = 32;

/// Reads that each come to a `T`.
#[derive(Debug)]
pub(crate) struct Reads<T> {
    under_way: JoinSet<(u64, T)>,
    bytes: u64,
}

impl<T: Send + 'static> Reads<T> {
    pub(crate) fn new() -> Self {
        Self {
            under_way: JoinSet::new(),
            bytes: 0,
        }
    }

    /// What has ended, as long as there is no room for an object of `size` bytes.
    ///
    /// # Errors
    /// Where a read was given up: nothing can be told of what it would have found.
    pub(crate) async fn before(&mut self, size: u64) -> Result<Option<T>, RepositoryError> {
        let fits = self.bytes.saturating_add(size) <= TOGETHER && self.under_way.len() < AT_ONCE;
        match fits {
            true => Ok(None),
            false => self.next().await,
        }
    }

    /// Starts to read an object of `size` bytes.
    pub(crate) fn start(&mut self, size: u64, read: impl Future<Output = T> + Send + 'static) {
        self.bytes = self.bytes.saturating_add(size);
        self.under_way.spawn(async move { (size, read.await) });
    }

    /// What ends next; nothing where nothing is under way.
    ///
    /// # Errors
    /// As for [`before`](Self::before).
    pub(crate) async fn next(&mut self) -> Result<Option<T>, RepositoryError> {
        let Some(ended) = self.under_way.join_next().await else {
            return Ok(None);
        };
        let (size, read) = ended.map_err(|_| RepositoryError::GivenUp)?;
        self.bytes = self.bytes.saturating_sub(size);
        Ok(Some(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_together_waits_and_what_is_too_large_comes_alone() {
        let mut reads = Reads::new();
        let mut ended = Vec::new();
        let mut most = 0;
        for (n, size) in [10, 20, 5, 40, 1, 33].into_iter().enumerate() {
            let size = size << 20;
            while let Some(one) = reads.before(size).await.unwrap() {
                ended.push(one);
            }
            reads.start(size, async move { n });
            assert!(reads.bytes <= TOGETHER || reads.under_way.len() == 1);
            most = most.max(reads.under_way.len());
        }
        while let Some(one) = reads.next().await.unwrap() {
            ended.push(one);
        }
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2, 3, 4, 5]);
        assert_eq!((most, reads.bytes), (2, 0));
    }

    #[tokio::test]
    async fn of_small_ones_only_so_many_are_under_way() {
        let mut reads = Reads::new();
        for n in 0..100 {
            while reads.before(100).await.unwrap().is_some() {}
            reads.start(100, async move { n });
            assert!(reads.under_way.len() <= AT_ONCE);
        }
        assert_eq!(reads.under_way.len(), AT_ONCE);
    }
}
