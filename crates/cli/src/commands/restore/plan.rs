//! `pgkeep restore --dry-run`: what would be done, and what is missing.
//!
//! Invariant: nothing is changed, on the server or here.

pub(super) mod file;
pub(super) mod globals;
mod lines;

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_postgres::client::DatabaseFacts;
use pgkeep_restore::{DumpRestore, Parts, PreparedRestore};
use pgkeep_types::{BackupId, Timestamp};
use serde::Serialize;

use self::lines::{Lines, Missing, Program};
use super::globals::quoted;
use super::{Chosen, PartsReport, Standing, left_out_words};
use crate::arguments::Restore;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;

/// What every plan begins with.
#[derive(Serialize)]
struct Head<'a> {
    version: u32,
    /// Always: this is no report of something done.
    dry_run: bool,
    backup: &'a BackupId,
    /// The database that it is of; globals are of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    /// How far it can be relied on.
    #[serde(flatten)]
    standing: &'a Standing,
    repository: String,
    cluster: String,
}

impl<'a> Head<'a> {
    fn of_globals(chosen: &'a Chosen) -> Self {
        let record = chosen.backup.record();
        Self {
            version: JSON_VERSION,
            dry_run: true,
            backup: &record.id,
            database: None,
            finished: None,
            standing: &chosen.standing,
            repository: chosen.opened.repository.location(),
            cluster: record.cluster.to_string(),
        }
    }

    fn of_database(chosen: &'a Chosen) -> Self {
        let record = chosen.backup.record();
        Self {
            database: Some(&record.database),
            finished: Some(record.finished),
            ..Self::of_globals(chosen)
        }
    }
}

#[derive(Serialize)]
struct Plan<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    raw_bytes: u64,
    server: String,
    server_version: String,
    new_database: NewDatabase<'a>,
    /// The role that makes it.
    made_by: &'a str,
    /// The role that fills it.
    filled_by: &'a str,
    /// Roles that would be made before.
    roles_made: Vec<&'a String>,
    /// What the database that is there would be called.
    replaced: Option<&'a str>,
    /// Whether it would be dropped then.
    drop_replaced: bool,
    pg_restore: Option<Program<'a>>,
    /// How many sessions fill it.
    jobs: usize,
    /// Where the archive would be written first; nowhere where it is streamed.
    scratch: Option<&'a Path>,
    left_out: Vec<&'static str>,
    /// What of its database the backup was to have; all of it where there is none.
    dumped_part: Option<String>,
    /// What of that comes; all of it where there is none.
    parts: Option<PartsReport>,
    compared: Compared,
    /// What is not as it was, and no reason to stop.
    notes: &'a [String],
    /// What is missing: it would stop the restore.
    problems: Vec<Missing<'a>>,
}

#[derive(Serialize)]
struct NewDatabase<'a> {
    name: &'a str,
    owner: &'a str,
    encoding: &'a str,
    locale_provider: &'static str,
    collate: &'a str,
    ctype: &'a str,
    locale: Option<&'a str>,
    tablespace: &'a str,
}

#[derive(Serialize)]
struct Compared {
    tables: usize,
    rows: u64,
    sequences: usize,
    /// Views and foreign tables that were chosen: they are there, or it is an error, and
    /// what they show is not compared.
    not_compared: Vec<String>,
}

/// Tells the plan. It ends as the restore would for what is missing.
pub(super) async fn run(
    context: &Context,
    arguments: &Restore,
    chosen: &Chosen,
    restore: DumpRestore<'_>,
) -> Result<Exit, CliError> {
    let what = format!("the plan for database {:?}", restore.name);
    let prepare = async { Ok(restore.prepare(&chosen.backup).await?) };
    let prepared = context.unless_interrupted(&what, prepare).await?;
    let plan = plan(arguments, chosen, &restore, &prepared);
    for note in plan.notes {
        context.output.warning(note);
    }
    told(context, &plan.lines(chosen), &plan)?;
    prepared.is_possible()?;
    Ok(Exit::Done)
}

/// Tells people or programs a plan.
fn told(context: &Context, lines: &Lines, plan: &impl Serialize) -> Result<(), CliError> {
    context
        .output
        .data(context.output.folded(&lines.0, lines::INDENT));
    context.output.json(plan)?;
    context
        .output
        .say("this was a dry run: nothing was touched");
    Ok(())
}

fn plan<'a>(
    arguments: &Restore,
    chosen: &'a Chosen,
    restore: &'a DumpRestore<'_>,
    prepared: &'a PreparedRestore<'_>,
) -> Plan<'a> {
    let compared = prepared.compared();
    let problems = prepared.problems().iter();
    Plan {
        head: Head::of_database(chosen),
        raw_bytes: chosen.backup.record().raw_bytes,
        server: restore.connection.server(),
        server_version: prepared.server_version().to_string(),
        new_database: NewDatabase::new(restore.name, prepared.properties()),
        made_by: prepared.made_by(),
        filled_by: prepared.filled_by(),
        roles_made: prepared.roles().iter().collect(),
        replaced: prepared.replaced(),
        drop_replaced: arguments.drop_replaced && prepared.replaced().is_some(),
        pg_restore: prepared.tools().map(Program::new),
        jobs: restore.jobs.map_or(1, |jobs| jobs.count.get()),
        scratch: restore.jobs.map(|jobs| jobs.scratch),
        left_out: left_out_words(restore.left_out),
        dumped_part: prepared.dumped_part(),
        parts: prepared.parts().map(PartsReport::new),
        compared: Compared {
            tables: compared.tables,
            rows: compared.rows,
            sequences: compared.sequences,
            not_compared: prepared
                .parts()
                .map(Parts::not_compared)
                .unwrap_or_default(),
        },
        notes: prepared.notes(),
        problems: problems.map(Missing::new).collect(),
    }
}

impl<'a> NewDatabase<'a> {
    fn new(name: &'a str, facts: &'a DatabaseFacts) -> Self {
        Self {
            name,
            owner: &facts.owner,
            encoding: &facts.encoding,
            locale_provider: facts.locale.provider.as_str(),
            collate: &facts.locale.collate,
            ctype: &facts.locale.ctype,
            locale: facts.locale.locale.as_deref(),
            tablespace: &facts.tablespace,
        }
    }

    fn words(&self) -> String {
        let Self {
            owner,
            encoding,
            locale_provider,
            collate,
            ctype,
            tablespace,
            ..
        } = self;
        let mut locale = match self.locale {
            Some(locale) => format!("{locale} ({locale_provider}), {collate}"),
            None => format!("{collate} ({locale_provider})"),
        };
        if ctype != collate {
            // Writing into a string does not fail.
            let _ = write!(locale, ", ctype {ctype}");
        }
        format!("owner {owner:?}, {encoding}, locale {locale}, tablespace {tablespace:?}")
    }
}

impl Plan<'_> {
    fn lines(&self, chosen: &Chosen) -> Lines {
        let mut lines = Lines::default();
        lines.add_source(chosen, self.dumped_part.as_deref());
        lines.add(
            "into",
            format!(
                "new database {:?} on {}, PostgreSQL {}",
                self.new_database.name, self.server, self.server_version
            ),
        );
        lines.add("", self.new_database.words());
        if let Some(aside) = self.replaced {
            let end = match self.drop_replaced {
                true => "is dropped once the new one is in its place".to_owned(),
                false => format!("is kept as {aside:?}"),
            };
            lines.add(
                "replaces",
                format!("{:?}, which {end}", self.new_database.name),
            );
        }
        if !self.roles_made.is_empty() {
            let roles = quoted(self.roles_made.iter().copied());
            lines.add("makes", format!("roles {roles}"));
        }
        let made_by = match self.made_by == self.filled_by {
            true => format!("{:?}", self.made_by),
            false => format!("{:?}, and filled by {:?}", self.made_by, self.filled_by),
        };
        lines.add("made by", made_by);
        if let Some(program) = &self.pg_restore {
            let how = match self.scratch {
                Some(scratch) => format!(
                    "{} jobs, by way of scratch space in {}, of which it takes {}",
                    self.jobs,
                    scratch.display(),
                    words::size(self.raw_bytes)
                ),
                None => "streamed".to_owned(),
            };
            lines.add("with", format!("{}, {how}", program.words()));
        }
        if !self.left_out.is_empty() {
            lines.add("left out", self.left_out.join(", "));
        }
        if let Some(parts) = &self.parts {
            lines.add_parts(parts);
        }
        self.compared.add_to(&mut lines);
        for missing in &self.problems {
            lines.add("missing", missing.what);
        }
        lines
    }
}

impl Compared {
    fn add_to(&self, lines: &mut Lines) {
        lines.add(
            "compared",
            format!(
                "afterwards, with what was backed up: {} in {}, {}",
                words::counted(self.rows, "row"),
                words::counted(self.tables, "table"),
                words::counted(self.sequences, "sequence")
            ),
        );
        if !self.not_compared.is_empty() {
            let names = self.not_compared.join(", ");
            lines.add(
                "",
                format!("and that these are there, not what they show: {names}"),
            );
        }
    }
}
