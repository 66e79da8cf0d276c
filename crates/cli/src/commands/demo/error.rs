//! Why the demo could not go on, or what did not hold.
//!
//! Invariant: every failure of the story, a check that was not met included,
//! ends as `CliError::Demo`: exit code 1, or 130 where somebody asked to stop.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use pgkeep_postgres::client::{ConnectError, QueryError};
use pgkeep_postgres::server::ServerError;
use pgkeep_types::counted;

/// What keeps the story from its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// Nothing to start a server with.
    #[error(
        "found no PostgreSQL server on this machine (initdb, postgres and pg_dump in one directory)"
    )]
    NoServerPrograms,
    /// The temporary directory cannot be made, used or removed.
    #[error("cannot {what} {}", .path.display())]
    Stage {
        /// What was tried.
        what: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The throwaway server does not start or stop.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The throwaway server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The throwaway server does not do what it is asked.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// Somebody has asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// This program cannot be run.
    #[error("cannot run `{command}`")]
    Run {
        /// The command line.
        command: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A command ended otherwise than the story needs.
    #[error("`{command}` ended with {}, not {expected}{}", code(*.status), after_colon(.said))]
    Ended {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The exit code that it should have ended with.
        expected: i32,
        /// The last thing that it said.
        said: String,
    },
    /// A command that had to fail failed, and for another reason.
    #[error("`{command}` failed for another reason than it should{}", after_colon(.said))]
    WrongReason {
        /// The command line.
        command: String,
        /// What it said.
        said: String,
    },
    /// What a command printed cannot be understood.
    #[error("cannot understand what `{command}` printed")]
    Printed {
        /// The command line.
        command: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A backup is missing from the list, or is not complete.
    #[error(
        "the list shows {} of database {database:?}, not {expected}",
        counted(*.found, "complete backup")
    )]
    Listed {
        /// The database.
        database: &'static str,
        /// How many there are.
        found: usize,
        /// How many were made.
        expected: usize,
    },
    /// A database is there that must not be, or the other way round.
    #[error("database {database:?} {}", if *.there { "is still there" } else { "is not there" })]
    Presence {
        /// The database.
        database: String,
        /// Whether it is there.
        there: bool,
    },
    /// A change of the story has changed nothing.
    #[error("the changes have left database {database:?} as it was")]
    Unchanged {
        /// The database.
        database: &'static str,
    },
    /// What came back is not what was there.
    #[error("database {database:?} is not what it was: {}", .differences.join("; "))]
    Differs {
        /// The database that was looked at.
        database: String,
        /// In what.
        differences: Vec<String>,
    },
}

impl DemoError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoServerPrograms => Some(
                "install the package postgresql (Debian, Ubuntu) or postgresql-server (Red Hat), \
                 or name the directory in PGKEEP_POSTGRES_BIN"
                    .to_owned(),
            ),
            Self::Server(error) => error.hint(),
            Self::Connect(error) => error.hint(),
            Self::Query(error) => error.hint(),
            _ => None,
        }
    }
}

fn code(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

fn after_colon(said: &str) -> String {
    if said.is_empty() {
        return String::new();
    }
    format!(": {said}")
}
