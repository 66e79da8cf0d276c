//! The repository, its keys, the storage's clock and its space.
//!
//! Invariant: one object is written and removed again, as by a prune; nothing else is
//! changed.

use std::collections::BTreeMap;

use pgkeep_config::{ClusterSettings, Settings, StorageText};
use pgkeep_format::{Capabilities, Encryption};
use pgkeep_repository::{Catalogue, Entry, Repository};
use pgkeep_types::{Clock, ClusterName, Timestamp};

use super::findings::Findings;
use super::server::{ahead, tell_clock};
use crate::commands::list::BackupLine;
use crate::context::Context;
use crate::error::CliError;
use crate::words;

/// Looks at a cluster's repository.
pub(super) async fn look(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    of_cluster: &ClusterSettings,
    findings: &mut Findings,
) {
    let opened = async {
        let keys = context.keys(settings, None)?;
        let repository = context.repository(settings, of_cluster, &keys).await?;
        Ok::<_, CliError>((keys, repository))
    };
    let (keys, repository) = match opened.await {
        Ok(opened) => opened,
        Err(error) => return findings.error("repository", &error, error.hint()),
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
    let may_read = keys.has_recovery();
    match context.write_access(settings, &repository, keys) {
        Ok(_) => findings.good("keys", "this host may write"),
        Err(error) => findings.error("keys", &error, error.hint()),
    }
    if may_read && repository.encryption() == Encryption::Age {
        findings.warning(
            "keys",
            "a key that opens backups is on this machine",
            "remove it where nothing is restored: who breaks in here could read every backup",
        );
    }
    match repository.storage_now(&context.random).await {
        Ok(there) => {
            let ahead = ahead(there, context.clock.now());
            tell_clock("clock", "the storage's", ahead, findings);
        }
        Err(error) => findings.error("storage", &error, error.hint()),
    }
    newest(context, &repository, cluster, findings).await;
    if let Some(StorageText::Directory(path)) = of_cluster
        .repositories
        .first()
        .and_then(|name| settings.repositories.get(name))
        .map(|repository| &repository.storage)
    {
        space(path, findings);
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
    let unmade = unmade(&catalogue, now);
    for entry in &unmade {
        tell_unmade(&catalogue, entry, now, findings);
    }
    match catalogue.complete().next_back() {
        Some(_) | None if !unmade.is_empty() => {}
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

/// The newest attempt at each database that has ended, where it is no whole backup.
fn unmade(catalogue: &Catalogue, now: Timestamp) -> Vec<&Entry> {
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
    newest.retain(|_, entry| match entry {
        Entry::Complete(record) => !record.globals,
        Entry::Attempt(_) | Entry::Unreadable(_) => true,
    });
    newest.into_values().collect()
}

fn tell_unmade(catalogue: &Catalogue, entry: &Entry, now: Timestamp, findings: &mut Findings) {
    match entry {
        Entry::Complete(record) => findings.problem(
            "backups",
            format_args!(
                "the newest of database {:?}, {} of {}, is partial: the cluster's globals are not \
                 with it",
                record.database,
                record.id.short(),
                words::time(record.started)
            ),
            "make another one with 'pgkeep backup', which tells why they cannot be read",
        ),
        Entry::Attempt(attempt) => {
            let line = BackupLine::attempt(catalogue, attempt, now);
            let (database, id) = (&attempt.database, attempt.id.short());
            let started = words::time(attempt.begin.started);
            let mut good = catalogue.complete();
            let instead = match good.rfind(|backup| backup.database == *database) {
                Some(good) => format!("is of {}", words::time(good.started)),
                None => "is not there".to_owned(),
            };
            findings.problem(
                "backups",
                format_args!(
                    "the newest attempt at database {database:?}, {id} of {started}, is {}; a good \
                     backup {instead}",
                    line.status()
                ),
                &format!(
                    "'pgkeep show {id}' tells what is known of it; make another one with 'pgkeep \
                     backup'. Where the database is gone, 'pgkeep prune' forgets the attempt after \
                     90 days"
                ),
            );
        }
        Entry::Unreadable(_) => {}
    }
}

/// What a directory's file system has left.
fn space(path: &std::path::Path, findings: &mut Findings) {
    const LITTLE: u64 = 5;
    let found = match rustix::fs::statvfs(path) {
        Ok(found) => found,
        Err(error) => return findings.error("space", &std::io::Error::from(error), None),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let all = found.f_blocks.saturating_mul(found.f_frsize).max(1);
    let says = format!("{} of {} are free", words::size(free), words::size(all));
    if free.saturating_mul(100) / all < LITTLE {
        findings.warning("space", says, "make room, or move the repository");
    } else {
        findings.good("space", says);
    }
}
