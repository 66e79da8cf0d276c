//! PostgreSQL's own programs: finding every major version, running them.
//!
//! Invariants: a program's environment is made from nothing and holds the
//! connection; its standard error is read while it runs, so that it never
//! blocks; only an exit status of zero is success; a program whose handle is
//! dropped is killed.

mod archive;
mod child;
mod dump_arguments;
mod find;
mod messages;
mod output;
mod pg_amcheck;
mod pg_dump;
mod pg_dumpall;
mod pg_restore;

pub use archive::{
    ArchiveEvent, ArchiveScanner, ArchiveState, ContentsReader, DataKind, GaveUp, NotUnderstood,
    TocEntry,
};
pub use child::ToolFailed;
pub use dump_arguments::{RefusedArgument, check_dump_argument};
pub use find::{Choice, ToolDirectory, ToolError, Tools};
pub use messages::ToolMessages;
pub use output::ToolOutput;
pub use pg_amcheck::{Unchecked, check_database, has_amcheck};
pub use pg_dump::{PgDump, RunningDump};
pub use pg_dumpall::{GlobalsFailed, PgDumpAll};
pub use pg_restore::{PgRestore, RunningRestore};
