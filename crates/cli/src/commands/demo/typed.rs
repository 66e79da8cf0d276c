//! This program's own commands, run as a reader would type them.
//!
//! Invariants: a command is this very program in a process of its own, and what
//! is shown is its command line (but for `--config`) and all that it said;
//! nothing of our environment reaches it but the zone of its clock; it is not
//! left behind when the story ends early.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use pgkeep_config::FILE_NAME;
use pgkeep_types::Environment;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::error::DemoError;
use super::lines::clauses;
use super::teller::Teller;
use crate::process;

/// How long a command that is asked to stop may take to clean up.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Runs commands.
pub(super) struct Typist<'a> {
    program: PathBuf,
    directory: PathBuf,
    postgres: PathBuf,
    zone: Option<OsString>,
    teller: &'a Teller,
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Typed {
    /// The command line, as it was shown.
    pub(super) command: String,
    /// How it ended.
    pub(super) status: ExitStatus,
    /// What it said, line by line.
    pub(super) lines: Vec<String>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Typed {
    /// Fails unless the command ended with this exit code.
    pub(super) fn expect(self, code: i32) -> Result<Self, DemoError> {
        if self.status.code() == Some(code) {
            return Ok(self);
        }
        Err(DemoError::Ended {
            expected: code,
            status: self.status,
            said: self.last_line().to_owned(),
            command: self.command,
        })
    }

    /// Fails unless it said this.
    pub(super) fn expect_said(self, words: &str) -> Result<Self, DemoError> {
        if self.lines.iter().any(|line| line.contains(words)) {
            return Ok(self);
        }
        Err(DemoError::WrongReason {
            said: self.lines.join("; "),
            command: self.command,
        })
    }

    /// The last thing that it said.
    pub(super) fn last_line(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

impl<'a> Typist<'a> {
    /// Commands are run in `directory`, with PostgreSQL's programs in
    /// `postgres`.
    pub(super) fn new(
        directory: &Path,
        postgres: &Path,
        environment: &Environment,
        teller: &'a Teller,
    ) -> Result<Self, DemoError> {
        let program = process::program().map_err(|source| DemoError::Run {
            command: "pgkeep".to_owned(),
            source,
        })?;
        Ok(Self {
            program,
            directory: directory.to_owned(),
            postgres: postgres.to_owned(),
            zone: environment.variable("TZ").map(ToOwned::to_owned),
            teller,
        })
    }

    /// Runs a command before the reader's eyes.
    pub(super) async fn show(&self, arguments: &[&str]) -> Result<Typed, DemoError> {
        self.teller.command(arguments);
        self.run(arguments, |line| self.teller.said(line)).await
    }

    /// Runs a command behind the curtain.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Typed, DemoError> {
        self.run(arguments, |_| ()).await
    }

    async fn run(&self, arguments: &[&str], hear: impl Fn(&str)) -> Result<Typed, DemoError> {
        let command = clauses(arguments).join(" ");
        let failed = |source| DemoError::Run {
            command: command.clone(),
            source,
        };
        let started = Instant::now();
        // One pipe for both streams keeps their lines in order.
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut running = Running(self.spawn(arguments, writer).map_err(failed)?);
        let reader = Receiver::from_owned_fd(reader.into()).map_err(failed)?;
        let mut said = BufReader::new(reader).lines();
        let mut lines = Vec::new();
        while let Some(line) = said.next_line().await.map_err(failed)? {
            hear(&line);
            lines.push(anstream::adapter::strip_str(&line).to_string());
        }
        let status = running.0.wait().await.map_err(failed)?;
        Ok(Typed {
            command,
            status,
            lines,
            took: started.elapsed(),
        })
    }

    fn spawn(&self, arguments: &[&str], said: io::PipeWriter) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .args([
                "--config".as_ref(),
                self.directory.join(FILE_NAME).as_os_str(),
            ])
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            // Whose ~/.pgpass is looked for.
            .env("HOME", &self.directory)
            .env("PGKEEP_POSTGRES_BIN", &self.postgres)
            .current_dir(&self.directory)
            // The terminal's Ctrl-C reaches us alone, and we pass it on once: a
            // second one would tell it not to clean up.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        if let Some(zone) = &self.zone {
            command.env("TZ", zone);
        }
        if self.teller.has_colours() {
            command.env("CLICOLOR_FORCE", "1");
        }
        command.spawn()
    }
}

/// A command that may still run.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // None once it has been waited for: the number may be another's by now.
        let Some(pid) = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return;
        };
        let deadline = Instant::now() + STOP_TIMEOUT;
        let mut asked = kill_process(pid, Signal::TERM).is_ok();
        while asked && matches!(self.0.try_wait(), Ok(None)) {
            asked = Instant::now() < deadline;
            std::thread::sleep(POLL);
        }
        if !asked {
            // Nobody is left to be told.
            let _ = self.0.start_kill();
        }
    }
}
