//! A running program of PostgreSQL's.
//!
//! Invariants: its environment holds nothing that was not put there; standard
//! error is drained at all times; success is an exit status of zero and nothing
//! else.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;

use super::find::ToolDirectory;
use super::messages::{Said, ToolMessages};
use super::output::ToolOutput;
use crate::client::{ConnectionParameters, too_many_sessions};

/// A program of PostgreSQL's that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ToolFailed {
    /// It could not be started.
    #[error("cannot start {} for database {database:?}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The database that it was to work on.
        database: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// It ended with an error of its own.
    #[error("{tool} {version} for database {database:?} failed with exit code {code}{}", tail(.messages))]
    Exit {
        /// `pg_dump` or `pg_restore`.
        tool: &'static str,
        /// Its version.
        version: String,
        /// The database that it worked on.
        database: String,
        /// Its exit code.
        code: i32,
        /// What it said of why.
        messages: Vec<String>,
    },
    /// It was killed.
    #[error("{tool} {version} for database {database:?} was killed by {signal}{}", tail(.messages))]
    Signal {
        /// `pg_dump` or `pg_restore`.
        tool: &'static str,
        /// Its version.
        version: String,
        /// The database that it worked on.
        database: String,
        /// The signal's name.
        signal: String,
        /// What it said of why.
        messages: Vec<String>,
    },
    /// How it ended cannot be learned.
    #[error("cannot learn how {tool} {version} for database {database:?} ended")]
    Wait {
        /// `pg_dump` or `pg_restore`.
        tool: &'static str,
        /// Its version.
        version: String,
        /// The database that it worked on.
        database: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl ToolFailed {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Signal { signal, .. } if signal == "SIGKILL" => {
                Some("did the machine run out of memory".to_owned())
            }
            Self::Exit { messages, .. } if waited_for_a_lock(messages) => Some(
                "somebody held the table's lock for longer than lock_timeout: dump at another \
                 time, or wait for longer"
                    .to_owned(),
            ),
            Self::Exit { tool, messages, .. } if *tool != "pg_restore" && is_denied(messages) => {
                Some(
                    "let a superuser run what 'pgkeep doctor --role' prints: the SQL of a role \
                     that may read it"
                        .to_owned(),
                )
            }
            Self::Exit { tool, messages, .. }
                if *tool == "pg_restore" && messages.iter().any(|m| is_kept_by_a_policy(m)) =>
            {
                Some(
                    "a materialized view reads a table whose policies hold for the view's owner: \
                     restore with --no-owner, as a superuser or a role with BYPASSRLS"
                        .to_owned(),
                )
            }
            Self::Exit { messages, .. } if messages.iter().any(|m| has_no_session(m)) => {
                let told = messages.iter().find(|m| has_no_session(m));
                told.map(|message| too_many_sessions(message).to_owned())
            }
            Self::Exit { messages, .. } if messages.iter().any(|m| lost_the_server(m)) => Some(
                "the server's log tells whether it ended the session; if it did not, the network \
                 in between did"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// What the program said of why on standard error.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        match self {
            Self::Exit { messages, .. } | Self::Signal { messages, .. } => messages,
            Self::Start { .. } | Self::Wait { .. } => &[],
        }
    }
}

/// Whether pg_dump gave a lock up: the server tells which limit was over, and the
/// statement's text for what.
fn waited_for_a_lock(messages: &[String]) -> bool {
    let says = |words: &str| messages.iter().any(|message| message.contains(words));
    says("LOCK TABLE") && (says("lock timeout") || says("statement timeout"))
}

/// Whether the role may not read something.
fn is_denied(messages: &[String]) -> bool {
    let mut errors = messages.iter().filter(|m| m.starts_with("error:"));
    errors.any(|message| message.contains("permission denied"))
}

/// Whether a policy would hide rows of what is read (`check_enable_rls` in
/// src/backend/utils/misc/rls.c).
fn is_kept_by_a_policy(message: &str) -> bool {
    message.contains("would be affected by row-level security policy")
}

/// Whether the server let no further session in (SQLSTATE 53300, which is not told here).
fn has_no_session(message: &str) -> bool {
    let ends = [
        "too many connections for",
        "too many clients already",
        "connection slots are reserved",
    ];
    ends.iter().any(|end| message.contains(end))
}

/// Whether the connection ended under it (`pqReadData` in
/// src/interfaces/libpq/fe-misc.c).
fn lost_the_server(message: &str) -> bool {
    let ends = [
        "server closed the connection unexpectedly",
        "could not receive data from server",
        "could not send data to server",
    ];
    ends.iter().any(|end| message.contains(end))
}

fn tail(messages: &[String]) -> String {
    if messages.is_empty() {
        return String::new();
    }
    format!(": {}", messages.join(" / "))
}

/// A started program and the task that drains its standard error.
#[derive(Debug)]
pub(super) struct RunningTool {
    tool: &'static str,
    version: String,
    database: String,
    child: Child,
    messages: JoinHandle<Said>,
}

/// A command with nothing in its environment but the connection.
pub(super) fn command(
    tools: &ToolDirectory,
    tool: &'static str,
    connection: &ConnectionParameters,
) -> Command {
    let mut command = Command::new(tools.program(tool));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("LC_MESSAGES", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (name, value) in connection.to_environment() {
        if name == "PGAPPNAME" {
            // So that pg_stat_activity tells our sessions apart.
            command.env(name, format!("{} {tool}", value.expose()));
        } else {
            command.env(name, value.expose());
        }
    }
    command
}

/// A connection string that says the database, and what there are no variables for:
/// for programs that do not take the database from their environment.
pub(super) fn connection_string(connection: &ConnectionParameters) -> String {
    let pairs = connection.to_pairs();
    pairs.unwrap_or_else(|| connection.database_pair())
}

impl RunningTool {
    pub(super) fn spawn(
        mut command: Command,
        tools: &ToolDirectory,
        tool: &'static str,
        connection: &ConnectionParameters,
    ) -> Result<Self, ToolFailed> {
        let mut child = command.spawn().map_err(|source| ToolFailed::Start {
            program: tools.program(tool),
            database: connection.database().to_owned(),
            source,
        })?;
        let stderr = child.stderr.take();
        Ok(Self {
            tool,
            version: tools.version().to_owned(),
            database: connection.database().to_owned(),
            child,
            messages: tokio::spawn(Said::of(tool, stderr)),
        })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn take_stdout(&mut self) -> Option<ToolOutput> {
        self.child.stdout.take().map(ToolOutput::new)
    }

    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Kills it and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill().await;
    }

    /// Waits for its end, and tells what it said where it succeeded. Safe to be dropped
    /// while it waits: the program is killed then.
    pub(super) async fn wait(mut self) -> Result<ToolMessages, ToolFailed> {
        let status = self.child.wait().await;
        // Its end closes standard error, unless a child of its own keeps that
        // open; it has none.
        let said = self
            .messages
            .await
            .unwrap_or_else(|_| Said::lost(self.tool));
        let status = status.map_err(|source| ToolFailed::Wait {
            tool: self.tool,
            version: self.version.clone(),
            database: self.database.clone(),
            source,
        })?;
        if status.success() {
            return Ok(said.of_success());
        }
        Err(failure(
            self.tool,
            self.version,
            self.database,
            status,
            said.of_failure(),
        ))
    }
}

fn failure(
    tool: &'static str,
    version: String,
    database: String,
    status: ExitStatus,
    messages: Vec<String>,
) -> ToolFailed {
    match status.signal() {
        Some(signal) => ToolFailed::Signal {
            tool,
            version,
            database,
            signal: signal_name(signal),
            messages,
        },
        None => ToolFailed::Exit {
            tool,
            version,
            database,
            code: status.code().unwrap_or(-1),
            messages,
        },
    }
}

fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_reads_back_as_it_was_whatever_its_name() {
        for name in ["a", "a=b", "it's", r"back\slash", "-x", "Zoo \"q\" ünï=x"] {
            let named = ConnectionParameters::default().with_database(name);
            let parsed = ConnectionParameters::parse(&connection_string(&named)).unwrap();
            assert_eq!(parsed.database(), name);
        }
    }

    #[test]
    fn a_failure_names_tool_database_cause_and_last_words() {
        let status = ExitStatus::from_raw(1 << 8);
        let error = failure(
            "pg_dump",
            "15.1".to_owned(),
            "a=b".to_owned(),
            status,
            vec!["error: x".to_owned()],
        );
        assert_eq!(
            error.to_string(),
            r#"pg_dump 15.1 for database "a=b" failed with exit code 1: error: x"#
        );
        let status = ExitStatus::from_raw(9);
        let error = failure(
            "pg_dump",
            "15.1".to_owned(),
            "d".to_owned(),
            status,
            Vec::new(),
        );
        assert_eq!(
            error.to_string(),
            r#"pg_dump 15.1 for database "d" was killed by SIGKILL"#
        );
    }
}
