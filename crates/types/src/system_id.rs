//! The identity of a PostgreSQL cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The system identifier that `initdb` gives a cluster and `pg_control` holds
/// (`ControlFileData.system_identifier`, src/include/catalog/pg_control.h).
///
/// Two lineages of data never share one, whatever their names and paths. It is
/// written as a decimal number in a string, since JSON readers lose the low
/// bits of large numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SystemId(pub u64);

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SystemId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<SystemId> for String {
    fn from(id: SystemId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for SystemId {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
