//! A dump's archive through `pg_restore`.
//!
//! Invariants: `pg_restore` sees the end of its input only after all of it was read
//! and found right; where reading fails it is killed before. All of the archive is
//! read, also where a part of it is restored.

use std::num::NonZeroUsize;

use pgkeep_format::records::DUMP_FILE;
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::{PgRestore, RunningRestore, ToolDirectory, ToolFailed, ToolMessages};
use pgkeep_repository::{FileReader, OpenBackup};
use tokio::io::AsyncWriteExt;

use crate::left_out::LeftOut;
use crate::scratch::Scratch;
use crate::{Phase, Progress, RestoreError};

/// An archive that is about to be restored.
pub(crate) struct Filling<'a> {
    /// The name that the database will have, or had where SQL is written.
    pub(crate) database: &'a str,
    /// Where `pg_restore` is.
    pub(crate) tools: &'a ToolDirectory,
    /// Told how far it is.
    pub(crate) progress: &'a Progress,
    /// What it is to leave out.
    pub(crate) left_out: LeftOut,
    /// What of the archive is restored, for `--use-list`; all of it where there is none.
    pub(crate) list: Option<String>,
    /// What of its database the backup was to have, where that is not all of it.
    pub(crate) part: Option<String>,
}

/// An archive that was restored.
pub(crate) struct Filled {
    /// Its length in bytes.
    pub(crate) raw_bytes: u64,
    /// What `pg_restore` said, and did not fail for.
    pub(crate) said: ToolMessages,
}

impl Filling<'_> {
    /// Streams the archive into a database.
    pub(crate) async fn stream(
        &self,
        backup: &OpenBackup,
        target: &ConnectionParameters,
    ) -> Result<Filled, RestoreError> {
        let program = self.with_choices(PgRestore::new(self.tools, target));
        let started = program.spawn().map_err(|source| self.tool(source))?;
        self.feed(backup, started).await
    }

    /// Restores the archive in `scratch` into a database, with so many sessions.
    pub(crate) async fn parallel(
        &self,
        scratch: &Scratch,
        jobs: NonZeroUsize,
        target: &ConnectionParameters,
    ) -> Result<Filled, RestoreError> {
        let program = self.with_choices(PgRestore::new(self.tools, target));
        let program = program.parallel(scratch.file(), jobs);
        let started = program.spawn().map_err(|source| self.tool(source))?;
        self.progress.enter(Phase::Indexes);
        let said = started.wait().await.map_err(|source| self.tool(source))?;
        let raw_bytes = scratch.raw_bytes();
        Ok(Filled { raw_bytes, said })
    }

    /// Starts to make SQL of it; [`feed`](Self::feed) goes on with it.
    pub(crate) fn script(&self) -> Result<RunningRestore, RestoreError> {
        let named = ConnectionParameters::default().with_database(self.database);
        let program = self.with_choices(PgRestore::script(self.tools, &named));
        program.spawn().map_err(|source| self.tool(source))
    }

    fn with_choices<'p>(&'p self, mut program: PgRestore<'p>) -> PgRestore<'p> {
        if self.left_out.owner {
            program = program.no_owner();
        }
        if self.left_out.privileges {
            program = program.no_privileges();
        }
        if self.left_out.tablespaces {
            program = program.no_tablespaces();
        }
        match &self.list {
            Some(list) => program.use_list(list),
            None => program,
        }
    }

    /// Feeds the archive to what was started, and waits for its end.
    pub(crate) async fn feed(
        &self,
        backup: &OpenBackup,
        mut started: RunningRestore,
    ) -> Result<Filled, RestoreError> {
        let mut input = started
            .take_stdin()
            .ok_or_else(|| self.feeding(std::io::ErrorKind::BrokenPipe.into()))?;
        // Bound after its input, so that it is dropped, and killed, before it: it
        // never takes the end of its input for the end of the data.
        let mut running = started;
        let mut archive = Archive::open(backup)?;
        self.progress.enter(Phase::Filling);
        let fed = loop {
            match archive.next().await {
                Ok(Some(bytes)) => {
                    self.progress.add(bytes.len());
                    if let Err(source) = input.write_all(&bytes).await {
                        break Err(source);
                    }
                }
                Ok(None) => break input.shutdown().await,
                Err(error) => {
                    running.kill().await;
                    return Err(error);
                }
            }
        };
        drop(input);
        self.progress.enter(Phase::Indexes);
        // Where it closed its input: why, it says itself.
        let said = running.wait().await.map_err(|source| self.tool(source))?;
        match (fed, &self.list) {
            (Ok(()), _) => {}
            (Err(source), None) => return Err(self.feeding(source)),
            // It had all that it was to restore.
            (Err(_), Some(_)) => while archive.next().await?.is_some() {},
        }
        let raw_bytes = archive.raw_bytes;
        Ok(Filled { raw_bytes, said })
    }

    fn feeding(&self, source: std::io::Error) -> RestoreError {
        RestoreError::Feed {
            database: self.database.to_owned(),
            source,
        }
    }

    fn tool(&self, source: ToolFailed) -> RestoreError {
        RestoreError::Restore {
            database: self.database.to_owned(),
            part: self.part.clone(),
            source,
        }
    }
}

/// The archive as it is read.
struct Archive<'a> {
    backup: &'a OpenBackup,
    reader: FileReader,
    raw_bytes: u64,
}

impl<'a> Archive<'a> {
    fn open(backup: &'a OpenBackup) -> Result<Self, RestoreError> {
        let reader = backup.read(DUMP_FILE);
        let reader = reader.map_err(|source| RestoreError::Read {
            backup: backup.record().id.clone(),
            source,
        })?;
        Ok(Self {
            backup,
            reader,
            raw_bytes: 0,
        })
    }

    async fn next(&mut self) -> Result<Option<bytes::Bytes>, RestoreError> {
        match self.reader.next().await {
            Ok(bytes) => {
                self.raw_bytes += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                Ok(bytes)
            }
            Err(error) => Err(RestoreError::Read {
                backup: self.backup.record().id.clone(),
                source: self.backup.explain(error).await,
            }),
        }
    }
}
