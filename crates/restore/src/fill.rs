//! A dump's archive into an empty database.
//!
//! Invariant: `pg_restore` sees the end of its input only after all of it was read
//! and found right; where reading fails it is killed before.

use pgkeep_format::records::DUMP_FILE;
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::{PgRestore, ToolDirectory, ToolFailed};
use pgkeep_repository::{OpenBackup, RepositoryError};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use crate::RestoreError;
use crate::left_out::LeftOut;
use crate::{Phase, Progress};

/// An archive that is about to be restored.
pub(crate) struct Filling<'a> {
    /// The name that the database will have.
    pub(crate) database: &'a str,
    /// The database as it is called now, and who fills it.
    pub(crate) target: ConnectionParameters,
    /// Where `pg_restore` is.
    pub(crate) tools: &'a ToolDirectory,
    /// Told how far it is.
    pub(crate) progress: &'a Progress,
    /// What it is to leave out.
    pub(crate) left_out: LeftOut,
}

impl Filling<'_> {
    /// Restores the archive and tells its length in bytes.
    pub(crate) async fn run(&self, backup: &OpenBackup) -> Result<u64, RestoreError> {
        let mut program = PgRestore::new(self.tools, &self.target);
        if self.left_out.owner {
            program = program.no_owner();
        }
        if self.left_out.privileges {
            program = program.no_privileges();
        }
        let mut started = program.spawn().map_err(|source| self.tool(source))?;
        let mut input = started
            .take_stdin()
            .ok_or_else(|| self.feeding(std::io::ErrorKind::BrokenPipe.into()))?;
        // Bound after its input, so that it is dropped, and killed, before it: it
        // never takes the end of its input for the end of the data.
        let mut running = started;
        match self.feed(backup, &mut input).await {
            Ok(raw_bytes) => {
                drop(input);
                self.progress.enter(Phase::Indexes);
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
        self.progress.enter(Phase::Filling);
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
            self.progress.add(bytes.len());
        }
        let flushed = input.shutdown().await;
        flushed.map_err(|source| self.feeding(source))?;
        Ok(raw_bytes)
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
            source,
        }
    }
}
