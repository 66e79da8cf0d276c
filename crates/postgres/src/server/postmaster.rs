//! The server's first process.
//!
//! Invariants: it is signalled by the process id that the operating system gave
//! us and only while we have not waited for it, so never another's; when the
//! value goes, the process goes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::account::Account;
use super::entry::LINE_PREFIX;
use super::error::ServerError;
use super::isolation::{Isolation, PATH, isolated};

/// How long an immediate shutdown may take before the process is killed.
const IMMEDIATE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many bytes are kept for the log.
const LOG_ROOM: u64 = 1 << 20;
pub(super) const POLL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Postmaster {
    child: Child,
}

/// How `postgres` is called.
pub(super) struct Call<'a> {
    pub(super) programs: &'a Path,
    pub(super) account: Account,
    pub(super) data: &'a Path,
    pub(super) sockets: &'a Path,
    pub(super) port: u16,
    pub(super) tcp: bool,
    pub(super) log: &'a Path,
    pub(super) isolation: Isolation,
    /// All that it has but for its socket.
    pub(super) home: &'a Path,
}

impl Postmaster {
    pub(super) fn spawn(call: &Call<'_>) -> Result<Self, ServerError> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(call.log)
            .and_then(|log| {
                // So that a server that has no room left can say so; where the file system
                // cannot keep room for a file, it may.
                let _ = fallocate(&log, FallocateFlags::KEEP_SIZE, 0, LOG_ROOM);
                Ok((log.try_clone()?, log))
            });
        let (stdout, stderr) = log.map_err(|source| ServerError::Prepare {
            path: call.log.to_owned(),
            source,
        })?;
        let addresses = if call.tcp { "127.0.0.1" } else { "" };
        let program = call.programs.join("postgres");
        let mut command = match call.isolation {
            Isolation::None | Isolation::Account => {
                let mut command = Command::new(&program);
                call.account.apply(&mut command);
                command
            }
            Isolation::Namespaces => {
                let kept = [call.home, call.sockets];
                let mut command = isolated(call.programs, &kept, call.data, call.account);
                command.arg(&program);
                command
            }
        };
        let called = PathBuf::from(command.get_program());
        let child = command
            .arg("-D")
            .arg(call.data)
            .arg("-k")
            .arg(call.sockets)
            .args(["-p", &call.port.to_string(), "-h", addresses])
            // What it holds is thrown away: nothing has to survive the machine.
            .args(["-c", "fsync=off", "-c", "synchronous_commit=off"])
            .args(["-c", "full_page_writes=off"])
            // Nothing that it is asked can change how it writes its log, but for how much.
            .args(["-c", "log_destination=stderr", "-c"])
            .arg(format!("log_line_prefix={LINE_PREFIX}"))
            .args(["-c", "log_error_verbosity=verbose"])
            // In the data directory, so that a killed server leaves nothing.
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .env_clear()
            .env("PATH", PATH)
            .env("LC_MESSAGES", "C")
            .current_dir(call.data)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|source| ServerError::Run {
                program: called,
                source,
            })?;
        Ok(Self { child })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        // A child that cannot be waited for is not there either.
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The same, for whoever only looks on: it stays to be waited for.
    pub(super) fn is_gone(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let pid = WaitId::Pid(Pid::from_child(&self.child));
        !matches!(waitid(pid, options), Ok(None))
    }

    /// Tells it to shut down and waits until it has.
    pub(super) async fn stop(&mut self, how: Signal, limit: Duration) -> std::io::Result<()> {
        self.signal(how)?;
        let deadline = Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.end()?;
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    pub(super) fn kill9(&mut self) -> std::io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    fn signal(&mut self, signal: Signal) -> std::io::Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), signal)?;
        }
        Ok(())
    }

    /// An immediate shutdown, and where that does not help, a kill.
    fn end(&mut self) -> std::io::Result<()> {
        self.signal(Signal::QUIT)?;
        let deadline = Instant::now() + IMMEDIATE_TIMEOUT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.kill9()?;
                break;
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.end();
    }
}
