//! The seam to randomness.
//!
//! Invariant: ids and keys are drawn only from the [`Random`] that was handed
//! in. The program hands in the operating system's generator; a test hands in a
//! seeded one.

/// A source of bytes that nobody else can foretell.
pub trait Random: Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}
