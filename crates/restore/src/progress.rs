//! How far a restore is, for whoever looks on.
//!
//! Invariants: the restore writes it and never reads it, so that nothing depends on it; a
//! piece of data costs an addition.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What a restore is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Making the new database.
    #[default]
    Making,
    /// Handing the archive to `pg_restore`, or writing it to a file.
    Filling,
    /// `pg_restore` has all of the archive, and makes indexes and constraints.
    Indexes,
    /// Comparing the new database with the facts.
    Comparing,
    /// Giving it its properties and its name.
    Finishing,
}

/// How far a restore is.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<Phase>,
    /// When it came to each phase for the first time.
    entered: Mutex<Vec<(Phase, Instant)>>,
    read: AtomicU64,
}

impl Progress {
    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it came to a phase for the first time; none where it has not.
    #[must_use]
    pub fn entered(&self, phase: Phase) -> Option<Instant> {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let found = entered.iter().find(|(known, _)| *known == phase);
        found.map(|(_, at)| *at)
    }

    /// How many bytes of the archive were read, found right and handed on.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        if !entered.iter().any(|(known, _)| *known == phase) {
            entered.push((phase, Instant::now()));
        }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
