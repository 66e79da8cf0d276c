//! The throwaway server: which programs, and how it is set.
//!
//! Invariant: it acts on nothing outside of itself: a socket of its own, nothing
//! preloaded, nothing replicated, nothing archived; what the database's own code does
//! beyond that, namespaces keep in.

use std::path::Path;

use pgkeep_postgres::server::{Isolation, ServerError, ServerOptions, ThrowawayServer};
use pgkeep_postgres::tools::{ToolDirectory, Tools};

/// The programs to start a server with.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tools: ToolDirectory,
    /// That they are newer than the backup's server, in words, where they are.
    pub(crate) newer: Option<String>,
}

impl Programs {
    /// Those of the server's own major, else of the nearest newer one.
    ///
    /// # Errors
    /// That there are none, with what there is.
    pub(crate) fn choose(tools: &Tools, version: &str) -> Result<Self, String> {
        let digits = version.split(|c: char| !c.is_ascii_digit()).next();
        let major: u32 = digits.and_then(|d| d.parse().ok()).unwrap_or(0);
        let servers = tools.all().iter().filter(|tools| tools.has_server());
        let suitable = servers.clone().filter(|tools| tools.major() >= major);
        let Some(chosen) = suitable.min_by_key(|tools| tools.major()) else {
            let there: Vec<String> = servers
                .map(|tools| format!("{} in {}", tools.version(), tools.path().display()))
                .collect();
            return Err(match there.as_slice() {
                [] => format!("this host has no PostgreSQL server, and {major} is needed"),
                some => format!(
                    "PostgreSQL {major} or newer is needed, and this host has {}",
                    some.join(", ")
                ),
            });
        };
        let newer = (chosen.major() > major).then(|| {
            let chosen = chosen.major();
            format!("the throwaway server is PostgreSQL {chosen}, the backup's was {version}")
        });
        Ok(Self {
            tools: chosen.clone(),
            newer,
        })
    }

    /// Starts a server in `workspace` that can hold so many tables. Not to be given up in
    /// the middle.
    pub(crate) async fn start(
        &self,
        workspace: &Path,
        tables: u64,
        isolation: Isolation,
    ) -> Result<ThrowawayServer, ServerError> {
        let mut options = ServerOptions::new(self.tools.path(), workspace);
        if workspace.as_os_str().len() <= LONGEST_WORKSPACE {
            options.socket_parent = workspace.to_owned();
        }
        options.configuration = configuration(tables);
        options.isolation = isolation;
        ThrowawayServer::start(options).await
    }
}

/// The longest path that leaves room for the name of a socket; where it is longer, the
/// socket has a directory of its own elsewhere.
const LONGEST_WORKSPACE: usize = 72;

/// How many sessions it takes.
const SESSIONS: u64 = 20;

fn configuration(tables: u64) -> Vec<String> {
    // Comparing locks each table, with its indexes, in one transaction.
    let locks = (tables.saturating_mul(16) / SESSIONS).clamp(1_024, 1 << 20);
    let mut lines: Vec<String> = [
        "shared_preload_libraries = ''",
        "session_preload_libraries = ''",
        "local_preload_libraries = ''",
        "max_logical_replication_workers = 0",
        "max_wal_senders = 0",
        "wal_level = minimal",
        "archive_mode = off",
        "autovacuum = off",
        "jit = off",
        "shared_buffers = '128MB'",
        "maintenance_work_mem = '64MB'",
        "work_mem = '16MB'",
        "max_parallel_workers = 2",
        "max_wal_size = '128MB'",
        "min_wal_size = '32MB'",
        "unix_socket_permissions = 0700",
        "lc_messages = 'C'",
    ]
    .map(str::to_owned)
    .into();
    lines.push(format!("max_connections = {SESSIONS}"));
    lines.push(format!("max_locks_per_transaction = {locks}"));
    lines
}
