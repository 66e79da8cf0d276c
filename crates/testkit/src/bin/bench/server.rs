//! The throwaway server that is dumped and restored into.
//!
//! Invariant: nothing of it moves but what a measurement asks for: no autovacuum,
//! no checkpoint in the middle.

use std::process::Command;

use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::runtime::Runtime;

/// The load's database.
pub(crate) const DATABASE: &str = "load";

const CONFIGURATION: [&str; 7] = [
    "shared_buffers = 1GB",
    "maintenance_work_mem = 256MB",
    "max_wal_size = 20GB",
    "checkpoint_timeout = 1d",
    "autovacuum = off",
    "max_parallel_workers_per_gather = 0",
    "max_parallel_maintenance_workers = 0",
];

/// How programs connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// TCP on loopback, with a password and without TLS.
    Tcp,
    /// The Unix socket.
    Socket,
}

/// A running server.
pub(crate) struct Server {
    runtime: Runtime,
    cluster: Cluster,
    over: Over,
}

impl Server {
    pub(crate) fn start(major: Major, over: Over) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cluster = runtime.block_on(Cluster::start_with(major, &CONFIGURATION));
        Self {
            runtime,
            cluster,
            over,
        }
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.cluster.stop());
    }

    pub(crate) fn major(&self) -> Major {
        self.cluster.major()
    }

    /// The id of the server's first process.
    pub(crate) fn postmaster(&self) -> u32 {
        self.cluster.server().pid()
    }

    /// Runs SQL; what it prints, bare.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let told = self.runtime.block_on(self.cluster.psql(database, sql));
        told.trim().to_owned()
    }

    /// One of PostgreSQL's programs of this version, connected to a database.
    pub(crate) fn program(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.major().programs().join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.envs(self.environment(database));
        command
    }

    fn connection(&self, database: &str) -> ConnectionParameters {
        match self.over {
            Over::Tcp => self.cluster.tcp_connection(database),
            Over::Socket => self.cluster.connection(database),
        }
    }

    /// libpq's variables for the superuser.
    fn environment(&self, database: &str) -> Vec<(String, String)> {
        let all = self.connection(database).to_environment();
        let all = all.into_iter();
        all.map(|(name, value)| (name.to_string(), value.expose().to_string()))
            .collect()
    }

    /// The superuser's password, in the variable for it, where one is asked for.
    pub(crate) fn password(&self) -> Option<(String, String)> {
        let mut all = self.environment(DATABASE).into_iter();
        all.find(|(name, _)| name == "PGPASSWORD")
    }

    /// libpq's `key=value` pairs for the superuser, without the password.
    pub(crate) fn pairs(&self) -> String {
        let connection = self.connection("postgres");
        let host = match connection.socket_directory() {
            Some(directory) => directory.display().to_string(),
            None => "127.0.0.1".to_owned(),
        };
        let (port, user) = (connection.port(), connection.user());
        format!("host='{host}' port={port} user='{user}' dbname=postgres")
    }
}
