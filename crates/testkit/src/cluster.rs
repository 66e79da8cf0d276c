//! Real PostgreSQL servers for tests.
//!
//! Invariants: each test has a server of its own, with its own data; a version
//! that is missing is a panic that says how to get it, never a skipped test;
//! `initdb` runs once for each version and user of the machine.

mod client;
mod major;
mod standby;
mod template;
mod tls;
mod zoo;

use pgkeep_postgres::client::{Connection, ConnectionParameters, connect};
use pgkeep_postgres::server::{LoopbackTcp, ServerOptions, ThrowawayServer};

pub use major::Major;
pub use tls::{Authority, PrivateFiles};

/// A running server with no database but PostgreSQL's own.
#[derive(Debug)]
pub struct Cluster {
    major: Major,
    server: ThrowawayServer,
}

impl Cluster {
    /// The superuser's password, which connections over TCP ask for.
    pub const PASSWORD: &str = "correct horse: battery\\staple";

    /// Starts a server of that version.
    pub async fn start(major: Major) -> Self {
        Self::start_with(major, &[]).await
    }

    /// Starts a server with lines for its `postgresql.conf`.
    pub async fn start_with(major: Major, configuration: &[&str]) -> Self {
        let mut options = Self::options(major);
        options.template = Some(template::of(major).await);
        let lines = configuration.iter().map(|&line| line.to_owned());
        options.configuration.extend(lines);
        let server = ThrowawayServer::start(options).await.expect("a server");
        Self { major, server }
    }

    fn options(major: Major) -> ServerOptions {
        let mut options = ServerOptions::new(major.programs(), std::env::temp_dir());
        options.tcp = Some(LoopbackTcp {
            password: Self::PASSWORD.to_owned().into(),
        });
        options.configuration = vec![
            "shared_buffers = 16MB".to_owned(),
            "max_connections = 50".to_owned(),
            "log_line_prefix = '%m [%p] %q%a@%d '".to_owned(),
        ];
        options
    }

    /// Its version.
    #[must_use]
    pub fn major(&self) -> Major {
        self.major
    }

    /// How the superuser connects over the socket; no password is asked.
    #[must_use]
    pub fn connection(&self, database: &str) -> ConnectionParameters {
        self.server.connection(database)
    }

    /// How the superuser connects over TCP, with its password.
    #[must_use]
    pub fn tcp_connection(&self, database: &str) -> ConnectionParameters {
        self.server
            .tcp_connection(database)
            .expect("a server that listens on TCP")
    }

    /// A session of the superuser.
    pub async fn connect(&self, database: &str) -> Connection {
        connect(&self.connection(database))
            .await
            .expect("a session")
    }

    /// The server itself.
    #[must_use]
    pub fn server(&self) -> &ThrowawayServer {
        &self.server
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        let log = std::fs::read(self.server.log_file()).expect("the server's log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Kills the server's first process with SIGKILL.
    pub fn kill_postmaster(&mut self) {
        self.server.kill9().expect("a server that can be killed");
    }

    /// Starts the server again, after it was killed or to read its
    /// configuration; the TCP port is another one then.
    pub async fn restart(&mut self) {
        self.server.restart().await.expect("the server again");
    }

    /// Stops the server and removes it.
    pub async fn stop(self) {
        self.server.stop().await.expect("a server that stops");
    }
}
