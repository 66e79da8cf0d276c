//! How far a dump is, for whoever looks on.
//!
//! Invariants: the dump writes it and never reads it, so that nothing depends on it; a
//! piece of data costs an addition.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a dump is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Connecting, and reading the facts.
    #[default]
    Connecting,
    /// `pg_dump` reads the schema, and locks tables.
    Schema,
    /// It waits until somebody gives this table free.
    WaitingFor {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// The rows of this table pass by.
    Rows {
        /// The schema of the table.
        schema: String,
        /// The table.
        table: String,
    },
    /// Large objects pass by.
    LargeObjects,
    /// All has passed by; what is left of it is being stored.
    Storing,
    /// Manifest, facts and `backup` are being written.
    Committing,
}

/// How far a dump is.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Mutex<Phase>,
    read: AtomicU64,
    stored: OnceLock<Arc<AtomicU64>>,
}

impl Progress {
    /// What it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let phase = self.phase.lock();
        phase.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many bytes of the archive have passed by.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many bytes were newly stored, about: manifest and fingerprints are not among
    /// them.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let stored = self.stored.get();
        stored.map_or(0, |stored| stored.load(Ordering::Relaxed))
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts what is stored by this.
    pub(crate) fn store_by(&self, counter: Arc<AtomicU64>) {
        // A dump has one writer.
        let _ = self.stored.set(counter);
    }
}
