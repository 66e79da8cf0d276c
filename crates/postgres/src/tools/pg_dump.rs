//! Running `pg_dump`.
//!
//! Invariants: the archive is in the custom format and not compressed, so that
//! what did not change comes out the same again; of the connection only what libpq
//! has no variables for is an argument, which is never a secret.

use std::process::Stdio;
use std::time::Duration;

use super::child::{RunningTool, ToolFailed, command};
use super::find::ToolDirectory;
use super::messages::ToolMessages;
use super::output::ToolOutput;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_dump";

/// A dump of one database that is about to start.
#[derive(Clone, Debug)]
pub struct PgDump<'a> {
    tools: &'a ToolDirectory,
    connection: &'a ConnectionParameters,
    snapshot: Option<String>,
    lock_wait_timeout: Option<Duration>,
    arguments: Vec<String>,
}

impl<'a> PgDump<'a> {
    /// A dump of the connection's database.
    #[must_use]
    pub fn new(tools: &'a ToolDirectory, connection: &'a ConnectionParameters) -> Self {
        Self {
            tools,
            connection,
            snapshot: None,
            lock_wait_timeout: None,
            arguments: Vec::new(),
        }
    }

    /// Dumps what an exported snapshot sees.
    #[must_use]
    pub fn snapshot(mut self, id: &str) -> Self {
        self.snapshot = Some(id.to_owned());
        self
    }

    /// Fails where a table stays locked for longer than this.
    #[must_use]
    pub fn lock_wait_timeout(mut self, limit: Duration) -> Self {
        self.lock_wait_timeout = Some(limit);
        self
    }

    /// Further arguments; see [`check_dump_argument`](super::check_dump_argument).
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments = arguments;
        self
    }

    /// Starts the program. Must be called inside of a runtime.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn spawn(self) -> Result<RunningDump, ToolFailed> {
        let mut command = command(self.tools, NAME, self.connection);
        command
            .args(["--format=custom", "--compress=0", "--no-password"])
            .stdout(Stdio::piped());
        if let Some(pairs) = self.connection.to_pairs() {
            command.arg(format!("--dbname={pairs}"));
        }
        if let Some(id) = &self.snapshot {
            command.arg(format!("--snapshot={id}"));
        }
        command.args(&self.arguments);
        if let Some(limit) = self.lock_wait_timeout {
            command.arg(format!("--lock-wait-timeout={}", limit.as_millis()));
        }
        let tool = RunningTool::spawn(command, self.tools, NAME, self.connection)?;
        Ok(RunningDump { tool })
    }
}

/// A running `pg_dump`; killed when it is dropped.
#[derive(Debug)]
pub struct RunningDump {
    tool: RunningTool,
}

impl RunningDump {
    /// The archive as it is written; `None` the second time. The program waits
    /// for it to be read. An end of the stream says nothing of success:
    /// [`wait`](Self::wait) does.
    pub fn take_stdout(&mut self) -> Option<ToolOutput> {
        self.tool.take_stdout()
    }

    /// The process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.tool.id()
    }

    /// Waits for its end, which comes after its output has been read to the
    /// end or the reader was dropped, and tells what it said.
    ///
    /// # Errors
    ///
    /// Where it did not succeed, with its words of why.
    pub async fn wait(mut self) -> Result<ToolMessages, ToolFailed> {
        // Output that nobody took would keep it waiting for ever.
        drop(self.tool.take_stdout());
        self.tool.wait().await
    }
}
