//! The seam to the time of day.
//!
//! Invariant: no code outside the program's main reads the system's clock; it
//! asks the [`Clock`] it was given, so that a test can tell it any time.

use jiff::Timestamp;

/// Tells the present instant.
pub trait Clock: Send + Sync {
    /// The instant that this clock takes for now.
    fn now(&self) -> Timestamp;
}
