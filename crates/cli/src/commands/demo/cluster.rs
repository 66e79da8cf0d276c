//! The throwaway cluster: which server it is, its two databases, and what
//! happens to them.
//!
//! Invariants: nothing of a configuration file and of libpq's variables is used;
//! the server is reached by a socket of its own and by nothing else.

use std::path::PathBuf;

use pgkeep_postgres::client::{Connection, ConnectionParameters, connect, database_exists};
use pgkeep_postgres::server::{ServerOptions, ThrowawayServer};
use pgkeep_postgres::tools::{ToolDirectory, Tools};
use pgkeep_types::Environment;

use super::error::DemoError;
use super::sample::Sample;
use super::stage::Stage;

const POSTGRES_BIN: &str = "PGKEEP_POSTGRES_BIN";

/// What a server needs beside pg_dump.
const SERVER_PROGRAMS: [&str; 2] = ["initdb", "postgres"];

/// The longest path of a stage that still leaves room for the server's socket.
const LONGEST_STAGE: usize = 64;

/// The server.
#[derive(Debug)]
pub(super) struct Cluster {
    server: ThrowawayServer,
}

impl Cluster {
    /// Finds the programs of a server: those that are asked for, else the
    /// newest.
    pub(super) async fn programs(environment: &Environment) -> Result<ToolDirectory, DemoError> {
        let asked = environment.variable(POSTGRES_BIN);
        let asked: Vec<PathBuf> = asked
            .map(|value| std::env::split_paths(value).collect())
            .unwrap_or_default();
        let tools = Tools::find(&asked, environment).await;
        let is_server = |tools: &&ToolDirectory| {
            let mut needed = SERVER_PROGRAMS.iter();
            needed.all(|program| tools.program(program).is_file())
        };
        let servers: Vec<&ToolDirectory> = tools.all().iter().filter(is_server).collect();
        let asked: Vec<PathBuf> = asked.iter().filter_map(|d| d.canonicalize().ok()).collect();
        let wanted = servers
            .iter()
            .find(|tools| asked.iter().any(|path| path == tools.path()));
        let newest = servers.iter().max_by_key(|tools| tools.major());
        let chosen = wanted.or(newest).ok_or(DemoError::NoServerPrograms)?;
        Ok((*chosen).clone())
    }

    /// Starts the server on the stage. Not to be given up in the middle: what
    /// initdb has begun is not taken back.
    pub(super) async fn start(stage: &Stage, programs: &ToolDirectory) -> Result<Self, DemoError> {
        let mut options = ServerOptions::new(programs.path(), stage.path());
        if stage.path().as_os_str().len() <= LONGEST_STAGE {
            options.socket_parent = stage.path().to_owned();
        }
        // The sample is written faster so, and nothing here needs the WAL.
        let settings = [
            "wal_level = minimal",
            "max_wal_senders = 0",
            "jit = off",
            "autovacuum = off",
        ];
        options.configuration = settings.map(str::to_owned).to_vec();
        let server = ThrowawayServer::start(options).await?;
        Ok(Self { server })
    }

    /// Stops the server and removes its files.
    pub(super) async fn stop(self) -> Result<(), DemoError> {
        Ok(self.server.stop().await?)
    }

    /// The server's version, such as `16.4`.
    pub(super) async fn version(&self) -> Result<String, DemoError> {
        let session = self.connect("postgres").await?;
        Ok(session.server_version().to_string())
    }

    /// How pgkeep is told to connect to it.
    pub(super) fn connection_text(&self) -> String {
        let parameters = self.server.connection("postgres");
        format!("host={} user={}", parameters.host(), parameters.user())
    }

    /// A session in a database.
    pub(super) async fn connect(&self, database: &str) -> Result<Connection, DemoError> {
        let parameters: ConnectionParameters = self.server.connection(database);
        Ok(connect(&parameters).await?)
    }

    /// Makes a database and fills it.
    pub(super) async fn create(&self, sample: &Sample) -> Result<(), DemoError> {
        let admin = self.connect("postgres").await?;
        let statement = format!("CREATE DATABASE {}", sample.database);
        admin.batch(&statement).await?;
        let session = self.connect(sample.database).await?;
        Ok(session.batch(sample.contents).await?)
    }

    /// Lets a day go by in a database.
    pub(super) async fn change(&self, sample: &Sample) -> Result<(), DemoError> {
        let session = self.connect(sample.database).await?;
        Ok(session.batch(sample.changes).await?)
    }

    /// Runs one statement outside of the sample's databases.
    pub(super) async fn administer(&self, statement: &str) -> Result<(), DemoError> {
        let admin = self.connect("postgres").await?;
        Ok(admin.batch(statement).await?)
    }

    /// Fails unless a database is there, or is not there, as it should be.
    pub(super) async fn expect_database(&self, name: &str, there: bool) -> Result<(), DemoError> {
        let admin = self.connect("postgres").await?;
        if database_exists(&admin, name).await? == there {
            return Ok(());
        }
        Err(DemoError::Presence {
            database: name.to_owned(),
            there: !there,
        })
    }
}
