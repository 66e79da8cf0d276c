//! The repository, its keys, the storage's clock and its space.
//!
//! Invariant: one object is written and removed again, as by a prune; nothing else is
//! changed.

use pgkeep_config::{ClusterSettings, Settings, StorageText};
use pgkeep_format::{Capabilities, Encryption};
use pgkeep_repository::Repository;
use pgkeep_types::{Clock, ClusterName};

use super::findings::Findings;
use super::server::{ahead, tell_clock};
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
    match catalogue.complete().next_back() {
        Some(backup) => findings.good(
            "backups",
            format_args!(
                "the newest is of database {:?}, {} ago",
                backup.database,
                words::duration(backup.finished, context.clock.now())
            ),
        ),
        None => findings.warning("backups", "there is none yet", "'pgkeep backup' makes one"),
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
