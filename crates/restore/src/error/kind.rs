//! What kind of failure it is.
//!
//! Invariant: somebody who asked to stop is told so, whatever failed on the way.

use super::RestoreError;

impl RestoreError {
    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted { .. } => true,
            Self::Leftover { failure, .. } => failure.is_interrupted(),
            _ => false,
        }
    }

    /// Whether there was nothing suitable to restore.
    #[must_use]
    pub fn is_nothing_found(&self) -> bool {
        matches!(
            self,
            Self::NothingFound { .. }
                | Self::NoSuchPart { .. }
                | Self::Ambiguous { .. }
                | Self::Deleted { .. }
                | Self::Unfinished { .. }
        )
    }
}
