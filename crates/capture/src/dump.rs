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
use pgkeep_repository::{BackupWriter, Committed, DumpMeta, Limits, Run};
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
        let database = planned.database.clone();
        let prepared = tokio::select! {
            prepared = self.prepare(&database) => prepared?,
            () = &mut stop => return Err(CaptureError::Interrupted { database }),
        };
        let backup = run
            .backup(planned, self.limits)
            .map_err(|source| store(&database, source))?;
        let Prepared {
            snapshot,
            facts,
            started,
            choice,
            mut dump,
        } = prepared;

        let pumped = match dump.take_stdout() {
            Some(output) => pump(&database, output, &backup, &mut stop).await,
            None => Ok(Archive::default()),
        };
        let archive = match pumped {
            Ok(archive) => archive,
            // The storage gave up first: it knows why, and pg_dump is stopped.
            Err(Stopped::Storage) => {
                drop(dump);
                let failed = backup.stream.finish().await.err();
                let source = failed.unwrap_or(pgkeep_repository::RepositoryError::GivenUp);
                return Err(store(&database, source));
            }
            Err(Stopped::Source(error)) => {
                drop(dump);
                backup.stream.abandon().await;
                return Err(error);
            }
        };
        if let Err(error) = ended_well(&database, dump, &archive).await {
            backup.stream.abandon().await;
            return Err(error);
        }
        // pg_dump has its snapshot; how this session ends changes nothing.
        let _ = snapshot.close().await;

        let meta = self.meta(&database, facts, started, &choice)?;
        let committed = backup.commit(meta, || self.clock.now()).await;
        committed.map_err(|source| store(&database, source))
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
            facts,
            started,
            choice,
            dump,
        })
    }

    fn meta(
        &self,
        database: &str,
        facts: DatabaseFacts,
        started: Timestamp,
        choice: &Choice,
    ) -> Result<DumpMeta, CaptureError> {
        let system_id = facts.system_id;
        let server_version = facts.server_version.to_string();
        let record = facts::record(facts, choice.tools.version());
        let facts = record
            .to_json()
            .map_err(|source| pgkeep_repository::RepositoryError::Make {
                what: "the facts",
                source,
            })
            .map_err(|source| store(database, source))?;
        Ok(DumpMeta {
            system_id,
            server_version,
            started,
            facts,
        })
    }
}

struct Prepared {
    snapshot: ExportedSnapshot,
    facts: DatabaseFacts,
    started: Timestamp,
    choice: Choice,
    dump: RunningDump,
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
    mut output: ChildStdout,
    backup: &BackupWriter,
    stop: &mut StopSignal<'_>,
) -> Result<Archive, Stopped> {
    let mut archive = Archive::default();
    loop {
        let next = tokio::select! {
            next = read(&mut output) => next,
            () = stop.as_mut() => {
                let database = database.to_owned();
                return Err(Stopped::Source(CaptureError::Interrupted { database }));
            }
        };
        let bytes = next.map_err(|source| {
            let database = database.to_owned();
            Stopped::Source(CaptureError::Read { database, source })
        })?;
        if bytes.is_empty() {
            return Ok(archive);
        }
        archive.length += bytes.len() as u64;
        let missing = ARCHIVE_MAGIC.len().saturating_sub(archive.head.len());
        archive.head.extend(bytes.iter().take(missing));
        if backup.stream.write(bytes).await.is_err() {
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

fn store(database: &str, source: pgkeep_repository::RepositoryError) -> CaptureError {
    CaptureError::Store {
        database: database.to_owned(),
        source,
    }
}
