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

use pgkeep_format::records::{DumpFacts, Selection, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{
    self, ConnectionParameters, CreateDatabaseError, DatabaseFacts, ExportedSnapshot, QueryError,
    connect,
};
use pgkeep_postgres::tools::{ToolDirectory, Tools};
use pgkeep_repository::OpenBackup;

use crate::fill::Filling;
use crate::left_out::LeftOut;
use crate::server::Server;
use crate::{RestoreError, compare, contents, facts};

/// The longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1), in bytes.
const NAME_LIMIT: usize = 63;

/// Becomes ready when somebody asks to stop.
pub type StopSignal<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// A restore that is about to be made.
pub struct DumpRestore<'a> {
    /// The server, and who fills the database.
    pub connection: &'a ConnectionParameters,
    /// Who makes the database, and drops it where it cannot be filled; on the same
    /// server.
    pub admin: &'a ConnectionParameters,
    /// The programs of this machine.
    pub tools: &'a Tools,
    /// The name of the new database.
    pub name: &'a str,
    /// What is not to come back.
    pub left_out: LeftOut,
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
    /// The role that owns it.
    pub owner: String,
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
        let server = Server::connect(self).await?;
        let properties = facts::properties(recorded.database);
        let expected = Expected {
            properties: self.left_out.of(properties, &server.user),
            tables: recorded.tables,
            sequences: recorded.sequences,
            selection: recorded.selection,
        };
        let properties = &expected.properties;
        let admin = &server.admin;
        let tools = self.choose_tools(admin.server_version().major(), &dumped_by)?;

        let create = |source| RestoreError::Create { source };
        let looked = client::database_exists(admin, self.name).await;
        let exists = looked.map_err(|source| RestoreError::Look {
            database: self.name.to_owned(),
            source,
        })?;
        if exists {
            let database = self.name.to_owned();
            return Err(create(CreateDatabaseError::Exists { database }));
        }
        let draft = draft_name(self.name, backup);
        client::create_database(admin, &draft, properties)
            .await
            .map_err(create)?;
        let filling = self.filling(&server, &draft, &tools);
        let filled = tokio::select! {
            filled = filling.run(backup) => filled,
            () = &mut stop => {
                let what = format!("database {:?}", self.name);
                Err(RestoreError::Interrupted { what })
            }
        };
        let raw_bytes = match filled {
            Ok(raw_bytes) => raw_bytes,
            Err(failure) => return Err(server.undo(self.name, &draft, failure).await),
        };
        // While it still takes connections: what would keep them out comes last.
        self.compare(&server, &draft, &expected).await?;
        let finished = async {
            client::finish(admin, &draft, properties).await?;
            client::rename_database(admin, &draft, self.name).await
        };
        match finished.await {
            Ok(()) => Ok(Restored {
                database: self.name.to_owned(),
                raw_bytes,
                tables: properties.tables,
                owner: properties.owner.clone(),
            }),
            Err(source) => Err(server.undo(self.name, &draft, create(source)).await),
        }
    }

    /// Tools that read the archive and fit the server.
    fn choose_tools(&self, server: u32, dumped_by: &str) -> Result<ToolDirectory, RestoreError> {
        let digits = dumped_by.split(|c: char| !c.is_ascii_digit()).next();
        let dumped_by: u32 = digits.and_then(|d| d.parse().ok()).unwrap_or(0);
        let major = server.max(dumped_by);
        let choice = self
            .tools
            .for_server(major)
            .map_err(|source| RestoreError::Tools {
                database: self.name.to_owned(),
                source,
            })?;
        Ok(choice.tools)
    }

    fn filling<'a>(
        &'a self,
        server: &Server,
        draft: &str,
        tools: &'a ToolDirectory,
    ) -> Filling<'a> {
        Filling {
            database: self.name,
            target: server.connection.with_database(draft),
            tools,
            left_out: self.left_out,
        }
    }

    async fn compare(
        &self,
        server: &Server,
        draft: &str,
        expected: &Expected,
    ) -> Result<(), RestoreError> {
        let question = |source: Box<dyn Error + Send + Sync>| RestoreError::Question {
            database: draft.to_owned(),
            source,
        };
        let connection = connect(&server.connection.with_database(draft))
            .await
            .map_err(|error| question(Box::new(error)))?;
        let asked = async {
            let snapshot = ExportedSnapshot::open(connection).await?;
            let found = DatabaseFacts::read(&snapshot).await?;
            let mut differences = compare::differences(expected, &found, self.left_out);
            let Expected {
                tables,
                sequences,
                selection,
                ..
            } = expected;
            let contents = contents::differences(&snapshot, tables, sequences, selection);
            differences.extend(contents.await?);
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
pub(crate) struct Expected {
    pub(crate) properties: DatabaseFacts,
    tables: Vec<TableFacts>,
    sequences: Vec<SequenceFacts>,
    pub(crate) selection: Selection,
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
