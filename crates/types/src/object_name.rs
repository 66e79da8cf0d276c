//! Names of objects in a storage.
//!
//! Invariant: an [`ObjectName`] is accepted by every kind of storage and means
//! the same on each: no case folding, no escaping, no way out of the
//! repository.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no object name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no object name: parts of letters, digits, '.', '_' and '-' between slashes, \
     no part that begins with '.', at most 512 bytes"
)]
pub struct ObjectNameError(String);

/// The name of one object: parts joined by `/`, relative to the repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ObjectName(String);

impl ObjectName {
    /// The longest name, in bytes; S3 allows 1,024 including a bucket's prefix.
    pub const LIMIT: usize = 512;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ObjectName {
    type Error = ObjectNameError;

    fn try_from(text: String) -> Result<Self, ObjectNameError> {
        text.parse()
    }
}

impl FromStr for ObjectName {
    type Err = ObjectNameError;

    fn from_str(text: &str) -> Result<Self, ObjectNameError> {
        let part_is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
        };
        if text.len() <= Self::LIMIT && text.split('/').all(part_is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ObjectNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_parts_are_accepted() {
        for name in [
            "pgkeep.json",
            "keys/00ff",
            "main/wal/1/00000001.history",
            "a-b_c.D",
        ] {
            assert_eq!(name.parse::<ObjectName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn nothing_leads_out_of_the_repository() {
        for name in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", ".tmp", "a/.b", "a b", "a\\b", "ä",
        ] {
            assert!(name.parse::<ObjectName>().is_err(), "{name:?}");
        }
    }
}
