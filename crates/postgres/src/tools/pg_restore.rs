//! Running `pg_restore`.
//!
//! Invariants: it stops at the first error; the only argument that names
//! anything is the database, quoted in a connection string. Files are handed over
//! open, so that they need no name: nothing is left of them, whatever happens.

use std::fs::File;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Stdio;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::process::ChildStdin;

use super::child::{RunningTool, ToolFailed, command, connection_string};
use super::find::ToolDirectory;
use super::messages::ToolMessages;
use super::output::ToolOutput;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_restore";

/// A restore that is about to start.
#[derive(Clone, Debug)]
pub struct PgRestore<'a> {
    tools: &'a ToolDirectory,
    connection: &'a ConnectionParameters,
    is_script: bool,
    no_owner: bool,
    no_privileges: bool,
    no_tablespaces: bool,
    list: Option<&'a str>,
    archive: Option<(&'a File, NonZeroUsize)>,
}

impl<'a> PgRestore<'a> {
    /// A restore into the connection's database, with owners and privileges.
    #[must_use]
    pub fn new(tools: &'a ToolDirectory, connection: &'a ConnectionParameters) -> Self {
        Self {
            tools,
            connection,
            is_script: false,
            no_owner: false,
            no_privileges: false,
            no_tablespaces: false,
            list: None,
            archive: None,
        }
    }

    /// SQL instead, on standard output. Nothing is connected to: of `named` only the
    /// database's name counts, for errors.
    #[must_use]
    pub fn script(tools: &'a ToolDirectory, named: &'a ConnectionParameters) -> Self {
        Self {
            is_script: true,
            ..Self::new(tools, named)
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

    /// Leaves tablespaces out: all goes into the database's own.
    #[must_use]
    pub fn no_tablespaces(mut self) -> Self {
        self.no_tablespaces = true;
        self
    }

    /// Restores the entries of this list alone (`--use-list`).
    #[must_use]
    pub fn use_list(mut self, list: &'a str) -> Self {
        self.list = Some(list);
        self
    }

    /// Reads the archive from a file, with so many sessions at a time, instead of from
    /// standard input.
    #[must_use]
    pub fn parallel(mut self, archive: &'a File, jobs: NonZeroUsize) -> Self {
        self.archive = Some((archive, jobs));
        self
    }

    /// Starts the program. Must be called inside of a runtime.
    ///
    /// # Errors
    ///
    /// Where it cannot be started.
    pub fn spawn(self) -> Result<RunningRestore, ToolFailed> {
        let failed = |source| ToolFailed::Start {
            program: self.tools.program(NAME),
            database: self.connection.database().to_owned(),
            source,
        };
        let connection = self.connection.writable().literal_minded();
        let mut command = command(self.tools, NAME, &connection);
        command.args(["--format=custom", "--exit-on-error"]);
        match self.is_script {
            true => command.arg("--file=-").stdout(Stdio::piped()),
            // Else it keeps the server's warnings to itself.
            false => command
                .args(["--no-password", "--verbose"])
                .arg(format!("--dbname={}", connection_string(&connection))),
        };
        if self.no_owner {
            command.arg("--no-owner");
        }
        if self.no_privileges {
            command.arg("--no-privileges");
        }
        if self.no_tablespaces {
            command.arg("--no-tablespaces");
        }
        let list = self.list.map(in_memory).transpose().map_err(failed)?;
        if let Some(list) = &list {
            command.arg(format!("--use-list={}", inherited(list).map_err(failed)?));
        }
        match self.archive {
            Some((file, jobs)) => command
                .arg(format!("--jobs={jobs}"))
                .arg(inherited(file).map_err(failed)?),
            None => command.stdin(Stdio::piped()),
        };
        let tool = RunningTool::spawn(command, self.tools, NAME, &connection)?;
        Ok(RunningRestore { tool })
    }
}

/// A file of memory that holds a text.
fn in_memory(text: &str) -> std::io::Result<File> {
    let mut file = File::from(memfd_create(c"pg_restore list", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// Under which name a program that is started finds an open file: it inherits it, and so
/// do those that it starts itself.
fn inherited(file: &File) -> std::io::Result<String> {
    fcntl_setfd(file.as_fd(), FdFlags::empty())?;
    Ok(format!("/proc/self/fd/{}", file.as_raw_fd()))
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

    /// What it writes, where it writes SQL; `None` the second time.
    pub fn take_stdout(&mut self) -> Option<ToolOutput> {
        self.tool.take_stdout()
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

    /// Waits for its end, which comes after its input was dropped, and tells what it said.
    ///
    /// # Errors
    ///
    /// Where it did not succeed, with its words of why.
    pub async fn wait(mut self) -> Result<ToolMessages, ToolFailed> {
        // Input that nobody took would keep it waiting for ever.
        drop(self.tool.take_stdin());
        self.tool.wait().await
    }
}
