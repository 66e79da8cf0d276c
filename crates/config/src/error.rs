//! What can be wrong with a configuration.
//!
//! Invariant: the file, the line and the key are named; values are not, since
//! they may be secrets.

use std::io;
use std::path::PathBuf;

use pgkeep_types::NameError;

use crate::origin::Origin;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration in {}", .path.display())]
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
    #[error("{}{source}", .origin.place())]
    Cluster {
        /// Where it is named.
        origin: Origin,
        /// What is wrong with the name.
        source: NameError,
    },
    /// A cluster names a repository that is not there.
    #[error(
        "{}cluster {cluster} names the repository {repository:?}, which is not configured",
        .origin.place()
    )]
    UnknownRepository {
        /// Where it names it.
        origin: Origin,
        /// The cluster.
        cluster: String,
        /// What it names.
        repository: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A cluster's list of repositories names none.
    #[error("{}cluster {cluster} names no repository", .origin.place())]
    NoRepositoryNamed {
        /// Where it says so.
        origin: Origin,
        /// The cluster.
        cluster: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A cluster names a repository more than once.
    #[error("{}cluster {cluster} names the repository {repository:?} more than once", .origin.place())]
    RepositoryTwice {
        /// Where it names it.
        origin: Origin,
        /// The cluster.
        cluster: String,
        /// What it names.
        repository: String,
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
    #[error("{}repository {repository:?}: {kind} is no address of a storage", .origin.place())]
    Address {
        /// Where it is given.
        origin: Origin,
        /// The repository.
        repository: String,
        /// What kind of address it is; the whole could hold a password.
        kind: String,
    },
    /// A variable's value is no text.
    #[error("{name} is not UTF-8")]
    NotText {
        /// The variable.
        name: String,
    },
    /// A variable's value is none that its key takes.
    #[error("{name} has a value that it does not take")]
    Value {
        /// The variable, or the one that names its file.
        name: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// What says what is kept says it wrongly.
    #[error("{of}, column {column}: {problem}")]
    Policy {
        /// The variable, or the option.
        of: String,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
        /// The nearest name that is known there.
        nearest: Option<String>,
    },
    /// A variable's value is not written as it would be in the file.
    #[error("{name}: {problem}")]
    VariableSyntax {
        /// The variable, or the one that names its file.
        name: String,
        /// What is wrong with it.
        problem: String,
        /// The nearest name that is known there.
        nearest: Option<String>,
    },
    /// Two variables for one value.
    #[error("both {name} and {other} are set")]
    Both {
        /// A variable.
        name: String,
        /// The other.
        other: String,
    },
    /// The file that a variable names cannot be read.
    #[error("cannot read {}, which {variable} names", .path.display())]
    VariableFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file that a variable names holds nothing.
    #[error("there is nothing in {}, which {variable} names", .path.display())]
    EmptyFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A variable that is almost one of ours.
    #[error("the variable {name} is set, and nothing reads it")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest one that is known.
        nearest: Option<String>,
    },
    /// Two names that one variable would stand for.
    #[error("{variable} is set, and stands for {first:?} and for {second:?}")]
    SameVariable {
        /// The variable.
        variable: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl ConfigError {
    /// The same, where what is wrong with an address was found without its place.
    pub(crate) fn at(self, place: &Origin) -> Self {
        match self {
            Self::Address {
                repository, kind, ..
            } => Self::Address {
                origin: place.clone(),
                repository,
                kind,
            },
            other => other,
        }
    }

    /// A value that its key does not take, by its place.
    pub(crate) fn value(origin: Origin, wanted: &'static str) -> Self {
        match origin {
            Origin::File { path, line, column } => Self::Syntax {
                path,
                line,
                column,
                problem: format!("wanted is {wanted}"),
                nearest: None,
            },
            origin => Self::Value {
                name: origin.to_string(),
                wanted,
            },
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { nearest, .. }
            | Self::Policy { nearest, .. }
            | Self::VariableSyntax { nearest, .. } => nearest
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
            Self::NoRepositoryNamed { known, .. } => Some(format!(
                "name one of {}, or leave 'repositories' out: then it is all of them",
                known.join(", ")
            )),
            Self::RepositoryTwice { .. } => {
                Some("a second copy is made in another repository: name each once".to_owned())
            }
            Self::NoRepository => Some("add a [repository.NAME] with a url".to_owned()),
            Self::WhichRepository { .. } => {
                Some("unset it, or keep one repository in the file".to_owned())
            }
            Self::Address { .. } => {
                Some("give a path, file:///a/path or s3://bucket/prefix".to_owned())
            }
            Self::Value { wanted, .. } => Some(format!("give {wanted}")),
            Self::Both { .. } => Some("unset one of them".to_owned()),
            Self::UnknownVariable { nearest, .. } => Some(match nearest {
                Some(name) => format!("did you mean {name}"),
                None => "the configuration has no cluster or repository of that name".to_owned(),
            }),
            Self::SameVariable { .. } => Some("rename one of them in the file".to_owned()),
            Self::Read { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some(
                    "look at --config or PGKEEP_CONFIG, which names it; 'pgkeep init' writes one"
                        .to_owned(),
                ),
                io::ErrorKind::IsADirectory => {
                    Some("this is a directory: name the file in it".to_owned())
                }
                io::ErrorKind::PermissionDenied => Some("this user may not read it".to_owned()),
                io::ErrorKind::InvalidData => Some("it is no text: is it another file".to_owned()),
                _ => None,
            },
            Self::Cluster { .. }
            | Self::NotText { .. }
            | Self::VariableFile { .. }
            | Self::EmptyFile { .. } => None,
        }
    }
}
