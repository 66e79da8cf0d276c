//! What can be wrong with a configuration.
//!
//! Invariant: the file, the line and the key are named; values are not, since
//! they may be secrets.

use std::io;
use std::path::PathBuf;

use pgkeep_types::NameError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is no such configuration.
    #[error("{}, line {line}, column {column}: {problem}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
        /// The nearest name that is known there.
        nearest: Option<String>,
    },
    /// There is neither a file nor what could stand for it.
    #[error("found no configuration")]
    Missing {
        /// Where a file was looked for.
        looked: Vec<PathBuf>,
    },
    /// A cluster's name cannot be one.
    #[error("{}: {source}", .path.display())]
    Cluster {
        /// The file.
        path: PathBuf,
        /// What is wrong with the name.
        source: NameError,
    },
    /// A cluster names a repository that is not there.
    #[error("cluster {cluster} names the repository {repository:?}, which is not configured")]
    UnknownRepository {
        /// The cluster.
        cluster: String,
        /// What it names.
        repository: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No repository is configured at all.
    #[error("no repository is configured")]
    NoRepository,
    /// A variable would have to choose between several repositories.
    #[error("PGKEEP_REPOSITORY is set, and the configuration has {count} repositories")]
    WhichRepository {
        /// How many there are.
        count: usize,
    },
    /// A repository's address is of a kind that cannot be used.
    #[error("repository {repository:?}: {kind} is no address of a storage")]
    Address {
        /// The repository.
        repository: String,
        /// What kind of address it is; the whole could hold a password.
        kind: String,
    },
    /// A variable's value is no text.
    #[error("{name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
}

impl ConfigError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { nearest, .. } => nearest
                .as_ref()
                .map(|name| format!("did you mean '{name}'")),
            Self::Missing { looked } => {
                let looked: Vec<String> = looked
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                Some(format!(
                    "'pgkeep init' writes one; looked for {}, and PGKEEP_REPOSITORY is not set",
                    looked.join(", ")
                ))
            }
            Self::UnknownRepository { known, .. } => Some(format!("there is {}", known.join(", "))),
            Self::NoRepository => Some("add a [repository.NAME] with a url".to_owned()),
            Self::WhichRepository { .. } => {
                Some("unset it, or keep one repository in the file".to_owned())
            }
            Self::Address { .. } => {
                Some("give a path, file:///a/path or s3://bucket/prefix".to_owned())
            }
            Self::Read { .. } | Self::Cluster { .. } | Self::NotText { .. } => None,
        }
    }
}
