//! A dump into a new database.
//!
//! Invariants: the database is made by this restore, under a name that says that it
//! is unfinished, and gets the name that was asked for as the very last step; when
//! it cannot be filled it is dropped again, and where even that fails it is named;
//! it is compared with the backup's facts before anything that would keep one from
//! looking (connection limit, no connections) is set.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use pgkeep_format::records::{DUMP_FILE, DumpFacts, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{
    self, ConnectError, Connection, ConnectionParameters, CreateDatabaseError, DatabaseFacts,
    ExportedSnapshot, QueryError, connect,
};
use pgkeep_postgres::tools::{PgRestore, ToolDirectory, Tools};
use pgkeep_repository::{OpenBackup, RepositoryError};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use crate::{RestoreError, compare, contents, facts};

/// The longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1), in bytes.
const NAME_LIMIT: usize = 63;

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
    /// Whatever fails; then the new database is dropped, but where it was filled
    /// and then differs or cannot be compared.
    pub async fn apply(
        &self,
        backup: &OpenBackup,
        mut stop: StopSignal<'_>,
    ) -> Result<Restored, RestoreError> {
        let recorded = read_facts(backup).await?;
        let dumped_by = recorded.pg_dump_version.clone();
        let expected = Expected {
            properties: facts::properties(recorded.database),
            tables: recorded.tables,
            sequences: recorded.sequences,
        };
        let properties = &expected.properties;
        let admin = self.connect_somewhere().await?;
        // Of several servers the one on which the database is made.
        let here = DumpRestore {
            connection: admin.parameters(),
            ..*self
        };
        let tools = here.choose_tools(&admin, &dumped_by)?;

        let create = |source| RestoreError::Create { source };
        let looked = client::database_exists(&admin, self.name).await;
        let exists = looked.map_err(|source| RestoreError::Look {
            database: self.name.to_owned(),
            source,
        })?;
        if exists {
            let database = self.name.to_owned();
            return Err(create(CreateDatabaseError::Exists { database }));
        }
        let draft = draft_name(self.name, backup);
        client::create_database(&admin, &draft, properties)
            .await
            .map_err(create)?;
        let filled = tokio::select! {
            filled = here.fill(&draft, backup, &tools) => filled,
            () = &mut stop => {
                let what = format!("database {:?}", self.name);
                Err(RestoreError::Interrupted { what })
            }
        };
        let raw_bytes = match filled {
            Ok(raw_bytes) => raw_bytes,
            Err(failure) => return Err(here.undo(&draft, failure).await),
        };
        // While it still takes connections: what would keep them out comes last.
        here.compare(&draft, &expected).await?;
        let finished = async {
            client::finish(&admin, &draft, properties).await?;
            client::rename_database(&admin, &draft, self.name).await
        };
        match finished.await {
            Ok(()) => Ok(Restored {
                database: self.name.to_owned(),
                raw_bytes,
                tables: properties.tables,
            }),
            Err(source) => Err(here.undo(&draft, create(source)).await),
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

    async fn fill(
        &self,
        draft: &str,
        backup: &OpenBackup,
        tools: &ToolDirectory,
    ) -> Result<u64, RestoreError> {
        let target = self.connection.with_database(draft);
        let mut started = PgRestore::new(tools, &target)
            .spawn()
            .map_err(|source| self.tool(source))?;
        let mut input = started
            .take_stdin()
            .ok_or_else(|| self.feeding(std::io::ErrorKind::BrokenPipe.into()))?;
        // Bound after its input, so that it is dropped, and killed, before it: it
        // never takes the end of its input for the end of the data.
        let mut running = started;
        match self.feed(backup, &mut input).await {
            Ok(raw_bytes) => {
                drop(input);
                running.wait().await.map_err(|source| self.tool(source))?;
                Ok(raw_bytes)
            }
            // pg_restore closed its input: why, it says itself.
            Err(error @ RestoreError::Feed { .. }) => {
                drop(input);
                match running.wait().await {
                    Err(source) => Err(self.tool(source)),
                    Ok(()) => Err(error),
                }
            }
            Err(error) => {
                running.kill().await;
                Err(error)
            }
        }
    }

    async fn feed(&self, backup: &OpenBackup, input: &mut ChildStdin) -> Result<u64, RestoreError> {
        let read = |source: RepositoryError| RestoreError::Read {
            backup: backup.record().id.clone(),
            source,
        };
        let mut reader = backup.read(DUMP_FILE).map_err(read)?;
        let mut raw_bytes = 0;
        loop {
            let bytes = match reader.next().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => return Err(read(backup.explain(error).await)),
            };
            let fed = input.write_all(&bytes).await;
            fed.map_err(|source| self.feeding(source))?;
            raw_bytes += bytes.len() as u64;
        }
        let flushed = input.shutdown().await;
        flushed.map_err(|source| self.feeding(source))?;
        Ok(raw_bytes)
    }

    fn feeding(&self, source: std::io::Error) -> RestoreError {
        RestoreError::Feed {
            database: self.name.to_owned(),
            source,
        }
    }

    fn tool(&self, source: pgkeep_postgres::tools::ToolFailed) -> RestoreError {
        RestoreError::Restore {
            database: self.name.to_owned(),
            source,
        }
    }

    /// Drops the unfinished database. The session may have died with the
    /// restore, so it is done in a new one.
    async fn undo(&self, draft: &str, failure: RestoreError) -> RestoreError {
        let leftover = |failure, problem: &dyn Error| RestoreError::Leftover {
            database: draft.to_owned(),
            problem: problem.to_string(),
            failure: Box::new(failure),
        };
        let admin = match self.connect_somewhere().await {
            Ok(admin) => admin,
            Err(error) => return leftover(failure, &error),
        };
        match client::drop_database(&admin, draft).await {
            Ok(()) => failure,
            Err(error) => leftover(failure, &error),
        }
    }

    async fn compare(&self, draft: &str, expected: &Expected) -> Result<(), RestoreError> {
        let question = |source: Box<dyn Error + Send + Sync>| RestoreError::Question {
            database: draft.to_owned(),
            source,
        };
        let connection = connect(&self.connection.with_database(draft))
            .await
            .map_err(|error| question(Box::new(error)))?;
        let asked = async {
            let snapshot = ExportedSnapshot::open(connection).await?;
            let found = DatabaseFacts::read(&snapshot).await?;
            let mut differences = compare::differences(&expected.properties, &found);
            let Expected {
                tables, sequences, ..
            } = expected;
            differences.extend(contents::differences(&snapshot, tables, sequences).await?);
            // Its session would be in the way of the new name.
            let _ = snapshot.close().await;
            Ok::<_, QueryError>(differences)
        };
        let differences = asked.await.map_err(|error| question(Box::new(error)))?;
        if differences.is_empty() {
            return Ok(());
        }
        Err(RestoreError::Differs {
            database: draft.to_owned(),
            differences,
        })
    }
}

/// What a restored database is held against.
struct Expected {
    properties: DatabaseFacts,
    tables: Vec<TableFacts>,
    sequences: Vec<SequenceFacts>,
}

/// The name under which a database is filled: whoever finds it sees what it is.
fn draft_name(name: &str, backup: &OpenBackup) -> String {
    let suffix = format!("_unfinished_{}", backup.record().id.short());
    let mut end = name.len().min(NAME_LIMIT - suffix.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", &name[..end])
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
