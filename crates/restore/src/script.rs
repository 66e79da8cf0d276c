//! A dump's archive as SQL in a file.
//!
//! Invariant: as for every file: whole and durable, or not there.

use std::path::Path;

use pgkeep_postgres::tools::{ToolDirectory, ToolError, Tools};
use pgkeep_repository::OpenBackup;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::database::read_facts;
use crate::dumped_part::in_words;
use crate::file::{Draft, check_file, file_error, interrupted};
use crate::fill::Filling;
use crate::preflight::major;
use crate::{LeftOut, Parts, Progress, RestoreError, StopSignal, Wish};

/// SQL that is about to be written.
pub struct ScriptRestore<'a> {
    /// The programs of this machine.
    pub tools: &'a Tools,
    /// What of the database is wanted.
    pub wish: &'a Wish,
    /// What is not to come.
    pub left_out: LeftOut,
    /// Told how far it is.
    pub progress: &'a Progress,
}

/// What SQL is made of, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptPlan {
    /// What of its database the backup was to have, in words; none where that is all of it.
    pub dumped_part: Option<String>,
    /// What of that it has; all of it where nothing was chosen.
    pub parts: Option<Parts>,
    /// The programs that it is made with.
    pub tools: ToolDirectory,
}

/// SQL that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// How many bytes of archive it came from.
    pub raw_bytes: u64,
    /// What it was made of, and with what.
    pub plan: ScriptPlan,
    /// What `pg_restore` said, and did not fail for.
    pub said: Vec<String>,
}

impl ScriptRestore<'_> {
    /// Finds what it would be made of, and writes nothing.
    ///
    /// # Errors
    /// Where the backup cannot be read, does not have what is wanted, or no program here
    /// reads its archive.
    pub async fn plan(&self, backup: &OpenBackup) -> Result<ScriptPlan, RestoreError> {
        let facts = read_facts(backup).await?;
        let tools = self.tools(backup, &facts.pg_dump_version)?;
        let mut parts = match self.wish.is_everything() {
            true => None,
            false => Some(Parts::find(backup, self.wish).await?),
        };
        if let Some(parts) = &mut parts {
            parts.note_missing_rows(&facts.tables);
        }
        Ok(ScriptPlan {
            dumped_part: in_words(&facts.selection),
            parts,
            tools,
        })
    }

    /// Writes it to `path`.
    ///
    /// # Errors
    /// Whatever fails; then there is no file.
    pub async fn write(
        &self,
        backup: &OpenBackup,
        path: &Path,
        stop: StopSignal<'_>,
    ) -> Result<Script, RestoreError> {
        // How long it will be nobody knows.
        check_file(path, None)?;
        let write = async {
            let plan = self.plan(backup).await?;
            let filling = Filling {
                database: &backup.record().database,
                tools: &plan.tools,
                progress: self.progress,
                left_out: self.left_out,
                list: plan.parts.as_ref().map(Parts::list),
                part: None,
            };
            let created = Draft::create(path);
            let (draft, mut file) = created.map_err(|source| file_error(path, source))?;
            let mut started = filling.script().map_err(of_sql)?;
            let output = started.take_stdout();
            // What fails first drops the other, and with it pg_restore.
            let fed = async { filling.feed(backup, started).await.map_err(of_sql) };
            let (filled, ()) = tokio::try_join!(fed, async {
                if let Some(mut output) = output {
                    let copied = tokio::io::copy(&mut output, &mut file).await;
                    copied.map_err(|source| file_error(path, source))?;
                }
                flush(&mut file, path).await
            })?;
            draft.publish(path, file).await?;
            Ok(Script {
                raw_bytes: filled.raw_bytes,
                plan,
                said: filled.said.into_all(),
            })
        };
        tokio::select! {
            written = write => written,
            () = stop => Err(interrupted(backup)),
        }
    }

    /// The programs of the major version that wrote the archive, or newer ones.
    fn tools(&self, backup: &OpenBackup, version: &str) -> Result<ToolDirectory, RestoreError> {
        let chosen = self.tools.for_server(major(version));
        let failed = |source: ToolError| RestoreError::NoProgram {
            backup: backup.record().id.clone(),
            source,
        };
        Ok(chosen.map_err(failed)?.tools)
    }
}

/// It is no restore into a database that failed.
fn of_sql(error: RestoreError) -> RestoreError {
    match error {
        RestoreError::Restore {
            database, source, ..
        } => RestoreError::Sql { database, source },
        other => other,
    }
}

async fn flush(file: &mut File, path: &Path) -> Result<(), RestoreError> {
    let flushed = file.flush().await;
    flushed.map_err(|source| file_error(path, source))
}
