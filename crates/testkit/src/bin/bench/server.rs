//! The throwaway server that is dumped and restored into.
//!
//! Invariant: nothing of it moves but what a measurement asks for: no autovacuum,
//! no checkpoint in the middle.

use std::process::Command;

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

/// A running server.
pub(crate) struct Server {
    runtime: Runtime,
    cluster: Cluster,
}

impl Server {
    pub(crate) fn start(major: Major) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cluster = runtime.block_on(Cluster::start_with(major, &CONFIGURATION));
        Self { runtime, cluster }
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
        for (name, value) in self.cluster.connection(database).to_environment() {
            command.env(name, value.expose());
        }
        command
    }

    /// libpq's `key=value` pairs for the superuser.
    pub(crate) fn pairs(&self) -> String {
        let connection = self.cluster.connection("postgres");
        let directory = connection.socket_directory().expect("a socket");
        let (directory, port) = (directory.display(), connection.port());
        let user = connection.user();
        format!("host='{directory}' port={port} user='{user}' dbname=postgres")
    }
}
