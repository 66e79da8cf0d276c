//! What is killed in a round, and at which moment of the work.

use std::time::{Duration, Instant};

use pgkeep_postgres::client::Connection;
use pgkeep_testkit::SeededRandom;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use super::busy_database::BusyDatabase;
use crate::site::{Ran, Site, ended};

/// How long a command may take, whatever happened to it.
const DEADLINE: Duration = Duration::from_secs(180);
/// How long the server may take to see that one of its processes was killed.
const CRASH: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// `pg_dump` or `pg_restore`, by SIGKILL.
    Tool,
    /// The same, by SIGTERM.
    ToolTerminated,
    /// pgkeep, by SIGKILL.
    Pgkeep,
    /// pgkeep is asked to stop: SIGINT.
    Interrupted,
    /// pgkeep is asked to stop: SIGTERM.
    Terminated,
    /// The tool's session, by `pg_terminate_backend`.
    Session,
    /// The tool's server process, by SIGKILL: the server starts all over.
    SessionKilled,
    /// pgkeep's own session, by `pg_terminate_backend`.
    OwnSession,
    /// The server's first process, by SIGKILL.
    Postmaster,
    /// Nobody: it has to end well.
    Nobody,
}

/// All but nobody.
const VICTIMS: [Victim; 9] = [
    Victim::Tool,
    Victim::ToolTerminated,
    Victim::Pgkeep,
    Victim::Interrupted,
    Victim::Terminated,
    Victim::Session,
    Victim::SessionKilled,
    Victim::OwnSession,
    Victim::Postmaster,
];

/// When.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// Once the repository holds so many bytes, litter too.
    Held(u64),
    /// After so long.
    After(Duration),
    /// As soon as the tool has a session.
    Connected,
}

/// A kill that is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) victim: Victim,
    pub(super) moment: Moment,
    /// `pg_dump` or `pg_restore`.
    pub(super) tool: &'static str,
}

impl Strike {
    /// Draws one; `takes` is how long the command takes when it is left alone.
    pub(super) fn drawn(random: &SeededRandom, tool: &'static str, takes: Duration) -> Self {
        let victims = VICTIMS.len() as u64;
        let victim = VICTIMS[usize::try_from(random.below(victims)).unwrap()];
        let millis = u64::try_from(takes.as_millis()).unwrap();
        let moment = match random.below(4) {
            0 => Moment::Connected,
            _ => Moment::After(Duration::from_millis(random.below(millis + 1))),
        };
        Self {
            victim,
            moment,
            tool,
        }
    }

    /// Starts a command, strikes, and waits for its end. It may have ended by
    /// itself before: then nothing is there to strike.
    pub(super) async fn run(
        &self,
        site: &Site,
        database: &mut BusyDatabase,
        arguments: &[&str],
    ) -> Ran {
        let mut running = site.start(arguments);
        self.wait(site, database, &mut running).await;
        if let Some(pid) = running.id() {
            self.strike(database, pid).await;
        }
        let ran = tokio::time::timeout(DEADLINE, ended(running)).await;
        ran.unwrap_or_else(|_| panic!("{self:?}: {arguments:?} does not end"))
    }

    async fn wait(&self, site: &Site, database: &BusyDatabase, running: &mut Child) {
        let started = Instant::now();
        let witness = match self.moment {
            Moment::Connected => database.session("postgres").await,
            Moment::Held(_) | Moment::After(_) => None,
        };
        while running.try_wait().expect("a child").is_none() {
            let reached = match (self.moment, &witness) {
                (Moment::Held(bytes), _) => held(site) >= bytes,
                (Moment::After(delay), _) => started.elapsed() >= delay,
                (Moment::Connected, Some(witness)) => {
                    !sessions(witness, &self.sessions()).await.is_empty()
                }
                (Moment::Connected, None) => true,
            };
            if reached {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{self:?}: no such moment");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn strike(&self, database: &mut BusyDatabase, pgkeep: u32) {
        match self.victim {
            Victim::Nobody => {}
            Victim::Pgkeep => kill(pgkeep, Signal::KILL),
            Victim::Interrupted => kill(pgkeep, Signal::INT),
            Victim::Terminated => kill(pgkeep, Signal::TERM),
            Victim::Tool => tools(pgkeep).for_each(|child| kill(child, Signal::KILL)),
            Victim::ToolTerminated => tools(pgkeep).for_each(|child| kill(child, Signal::TERM)),
            Victim::Postmaster => database.cluster.kill_postmaster(),
            Victim::Session | Victim::SessionKilled | Victim::OwnSession => {
                let Some(session) = database.session("postgres").await else {
                    return;
                };
                for pid in sessions(&session, &self.sessions()).await {
                    if self.victim == Victim::SessionKilled {
                        kill(u32::try_from(pid).unwrap(), Signal::KILL);
                        return until_the_server_has_seen(&session).await;
                    }
                    let end = format!("SELECT pg_terminate_backend({pid})");
                    session.batch(&end).await.expect("a session that is ended");
                }
            }
        }
    }

    /// Which sessions are meant, by what they call themselves.
    fn sessions(&self) -> String {
        match self.victim {
            Victim::OwnSession => "pgkeep".to_owned(),
            _ => format!("pgkeep {}", self.tool),
        }
    }
}

/// The server processes of all sessions of that name but the asking one.
async fn sessions(witness: &Connection, application: &str) -> Vec<i32> {
    let query = "SELECT pid FROM pg_stat_activity \
                 WHERE application_name = $1 AND pid <> pg_backend_pid()";
    let rows = witness.query(query, &[&application]).await;
    let rows = rows.unwrap_or_default();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until the server has ended all sessions; one that was about to end by
/// itself is no reason for it to.
async fn until_the_server_has_seen(witness: &Connection) {
    let killed = Instant::now();
    while killed.elapsed() < CRASH && witness.batch("SELECT 1").await.is_ok() {
        tokio::time::sleep(POLL).await;
    }
}

fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended meanwhile.
    let _ = kill_process(pid, signal);
}

/// The tools that pgkeep runs, but for those that it only asks for their version.
fn tools(pgkeep: u32) -> impl Iterator<Item = u32> {
    let is_asked = |pid: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
        command.unwrap_or_default().contains("--version")
    };
    children(pgkeep).filter(move |pid| !is_asked(pid))
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> impl Iterator<Item = u32> {
    let parent_of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        line.trim().parse::<u32>().ok()
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(move |pid| parent_of(*pid) == Some(parent))
}

/// How many bytes the repository's directory holds, litter too.
pub(super) fn held(site: &Site) -> u64 {
    let files = site.repository_files();
    let sizes = files
        .iter()
        .map(|path| path.metadata().map_or(0, |m| m.len()));
    sizes.sum()
}
