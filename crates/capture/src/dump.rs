//! A dump: one database, by the `pg_dump` of its server's major, streamed into
//! the repository without a temporary file.
//!
//! Invariants: the facts and the dump see the same snapshot; the backup is
//! committed only after `pg_dump` ended with 0 and every byte that it wrote is
//! durable.

use std::future::Future;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use pgkeep_format::records::PlannedBackup;
use pgkeep_postgres::client::{ConnectionParameters, DatabaseFacts, ExportedSnapshot, connect};
use pgkeep_postgres::tools::{Choice, PgDump, RunningDump, Tools};
use pgkeep_repository::{BackupWriter, Committed, DumpMeta, Limits, RepositoryError, Run};
use pgkeep_types::{Clock, Timestamp};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;

use crate::CaptureError;
use crate::facts;

/// How much is read from `pg_dump` at a time, in bytes.
const READ: usize = 256 << 10;
/// What a custom-format archive begins with (src/bin/pg_dump/pg_backup_archiver.c,
/// `WriteHead`).
const ARCHIVE_MAGIC: &[u8] = b"PGDMP";

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
    /// Sizes to keep to.
    pub limits: Limits,
    /// Told when a tool of another major than the server's is used.
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
        let backup = run
            .backup(planned, self.limits)
            .map_err(|source| store(database, source))?;

        // Where any of it fails or is to stop, pg_dump is killed by being dropped.
        let pumped = tokio::select! {
            pumped = pump(database, &mut prepared.dump, &backup) => pumped,
            () = &mut stop => Err(Stopped::Source(interrupted())),
        };
        let ended = match pumped {
            Ok(archive) => tokio::select! {
                ended = ended_well(database, prepared.dump, &archive) => ended,
                () = &mut stop => Err(interrupted()),
            },
            // The storage gave up first, and knows why.
            Err(Stopped::Storage) => return Err(store(database, backup.failure().await)),
            Err(Stopped::Source(error)) => Err(error),
        };
        if let Err(error) = ended {
            backup.abandon().await;
            return Err(error);
        }
        // pg_dump has had its snapshot; how this session ends changes nothing.
        let _ = prepared.snapshot.close().await;

        let stored = tokio::select! {
            stored = backup.finish() => stored.map_err(|source| store(database, source))?,
            () = &mut stop => return Err(interrupted()),
        };
        // From here on it is waited for: a commit is made or not, never in doubt.
        let committed = stored.commit(prepared.meta, || self.clock.now()).await;
        committed.map_err(|source| store(database, source))
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
        let facts = DatabaseFacts::read(&snapshot).await.map_err(asked)?;
        let dump = PgDump::new(&choice.tools, &parameters)
            .snapshot(snapshot.id())
            .spawn()
            .map_err(|source| CaptureError::Dump {
                database: named(),
                source,
            })?;
        Ok(Prepared {
            snapshot,
            meta: meta(database, facts, started, &choice)?,
            dump,
        })
    }
}

struct Prepared {
    snapshot: ExportedSnapshot,
    meta: DumpMeta,
    dump: RunningDump,
}

fn meta(
    database: &str,
    facts: DatabaseFacts,
    started: Timestamp,
    choice: &Choice,
) -> Result<DumpMeta, CaptureError> {
    let system_id = facts.system_id;
    let server_version = facts.server_version.to_string();
    let record = facts::record(facts, choice.tools.version());
    let facts = record.to_json().map_err(|source| {
        let what = "the facts";
        store(database, RepositoryError::Make { what, source })
    })?;
    Ok(DumpMeta {
        system_id,
        server_version,
        started,
        facts,
    })
}

/// What came out of `pg_dump`.
#[derive(Default)]
struct Archive {
    length: u64,
    head: Vec<u8>,
}

/// Who made the stream end early.
enum Stopped {
    Storage,
    Source(CaptureError),
}

/// Hands everything that `pg_dump` writes to the repository.
async fn pump(
    database: &str,
    dump: &mut RunningDump,
    backup: &BackupWriter<'_>,
) -> Result<Archive, Stopped> {
    let mut archive = Archive::default();
    let Some(mut output) = dump.take_stdout() else {
        return Ok(archive);
    };
    loop {
        let bytes = read(&mut output).await.map_err(|source| {
            let database = database.to_owned();
            Stopped::Source(CaptureError::Read { database, source })
        })?;
        if bytes.is_empty() {
            return Ok(archive);
        }
        archive.length += bytes.len() as u64;
        let missing = ARCHIVE_MAGIC.len().saturating_sub(archive.head.len());
        archive.head.extend(bytes.iter().take(missing));
        if backup.write(bytes).await.is_err() {
            return Err(Stopped::Storage);
        }
    }
}

/// The next bytes; none at the end. Pipes give little at a time: it is gathered
/// so that what is handed on is worth its while.
async fn read(output: &mut ChildStdout) -> std::io::Result<Bytes> {
    let mut bytes = BytesMut::with_capacity(READ);
    while bytes.len() < READ {
        if output.read_buf(&mut bytes).await? == 0 {
            break;
        }
    }
    Ok(bytes.freeze())
}

/// Whether `pg_dump` ended with 0 and wrote an archive.
async fn ended_well(
    database: &str,
    dump: RunningDump,
    archive: &Archive,
) -> Result<(), CaptureError> {
    dump.wait().await.map_err(|source| CaptureError::Dump {
        database: database.to_owned(),
        source,
    })?;
    if archive.head != ARCHIVE_MAGIC {
        return Err(CaptureError::NoArchive {
            database: database.to_owned(),
            length: archive.length,
        });
    }
    Ok(())
}

fn store(database: &str, source: RepositoryError) -> CaptureError {
    CaptureError::Store {
        database: database.to_owned(),
        source,
    }
}
