//! A dump: one database, by the `pg_dump` of its server's major, streamed into
//! the repository without a temporary file.
//!
//! Invariants: the facts and the dump see the same snapshot, and rows are counted
//! as they pass by; the backup is committed only after `pg_dump` ended with 0 and
//! every byte that it wrote is durable.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{DUMP_FILE, GLOBALS_FILE, PlannedBackup, Selection};
use pgkeep_postgres::client::{
    ConnectionParameters, Contents, DatabaseFacts, ExportedSnapshot, connect, strange_names,
};
use pgkeep_postgres::tools::{Choice, PgDump, RunningDump, ToolMessages, Tools};
use pgkeep_repository::{
    BackupWriter, Committed, DumpMeta, FileWriter, Limits, Parent, RepositoryError, Run,
};
use pgkeep_types::{Clock, Timestamp};

use crate::archive::{Archive, Passing};
use crate::{
    CaptureError, Excluded, Globals, Lacking, Pace, Phase, Progress, facts, lacking, locks,
};

/// How much is read from `pg_dump` at a time, in bytes.
const READ: usize = 256 << 10;

/// Becomes ready when somebody asks to stop.
pub type StopSignal<'a> = Pin<&'a mut (dyn Future<Output = ()> + Send)>;

/// A dump that is about to be made.
pub struct Dump<'a> {
    /// The server, and who asks.
    pub connection: &'a ConnectionParameters,
    /// The programs of this machine.
    pub tools: &'a Tools,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// The cluster's globals, to be kept with it; none where they could not be read.
    pub globals: Option<&'a Globals>,
    /// What of the database.
    pub selection: &'a Selection,
    /// What of the run's patterns that leave something out has any effect.
    pub excluded: &'a Excluded,
    /// How fast, of all dumps of a run together; as fast as it goes, where nothing is
    /// said.
    pub pace: Option<&'a Pace>,
    /// Told how far it is.
    pub progress: &'a Progress,
    /// Sizes to keep to.
    pub limits: Limits,
    /// For how long a table may stay locked; for ever, where nothing is said.
    pub lock_timeout: Option<Duration>,
    /// Told what the backup lacks, or may.
    pub warn: &'a (dyn Fn(&str) + Sync),
}

impl Dump<'_> {
    /// Makes one of the backups that `run` set out to make.
    ///
    /// # Errors
    /// Whatever fails; then nothing is committed.
    pub async fn capture(
        &self,
        run: &Run,
        planned: &PlannedBackup,
        mut stop: StopSignal<'_>,
    ) -> Result<Committed, CaptureError> {
        let database = &planned.database;
        let interrupted = || CaptureError::Interrupted {
            database: database.clone(),
        };
        let mut prepared = tokio::select! {
            prepared = self.prepare(database) => prepared?,
            () = &mut stop => return Err(interrupted()),
        };
        let parent = tokio::select! {
            parent = self.parent(run, planned) => parent,
            () = &mut stop => return Err(interrupted()),
        };
        let mut backup = run
            .backup(planned, self.limits, parent)
            .map_err(|source| store(database, source))?;

        self.progress.store_by(backup.newly_packed());

        // Where any of it fails or is to stop, pg_dump is killed by being dropped.
        let pumped = tokio::select! {
            pumped = self.pump(database, &mut prepared, &mut backup) => pumped,
            () = &mut stop => Err(Stopped::Source(interrupted())),
        };
        let ended = match pumped {
            Ok(archive) => tokio::select! {
                ended = ended_well(database, prepared.dump, &archive) => {
                    ended.map(|said| (archive, said))
                }
                () = &mut stop => Err(interrupted()),
            },
            // The storage gave up first, and knows why.
            Err(Stopped::Storage) => return Err(store(database, backup.failure().await)),
            Err(Stopped::Source(error)) => Err(error),
        };
        let (archive, said) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                backup.abandon().await;
                return Err(error);
            }
        };
        for message in said.into_all() {
            (self.warn)(&format!("pg_dump of database {database:?} says: {message}"));
        }
        if let Some(gave_up) = archive.gave_up {
            (self.warn)(&format!(
                "rows of database {database:?} are not counted, nor is it known whether the archive \
                 has its end: what pg_dump wrote is not understood ({gave_up}); 'pgkeep prove' tells"
            ));
        }
        // pg_dump has had its snapshot; how this session ends changes nothing.
        let _ = prepared.snapshot.close().await;
        if let Some(globals) = self.globals
            && add(&mut backup, globals).await.is_err()
        {
            return Err(store(database, backup.failure().await));
        }

        self.progress.enter(Phase::Storing);
        let stored = tokio::select! {
            stored = backup.finish() => stored.map_err(|source| store(database, source))?,
            () = &mut stop => return Err(interrupted()),
        };
        if let Some(error) = stored.parent_lost() {
            (self.warn)(&format!(
                "the last backup of database {database:?} could be compared with in part only, \
                 and more is stored than has changed: {error}"
            ));
        }
        // From here on it is waited for: a commit is made or not, never in doubt.
        let meta = self.meta(database, prepared.seen, &archive)?;
        self.progress.enter(Phase::Committing);
        let committed = stored.commit(meta, || self.clock.now()).await;
        committed.map_err(|source| store(database, source))
    }

    /// The backup that this one is compared with. Without it more is stored, and
    /// nothing is lost.
    async fn parent(&self, run: &Run, planned: &PlannedBackup) -> Option<Parent> {
        match run.parent(planned).await {
            Ok(parent) => parent,
            Err(error) => {
                (self.warn)(&format!(
                    "the last backup of database {:?} cannot be compared with, and all of it is \
                     stored: {error}",
                    planned.database
                ));
                None
            }
        }
    }

    /// Connects, takes the snapshot, reads the facts and starts `pg_dump`.
    async fn prepare(&self, database: &str) -> Result<Prepared, CaptureError> {
        let named = || database.to_owned();
        let parameters = self.connection.with_database(database);
        let connection = connect(&parameters)
            .await
            .map_err(|source| CaptureError::Connect {
                database: named(),
                source,
            })?;
        let major = connection.server_version().major();
        let choice = self
            .tools
            .for_server(major)
            .map_err(|source| CaptureError::Tools {
                database: named(),
                source,
            })?;
        if !choice.exact {
            (self.warn)(&format!(
                "this machine has no pg_dump {major}; database {database:?} is dumped with {}, \
                 and may need a server as new as that to be restored",
                choice.tools.version()
            ));
        }
        let asked = |source| CaptureError::Facts {
            database: named(),
            source,
        };
        let started = self.clock.now();
        let snapshot = ExportedSnapshot::open(connection).await.map_err(asked)?;
        let names = strange_names(snapshot.connection()).await.map_err(asked)?;
        if !names.is_empty() {
            let database = named();
            return Err(CaptureError::StrangeNames { database, names });
        }
        let facts = DatabaseFacts::read(&snapshot).await.map_err(asked)?;
        let lacking = Lacking::look(&snapshot, self.selection).await;
        let Lacking {
            unmatched,
            is_nothing,
        } = lacking.map_err(asked)?;
        if is_nothing {
            return Err(CaptureError::NothingChosen {
                database: named(),
                unmatched,
            });
        }
        for unmatched in unmatched {
            (self.warn)(&format!(
                "database {database:?} has no {unmatched}: the backup has nothing of it"
            ));
        }
        lacking::tell(&snapshot, self.selection, self.warn)
            .await
            .map_err(asked)?;
        let excluded = self.excluded.look(&snapshot, self.selection);
        excluded.await.map_err(asked)?;
        let contents = Contents::read(&snapshot).await.map_err(asked)?;
        // Of several servers the one that has the snapshot.
        let mut dump = PgDump::new(&choice.tools, snapshot.connection().parameters())
            .snapshot(snapshot.id())
            .arguments(self.selection.to_arguments());
        if let Some(limit) = self.lock_timeout {
            dump = dump.lock_wait_timeout(limit);
        }
        let dump = dump.spawn().map_err(|source| CaptureError::Dump {
            database: named(),
            source,
        })?;
        Ok(Prepared {
            snapshot,
            seen: Seen {
                started,
                facts,
                contents,
                choice,
            },
            dump,
        })
    }

    fn meta(
        &self,
        database: &str,
        seen: Seen,
        archive: &Archive,
    ) -> Result<DumpMeta, CaptureError> {
        let system_id = seen.facts.system_id;
        let server_version = seen.facts.server_version.to_string();
        let pg_dump_version = seen.choice.tools.version();
        let record = facts::record(
            seen.facts,
            seen.contents,
            archive,
            self.selection,
            pg_dump_version,
        );
        let facts = record.to_json().map_err(|source| {
            let what = "the facts";
            store(database, RepositoryError::Make { what, source })
        })?;
        Ok(DumpMeta {
            system_id,
            server_version,
            started: seen.started,
            globals: self.globals.is_some(),
            selected: !self.selection.is_everything(),
            facts,
        })
    }

    /// Hands everything that `pg_dump` writes to the repository.
    async fn pump(
        &self,
        database: &str,
        Prepared { snapshot, dump, .. }: &mut Prepared,
        backup: &mut BackupWriter<'_>,
    ) -> Result<Archive, Stopped> {
        let mut passing = Passing::default();
        let Some(mut output) = dump.take_stdout() else {
            return Ok(passing.end());
        };
        self.progress.enter(Phase::Schema);
        let file = backup.file(DUMP_FILE, Cutting::Content).await;
        let mut file = file.map_err(|_| Stopped::Storage)?;
        let looking = locks::tell(self.progress, snapshot.connection());
        let mut piece = tokio::select! {
            piece = output.piece(READ) => piece,
            never = looking => match never {},
        };
        loop {
            let bytes = piece.map_err(|source| {
                let database = database.to_owned();
                Stopped::Source(CaptureError::Read { database, source })
            })?;
            if bytes.is_empty() {
                file.finish().await.map_err(|_| Stopped::Storage)?;
                return Ok(passing.end());
            }
            if let Some(pace) = self.pace {
                pace.take(bytes.len()).await;
            }
            let tables = passing.see(&bytes);
            self.progress.add(bytes.len());
            if let Some(phase) = passing.entered() {
                self.progress.enter(phase);
            }
            write(&mut file, bytes, tables)
                .await
                .map_err(|_| Stopped::Storage)?;
            piece = output.piece(READ).await;
        }
    }
}

struct Prepared {
    snapshot: ExportedSnapshot,
    seen: Seen,
    dump: RunningDump,
}

/// What was seen in the snapshot, and with which tools.
struct Seen {
    started: Timestamp,
    facts: DatabaseFacts,
    contents: Contents,
    choice: Choice,
}

/// Who made the stream end early.
enum Stopped {
    Storage,
    Source(CaptureError),
}

/// Keeps the globals beside the dump.
async fn add(backup: &mut BackupWriter<'_>, globals: &Globals) -> Result<(), RepositoryError> {
    let mut file = backup.file(GLOBALS_FILE, Cutting::Content).await?;
    file.write(globals.sql.clone()).await?;
    file.finish().await
}

/// Hands bytes on, and says where in them a table's data begins.
async fn write(
    file: &mut FileWriter<'_>,
    mut bytes: Bytes,
    tables: Vec<usize>,
) -> Result<(), RepositoryError> {
    let mut written = 0;
    for at in tables {
        file.write(bytes.split_to(at.saturating_sub(written)))
            .await?;
        file.hint().await?;
        written = at;
    }
    file.write(bytes).await
}

/// Whether `pg_dump` ended with 0 and wrote a whole archive, and what it said.
async fn ended_well(
    database: &str,
    dump: RunningDump,
    archive: &Archive,
) -> Result<ToolMessages, CaptureError> {
    let said = dump.wait().await.map_err(|source| CaptureError::Dump {
        database: database.to_owned(),
        source,
    })?;
    if !archive.has_magic {
        return Err(CaptureError::NoArchive {
            database: database.to_owned(),
            length: archive.length,
        });
    }
    if let Some(at) = &archive.cut_short {
        return Err(CaptureError::CutShort {
            database: database.to_owned(),
            length: archive.length,
            at: at.clone(),
        });
    }
    Ok(said)
}

fn store(database: &str, source: RepositoryError) -> CaptureError {
    CaptureError::Store {
        database: database.to_owned(),
        source,
    }
}
