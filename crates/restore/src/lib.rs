//! Bringing backups out of a repository back into PostgreSQL, or into a file.
//!
//! Invariants: nothing that exists is touched, but where it is told to replace it, and
//! then set aside; a restore that fails anywhere
//! leaves nothing behind that could be taken for a restored database; the end of
//! the data is told to `pg_restore` only after all of it was found right. This
//! crate and `capture` do not know each other: they speak through the
//! repository's records.

mod apply_globals;
mod compare;
mod contents;
mod database;
mod draft_name;
mod dumped_part;
mod error;
mod facts;
mod file;
mod fill;
mod globals;
mod left_out;
mod parts;
mod plan;
mod preflight;
mod progress;
mod replace;
mod roles;
mod room;
mod scratch;
mod script;
mod select;
mod server;

pub use apply_globals::{FailedTablespace, GlobalsPlan, GlobalsRestored, MissingTablespace};
pub use database::{DumpRestore, PreparedRestore, Restored, StopSignal};
pub use draft_name::is_unfinished;
pub use dumped_part::dumped_part;
pub use error::RestoreError;
pub use file::{check_file, length_of, to_file};
pub use left_out::LeftOut;
pub use parts::{NotThere, Parts, Wish};
pub use plan::Compared;
pub use preflight::Problem;
pub use progress::{Phase, Progress};
pub use replace::Replace;
pub use scratch::Jobs;
pub use script::{Script, ScriptPlan, ScriptRestore};
pub use select::{Selection, newer_attempt, newest, select};
