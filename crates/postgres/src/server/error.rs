//! Why there is no throwaway server.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::ConnectError;

/// What went wrong with a throwaway server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program is not there or cannot be run.
    #[error("cannot run {}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A directory or file of the server cannot be made or read.
    #[error("cannot prepare {} for a throwaway server", .path.display())]
    Prepare {
        /// The directory or file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The user is root, and no ordinary account was found to run it as.
    #[error(
        "a PostgreSQL server does not run as root, and neither account postgres nor nobody exists"
    )]
    NoAccount,
    /// The account that the server runs as does not get to where it is to be made.
    #[error(
        "user {user:?}, as whom a throwaway server runs here, may not enter {}",
        .directory.display()
    )]
    Barred {
        /// The first directory on the way that it may not enter.
        directory: PathBuf,
        /// The account.
        user: String,
    },
    /// The path of the socket is longer than the operating system allows.
    #[error("the socket directory {} is too long a path for a socket", .directory.display())]
    SocketPath {
        /// The directory.
        directory: PathBuf,
    },
    /// The operating system does not let a server be isolated.
    #[error("this host cannot isolate a throwaway server{}", after_colon(.messages))]
    Isolate {
        /// The last lines that `unshare` or what it called said.
        messages: Vec<String>,
    },
    /// `initdb` or the copy of a template failed.
    #[error("{} failed to make {}{}", .program.display(), .data.display(), after_colon(.messages))]
    Initialise {
        /// `initdb` or `cp`.
        program: PathBuf,
        /// The data directory.
        data: PathBuf,
        /// The last lines that it said.
        messages: Vec<String>,
    },
    /// The server ended before it answered.
    #[error("the server in {} ended while it started{}", .data.display(), after_colon(.log))]
    Ended {
        /// The data directory.
        data: PathBuf,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The server did not answer in time.
    #[error("the server in {} did not answer within {} s{}", .data.display(), .after.as_secs(), after_colon(.log))]
    NoAnswer {
        /// The data directory.
        data: PathBuf,
        /// How long it was given.
        after: Duration,
        /// The last lines of its log.
        log: Vec<String>,
        /// The last attempt's error.
        #[source]
        source: Box<ConnectError>,
    },
    /// The server could not be stopped.
    #[error("cannot stop the server in {}", .data.display())]
    Stop {
        /// The data directory.
        data: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl ServerError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Run { .. } => {
                Some("install the server's package, such as postgresql-16".to_owned())
            }
            Self::Barred { directory, .. } => Some(format!(
                "chmod o+x {}, or name a directory that everybody can enter",
                directory.display()
            )),
            Self::NoAccount => Some("run it as an ordinary user".to_owned()),
            Self::Isolate { .. } => Some(
                "run it as root, or let users have namespaces (user.max_user_namespaces, \
                 kernel.apparmor_restrict_unprivileged_userns); util-linux 2.36 or newer is needed"
                    .to_owned(),
            ),
            Self::SocketPath { .. } => Some("choose a shorter temporary directory".to_owned()),
            _ => None,
        }
    }
}

fn after_colon(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!(": {}", lines.join(" / "))
}
