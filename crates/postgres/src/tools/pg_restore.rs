//! Running `pg_restore`.
//!
//! Invariants: it stops at the first error; the only argument that names
//! anything is the database, quoted in a connection string.

use std::process::Stdio;

use tokio::process::ChildStdin;

use super::child::{RunningTool, ToolFailed, command, connection_string};
use super::find::ToolDirectory;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_restore";

/// A restore into one database that is about to start.
#[derive(Clone, Debug)]
pub struct PgRestore<'a> {
    tools: &'a ToolDirectory,
    connection: &'a ConnectionParameters,
    no_owner: bool,
    no_privileges: bool,
}

impl<'a> PgRestore<'a> {
    /// A restore into the connection's database, with owners and privileges.
    #[must_use]
    pub fn new(tools: &'a ToolDirectory, connection: &'a ConnectionParameters) -> Self {
        Self {
            tools,
            connection,
            no_owner: false,
            no_privileges: false,
        }
    }

    /// Lets everything belong to the user of the connection.
    #[must_use]
    pub fn no_owner(mut self) -> Self {
        self.no_owner = true;
        self
    }

    /// Leaves privileges out.
    #[must_use]
    pub fn no_privileges(mut self) -> Self {
        self.no_privileges = true;
        self
    }

    /// Starts the program. Must be called inside of a runtime.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn spawn(self) -> Result<RunningRestore, ToolFailed> {
        let connection = self.connection.writable().literal_minded();
        let mut command = command(self.tools, NAME, &connection);
        command
            .args(["--format=custom", "--exit-on-error", "--no-password"])
            .arg(format!("--dbname={}", connection_string(&connection)))
            .stdin(Stdio::piped());
        if self.no_owner {
            command.arg("--no-owner");
        }
        if self.no_privileges {
            command.arg("--no-privileges");
        }
        let tool = RunningTool::spawn(command, self.tools, NAME, &connection)?;
        Ok(RunningRestore { tool })
    }
}

/// A running `pg_restore`; killed when it is dropped.
#[derive(Debug)]
pub struct RunningRestore {
    tool: RunningTool,
}

impl RunningRestore {
    /// Where the archive is to be written; `None` the second time. A write that
    /// fails (broken pipe) means that the program has ended:
    /// [`wait`](Self::wait) tells why.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.tool.take_stdin()
    }

    /// The process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.tool.id()
    }

    /// Kills it and waits until it is gone: it never sees the end of its input.
    pub async fn kill(&mut self) {
        self.tool.kill().await;
    }

    /// Waits for its end, which comes after its input was dropped.
    ///
    /// # Errors
    ///
    /// Where it did not succeed, with its last words.
    pub async fn wait(mut self) -> Result<(), ToolFailed> {
        // Input that nobody took would keep it waiting for ever.
        drop(self.tool.take_stdin());
        self.tool.wait().await
    }
}
