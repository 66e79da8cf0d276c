//! How far a proof is, for whoever looks on.
//!
//! Invariant: the proof writes it and never goes by it.

use std::sync::{Arc, Mutex, PoisonError};

use pgkeep_restore::Progress;

use crate::Step;

/// How far a proof is.
#[derive(Debug, Default)]
pub struct ProofProgress {
    step: Mutex<Step>,
    restore: Arc<Progress>,
}

impl ProofProgress {
    /// What is being done.
    #[must_use]
    pub fn step(&self) -> Step {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the restore is.
    #[must_use]
    pub fn restore(&self) -> &Arc<Progress> {
        &self.restore
    }

    pub(crate) fn enter(&self, step: Step) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }
}
