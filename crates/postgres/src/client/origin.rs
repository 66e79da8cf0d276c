//! Where the value of a connection's key came from.
//!
//! Invariant: a password is never among the values.

use std::fmt;
use std::path::PathBuf;

/// The place of a value. What stands further up in this list goes before what
/// stands below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The connection itself: a URL, or pairs of key and value.
    Connection,
    /// A line of a service file.
    Service {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// One of libpq's variables.
    Variable(&'static str),
    /// A password file.
    PasswordFile(PathBuf),
    /// A file in its usual place.
    Found(PathBuf),
    /// Nobody said anything.
    Default,
}

/// A key of a connection that has a value, and where that came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionValue {
    /// libpq's name of it.
    pub key: &'static str,
    /// The value; `None` where it is a secret.
    pub value: Option<String>,
    /// Its place.
    pub origin: Origin,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("the connection"),
            Self::Service { file, line } => write!(f, "{}, line {line}", file.display()),
            Self::Variable(name) => f.write_str(name),
            Self::PasswordFile(path) | Self::Found(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
        }
    }
}
