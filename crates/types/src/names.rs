//! Names that people give, and that become part of object names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no cluster name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty or too long.
    #[error("cluster name {name:?} has {length} characters; 1 to {limit} are allowed")]
    Length {
        /// The text as it was given.
        name: String,
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A character would not survive in every storage's names.
    #[error(
        "cluster name {name:?} has {character:?} in it; \
         lower-case letters, digits, '-' and '_' are allowed, and a letter or digit first"
    )]
    Character {
        /// The text as it was given.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The repository uses this name itself.
    #[error("cluster name {name:?} is a folder of the repository itself")]
    Reserved {
        /// The text as it was given.
        name: String,
    },
}

/// What the configuration calls one PostgreSQL cluster: `main` in
/// `[cluster.main]`.
///
/// It is the first folder of the cluster's objects, so it holds only what every
/// storage keeps apart: lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ClusterName(String);

/// Where nobody says: `main`.
impl Default for ClusterName {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl ClusterName {
    /// The longest name, in bytes.
    pub const LIMIT: usize = 63;
    const RESERVED: [&'static str; 1] = ["keys"];

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = || text.to_owned();
        if text.is_empty() || text.len() > Self::LIMIT {
            return Err(NameError::Length {
                name: name(),
                length: text.chars().count(),
                limit: Self::LIMIT,
            });
        }
        let allowed = |(at, c): (usize, char)| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || (at > 0 && (c == '-' || c == '_'))
        };
        if let Some((_, character)) = text.char_indices().find(|&at| !allowed(at)) {
            return Err(NameError::Character {
                name: name(),
                character,
            });
        }
        if Self::RESERVED.contains(&text) {
            return Err(NameError::Reserved { name: name() });
        }
        Ok(Self(name()))
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ClusterName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_storage_keeps_apart_are_accepted() {
        for name in ["main", "a", "0", "db-1", "db_1", &"x".repeat(63)] {
            assert_eq!(name.parse::<ClusterName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_be_confused_are_refused() {
        for name in [
            "", "Main", "a/b", "..", ".a", "-a", "_a", "ä", "a b", "a.b", "keys",
        ] {
            assert!(name.parse::<ClusterName>().is_err(), "{name:?}");
        }
        assert!("x".repeat(64).parse::<ClusterName>().is_err());
    }
}
