//! `pgkeep list`: backups, and attempts that came to nothing.
//!
//! Invariants: needs no key; what cannot be read is shown as such and makes the
//! command fail, but hides nothing else.

use std::collections::BTreeSet;

use pgkeep_config::Settings;
use pgkeep_format::records::{BackupOutcome, BackupRecord, Outcome, PlannedBackup};
use pgkeep_repository::{Attempt, Catalogue, Entry, Repository, RepositoryError, is_ahead};
use pgkeep_types::{BackupId, Clock, ClusterName, Timestamp};
use serde::Serialize;

use crate::arguments::List;
use crate::context::{Context, unconfigured};
use crate::error::{CliError, Exit};
use crate::keys::KeysAtHand;
use crate::output::JSON_VERSION;
use crate::words::{self, Align};

#[derive(Serialize)]
struct Listing {
    version: u32,
    backups: Vec<BackupLine>,
}

/// How a backup is listed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BackupLine {
    id: Option<BackupId>,
    cluster: ClusterName,
    kind: Option<String>,
    database: Option<String>,
    status: Status,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    raw_bytes: Option<u64>,
    stored_bytes: Option<u64>,
    new_bytes: Option<u64>,
    server_version: Option<String>,
    /// Whether the cluster's globals are with it.
    globals: Option<bool>,
    /// Whether it has a part of the database alone, since that was chosen.
    selected: Option<bool>,
    /// Whether a key that is in use opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_in_use: Option<bool>,
    /// By the storage's clock; of a run that should have shown by now that it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What has become of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Everything that a restore needs is stored.
    Complete,
    /// It failed.
    Failed,
    /// Nothing was recorded of how it ended, and it has shown of late that it goes on.
    Running,
    /// Nothing was recorded of how it ended, and it shows no sign of life.
    Abandoned,
    /// Its record cannot be read.
    Damaged,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "FAILED",
            Self::Running => "running",
            Self::Abandoned => "ABANDONED",
            Self::Damaged => "DAMAGED",
        }
    }
}

impl BackupLine {
    /// A backup that was committed.
    pub(crate) fn complete(record: &BackupRecord) -> Self {
        Self {
            id: Some(record.id.clone()),
            cluster: record.cluster.clone(),
            kind: Some(record.kind.as_str().to_owned()),
            database: Some(record.database.clone()),
            status: Status::Complete,
            started: Some(record.started),
            finished: Some(record.finished),
            raw_bytes: Some(record.raw_bytes),
            stored_bytes: Some(record.stored_bytes),
            new_bytes: Some(record.new_bytes),
            server_version: Some(record.server_version.clone()),
            globals: Some(record.globals),
            selected: Some(record.selected),
            key_in_use: None,
            silent_since: None,
            error: None,
        }
    }

    /// A backup that has just failed.
    pub(crate) fn failed(cluster: &ClusterName, planned: &PlannedBackup, error: String) -> Self {
        Self {
            id: Some(planned.id.clone()),
            kind: Some("dump".to_owned()),
            database: Some(planned.database.clone()),
            status: Status::Failed,
            started: Some(planned.id.time()),
            error: Some(error),
            ..Self::empty(cluster)
        }
    }

    /// A backup that was begun and not committed.
    pub(crate) fn attempt(catalogue: &Catalogue, attempt: &Attempt, now: Timestamp) -> Self {
        Self {
            id: Some(attempt.id.clone()),
            kind: Some(attempt.begin.kind.as_str().to_owned()),
            database: Some(attempt.database.clone()),
            status: match attempt.outcome {
                Some(Outcome::Complete | Outcome::Partial | Outcome::Failed) => Status::Failed,
                None if catalogue.is_running(attempt, now) => Status::Running,
                None => Status::Abandoned,
            },
            started: Some(attempt.begin.started),
            silent_since: catalogue.silent_since(attempt, now),
            error: attempt.error.clone(),
            ..Self::empty(&catalogue.cluster)
        }
    }

    /// How it ended, as the run's outcome says it.
    pub(crate) fn outcome(&self) -> Option<BackupOutcome> {
        Some(BackupOutcome {
            id: self.id.clone()?,
            database: self.database.clone()?,
            outcome: match self.status {
                Status::Complete => Outcome::Complete,
                _ => Outcome::Failed,
            },
        })
    }

    /// Why it failed.
    pub(crate) fn failure(&self) -> Option<(BackupId, String)> {
        Some((self.id.clone()?, self.error.clone()?))
    }

    /// What has become of it, in a word.
    pub(crate) fn status(&self) -> &'static str {
        self.status.word()
    }

    /// What there is to say of it beside its row.
    fn remark(&self) -> Option<String> {
        let id = self.id.as_ref()?.short();
        match (self.status, &self.error, self.silent_since) {
            (Status::Failed, Some(error), _) => Some(format!("{id}: {}", words::printable(error))),
            (Status::Running | Status::Abandoned, _, Some(since)) => Some(format!(
                "{id}: no sign of life since {}; a run that goes on shows one every ten minutes",
                words::time_to_the_minute(since)
            )),
            _ => None,
        }
    }

    fn empty(cluster: &ClusterName) -> Self {
        Self {
            id: None,
            cluster: cluster.clone(),
            kind: None,
            database: None,
            status: Status::Damaged,
            started: None,
            finished: None,
            raw_bytes: None,
            stored_bytes: None,
            new_bytes: None,
            server_version: None,
            globals: None,
            selected: None,
            key_in_use: None,
            silent_since: None,
            error: None,
        }
    }

    fn cell(&self, column: Column) -> String {
        let text = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), words::printable);
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), words::size);
        match column {
            Column::Id => self.id.as_ref().map_or("-", BackupId::short).to_owned(),
            Column::Cluster => self.cluster.to_string(),
            Column::Kind => text(&self.kind),
            Column::Database => text(&self.database),
            Column::Started => self
                .started
                .map_or_else(|| "-".to_owned(), words::time_to_the_minute),
            Column::Size => bytes(self.raw_bytes),
            Column::New => bytes(self.new_bytes),
            Column::Status => {
                let mut words = vec![self.status.word()];
                words.extend((self.globals == Some(false)).then_some("NO GLOBALS"));
                words.extend((self.selected == Some(true)).then_some("a part"));
                words.extend((self.key_in_use == Some(false)).then_some("RETIRED KEYS ONLY"));
                words.join(", ")
            }
        }
    }
}

/// A column of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id,
    Cluster,
    Kind,
    Database,
    Started,
    Size,
    New,
    Status,
}

impl Column {
    const ALL: [Self; 8] = [
        Self::Id,
        Self::Cluster,
        Self::Kind,
        Self::Database,
        Self::Started,
        Self::Size,
        Self::New,
        Self::Status,
    ];

    fn heading(self) -> (&'static str, Align) {
        match self {
            Self::Id => ("ID", Align::Left),
            Self::Cluster => ("CLUSTER", Align::Left),
            Self::Kind => ("KIND", Align::Left),
            Self::Database => ("DATABASE", Align::Left),
            Self::Started => ("STARTED", Align::Left),
            Self::Size => ("SIZE", Align::Right),
            Self::New => ("NEW", Align::Right),
            Self::Status => ("STATUS", Align::Left),
        }
    }
}

/// Lists.
pub(crate) async fn run(arguments: &List, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let keys = context.keys(&settings, None)?;
    let mut lines = Vec::new();
    let mut exit = Exit::Done;
    for (cluster, repository) in wanted(arguments, context, &settings, &keys).await? {
        for key in repository.unreadable_keys() {
            context
                .output
                .failure(&CliError::UnreadableKey(key.clone()));
            exit = Exit::Failed;
        }
        let catalogue = repository.catalogue(&cluster, &keys.all()).await?;
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
        for entry in catalogue.entries {
            if let Entry::Unreadable(unreadable) = entry {
                context
                    .output
                    .failure(&CliError::Repository(unreadable.error));
                exit = Exit::Failed;
            }
        }
    }
    tell(context, lines)?;
    Ok(exit)
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
        Entry::Complete(record) => BackupLine {
            key_in_use: Some(repository.opens_to_anybody(record)),
            ..BackupLine::complete(record)
        },
        Entry::Attempt(attempt) => BackupLine::attempt(catalogue, attempt, now),
        Entry::Unreadable(unreadable) => BackupLine {
            id: unreadable.id.clone(),
            database: unreadable.database.clone(),
            started: unreadable.id.as_ref().map(BackupId::time),
            error: Some(unreadable.error.to_string()),
            ..BackupLine::empty(&catalogue.cluster)
        },
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

/// Tells of records that count as nothing.
fn warn_of_unbelieved(context: &Context, catalogue: &Catalogue) {
    let Some(first) = catalogue.unbelieved.first() else {
        return;
    };
    let others = match catalogue.unbelieved.len() - 1 {
        0 => String::new(),
        1 => " (and another record)".to_owned(),
        others => format!(" (and {others} other records)"),
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
        // One cluster needs no column.
        let one = lines.iter().all(|line| line.cluster == lines[0].cluster);
        let columns = Column::ALL.iter().copied();
        let columns: Vec<Column> = columns
            .filter(|c| !(one && *c == Column::Cluster))
            .collect();
        let headings: Vec<_> = columns.iter().map(|column| column.heading()).collect();
        let row = |line: &BackupLine| columns.iter().map(|column| line.cell(*column)).collect();
        let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
        context.output.data(words::table(&headings, &rows));
        let remarks: Vec<String> = lines.iter().filter_map(BackupLine::remark).collect();
        if !remarks.is_empty() {
            context
                .output
                .data(format_args!("\n{}\n", remarks.join("\n")));
        }
    }
    context.output.json(&Listing {
        version: JSON_VERSION,
        backups: lines,
    })
}
