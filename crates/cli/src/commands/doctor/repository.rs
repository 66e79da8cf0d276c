//! The repositories, their keys, the storages' clocks and their space.
//!
//! Invariant: in each one object is written and removed again, as by a prune; nothing else
//! is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use pgkeep_config::{ClusterSettings, Settings, StorageText};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Capabilities, Encryption, RepositoryId};
use pgkeep_repository::{Catalogue, Entry, Repository, RepositoryError, WriteAccess};
use pgkeep_restore::RestoreError;
use pgkeep_types::{Clock, ClusterName, Timestamp};

use super::directories;
use super::findings::Findings;
use super::server::{ahead, tell_clock};
use crate::commands::copy;
use crate::commands::list::BackupLine;
use crate::context::Context;
use crate::error::CliError;
use crate::storage::{self, Room};
use crate::words;

/// Looks at a cluster's repositories, as a backup uses them: it is made in the first, and
/// copied to the others. `meant` are the databases that a backup would be of now, where
/// that is known.
pub(super) async fn look(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    of_cluster: &ClusterSettings,
    meant: Option<&BTreeSet<String>>,
    findings: &mut Findings,
) {
    let names = &of_cluster.repositories;
    if let Err(error) = context.name_of(settings, of_cluster) {
        return findings.error("repository", &error, error.hint());
    }
    let mut first: Option<Opened> = None;
    let mut known: BTreeMap<RepositoryId, &str> = BTreeMap::new();
    for name in names {
        let mut found = Findings::default();
        if let Some(opened) = open(context, settings, name, &mut found).await {
            if let Some(other) = known.insert(opened.repository.id(), name) {
                let error = copy::one_and_the_same(other, name);
                found.error("repository", &error, error.hint());
            }
            match &first {
                None => newest(context, &opened.repository, cluster, meant, &mut found).await,
                Some(first) => copies(first, &opened, cluster, &mut found).await,
            }
            first = first.or(Some(opened));
        }
        if let Some(StorageText::Directory(path)) =
            settings.repositories.get(name).map(|of| &of.storage)
        {
            directories::look(path, cluster, &mut found);
            space(path, &mut found);
        }
        findings.append(found, (names.len() > 1).then_some(name));
    }
    if first.is_some_and(|opened| opened.unseals) {
        findings.warning(
            "keys",
            "a key that opens backups is on this machine",
            "remove it where nothing is restored: who breaks in here could read every backup",
        );
    }
}

/// A repository that can be read.
struct Opened<'a> {
    name: &'a str,
    repository: Repository,
    /// The right to write to it, where this host has it.
    access: Option<WriteAccess>,
    /// Whether backups there are sealed, and the key that opens them is at hand.
    unseals: bool,
}

/// Opens a repository, and looks at its storage and its keys.
async fn open<'a>(
    context: &Context,
    settings: &Settings,
    name: &'a str,
    findings: &mut Findings,
) -> Option<Opened<'a>> {
    let opened = async {
        let keys = context.keys(settings, None)?;
        let repository = context
            .open_repository(settings, name, &keys.pins())
            .await?;
        Ok::<_, CliError>((keys, repository))
    };
    let (keys, repository) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            findings.error("repository", &error, error.hint());
            return None;
        }
    };
    let sealed = match repository.encryption() {
        Encryption::Age => "sealed",
        Encryption::None => "NOT ENCRYPTED",
    };
    let location = repository.location();
    findings.good("repository", format_args!("{location}, {sealed}"));
    capabilities(repository.capabilities(), findings);
    for key in repository.unreadable_keys() {
        let mend = "'pgkeep key list' shows all keys; what is lost for good, 'pgkeep key repair' \
                    gives up";
        findings.problem("keys", key, mend);
    }
    let unseals = keys.has_recovery() && repository.encryption() == Encryption::Age;
    let access = match context.write_access(settings, &repository, keys) {
        Ok(access) => {
            findings.good("keys", "this host may write");
            Some(access)
        }
        Err(error) => {
            findings.error("keys", &error, error.hint());
            None
        }
    };
    match repository.storage_now(&context.random).await {
        Ok(there) => {
            let ahead = ahead(there, context.clock.now());
            tell_clock("clock", "the storage's", ahead, findings);
        }
        Err(error) => findings.error("storage", &error, error.hint()),
    }
    Some(Opened {
        name,
        repository,
        access,
        unseals,
    })
}

/// Whether what is made in the first repository can be copied to another one.
async fn copies(
    first: &Opened<'_>,
    other: &Opened<'_>,
    cluster: &ClusterName,
    findings: &mut Findings,
) {
    if let (Some(firsts), Some(others)) = (&first.access, &other.access)
        && !other.repository.is_like(others, &first.repository, firsts)
    {
        let error = copy::no_family(first.name, other.name);
        findings.error("repository", &error, error.hint());
    }
    let none = pgkeep_format::Identities::default();
    match other.repository.catalogue(cluster, &none).await {
        Ok(catalogue) => {
            for unreadable in catalogue.unreadable() {
                findings.error("backups", &unreadable.error, unreadable.error.hint());
            }
        }
        Err(error) => findings.error("backups", &error, error.hint()),
    }
}

fn capabilities(found: Capabilities, findings: &mut Findings) {
    if found.create_only {
        findings.good("storage", "a second write to a name is refused");
    } else {
        findings.warning(
            "storage",
            "the storage was not seen to refuse a second write to a name",
            "nothing needs it: names are unique; where it matters whose hands can overwrite, \
             another server or versioning helps",
        );
    }
}

async fn newest(
    context: &Context,
    repository: &Repository,
    cluster: &ClusterName,
    meant: Option<&BTreeSet<String>>,
    findings: &mut Findings,
) {
    let none = pgkeep_format::Identities::default();
    let catalogue = match repository.catalogue(cluster, &none).await {
        Ok(catalogue) => catalogue,
        Err(error) => return findings.error("backups", &error, error.hint()),
    };
    for unreadable in catalogue.unreadable() {
        findings.error("backups", &unreadable.error, unreadable.error.hint());
    }
    let now = context.clock.now();
    let mut is_problem = false;
    if let Some(newer) = catalogue.is_behind(now) {
        let behind = RepositoryError::ClockBehind {
            now,
            backup: newer.id.clone(),
            started: newer.started,
        };
        findings.error("clock", &behind, behind.hint());
    }
    for unmade in unmade(&catalogue, meant, now) {
        is_problem |= !unmade.is_past;
        tell_unmade(&catalogue, &unmade, now, findings);
    }
    let databases: BTreeSet<&str> = catalogue
        .complete()
        .map(|backup| backup.database.as_str())
        .collect();
    let mut newest: Option<&BackupRecord> = None;
    for database in databases {
        match pgkeep_restore::newest(&catalogue, database, None, now) {
            Ok(found) => {
                let of_interest = found.filter(|_| meant.is_none_or(|m| m.contains(database)));
                is_problem |= of_interest.is_some_and(|b| tell_refuted(&catalogue, b, findings));
                newest = newest.into_iter().chain(found).max_by_key(|b| b.started);
            }
            // It was told above.
            Err(RestoreError::Unreadable { .. }) => is_problem = true,
            Err(error) => {
                let says = format!("database {database:?}: {error}");
                let mend = "a restore of the newest is refused; 'pgkeep list' shows all, and \
                            'pgkeep restore --backup ID' takes the one that is named. A backup \
                            that is newer by all clocks ends it";
                if meant.is_none_or(|meant| meant.contains(database)) {
                    is_problem = true;
                    findings.problem("backups", says, mend);
                } else {
                    findings.warning("backups", says, mend);
                }
            }
        }
    }
    match newest {
        Some(_) | None if is_problem => {}
        Some(backup) => findings.good(
            "backups",
            format_args!(
                "the newest is of database {:?}, {} ago",
                backup.database,
                words::duration(backup.finished, now)
            ),
        ),
        None => findings.warning("backups", "there is none yet", "'pgkeep backup' makes one"),
    }
}

/// Tells that the newest backup of a database has failed its proof; whether it has, or may
/// have, by a record that cannot be read and is told as such.
fn tell_refuted(catalogue: &Catalogue, backup: &BackupRecord, findings: &mut Findings) -> bool {
    let (id, database) = (&backup.id, &backup.database);
    if catalogue.refuted(id).is_none() {
        return catalogue.unread_proof(id).is_some() || catalogue.unread_verification(id).is_some();
    }
    findings.problem(
        "backups",
        format!("{id}, the newest of database {database:?}, FAILED its proof"),
        "'pgkeep show' with that id tells what failed; make another backup, and prove it",
    );
    true
}

/// The newest of a database, where it is no whole backup.
struct Unmade<'a> {
    entry: &'a Entry,
    /// Whether there will be no other: a backup is not of that database any more, and one
    /// that is of others was made since. Without the latter it may be that no database
    /// could be listed, which is told of the connection's own.
    is_past: bool,
}

/// The newest attempt at each database that has ended, where it is no whole backup.
fn unmade<'a>(
    catalogue: &'a Catalogue,
    meant: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> Vec<Unmade<'a>> {
    let mut newest: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in &catalogue.entries {
        match entry {
            Entry::Complete(record) => {
                newest.insert(&record.database, entry);
            }
            Entry::Attempt(attempt) if !catalogue.is_running(attempt, now) => {
                newest.insert(&attempt.database, entry);
            }
            // The one is told as what it is, and of the other nobody knows yet.
            Entry::Unreadable(_) | Entry::Attempt(_) => {}
        }
    }
    let is_meant = |database: &str| meant.is_none_or(|meant| meant.contains(database));
    let whole = catalogue.complete().filter(|record| record.globals);
    let whole = whole.filter(|record| is_meant(&record.database));
    let last_whole = whole.map(|record| record.started).max();
    let unmade = newest.into_iter().filter_map(|(database, entry)| {
        let started = match entry {
            Entry::Complete(record) if record.globals => return None,
            Entry::Complete(record) => record.started,
            Entry::Attempt(attempt) => attempt.begin.started,
            Entry::Unreadable(_) => return None,
        };
        let is_past = !is_meant(database) && last_whole >= Some(started);
        Some(Unmade { entry, is_past })
    });
    unmade.collect()
}

fn tell_unmade(
    catalogue: &Catalogue,
    unmade: &Unmade<'_>,
    now: Timestamp,
    findings: &mut Findings,
) {
    match unmade.entry {
        Entry::Complete(record) => {
            let says = format!(
                "the newest of database {:?}, {} of {}, is partial: the cluster's globals are not \
                 with it",
                record.database,
                record.id.short(),
                words::time(record.started)
            );
            if unmade.is_past {
                let mend = "no other is made of it: whoever restores it makes its roles first";
                findings.warning("backups", says, mend);
            } else {
                let mend = "make another one with 'pgkeep backup', which tells why they cannot be \
                            read";
                findings.problem("backups", says, mend);
            }
        }
        Entry::Attempt(attempt) => {
            let line = BackupLine::attempt(catalogue, attempt, now);
            let (database, id) = (&attempt.database, attempt.id.short());
            let started = words::time(attempt.begin.started);
            let mut good = catalogue.complete();
            let instead = match good.rfind(|backup| backup.database == *database) {
                Some(good) => format!("is of {}", words::time(good.started)),
                None => "is not there".to_owned(),
            };
            let says = format!(
                "the newest attempt at database {database:?}, {id} of {started}, is {}; a good \
                 backup {instead}",
                line.status()
            );
            if unmade.is_past {
                let now = "no backup is of that database now";
                findings.good("backups", format_args!("{says}; {now}"));
            } else {
                let mend = format!(
                    "'pgkeep show {id}' tells what is known of it; make another one with 'pgkeep \
                     backup'. Where the database is gone, the attempt is no problem any more once \
                     the others were backed up"
                );
                findings.problem("backups", says, &mend);
            }
        }
        Entry::Unreadable(_) => {}
    }
}

/// What a directory's file system has left.
fn space(path: &std::path::Path, findings: &mut Findings) {
    const LITTLE: u64 = 5;
    let Room { free, all } = match storage::room(path) {
        Ok(Some(room)) => room,
        Ok(None) => {
            return findings.good("space", "the file system does not tell how much is free");
        }
        // That nothing is there is told of the repository.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(source) => {
            let error = CliError::File {
                what: "tell the free space of",
                path: path.to_owned(),
                source,
            };
            return findings.error("space", &error, error.hint());
        }
    };
    let says = format!("{} of {} are free", words::size(free), words::size(all));
    if free.saturating_mul(100) / all.max(1) < LITTLE {
        findings.warning("space", says, "make room, or move the repository");
    } else {
        findings.good("space", says);
    }
}
