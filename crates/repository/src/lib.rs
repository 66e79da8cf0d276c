//! A repository: the format on a storage.
//!
//! Invariants: the order of writes is begin, packs, manifest and facts,
//! `backup`, outcome, so that a crash anywhere leaves a whole backup or litter;
//! nothing is overwritten; nothing that was read is handed on before its hash
//! and its signature held. This crate knows nothing of PostgreSQL.

mod access;
mod backup_writer;
mod catalogue;
mod cited;
mod cluster_records;
mod copying;
mod create;
pub mod deletion;
mod error;
mod index;
mod keys;
mod open;
mod pace;
mod parent;
mod pins;
mod probe;
mod proof;
mod read;
mod reads;
mod records;
mod remains;
mod replacing;
mod run;
mod threads;
mod verification;
mod write;

pub use access::{ReadAccess, WriteAccess};
pub use backup_writer::{BackupWriter, Committed, DumpMeta, FileWriter, StoredBackup};
pub use catalogue::{
    Attempt, Catalogue, Contested, Deleted, Entry, Misdated, ParentChoice, Pinned, Proof,
    ShutParent, Unclear, Unreadable, is_ahead,
};
pub use copying::{CopyPlan, CopyRun, Left, Planned};
pub use create::{Begun, NewRepository, Withdrawn};
pub use error::RepositoryError;
pub use keys::{KeyInfo, KeysError, OwnerAccess, Retired, Rewrapped, UnendedRuns};
pub use open::Repository;
pub use pace::Pace;
pub use parent::Parent;
pub use read::{FileReader, FilesReader, OpenBackup, Piece};
pub use remains::lost_all_but_backups;
pub use run::{Run, RunPlan, RunReport};
pub use verification::{
    Cited, Condition, Needed, OpenFinding, ReadBack, Statement, Strange,
    in_words as finding_in_words,
};
pub use write::Limits;
