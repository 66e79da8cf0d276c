//! Where a value came from, and what is in force.
//!
//! Invariant: a value that may be a secret is not in here: it is named, and who
//! shows it has to know what of it may be seen.

use std::fmt;
use std::path::PathBuf;

/// The place of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A file that a variable names.
    VariableFile {
        /// The variable.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

impl Origin {
    /// The place, as an error begins with it: with its column, and with `: ` behind it.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::File { path, line, column } => {
                format!("{}, line {line}, column {column}: ", path.display())
            }
            Self::Variable { .. } | Self::VariableFile { .. } => format!("{self}: "),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Variable { name } => f.write_str(name),
            Self::VariableFile { name, path } => write!(f, "{name}={}", path.display()),
        }
    }
}

/// A value that is in force, as far as it may be seen here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing is set, and nothing stands for it.
    Nothing,
    /// A text.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// The connection of the cluster of that name, which may hold a password.
    Connection(String),
    /// The address of the repository of that name, which may hold one by mistake.
    Address(String),
    /// A secret that is there.
    Secret,
}

/// A key, what it is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The key with its tables, such as `cluster.main.connection`.
    pub key: String,
    /// Its value.
    pub value: Shown,
    /// Where that came from.
    pub origin: Origin,
}
