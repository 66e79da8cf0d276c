//! A file of a backup into a file.

use std::path::Path;

use pgkeep_format::records::{DUMP_FILE, GLOBALS_FILE};
use pgkeep_repository::OpenBackup;
use pgkeep_restore::{RestoreError, to_file};

use super::Report;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;

/// Writes it.
pub(super) async fn run(
    context: &Context,
    backup: &OpenBackup,
    globals: bool,
    path: &Path,
) -> Result<Exit, CliError> {
    let record = backup.record();
    if globals && !record.globals {
        let backup = record.id.clone();
        return Err(RestoreError::NoGlobals { backup }.into());
    }
    let (file, what, taken_by) = match globals {
        true => (GLOBALS_FILE, "the globals", "psql takes them"),
        false => (DUMP_FILE, "the archive", "pg_restore takes it"),
    };
    let mut stop = Box::pin(context.interrupt.requested());
    let raw_bytes = to_file(backup, file, path, stop.as_mut()).await?;
    context.output.say(format_args!(
        "wrote {what} of database {:?} from {}, {}; {taken_by}",
        record.database,
        record.id,
        words::size(raw_bytes)
    ));
    context.output.data(format_args!("{}\n", path.display()));
    context.output.json(&Report {
        version: JSON_VERSION,
        backup: &record.id,
        database: None,
        file: Some(path),
        raw_bytes,
        roles_made: Vec::new(),
        replaced: None,
        left_out: Vec::new(),
        uncounted: Vec::new(),
    })?;
    Ok(Exit::Done)
}
