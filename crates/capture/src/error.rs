//! Why a database, or the globals of a cluster, could not be captured.
//!
//! Invariant: every error names what it is about.

use pgkeep_postgres::client::{ConnectError, QueryError};
use pgkeep_postgres::tools::{GlobalsFailed, ToolError, ToolFailed};
use pgkeep_repository::RepositoryError;
use pgkeep_types::counted;

use crate::Unmatched;

/// What to do about a database that has nothing of what is chosen.
const NOTHING_CHOSEN: &str = "look at 'schemas' and 'tables' in the cluster's dump, or leave the \
     database out under 'databases'; a table of another schema is chosen as SCHEMA.NAME";

/// A capture that failed.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No connection to the database.
    #[error("cannot back up database {database:?}")]
    Connect {
        /// The database.
        database: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The server did not answer a question about the database.
    #[error("cannot back up database {database:?}")]
    Facts {
        /// The database.
        database: String,
        /// Why not.
        #[source]
        source: QueryError,
    },
    /// Names in the database cannot be written down.
    #[error(
        "cannot back up database {database:?}: its encoding is SQL_ASCII, and {} not in UTF-8: {}",
        match .names.len() { 1 => "a name is".to_owned(), count => format!("{count} names are") },
        some(.names)
    )]
    StrangeNames {
        /// The database.
        database: String,
        /// What is called so.
        names: Vec<String>,
    },
    /// Nothing of what is chosen of the database is in it.
    #[error(
        "cannot back up database {database:?}: it has no {}",
        .unmatched.iter().map(ToString::to_string).collect::<Vec<_>>().join(", and no ")
    )]
    NothingChosen {
        /// The database.
        database: String,
        /// What was looked for.
        unmatched: Vec<Unmatched>,
    },
    /// There is no `pg_dump` for this server.
    #[error("cannot back up database {database:?}")]
    Tools {
        /// The database.
        database: String,
        /// Why not.
        #[source]
        source: ToolError,
    },
    /// `pg_dump` failed.
    #[error("cannot back up database {database:?}")]
    Dump {
        /// The database.
        database: String,
        /// How it failed.
        #[source]
        source: ToolFailed,
    },
    /// What `pg_dump` wrote could not be read.
    #[error("cannot back up database {database:?}: the output of pg_dump cannot be read")]
    Read {
        /// The database.
        database: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// `pg_dump` said that all was well, and wrote no archive.
    #[error(
        "cannot back up database {database:?}: pg_dump succeeded, \
         but what it wrote ({}) is no archive",
        counted(*.length, "byte")
    )]
    NoArchive {
        /// The database.
        database: String,
        /// How much it wrote, in bytes.
        length: u64,
    },
    /// `pg_dump` said that all was well, and its archive has no end.
    #[error(
        "cannot back up database {database:?}: pg_dump succeeded, \
         but its archive ({}) ends in {at}",
        counted(*.length, "byte")
    )]
    CutShort {
        /// The database.
        database: String,
        /// How much it wrote, in bytes.
        length: u64,
        /// Where the archive ends.
        at: String,
    },
    /// The repository failed.
    #[error("cannot store the backup of database {database:?}")]
    Store {
        /// The database.
        database: String,
        /// How it failed.
        #[source]
        source: RepositoryError,
    },
    /// Somebody asked to stop.
    #[error("the backup of database {database:?} was interrupted")]
    Interrupted {
        /// The database.
        database: String,
    },
}

/// The first names.
fn some(names: &[String]) -> String {
    const TOLD: usize = 5;
    let mut told = names[..names.len().min(TOLD)].join(", ");
    if names.len() > TOLD {
        told.push_str(" …");
    }
    told
}

impl CaptureError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect { source, .. } => source.hint(),
            Self::Facts { source, .. } => source.hint(),
            Self::Tools { source, .. } => source.hint(),
            Self::Dump { source, .. } => source.hint(),
            Self::Store { source, .. } => source.hint(),
            Self::StrangeNames { .. } => Some(
                "rename them, as a psql with PGCLIENTENCODING=SQL_ASCII can; or bring the database \
                 into the encoding that its texts have; or leave it out under 'databases'"
                    .to_owned(),
            ),
            Self::NothingChosen { .. } => Some(NOTHING_CHOSEN.to_owned()),
            Self::NoArchive { .. } => {
                Some("is the pg_dump that was found PostgreSQL's own".to_owned())
            }
            Self::CutShort { .. } => Some(
                "is the pg_dump that was found PostgreSQL's own? A script in its place, or a \
                 pipe in it, loses the exit code of what was cut off; 'pgkeep doctor' tells \
                 which one is taken"
                    .to_owned(),
            ),
            Self::Read { .. } | Self::Interrupted { .. } => None,
        }
    }
}

/// Globals that could not be read: roles and tablespaces are in no database's dump.
#[derive(Debug, thiserror::Error)]
pub enum GlobalsError {
    /// No connection to the server.
    #[error("cannot read the cluster's globals (roles, tablespaces)")]
    Connect(#[from] ConnectError),
    /// The server did not answer a question.
    #[error("cannot read the cluster's globals (roles, tablespaces)")]
    Query(#[from] QueryError),
    /// There is no `pg_dumpall` for this server.
    #[error("cannot read the cluster's globals (roles, tablespaces)")]
    Tools(#[from] ToolError),
    /// `pg_dumpall` failed.
    #[error("cannot read the cluster's globals (roles, tablespaces)")]
    Read(#[from] GlobalsFailed),
    /// Somebody asked to stop.
    #[error("reading the cluster's globals was interrupted")]
    Interrupted,
}

impl GlobalsError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Connect(source) => source.hint(),
            Self::Query(source) => source.hint(),
            Self::Tools(source) => source.hint(),
            Self::Read(source) => source.hint(),
            Self::Interrupted => None,
        }
    }
}
