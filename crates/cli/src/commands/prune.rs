//! `pgkeep prune`: deletes backups that are named, and what failed or killed ones
//! have left.
//!
//! Invariants: what goes, why, and how much it is, is told before anything
//! is touched; a backup goes only when somebody has said yes. With `--dry-run` all is
//! told as it would be done, by the same clock, and nothing is changed: the one object
//! that is written to see that clock is removed again. Where it cannot be written, nothing is
//! taken for older than it is.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::Identities;
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::deletion::{Pruner, Swept, Terms};
use pgkeep_repository::{Catalogue, Entry, Repository, RepositoryError};
use pgkeep_storage::StorageErrorKind;
use pgkeep_types::{BackupId, Clock, ClusterName, ObjectName, RunId, Timestamp};
use serde::Serialize;

use self::told::{Group, groups, tell, unfinished_bytes};
use crate::arguments::Prune;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::note_ring;
use crate::output::JSON_VERSION;
use crate::{terminal, words};

#[derive(Serialize)]
struct Report {
    version: u32,
    dry_run: bool,
    /// Runs that were taken for dead.
    dead: Vec<RunId>,
    /// What went, by what it was of.
    groups: Vec<Group>,
    objects: usize,
    /// Uploads that nobody will finish, and that went too.
    unfinished: usize,
    /// What the objects had. Where old versions are kept they take that room still.
    bytes: u64,
    /// Objects that should go as well, and are left for the next prune.
    left: usize,
    /// Whether the storage was seen to keep old versions of what is deleted.
    keeps_versions: bool,
    /// Why it is not known what is unfinished, where it is not: it stays.
    unfinished_unknown: Option<String>,
    /// What is no object of a repository, and stays.
    foreign: Vec<ObjectName>,
}

/// Prunes.
pub(crate) async fn run(arguments: &Prune, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let (cluster, cluster_settings) = context.cluster(&settings, arguments.cluster.as_ref())?;
    let keys = context.keys(&settings, None)?;
    let repository = context
        .repository(&settings, &cluster_settings, &keys)
        .await?;
    let catalogue = repository.catalogue(&cluster, &keys.all()).await?;
    let chosen: Result<BTreeSet<BackupId>, _> = arguments
        .ids
        .iter()
        .map(|text| find(&catalogue, text))
        .collect();
    let chosen = chosen?;
    let access = context.write_access(&settings, &repository, keys)?;

    let now = now(context, &repository, &cluster).await?;
    let terms = Terms {
        now,
        grace: Terms::GRACE,
        history: Terms::HISTORY,
        chosen: chosen.clone(),
    };
    let prune = repository.prune(&cluster, terms).await?;
    let plan = prune.preview().clone();
    let dead: Vec<RunId> = prune
        .declarations()
        .dead
        .iter()
        .map(|d| d.run.clone())
        .collect();
    tell(context, &catalogue, &chosen, &dead, &plan);

    let mut swept = Swept {
        objects: plan.deletions.len(),
        unfinished: plan.unfinished.len(),
        bytes: plan.deletions.iter().map(|d| d.size).sum::<u64>() + unfinished_bytes(&plan),
        left: 0,
    };
    if !arguments.dry_run {
        note_ring(&settings, &repository);
        if !chosen.is_empty() {
            let question = question(&catalogue, &chosen, context.clock.now());
            terminal::confirm(context, &question, arguments.yes).await?;
        }
        let pruner = Pruner {
            access: &access,
            pgkeep: env!("CARGO_PKG_VERSION"),
            now: context.clock.now(),
            reason: "it was chosen by its id",
        };
        swept = prune.carry_out(pruner, |_| {}).await?;
        check_gone(&repository, &cluster, &chosen).await?;
        context.output.data(format_args!(
            "deleted {}{}, {}\n",
            words::counted(swept.objects, "object"),
            match swept.unfinished {
                0 => String::new(),
                uploads => format!(" and {}", words::counted(uploads, "unfinished upload")),
            },
            words::size(swept.bytes)
        ));
        if let Some(left) = told::left(swept.left) {
            context.output.warning(left);
        }
    }
    let keeps_versions = repository.capabilities().versions;
    if keeps_versions && swept.objects > 0 {
        context.output.say(
            "the storage keeps old versions: what is deleted takes room until its lifecycle rule \
             removes them (docs/storage.md)",
        );
    }
    context.output.json(&Report {
        version: JSON_VERSION,
        dry_run: arguments.dry_run,
        dead,
        groups: groups(&plan),
        objects: swept.objects,
        unfinished: swept.unfinished,
        bytes: swept.bytes,
        left: swept.left,
        keeps_versions,
        unfinished_unknown: plan.unfinished_unknown,
        foreign: plan.foreign,
    })?;
    Ok(match swept.left {
        0 => Exit::Done,
        _ => Exit::Partial,
    })
}

/// The storage's now. Where nothing can be written that would tell it, the newest instant
/// that is known to have been, and no later one than the host's: what is deleted makes room.
async fn now(
    context: &Context,
    repository: &Repository,
    cluster: &ClusterName,
) -> Result<Timestamp, CliError> {
    use StorageErrorKind::{Denied, NoSpace};
    let error = match repository.storage_now(&context.random).await {
        Err(RepositoryError::Storage(error)) if matches!(error.kind, Denied | NoSpace) => error,
        now => return Ok(now?),
    };
    let newest = repository.newest_instant(cluster).await?;
    let now = context.clock.now();
    let now = newest.map_or(now, |newest| newest.min(now));
    context.output.warning(format_args!(
        "the storage's clock cannot be seen: {error}; the newest object's time is taken for now, \
         {}: what is younger than a day by that stays",
        words::time(now)
    ));
    Ok(now)
}

/// Looks whether what was chosen is gone: what deletes it believes no more than what
/// lists it.
async fn check_gone(
    repository: &Repository,
    cluster: &ClusterName,
    chosen: &BTreeSet<BackupId>,
) -> Result<(), CliError> {
    if chosen.is_empty() {
        return Ok(());
    }
    let catalogue = repository
        .catalogue(cluster, &Identities::default())
        .await?;
    for entry in &catalogue.entries {
        let (id, problem) = match entry {
            Entry::Complete(record) => (Some(&record.id), "it is still listed".to_owned()),
            Entry::Unreadable(unreadable) => (unreadable.id.as_ref(), unreadable.error.to_string()),
            Entry::Attempt(_) => continue,
        };
        if let Some(id) = id.filter(|id| chosen.contains(id)) {
            return Err(CliError::StillThere {
                id: id.clone(),
                problem,
            });
        }
    }
    Ok(())
}

/// The backup that is meant: one that is there, however damaged, or one that was
/// deleted before and of which something may be left.
fn find(catalogue: &Catalogue, text: &str) -> Result<BackupId, CliError> {
    let mut attempted = false;
    let there = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Complete(record) => Some(&record.id),
        Entry::Unreadable(unreadable) => unreadable.id.as_ref(),
        Entry::Attempt(attempt) => {
            attempted |= attempt.id.is_meant_by(text);
            None
        }
    });
    let there: BTreeSet<&BackupId> = there.filter(|id| id.is_meant_by(text)).collect();
    let deleted = catalogue.deleted.iter().map(|deleted| &deleted.id);
    let deleted: BTreeSet<&BackupId> = deleted.filter(|id| id.is_meant_by(text)).collect();
    let found = if there.is_empty() { deleted } else { there };
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one.clone()),
        (Some(_), Some(_)) => Err(CliError::NoSuchBackup {
            problem: format!("{text:?} is the beginning of several backups"),
            hint: "give more of the id".to_owned(),
        }),
        (None, _) if attempted => Err(CliError::NoSuchBackup {
            problem: format!("{text:?} never became a backup"),
            hint: "what is left of it goes with 'pgkeep prune', without --id".to_owned(),
        }),
        (None, _) => Err(CliError::NoSuchBackup {
            problem: format!("found no backup {text:?} in cluster {}", catalogue.cluster),
            hint: "'pgkeep list' shows what there is".to_owned(),
        }),
    }
}

/// What the chosen are to a database.
enum Loss {
    /// All its good backups.
    All,
    /// Its newest good one.
    Newest,
    /// One that may be its newest good one.
    Candidate,
}

/// The databases of which the newest good backup is among the chosen, or may be.
fn losses<'a>(
    catalogue: &'a Catalogue,
    chosen: &BTreeSet<BackupId>,
    now: Timestamp,
) -> BTreeMap<&'a str, Loss> {
    let goes = |backup: &BackupRecord| chosen.contains(&backup.id);
    let databases: BTreeSet<&str> = catalogue.complete().map(|b| b.database.as_str()).collect();
    let loss = |database| {
        let mut of_database = catalogue.complete().filter(|b| b.database == database);
        let candidates = catalogue.candidates(database, now);
        match (
            candidates.iter().any(|b| goes(b)),
            candidates.iter().all(|b| goes(b)),
        ) {
            _ if of_database.all(goes) => Some(Loss::All),
            (_, true) => Some(Loss::Newest),
            (true, false) => Some(Loss::Candidate),
            (false, false) => None,
        }
    };
    let losses = databases.into_iter().map(|name| (name, loss(name)));
    losses
        .filter_map(|(name, loss)| Some((name, loss?)))
        .collect()
}

fn question(catalogue: &Catalogue, chosen: &BTreeSet<BackupId>, now: Timestamp) -> String {
    let backups = match chosen.len() {
        1 => "this backup".to_owned(),
        count => format!("these {count} backups"),
    };
    let mut question = format!("delete {backups} for good?");
    for (database, loss) in losses(catalogue, chosen, now) {
        let what = match loss {
            Loss::All => "the only good one",
            Loss::Newest => "the newest good one",
            Loss::Candidate => "one that, for a wrong clock, may be the newest good one",
        };
        question = format!("{what} of database {database:?} is among them: {question}");
    }
    question
}
