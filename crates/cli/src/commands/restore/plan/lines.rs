//! The lines of a plan.
//!
//! Invariant: nothing from elsewhere gives the terminal orders.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_postgres::tools::ToolDirectory;
use pgkeep_restore::Problem;
use serde::Serialize;

use super::super::{Chosen, PartsReport};
use crate::words;

#[derive(Serialize)]
pub(super) struct Program<'a> {
    version: &'a str,
    directory: &'a Path,
}

impl<'a> Program<'a> {
    pub(super) fn new(tools: &'a ToolDirectory) -> Self {
        Self {
            version: tools.version(),
            directory: tools.path(),
        }
    }

    pub(super) fn words(&self) -> String {
        let directory = self.directory.display();
        format!("pg_restore {} in {directory}", self.version)
    }
}

#[derive(Serialize)]
pub(super) struct Missing<'a> {
    pub(super) what: &'a str,
    pub(super) hint: Option<&'a str>,
}

impl<'a> Missing<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        Self {
            what: &problem.what,
            hint: problem.hint.as_deref(),
        }
    }
}

/// How far right what is told of something begins.
pub(super) const INDENT: usize = 12;

/// A plan for people.
#[derive(Default)]
pub(super) struct Lines(pub(super) String);

impl Lines {
    pub(super) fn add(&mut self, what: &str, words: impl AsRef<str>) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "{what:<10}  {}", words::printable(words.as_ref()));
    }

    /// What it comes from.
    pub(super) fn add_source(&mut self, chosen: &Chosen, dumped_part: Option<&str>) {
        let record = chosen.backup.record();
        let finished = words::time(record.finished);
        let size = words::size(record.raw_bytes);
        self.add(
            "backup",
            format!(
                "{} of database {:?}, finished {finished}, {size}",
                record.id, record.database
            ),
        );
        if let Some(part) = dumped_part {
            self.add("a part", format!("of the database: {part}"));
        }
        self.add("level", chosen.standing.words());
        let repository = chosen.opened.repository.location();
        self.add("from", format!("{repository}, cluster {}", record.cluster));
    }

    /// What of the database was chosen.
    pub(super) fn add_parts(&mut self, parts: &PartsReport) {
        self.add("chosen", parts.chosen.join(", "));
        if !parts.empty.is_empty() {
            let empty = parts.empty.join(", ");
            self.add("empty", format!("{empty}, which others need"));
        }
        for left_out in &parts.left_out {
            self.add("left out", left_out);
        }
    }
}
