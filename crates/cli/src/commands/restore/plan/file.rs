//! What `--to-file` would write, where, and how much it is.
//!
//! Invariant: nothing is written.

use std::path::Path;

use pgkeep_format::records::GLOBALS_FILE;
use pgkeep_restore::{RestoreError, ScriptRestore, check_file, dumped_part, length_of};
use serde::Serialize;

use super::super::globals::check_globals;
use super::super::{Chosen, PartsReport, left_out_words};
use super::lines::{Lines, Program};
use super::{Head, told};
use crate::context::Context;
use crate::error::{CliError, Exit, sentence};
use crate::words;

#[derive(Serialize)]
struct Plan<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    file: &'a Path,
    /// `archive`, `globals` or `sql`.
    writes: &'static str,
    /// How much it would be, where that is known before it is written.
    bytes: Option<u64>,
    pg_restore: Option<Program<'a>>,
    left_out: Vec<&'static str>,
    /// What of its database the backup was to have; all of it where there is none.
    dumped_part: Option<String>,
    /// What of that it would have; all of it where there is none.
    parts: Option<PartsReport>,
    /// Why it cannot be written, where that is so.
    problem: Option<String>,
}

/// Tells the plan of a file of the backup: its globals, or its archive.
pub(in super::super) async fn run(
    context: &Context,
    chosen: &Chosen,
    globals: bool,
    path: &Path,
) -> Result<Exit, CliError> {
    let record = chosen.backup.record();
    let (writes, bytes) = match globals {
        false => ("archive", record.raw_bytes),
        true => {
            check_globals(record)?;
            let read = async { Ok(length_of(&chosen.backup, GLOBALS_FILE).await?) };
            let what = "the plan for the globals";
            ("globals", context.unless_interrupted(what, read).await?)
        }
    };
    let dumped_part = match globals {
        true => None,
        false => dumped_part(&chosen.backup).await?,
    };
    let possible = check_file(path, Some(bytes));
    let plan = Plan {
        writes,
        bytes: Some(bytes),
        dumped_part,
        ..Plan::new(chosen, path, &possible)
    };
    plan.tell(context, chosen)?;
    possible?;
    Ok(Exit::Done)
}

/// Tells the plan of SQL.
pub(in super::super) async fn run_sql(
    context: &Context,
    chosen: &Chosen,
    script: &ScriptRestore<'_>,
    path: &Path,
) -> Result<Exit, CliError> {
    let look = async { Ok(script.plan(&chosen.backup).await?) };
    let what = "the plan for the SQL";
    let of = context.unless_interrupted(what, look).await?;
    let possible = check_file(path, None);
    let plan = Plan {
        writes: "sql",
        pg_restore: Some(Program::new(&of.tools)),
        left_out: left_out_words(script.left_out),
        dumped_part: of.dumped_part,
        parts: of.parts.as_ref().map(PartsReport::new),
        ..Plan::new(chosen, path, &possible)
    };
    plan.tell(context, chosen)?;
    possible?;
    Ok(Exit::Done)
}

impl<'a> Plan<'a> {
    fn new(chosen: &'a Chosen, path: &'a Path, possible: &Result<(), RestoreError>) -> Self {
        Self {
            head: Head::of_database(chosen),
            file: path,
            writes: "archive",
            bytes: None,
            pg_restore: None,
            left_out: Vec::new(),
            dumped_part: None,
            parts: None,
            problem: possible.as_ref().err().map(|error| sentence(error)),
        }
    }

    fn tell(&self, context: &Context, chosen: &Chosen) -> Result<(), CliError> {
        let mut lines = Lines::default();
        lines.add_source(chosen, self.dumped_part.as_deref());
        let (what, taken_by) = match self.writes {
            "archive" => ("the archive", "pg_restore"),
            "globals" => ("the globals", "psql"),
            _ => ("SQL", "psql"),
        };
        let size = match self.bytes {
            Some(bytes) => words::size(bytes),
            None => "how much is not known before".to_owned(),
        };
        lines.add("writes", format!("{what}, for {taken_by}; {size}"));
        lines.add("into", format!("new file {}", self.file.display()));
        if let Some(program) = &self.pg_restore {
            lines.add("with", program.words());
        }
        if !self.left_out.is_empty() {
            lines.add("left out", self.left_out.join(", "));
        }
        if let Some(parts) = &self.parts {
            lines.add_parts(parts);
        }
        if let Some(problem) = &self.problem {
            lines.add("missing", problem);
        }
        told(context, &lines, self)
    }
}
