//! What the records of a cluster say: the common language of capture, restore
//! and everything that looks after backups.
//!
//! Invariants: what is needed to list, check and prune is in clear parts; what
//! tells of a database's inside is in sealed ones. Fields are only ever added;
//! a reader ignores those that it does not know.

/// The name of the one file of a dump: `pg_dump`'s custom-format archive.
pub const DUMP_FILE: &str = "dump";

/// The name of the file of a dump that holds the globals of its cluster: the SQL of
/// `pg_dumpall --globals-only`.
pub const GLOBALS_FILE: &str = "globals";

mod backup;
mod deletion;
mod facts;
mod pin;
mod proof;
mod run;
mod selection;
mod verification;

pub use backup::{BackupKind, BackupRecord, Need, PackSummary, RecordHashes};
pub use deletion::{RunAlive, RunDead, Tombstone};
pub use facts::{
    DatabaseFacts, DatabaseSetting, DumpFacts, Extension, Grant, LocaleProvider, SecurityLabel,
    SequenceFacts, TableFacts,
};
pub use pin::{Lift, PinRecord};
pub use proof::{
    Level, ProofAnswer, ProofDetails, ProofOutcome, ProofRecord, ProofStep, StepOutcome,
};
pub use run::{BackupOutcome, Copies, Outcome, PlannedBackup, RunBegin, RunErrors, RunOutcome};
pub use selection::Selection;
pub use verification::{Finding, FindingId, Problem, Verification, WholeObjects, WholePack};
