//! `pgkeep restore --dry-run`: what would be done, and what is missing.
//!
//! Invariant: nothing is changed, on the server or here.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_postgres::client::DatabaseFacts;
use pgkeep_repository::OpenBackup;
use pgkeep_restore::{DumpRestore, PreparedRestore};
use pgkeep_types::{BackupId, Timestamp};
use serde::Serialize;

use super::{PartsReport, left_out_words};
use crate::arguments::Restore;
use crate::context::{Context, Opened};
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words;

#[derive(Serialize)]
struct Plan<'a> {
    version: u32,
    /// Always: this is no report of something done.
    dry_run: bool,
    backup: &'a BackupId,
    /// The database that it is of.
    database: &'a str,
    finished: Timestamp,
    raw_bytes: u64,
    repository: String,
    cluster: String,
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
    /// What of the database comes; all of it where there is none.
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
struct Program<'a> {
    version: &'a str,
    directory: &'a Path,
}

#[derive(Serialize)]
struct Compared {
    tables: usize,
    rows: u64,
    sequences: usize,
}

#[derive(Serialize)]
struct Missing<'a> {
    what: &'a str,
    hint: Option<&'a str>,
}

/// Tells the plan. It ends as the restore would for what is missing.
pub(super) async fn run(
    context: &Context,
    arguments: &Restore,
    opened: &Opened,
    backup: &OpenBackup,
    restore: DumpRestore<'_>,
) -> Result<Exit, CliError> {
    let what = format!("the plan for database {:?}", restore.name);
    let prepare = async { Ok(restore.prepare(backup).await?) };
    let prepared = context.unless_interrupted(&what, prepare).await?;
    let plan = plan(arguments, opened, backup, &restore, &prepared);
    for note in plan.notes {
        context.output.warning(note);
    }
    context.output.data(plan.words());
    context.output.json(&plan)?;
    context
        .output
        .say("this was a dry run: nothing was touched");
    prepared.is_possible()?;
    Ok(Exit::Done)
}

fn plan<'a>(
    arguments: &Restore,
    opened: &'a Opened,
    backup: &'a OpenBackup,
    restore: &'a DumpRestore<'_>,
    prepared: &'a PreparedRestore<'_>,
) -> Plan<'a> {
    let record = backup.record();
    let compared = prepared.compared();
    let problems = prepared.problems().iter();
    Plan {
        version: JSON_VERSION,
        dry_run: true,
        backup: &record.id,
        database: &record.database,
        finished: record.finished,
        raw_bytes: record.raw_bytes,
        repository: opened.repository.location(),
        cluster: record.cluster.to_string(),
        server: restore.connection.server(),
        server_version: prepared.server_version().to_string(),
        new_database: NewDatabase::new(restore.name, prepared.properties()),
        made_by: prepared.made_by(),
        filled_by: prepared.filled_by(),
        roles_made: prepared.roles().iter().collect(),
        replaced: prepared.replaced(),
        drop_replaced: arguments.drop_replaced && prepared.replaced().is_some(),
        pg_restore: prepared.tools().map(|tools| Program {
            version: tools.version(),
            directory: tools.path(),
        }),
        jobs: restore.jobs.map_or(1, |jobs| jobs.count.get()),
        scratch: restore.jobs.map(|jobs| jobs.scratch),
        left_out: left_out_words(restore.left_out),
        parts: prepared.parts().map(PartsReport::new),
        compared: Compared {
            tables: compared.tables,
            rows: compared.rows,
            sequences: compared.sequences,
        },
        notes: prepared.notes(),
        problems: problems
            .map(|problem| Missing {
                what: &problem.what,
                hint: problem.hint.as_deref(),
            })
            .collect(),
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
    fn words(&self) -> String {
        let mut told = String::new();
        let mut line = |what: &str, words: String| {
            // Writing into a string does not fail.
            let _ = writeln!(told, "{what:<10}  {}", words::printable(&words));
        };
        line(
            "backup",
            format!(
                "{} of database {:?}, finished {}, {}",
                self.backup,
                self.database,
                words::time(self.finished),
                words::size(self.raw_bytes)
            ),
        );
        line(
            "from",
            format!("{}, cluster {}", self.repository, self.cluster),
        );
        line(
            "into",
            format!(
                "new database {:?} on {}, PostgreSQL {}",
                self.new_database.name, self.server, self.server_version
            ),
        );
        line("", self.new_database.words());
        if let Some(aside) = self.replaced {
            let end = match self.drop_replaced {
                true => "is dropped once the new one is in its place".to_owned(),
                false => format!("is kept as {aside:?}"),
            };
            line(
                "replaces",
                format!("{:?}, which {end}", self.new_database.name),
            );
        }
        if !self.roles_made.is_empty() {
            line("makes", format!("roles {}", quoted(&self.roles_made)));
        }
        let made_by = match self.made_by == self.filled_by {
            true => format!("{:?}", self.made_by),
            false => format!("{:?}, and filled by {:?}", self.made_by, self.filled_by),
        };
        line("made by", made_by);
        if let Some(Program { version, directory }) = &self.pg_restore {
            let how = match self.scratch {
                Some(scratch) => format!(
                    "{} jobs, by way of scratch space in {}",
                    self.jobs,
                    scratch.display()
                ),
                None => "streamed".to_owned(),
            };
            let directory = directory.display();
            line(
                "with",
                format!("pg_restore {version} in {directory}, {how}"),
            );
        }
        if !self.left_out.is_empty() {
            line("left out", self.left_out.join(", "));
        }
        if let Some(parts) = &self.parts {
            line("chosen", parts.chosen.join(", "));
            if !parts.empty.is_empty() {
                line(
                    "empty",
                    format!("{}, which others need", parts.empty.join(", ")),
                );
            }
            for left_out in &parts.left_out {
                line("left out", left_out.clone());
            }
        }
        let Compared {
            tables,
            rows,
            sequences,
        } = self.compared;
        line(
            "compared",
            format!(
                "afterwards, with what was backed up: {rows} rows in {tables} tables, {sequences} \
                 sequences"
            ),
        );
        for missing in &self.problems {
            line("missing", missing.what.to_owned());
        }
        told
    }
}

fn quoted(names: &[&String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}
