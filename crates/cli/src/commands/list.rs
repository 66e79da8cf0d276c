//! `pgkeep list`: backups, and attempts that came to nothing.
//!
//! Invariants: needs no key; what cannot be read is shown as such and makes the
//! command fail, but hides nothing else.

mod line;
mod others;
mod table;
mod why;

use std::collections::BTreeSet;

use pgkeep_config::Settings;
use pgkeep_format::names::{self, Place, RunRecord};
use pgkeep_format::records::{BackupRecord, Tombstone};
use pgkeep_repository::{Catalogue, Entry, Repository, RepositoryError, Unreadable, is_ahead};
use pgkeep_types::{Clock, ClusterName};
use serde::Serialize;

use crate::arguments::List;
use crate::context::{Context, unconfigured};
use crate::error::{CliError, Exit};
use crate::keys::KeysAtHand;
use crate::output::JSON_VERSION;
use crate::words;

pub(crate) use line::{BackupLine, PinLine};

/// How far right a remark begins, behind the id that it is about.
const REMARK: usize = 10;

#[derive(Serialize)]
struct Listing {
    version: u32,
    backups: Vec<BackupLine>,
}

/// Lists.
pub(crate) async fn run(arguments: &List, context: &Context) -> Result<Exit, CliError> {
    if arguments.why {
        return why::run(arguments, context).await;
    }
    let settings = context.settings()?;
    let keys = context.keys(&settings, None)?;
    let mut lines = Vec::new();
    let mut exit = Exit::Done;
    for (cluster, repository) in wanted(arguments, context, &settings, &keys).await? {
        for key in repository.unreadable_keys() {
            context
                .output
                .failure(&CliError::UnreadableKey(key.clone()));
        }
        let mut catalogue = repository.catalogue(&cluster, &keys.all()).await?;
        if !is_readable(&repository, &catalogue) {
            exit = Exit::Failed;
        }
        lines.extend(describe(&repository, &catalogue, context));
        let now = context.clock.now();
        if let Some(backup) = catalogue.is_behind(now) {
            let behind = RepositoryError::ClockBehind {
                now,
                backup: backup.id.clone(),
                started: backup.started,
            };
            context.output.warning(behind);
        } else {
            for backup in catalogue.complete().filter(|b| is_ahead(b.started, now)) {
                warn_of_clock(context, &catalogue, backup);
            }
        }
        let databases: BTreeSet<&str> = catalogue
            .complete()
            .map(|backup| backup.database.as_str())
            .collect();
        for database in databases {
            warn_of_misdated(context, &catalogue, database);
        }
        warn_of_unbelieved(context, &catalogue);
        for bad in catalogue.take_bad_proofs() {
            context.output.failure(&CliError::Repository(bad.error));
        }
        warn_of_pins(context, &catalogue);
        others::tell(context, &settings, &repository, &catalogue).await;
        for entry in catalogue.entries {
            if let Entry::Unreadable(unreadable) = entry {
                let ends = what_ends(&unreadable);
                context
                    .output
                    .failure(&CliError::Repository(unreadable.error));
                if let Some(ends) = ends {
                    context.output.say(ends);
                }
            }
        }
    }
    tell(context, lines)?;
    Ok(exit)
}

/// Whether all that was listed can be read; where not, the listing fails, with `--why` too.
fn is_readable(repository: &Repository, catalogue: &Catalogue) -> bool {
    repository.unreadable_keys().is_empty()
        && catalogue.unreadable().next().is_none()
        && catalogue.bad_proofs().is_empty()
        && catalogue.unread_pins().next().is_none()
}

/// What takes a run's damaged `begin` away, which names no backup.
fn what_ends(unreadable: &Unreadable) -> Option<String> {
    match names::place(&unreadable.object)? {
        Place::Run(_, run, RunRecord::Begin) if unreadable.error.is_of_damage() => Some(format!(
            "what run {run} set out to make cannot be told any more; where it was cut off, 'pgkeep \
             prune' removes that record a day after the run's last sign of life"
        )),
        _ => None,
    }
}

/// The clusters that are meant: the named one, all that are configured, or where
/// none is, all that the repository knows.
async fn wanted(
    arguments: &List,
    context: &Context,
    settings: &Settings,
    keys: &KeysAtHand,
) -> Result<Vec<(ClusterName, Repository)>, CliError> {
    let mut wanted = Vec::new();
    if arguments.cluster.is_none() && settings.clusters.is_empty() {
        let any = unconfigured(settings);
        let repository = context.repository(settings, &any, keys).await?;
        for cluster in repository.clusters().await? {
            wanted.push((cluster, repository.clone()));
        }
        return Ok(wanted);
    }
    let names = match &arguments.cluster {
        Some(name) => vec![name],
        None => settings.clusters.keys().collect(),
    };
    for name in names {
        let (cluster, of_cluster) = context.cluster(settings, Some(name))?;
        let repository = context.repository(settings, &of_cluster, keys).await?;
        wanted.push((cluster, repository));
    }
    Ok(wanted)
}

fn describe(repository: &Repository, catalogue: &Catalogue, context: &Context) -> Vec<BackupLine> {
    let now = context.clock.now();
    let line = |entry: &Entry| match entry {
        Entry::Complete(record) => {
            let lacks_a_key = repository.lacks_a_key_of(record);
            BackupLine::complete(record)
                .with_pins(catalogue, now)
                .with_key_in_use(repository.opens_to_anybody(record), lacks_a_key)
                .with_proofs(catalogue)
        }
        Entry::Attempt(attempt) => BackupLine::attempt(catalogue, attempt, now),
        Entry::Unreadable(unreadable) => BackupLine::unreadable(&catalogue.cluster, unreadable),
    };
    catalogue.entries.iter().map(line).collect()
}

/// Tells that a backup of the database is dated before one that was made before it.
pub(crate) fn warn_of_misdated(context: &Context, catalogue: &Catalogue, database: &str) {
    let Some(misdated) = catalogue.misdated(database) else {
        return;
    };
    let host = misdated.wrong.and_then(|wrong| catalogue.host(&wrong.id));
    let blamed = match host {
        Some(host) => format!("the clock of host {} was wrong", words::printable(host)),
        None => "a clock was wrong".to_owned(),
    };
    context.output.warning(format_args!(
        "backup {} was made after {}, and says that it is older ({}, and {}): {blamed}",
        misdated.later.id.short(),
        misdated.earlier.id.short(),
        words::time(misdated.later.started),
        words::time(misdated.earlier.started)
    ));
}

/// Tells that a backup stays for its pin alone.
pub(crate) fn warn_of_choice(context: &Context, chosen: &Tombstone) {
    context.output.warning(format_args!(
        "backup {} was chosen for deletion, at {} by host {}, and stays for as long as it is \
         pinned; then the next 'pgkeep prune' deletes it",
        chosen.backup.short(),
        words::time(chosen.deleted),
        words::printable(&chosen.host)
    ));
}

/// Tells of backups that stay for their pins alone, and of pins that cannot be read.
pub(crate) fn warn_of_pins(context: &Context, catalogue: &Catalogue) {
    for chosen in catalogue.all_chosen() {
        warn_of_choice(context, chosen);
    }
    for unread in catalogue.unread_pins() {
        context.output.warning(format_args!(
            "{}: the backup that it is about is kept without an end; 'pgkeep unpin' lets it go",
            unread.error
        ));
    }
}

/// Tells of records that count as nothing.
fn warn_of_unbelieved(context: &Context, catalogue: &Catalogue) {
    let Some(first) = catalogue.unbelieved.first() else {
        return;
    };
    let others = match catalogue.unbelieved.len() - 1 {
        0 => String::new(),
        others => format!(" (and {})", words::counted(others, "other record")),
    };
    context.output.warning(format_args!(
        "{}{others}: that counts as nothing, and goes with 'pgkeep prune' a day after it was \
         written",
        first.error
    ));
}

/// Tells that a backup is dated ahead.
pub(crate) fn warn_of_clock(context: &Context, catalogue: &Catalogue, backup: &BackupRecord) {
    context.output.warning(format_args!(
        "backup {} says that it was made at {}, which has not come: the clock of host {} was \
         wrong, or this one's is",
        backup.id.short(),
        words::time(backup.started),
        words::printable(catalogue.host(&backup.id).unwrap_or("unknown"))
    ));
}

fn tell(context: &Context, lines: Vec<BackupLine>) -> Result<(), CliError> {
    if lines.is_empty() {
        context
            .output
            .say("no backups yet; 'pgkeep backup' makes one");
    } else {
        context.output.data(table::tables(&lines, context.output));
        let remarks: Vec<String> = lines.iter().filter_map(BackupLine::remark).collect();
        if !remarks.is_empty() {
            let remarks = context.output.folded(&remarks.join("\n"), REMARK);
            context.output.data(format_args!("\n{remarks}\n"));
        }
    }
    context.output.json(&Listing {
        version: JSON_VERSION,
        backups: lines,
    })
}
