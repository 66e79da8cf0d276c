//! The version of a server, by which everything that depends on it is decided.
//!
//! Invariant: it is what the server itself told, of version 10 or newer, where
//! a major is one number.

use std::fmt;

/// What `server_version_num` says: 150014 is 15.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// Major times 10000 plus minor, as PostgreSQL counts since version 10.
    pub number: u32,
}

impl ServerVersion {
    /// The major version, such as 15.
    #[must_use]
    pub fn major(self) -> u32 {
        self.number / 10_000
    }

    /// The minor version, such as 14 of 15.14.
    #[must_use]
    pub fn minor(self) -> u32 {
        self.number % 10_000
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_number_is_major_and_minor() {
        let version = ServerVersion { number: 160_004 };
        assert_eq!(version.major(), 16);
        assert_eq!(version.to_string(), "16.4");
    }
}
