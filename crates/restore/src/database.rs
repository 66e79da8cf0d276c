//! A dump into a new database.
//!
//! Invariants: the database is made by this restore, under a name that says that it
//! is unfinished, and gets the name that was asked for as the very last step; when
//! it cannot be filled it is dropped again, and where even that fails it is named; what
//! was filled and compared is never dropped;
//! it is compared with the backup's facts before anything that would keep one from
//! looking (connection limit, no connections) is set.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use pgkeep_format::records::{DumpFacts, Selection, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{
    self, ConnectionParameters, DatabaseFacts, Inspection, QueryError, connect, relations,
    sessions_left,
};
use pgkeep_postgres::tools::{ToolDirectory, Tools};
use pgkeep_repository::OpenBackup;
use pgkeep_types::SystemId;

use crate::fill::{Filled, Filling};
use crate::globals::Globals;
use crate::left_out::LeftOut;
use crate::parts::{self, Parts, Wish};
use crate::preflight::{Preflight, Wanted};
use crate::replace::Replace;
use crate::scratch::{Jobs, Scratch};
use crate::server::Server;
use crate::{
    Phase, Progress, RestoreError, compare, contents, draft_name, dumped_part, facts, scratch,
};

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
    /// What of the database is wanted.
    pub wish: &'a Wish,
    /// With how many sessions, where it is more than one.
    pub jobs: Option<Jobs<'a>>,
    /// What is not to come back.
    pub left_out: LeftOut,
    /// How an existing database of that name is replaced; where there is none, it is
    /// refused.
    pub replace: Option<Replace<'a>>,
    /// Told how far it is.
    pub progress: &'a Progress,
    /// Whether missing roles that it needs are made from the backup's globals.
    pub create_roles: bool,
}

/// A database that was restored and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub database: String,
    /// How many bytes of archive it came from.
    pub raw_bytes: u64,
    /// How many ordinary tables there are in it.
    pub tables: u64,
    /// The role that owns it.
    pub owner: String,
    /// Tables of which the archive's rows were not counted, so that nothing says whether
    /// all came back; those that were not to be dumped are none of them.
    pub uncounted: Vec<String>,
    /// What is right, and not as or where it was.
    pub notes: Vec<String>,
    /// What `pg_restore` said, and did not fail for.
    pub said: Vec<String>,
}

/// A restore of which it is known whether the server has what it needs; nothing has
/// been changed yet.
pub struct PreparedRestore<'a> {
    pub(crate) restore: &'a DumpRestore<'a>,
    backup: &'a OpenBackup,
    pub(crate) server: Server,
    pub(crate) expected: Expected,
    pub(crate) parts: Option<Parts>,
    /// Schemas that are made for what comes, and are not in the backup.
    bare_schemas: BTreeSet<String>,
    pub(crate) preflight: Preflight,
}

impl<'a> DumpRestore<'a> {
    /// Holds what the backup needs against what the server has.
    ///
    /// # Errors
    /// Where the backup cannot be read, or the server does not answer.
    pub async fn prepare(
        &'a self,
        backup: &'a OpenBackup,
    ) -> Result<PreparedRestore<'a>, RestoreError> {
        let recorded = read_facts(backup).await?;
        let globals = match self.create_roles {
            true => Some(Globals::read(backup).await?.ok_or_else(|| {
                let backup = backup.record().id.clone();
                RestoreError::NoGlobals { backup }
            })?),
            false => None,
        };
        let mut parts = match self.wish.is_everything() {
            true => None,
            false => Some(Parts::find(backup, self.wish).await?),
        };
        let server = Server::connect(self).await?;
        let properties = facts::properties(recorded.database);
        let mut expected = Expected {
            properties: self.left_out.of(properties, &server.user),
            tables: recorded.tables,
            sequences: recorded.sequences,
            selection: recorded.selection,
        };
        if let Some(parts) = &mut parts {
            parts.note_missing_rows(&expected.tables);
            parts.narrow(&mut expected);
        }
        let draft = draft_name::of(self.name, &backup.record().id);
        let wanted = Wanted {
            name: self.name,
            draft: &draft,
            replace: self.replace,
            part: dumped_part::in_words(&expected.selection),
            facts: &expected.properties,
            server_version: &recorded.server_version,
            pg_dump_version: &recorded.pg_dump_version,
            is_everything: expected.selection.is_everything(),
            is_whole: parts.is_none(),
            tools: self.tools,
            globals: globals.as_ref(),
        };
        let looked = Preflight::look(&wanted, &server).await;
        let mut preflight = looked.map_err(|source| RestoreError::Look {
            database: self.name.to_owned(),
            source,
        })?;
        if let Some(jobs) = &self.jobs {
            let missing = scratch::missing(jobs.scratch, backup.record().raw_bytes);
            preflight.problems.extend(missing);
            let left = sessions_left(&server.admin, &server.user).await;
            let left = left.map_err(|source| RestoreError::Look {
                database: self.name.to_owned(),
                source,
            })?;
            preflight.sessions(jobs.count.get(), left, &server.user);
        }
        let bare_schemas = match expected.selection.is_everything() {
            true => BTreeSet::new(),
            false => parts::bare_schemas(backup, parts.as_ref()).await?,
        };
        Ok(PreparedRestore {
            restore: self,
            backup,
            server,
            expected,
            parts,
            bare_schemas,
            preflight,
        })
    }
}

impl PreparedRestore<'_> {
    /// Makes the missing roles that were to be made. They stay, whatever comes after.
    ///
    /// # Errors
    /// Where something is missing, or one cannot be made; none is made then.
    pub async fn create_roles(&self) -> Result<(), RestoreError> {
        self.check()?;
        self.preflight.roles.apply(&self.server.admin).await
    }

    /// Which server the database is made on, where that tells.
    ///
    /// # Errors
    /// Where it does not answer.
    pub async fn system_id(&self) -> Result<Option<SystemId>, QueryError> {
        client::system_id(&self.server.admin).await
    }

    /// The programs to restore with, where nothing is missing.
    pub(crate) fn check(&self) -> Result<&ToolDirectory, RestoreError> {
        let Preflight {
            problems, tools, ..
        } = &self.preflight;
        match tools {
            Some(tools) if problems.is_empty() => Ok(tools),
            _ => Err(RestoreError::Unmet {
                database: self.restore.name.to_owned(),
                problems: problems.clone(),
            }),
        }
    }

    /// Makes the new database, fills it, and compares it with the backup's
    /// facts.
    ///
    /// # Errors
    /// Whatever is missing or fails; then the new database is dropped, but where it
    /// was filled and then differs, cannot be compared, or cannot be given its name.
    pub async fn apply(&self, mut stop: StopSignal<'_>) -> Result<Restored, RestoreError> {
        let tools = self.check()?;
        let name = self.restore.name;
        let Self {
            backup,
            server,
            expected,
            ..
        } = self;
        let properties = &expected.properties;
        let admin = &server.admin;
        let create = |source| RestoreError::Create { source };
        let interrupted = || {
            let what = format!("database {name:?}");
            RestoreError::Interrupted { what }
        };
        let scratch = match &self.restore.jobs {
            Some(jobs) => tokio::select! {
                written = Scratch::write(backup, jobs.scratch, self.restore.progress) => Some((written?, jobs.count)),
                () = &mut stop => return Err(interrupted()),
            },
            None => None,
        };
        let draft = draft_name::of(name, &backup.record().id);
        client::create_database(admin, &draft, properties)
            .await
            .map_err(create)?;
        if let Err(source) = client::apply_properties(admin, &draft, properties).await {
            return Err(server.undo(&draft, create(source)).await);
        }
        if !compare::has_plpgsql(&properties.extensions) {
            server.drop_plpgsql(&draft).await;
        }
        let is_all = self.parts.is_none() && expected.selection.is_everything();
        if is_all && !compare::may_have_public(properties.schemas.as_deref()) {
            server.drop_public(&draft).await;
        }
        for schema in &self.bare_schemas {
            server.make_schema(&draft, schema).await;
        }
        let target = server.filling(&draft, properties);
        let filling = Filling {
            database: name,
            tools,
            progress: self.restore.progress,
            left_out: self.restore.left_out,
            list: self.parts.as_ref().map(Parts::list),
            part: dumped_part::in_words(&expected.selection),
        };
        let fill = async {
            match &scratch {
                Some((scratch, jobs)) => filling.parallel(scratch, *jobs, &target).await,
                None => filling.stream(backup, &target).await,
            }
        };
        let filled = tokio::select! {
            filled = fill => filled,
            () = &mut stop => Err(interrupted()),
        };
        drop(scratch);
        let Filled { raw_bytes, said } = match filled {
            Ok(filled) => filled,
            Err(failure) => return Err(server.undo(&draft, failure).await),
        };
        let (mut refused, mut said) = said.into_privileges_and_others();
        if self.restore.left_out.privileges {
            said.append(&mut refused);
        }
        self.restore.progress.enter(Phase::Comparing);
        // While it still takes connections: what would keep them out comes last.
        let Compared { tables, mut notes } = tokio::select! {
            compared = self.compare(&draft, refused) => compared?,
            () = &mut stop => return Err(server.undo(&draft, interrupted()).await),
        };
        let made = self.bare_schemas.iter();
        notes.extend(made.map(|schema| {
            format!("schema {schema}, which was made: the backup has what is in it, and not itself")
        }));
        self.restore.progress.enter(Phase::Finishing);
        self.give_name(&draft).await?;
        Ok(Restored {
            database: name.to_owned(),
            raw_bytes,
            tables,
            notes,
            owner: properties.owner.clone(),
            uncounted: expected.uncounted(self.parts.as_ref()),
            said,
        })
    }

    /// Compares it with the facts; `refused` tells of rights that `pg_restore` could not
    /// give or take away.
    async fn compare(&self, draft: &str, refused: Vec<String>) -> Result<Compared, RestoreError> {
        let Self {
            restore,
            server,
            expected,
            ..
        } = self;
        let question = |source: Box<dyn Error + Send + Sync>| RestoreError::Question {
            database: draft.to_owned(),
            source,
        };
        let connection = connect(&server.connection.with_database(draft))
            .await
            .map_err(|error| question(Box::new(error)))?;
        let asked = async {
            let inspection = Inspection::open(connection).await?;
            let snapshot = inspection.snapshot();
            let found = DatabaseFacts::read(snapshot).await?;
            // Afterwards, since it changes what is there of privileges.
            inspection.see_own().await?;
            let is_whole = self.parts.is_none();
            let left_out = restore.left_out;
            let compared = compare::differences(expected, &found, left_out, is_whole);
            let contents::Found {
                mut differences,
                mut notes,
            } = compared;
            let Expected {
                tables,
                sequences,
                selection,
                ..
            } = expected;
            let contents = contents::differences(snapshot, tables, sequences, selection);
            let contents = contents.await?;
            differences.extend(contents.differences);
            notes.extend(contents.notes);
            if let Some(parts) = &self.parts {
                differences.extend(parts.lost(&relations(snapshot).await?, tables));
            }
            // Its session would be in the way of the new name.
            inspection.close().await;
            let tables = found.tables;
            Ok::<_, QueryError>((differences, Compared { tables, notes }))
        };
        let (mut differences, compared) = asked.await.map_err(|error| question(Box::new(error)))?;
        let unprivileged = (!refused.is_empty()).then(|| server.user.clone());
        differences.extend(refused);
        if differences.is_empty() {
            return Ok(compared);
        }
        Err(RestoreError::Differs {
            database: draft.to_owned(),
            differences,
            unprivileged,
        })
    }
}

/// What came of comparing a database in which nothing differs.
struct Compared {
    /// How many ordinary tables it has.
    tables: u64,
    /// What is right, and not as or where it was.
    notes: Vec<String>,
}

/// What a restored database is held against.
pub(crate) struct Expected {
    pub(crate) properties: DatabaseFacts,
    pub(crate) tables: Vec<TableFacts>,
    pub(crate) sequences: Vec<SequenceFacts>,
    pub(crate) selection: Selection,
}

impl Expected {
    /// Tables whose rows are in the archive, as far as that can be told, and were not counted.
    fn uncounted(&self, parts: Option<&Parts>) -> Vec<String> {
        let is_everything = self.selection.is_everything();
        let none_was_seen = self.tables.iter().all(|table| table.bytes.is_none());
        let has_rows = |table: &TableFacts| match parts {
            Some(parts) => parts.has_rows(table),
            None => is_everything || none_was_seen || table.bytes.is_some(),
        };
        let tables = self.tables.iter();
        let uncounted = tables.filter(|table| table.rows.is_none() && has_rows(table));
        let named = uncounted.map(|table| format!("{}.{}", table.schema, table.name));
        named.collect()
    }
}

pub(crate) async fn read_facts(backup: &OpenBackup) -> Result<DumpFacts, RestoreError> {
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
