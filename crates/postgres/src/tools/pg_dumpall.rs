//! Running `pg_dumpall` for what belongs to no database: roles, their memberships
//! and settings, tablespaces.
//!
//! Invariants: nothing but globals is asked for; the only argument that names
//! anything is the database to connect to, as a connection string of one quoted
//! value.

use std::process::Stdio;

use pgkeep_types::counted;
use tokio::io::AsyncReadExt;

use super::child::{RunningTool, ToolFailed, command, connection_string};
use super::find::ToolDirectory;
use super::messages::ToolMessages;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_dumpall";

/// Reading the globals of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct PgDumpAll<'a> {
    tools: &'a ToolDirectory,
    connection: &'a ConnectionParameters,
    passwords: bool,
}

/// Globals that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GlobalsFailed {
    /// The program did not succeed.
    #[error(transparent)]
    Tool(#[from] ToolFailed),
    /// What it wrote could not be read.
    #[error("the output of pg_dumpall cannot be read")]
    Read(#[source] std::io::Error),
    /// It wrote more than is taken.
    #[error("the globals have more than {limit} bytes")]
    TooMuch {
        /// How much is taken, in bytes.
        limit: u64,
    },
    /// It said that all was well, and did not write what it writes.
    #[error(
        "pg_dumpall succeeded, but what it wrote ({}) has no end",
        counted(*.length, "byte")
    )]
    CutShort {
        /// How much it wrote, in bytes.
        length: usize,
    },
}

impl GlobalsFailed {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tool(failed) => failed.hint(),
            Self::Read(_) | Self::TooMuch { .. } | Self::CutShort { .. } => None,
        }
    }
}

impl<'a> PgDumpAll<'a> {
    /// Globals are kept in memory, up to so many bytes.
    pub const LIMIT: u64 = 64 << 20;

    /// The globals of the connection's cluster, with the hashes of passwords.
    #[must_use]
    pub fn new(tools: &'a ToolDirectory, connection: &'a ConnectionParameters) -> Self {
        Self {
            tools,
            connection,
            passwords: true,
        }
    }

    /// Leaves the hashes of passwords out: not everybody may read them.
    #[must_use]
    pub fn without_passwords(mut self) -> Self {
        self.passwords = false;
        self
    }

    /// Runs the program and tells what it wrote, SQL, and what it said. Must be called inside of a
    /// runtime; dropped while it waits, the program is killed.
    ///
    /// # Errors
    ///
    /// Where it does not succeed, or what it wrote is not whole.
    pub async fn read(self) -> Result<(Vec<u8>, ToolMessages), GlobalsFailed> {
        let mut command = command(self.tools, NAME, self.connection);
        command
            .args(["--globals-only", "--no-password"])
            .arg(format!("--database={}", connection_string(self.connection)))
            .stdout(Stdio::piped());
        if !self.passwords {
            command.arg("--no-role-passwords");
        }
        let mut tool = RunningTool::spawn(command, self.tools, NAME, self.connection)?;
        let mut sql = Vec::new();
        if let Some(output) = tool.take_stdout() {
            let mut output = output.take(Self::LIMIT + 1);
            let read = output.read_to_end(&mut sql).await;
            read.map_err(GlobalsFailed::Read)?;
        }
        if sql.len() as u64 > Self::LIMIT {
            return Err(GlobalsFailed::TooMuch { limit: Self::LIMIT });
        }
        let said = tool.wait().await?;
        if !is_whole(&sql) {
            let length = sql.len();
            return Err(GlobalsFailed::CutShort { length });
        }
        Ok((sql, said))
    }
}

/// Whether it ends as `main` in src/bin/pg_dump/pg_dumpall.c lets it end. Behind
/// that, newer ones write `\unrestrict`.
fn is_whole(sql: &[u8]) -> bool {
    const END: &[u8] = b"-- PostgreSQL database cluster dump complete\n";
    let tail = &sql[sql.len().saturating_sub(4096)..];
    tail.windows(END.len()).any(|window| window == END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globals_are_whole_only_with_their_end() {
        let whole = b"CREATE ROLE a;\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";
        assert!(is_whole(whole));
        assert!(!is_whole(&whole[..whole.len() - 10]));
        assert!(!is_whole(b""));
    }
}
