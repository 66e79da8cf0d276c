//! What a restore came to, for programs, and what of it people are told.
//!
//! Invariant: what did not come, or was not compared, is in it.

use std::path::Path;

use pgkeep_restore::{LeftOut, Parts};
use pgkeep_types::BackupId;
use serde::Serialize;

use super::Standing;
use crate::context::Context;

#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) version: u32,
    pub(super) backup: &'a BackupId,
    /// How far it can be relied on.
    #[serde(flatten)]
    pub(super) standing: &'a Standing,
    pub(super) database: Option<&'a str>,
    pub(super) file: Option<&'a Path>,
    pub(super) raw_bytes: u64,
    /// Roles that were missing.
    pub(super) roles_made: Vec<&'a String>,
    /// What the database is called now that was there before.
    pub(super) replaced: Option<&'a str>,
    /// What was neither brought back nor compared, as was asked.
    pub(super) left_out: Vec<&'static str>,
    /// What of its database the backup was to have; all of it where there is none.
    pub(super) dumped_part: Option<String>,
    /// What of that came; all of it where there is none.
    pub(super) parts: Option<PartsReport>,
    /// Tables whose rows could not be compared.
    pub(super) uncounted: Vec<String>,
    /// Views and foreign tables that were chosen: they are there, and what they show was not
    /// compared.
    pub(super) not_compared: Vec<String>,
    /// What is right, and not as or where it was.
    pub(super) notes: Vec<String>,
    /// What pg_restore said, and did not fail for.
    pub(super) said: Vec<String>,
}

/// What of a database comes, where it was chosen.
#[derive(Serialize)]
pub(super) struct PartsReport {
    /// Tables with their rows, and views.
    pub(super) chosen: Vec<String>,
    /// Tables that others need, without rows.
    pub(super) empty: Vec<String>,
    /// What belongs to these and does not come, and why.
    pub(super) left_out: Vec<String>,
}

impl PartsReport {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            chosen: parts.chosen(),
            empty: parts.empty(),
            left_out: parts.left_out().to_vec(),
        }
    }

    /// What was chosen, in a line.
    pub(super) fn words(&self) -> String {
        const NAMED: usize = 3;
        match self.chosen.get(..NAMED) {
            Some(first) if self.chosen.len() > NAMED => {
                let more = self.chosen.len() - NAMED;
                format!("{} and {more} more", first.join(", "))
            }
            _ => self.chosen.join(", "),
        }
    }

    /// Tells what does not come as somebody may expect it.
    pub(super) fn tell(&self, context: &Context) {
        if !self.empty.is_empty() {
            let names = self.empty.join(", ");
            context.output.say(format_args!(
                "without rows, since others need the definitions alone: {names}"
            ));
        }
        for left_out in &self.left_out {
            context.output.say(format_args!("left out: {left_out}"));
        }
    }
}

/// What comes of a database, where the backup was to have a part of it.
pub(super) fn of_part(of: String, dumped_part: Option<&str>) -> String {
    match dumped_part {
        Some(part) => format!("a part of {of} ({part})"),
        None => of,
    }
}

/// What is neither brought back nor compared, in words.
pub(super) fn left_out_words(left_out: LeftOut) -> Vec<&'static str> {
    let LeftOut {
        owner,
        privileges,
        tablespaces,
    } = left_out;
    let words = [
        (owner, "owners"),
        (privileges, "privileges"),
        (tablespaces, "tablespaces"),
    ];
    let words = words.into_iter().filter(|(is_left_out, _)| *is_left_out);
    words.map(|(_, word)| word).collect()
}
