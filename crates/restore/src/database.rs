//! A dump into a new database.
//!
//! Invariants: the database is made by this restore, under a name that nobody
//! has; when anything fails it is dropped again; it is opened to others
//! (connection limit, template) only when all else is done.

use std::future::Future;
use std::pin::Pin;

use pgkeep_format::records::DumpFacts;
use pgkeep_postgres::client::{
    self, ConnectError, Connection, ConnectionParameters, DatabaseFacts, ExportedSnapshot, connect,
};
use pgkeep_postgres::tools::{PgRestore, RunningRestore, ToolDirectory, Tools};
use pgkeep_repository::{BackupWriter, OpenBackup, RepositoryError};
use tokio::io::AsyncWriteExt;

use crate::{RestoreError, compare, facts};

/// Databases that every cluster has, to connect to when the one that the
/// connection names is gone.
const ALWAYS_THERE: [&str; 2] = ["postgres", "template1"];

/// Becomes ready when somebody asks to stop.
pub type StopSignal<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// A restore that is about to be made.
pub struct DumpRestore<'a> {
    /// The server, and who asks.
    pub connection: &'a ConnectionParameters,
    /// The programs of this machine.
    pub tools: &'a Tools,
    /// The name of the new database.
    pub name: &'a str,
}

/// A database that was restored and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub database: String,
    /// How many bytes of archive it came from.
    pub raw_bytes: u64,
    /// How many ordinary tables it has.
    pub tables: u64,
}

impl DumpRestore<'_> {
    /// Makes the new database, fills it, and compares it with the backup's
    /// facts.
    ///
    /// # Errors
    /// Whatever fails; then the new database is dropped, but for a comparison
    /// that finds a difference.
    pub async fn apply(
        &self,
        backup: &OpenBackup,
        mut stop: StopSignal<'_>,
    ) -> Result<Restored, RestoreError> {
        let recorded = read_facts(backup).await?;
        let dumped_by = recorded.pg_dump_version.clone();
        let expected = facts::properties(recorded.database);
        let admin = self.connect_somewhere().await?;
        let tools = self.choose_tools(&admin, &dumped_by)?;

        client::create_database(&admin, self.name, &expected)
            .await
            .map_err(|source| RestoreError::Create { source })?;
        let filled = tokio::select! {
            filled = self.fill(backup, &tools) => filled,
            () = &mut stop => {
                let what = format!("database {:?}", self.name);
                Err(RestoreError::Interrupted { what })
            }
        };
        let finished = match filled {
            Ok(raw_bytes) => client::finish(&admin, self.name, &expected)
                .await
                .map(|()| raw_bytes)
                .map_err(|source| RestoreError::Create { source }),
            Err(error) => Err(error),
        };
        match finished {
            Ok(raw_bytes) => self.compare(&expected, raw_bytes).await,
            Err(failure) => Err(self.undo(failure).await),
        }
    }

    /// A session for making the database: in the connection's own database, or
    /// where that is gone, in one that is always there.
    async fn connect_somewhere(&self) -> Result<Connection, RestoreError> {
        let failed = |source| RestoreError::Connect {
            database: self.name.to_owned(),
            source,
        };
        let admin = self.connection.writable();
        let mut first = match connect(&admin).await {
            Err(error @ ConnectError::NoSuchDatabase { .. }) => error,
            other => return other.map_err(failed),
        };
        for database in ALWAYS_THERE {
            match connect(&admin.with_database(database)).await {
                Err(error @ ConnectError::NoSuchDatabase { .. }) => first = error,
                other => return other.map_err(failed),
            }
        }
        Err(failed(first))
    }

    /// Tools that read the archive and fit the server.
    fn choose_tools(
        &self,
        admin: &Connection,
        dumped_by: &str,
    ) -> Result<ToolDirectory, RestoreError> {
        let digits = dumped_by.split(|c: char| !c.is_ascii_digit()).next();
        let dumped_by: u32 = digits.and_then(|d| d.parse().ok()).unwrap_or(0);
        let major = admin.server_version().major().max(dumped_by);
        let choice = self
            .tools
            .for_server(major)
            .map_err(|source| RestoreError::Tools {
                database: self.name.to_owned(),
                source,
            })?;
        Ok(choice.tools)
    }

    async fn fill(&self, backup: &OpenBackup, tools: &ToolDirectory) -> Result<u64, RestoreError> {
        let target = self.connection.with_database(self.name);
        let mut running = PgRestore::new(tools, &target)
            .spawn()
            .map_err(|source| self.tool(source))?;
        match self.feed(backup, &mut running).await {
            Ok(raw_bytes) => {
                running.wait().await.map_err(|source| self.tool(source))?;
                Ok(raw_bytes)
            }
            // pg_restore closed its input: why, it says itself.
            Err(error @ RestoreError::Feed { .. }) => match running.wait().await {
                Err(source) => Err(self.tool(source)),
                Ok(()) => Err(error),
            },
            // Dropped, it is killed before it could take the end of its input for
            // the end of the data.
            Err(error) => Err(error),
        }
    }

    async fn feed(
        &self,
        backup: &OpenBackup,
        running: &mut RunningRestore,
    ) -> Result<u64, RestoreError> {
        let read = |source: RepositoryError| RestoreError::Read {
            backup: backup.record().id.clone(),
            source,
        };
        let feed = |source| RestoreError::Feed {
            database: self.name.to_owned(),
            source,
        };
        let closed = || std::io::ErrorKind::BrokenPipe.into();
        let mut input = running.take_stdin().ok_or_else(|| feed(closed()))?;
        let mut reader = backup.read(BackupWriter::DUMP).map_err(read)?;
        let mut raw_bytes = 0;
        loop {
            let next = match reader.next().await {
                Ok(next) => next,
                Err(error) => {
                    // Killed first, so that it never sees its input end.
                    running.kill().await;
                    return Err(read(error));
                }
            };
            let Some(bytes) = next else { break };
            input.write_all(&bytes).await.map_err(feed)?;
            raw_bytes += bytes.len() as u64;
        }
        input.shutdown().await.map_err(feed)?;
        Ok(raw_bytes)
    }

    fn tool(&self, source: pgkeep_postgres::tools::ToolFailed) -> RestoreError {
        RestoreError::Restore {
            database: self.name.to_owned(),
            source,
        }
    }

    /// Drops the unfinished database. The session may have died with the
    /// restore, so it is done in a new one.
    async fn undo(&self, failure: RestoreError) -> RestoreError {
        let Ok(admin) = self.connect_somewhere().await else {
            // Where there is no server to ask, the failure itself says so.
            return failure;
        };
        match client::drop_database(&admin, self.name).await {
            Ok(()) => failure,
            Err(source) => RestoreError::Leftover {
                database: self.name.to_owned(),
                failure: Box::new(failure),
                source,
            },
        }
    }

    async fn compare(
        &self,
        expected: &DatabaseFacts,
        raw_bytes: u64,
    ) -> Result<Restored, RestoreError> {
        let restored = |tables| Restored {
            database: self.name.to_owned(),
            raw_bytes,
            tables,
        };
        if !expected.allow_connections {
            // Nobody can look into it; that it takes no connections was restored.
            return Ok(restored(expected.tables));
        }
        let question = |source| RestoreError::Question {
            database: self.name.to_owned(),
            source,
        };
        let connection = connect(&self.connection.with_database(self.name))
            .await
            .map_err(|source| RestoreError::Connect {
                database: self.name.to_owned(),
                source,
            })?;
        let snapshot = ExportedSnapshot::open(connection).await.map_err(question)?;
        let found = DatabaseFacts::read(&snapshot).await.map_err(question)?;
        let differences = compare::differences(expected, &found);
        if differences.is_empty() {
            return Ok(restored(found.tables));
        }
        Err(RestoreError::Differs {
            database: self.name.to_owned(),
            differences,
        })
    }
}

async fn read_facts(backup: &OpenBackup) -> Result<DumpFacts, RestoreError> {
    let id = || backup.record().id.clone();
    let json = backup.facts().await.map_err(|source| RestoreError::Read {
        backup: id(),
        source,
    })?;
    DumpFacts::from_json(&json).map_err(|source| RestoreError::Facts {
        backup: id(),
        source,
    })
}
