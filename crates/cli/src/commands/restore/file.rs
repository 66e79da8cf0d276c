//! A file of a backup into a file.

use std::path::Path;
use std::sync::Arc;

use pgkeep_format::records::{DUMP_FILE, GLOBALS_FILE};
use pgkeep_restore::{LeftOut, Progress, ScriptRestore, dumped_part, to_file};

use super::globals::check_globals;
use super::progress::RestoreRow;
use super::{Chosen, PartsReport, Report, left_out_words, of_part};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;

/// Writes it.
pub(super) async fn run(
    context: &Context,
    chosen: &Chosen,
    globals: bool,
    path: &Path,
) -> Result<Exit, CliError> {
    let Chosen { backup, .. } = chosen;
    let record = backup.record();
    if globals {
        check_globals(record)?;
    }
    let (file, what, taken_by) = match globals {
        true => (GLOBALS_FILE, "the globals", "psql takes them"),
        false => (DUMP_FILE, "the archive", "pg_restore takes it"),
    };
    let part = match globals {
        true => None,
        false => dumped_part(backup).await?,
    };
    let mut stop = Box::pin(context.interrupt.requested());
    let progress = Arc::new(Progress::default());
    // The globals are a small part of what is recorded.
    let total = (!globals).then_some(record.raw_bytes);
    let shown = context.live(RestoreRow::new(&record.database, total, &progress));
    let raw_bytes = to_file(backup, file, total, path, &progress, stop.as_mut()).await?;
    drop(shown);
    context.output.say(format_args!(
        "wrote {what} of {} from {}, {}; {taken_by}",
        of_part(format!("database {:?}", record.database), part.as_deref()),
        record.id,
        words::size(raw_bytes)
    ));
    let written = Written {
        raw_bytes,
        left_out: LeftOut::default(),
        dumped_part: part,
        parts: None,
        said: Vec::new(),
    };
    tell_written(context, chosen, path, written)
}

/// Writes SQL of the archive.
pub(super) async fn run_sql(
    context: &Context,
    chosen: &Chosen,
    script: &ScriptRestore<'_>,
    path: &Path,
    row: RestoreRow,
) -> Result<Exit, CliError> {
    let Chosen { backup, .. } = chosen;
    let record = backup.record();
    let mut stop = Box::pin(context.interrupt.requested());
    let shown = context.live(row);
    let written = script.write(backup, path, stop.as_mut()).await?;
    drop(shown);
    for message in &written.said {
        context
            .output
            .warning(format_args!("pg_restore says: {message}"));
    }
    let parts = written.plan.parts.as_ref().map(PartsReport::new);
    let part = written.plan.dumped_part;
    let of = of_part(format!("database {:?}", record.database), part.as_deref());
    let of = match (&parts, &part) {
        (Some(parts), _) => format!("{} of {of}", parts.words()),
        (None, None) => format!("all of {of}"),
        (None, Some(_)) => of,
    };
    context.output.say(format_args!(
        "wrote SQL of {of} from {}, made by pg_restore {}; psql of that version takes it, or a \
         newer one",
        record.id,
        written.plan.tools.version()
    ));
    if let Some(parts) = &parts {
        parts.tell(context);
    }
    let written = Written {
        raw_bytes: written.raw_bytes,
        left_out: script.left_out,
        dumped_part: part,
        parts,
        said: written.said,
    };
    tell_written(context, chosen, path, written)
}

/// What is in a file that was written.
struct Written {
    raw_bytes: u64,
    left_out: LeftOut,
    dumped_part: Option<String>,
    parts: Option<PartsReport>,
    said: Vec<String>,
}

/// Tells of it.
fn tell_written(
    context: &Context,
    chosen: &Chosen,
    path: &Path,
    written: Written,
) -> Result<Exit, CliError> {
    let Written {
        raw_bytes,
        left_out,
        dumped_part,
        parts,
        said,
    } = written;
    context.output.data(format_args!("{}\n", path.display()));
    context.output.json(&Report {
        version: JSON_VERSION,
        backup: &chosen.backup.record().id,
        standing: &chosen.standing,
        database: None,
        file: Some(path),
        raw_bytes,
        roles_made: Vec::new(),
        replaced: None,
        left_out: left_out_words(left_out),
        dumped_part,
        parts,
        uncounted: Vec::new(),
        not_compared: Vec::new(),
        notes: Vec::new(),
        said,
    })?;
    Ok(Exit::Done)
}
