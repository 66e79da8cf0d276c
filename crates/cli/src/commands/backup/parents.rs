//! Which earlier backups the next ones are compared with.
//!
//! Invariant: that one is not compared with, or not with the newest, is told with
//! what to do about it.

use std::collections::BTreeSet;

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Identities, names};
use pgkeep_repository::{
    Catalogue, ParentChoice, Repository, RepositoryError, RunPlan, WriteAccess, is_ahead,
};
use pgkeep_types::{Clock, RunId, SystemId, Timestamp};

use super::systems::Before;
use crate::commands::list::{warn_of_clock, warn_of_misdated};
use crate::context::Context;
use crate::words;

/// So many runs are named at most.
const NAMED: usize = 5;

/// Finds the backups to compare those of server `system` with; where `whole`, none. Without them more is stored,
/// and nothing lost. What was deleted in one of the `others` is not compared with: what rests
/// on it could not be copied there. Tells which servers the backups so far are of.
///
/// # Errors
/// `ClockBehind` where the next backup would be dated before one that there is. `whole`
/// is the way past that, for where that one's date is the wrong one: then it is told.
pub(super) async fn find_parents(
    context: &Context,
    repository: &Repository,
    access: &WriteAccess,
    plan: &mut RunPlan,
    system: Option<SystemId>,
    whole: bool,
    others: &[Catalogue],
) -> Result<Before, RepositoryError> {
    let no_keys = Identities::default();
    let mut before = Before::default();
    match repository.catalogue(&plan.cluster, &no_keys).await {
        Ok(catalogue) => {
            before = Before::of(&catalogue, plan.backups.iter().map(|b| &b.database));
            let now = context.clock.now();
            if let Some(newer) = catalogue.is_behind(now) {
                let behind = RepositoryError::ClockBehind {
                    now,
                    backup: newer.id.clone(),
                    started: newer.started,
                };
                if !whole {
                    return Err(behind);
                }
                context.output.warning(format_args!(
                    "{behind}; it is made all the same, since it is to be whole: where this \
                     host's clock is the wrong one, set it, and make the backup again"
                ));
            }
            for unread in catalogue.unread_verifications() {
                context.output.warning(format_args!(
                    "{}: it may say that earlier backups are hurt, and nothing is compared with \
                     those until 'pgkeep verify' has read them again",
                    unread.error
                ));
            }
            let mut runless = Vec::new();
            let mut unfit = BTreeSet::new();
            for other in others {
                unfit.extend(other.no_parents(&catalogue)?);
            }
            for backup in &mut plan.backups {
                warn_of_misdated(context, &catalogue, &backup.database);
                if whole {
                    continue;
                }
                let database = &backup.database;
                let chosen = catalogue.parent(access, plan.kind, database, system, &unfit);
                runless.extend(&chosen.runless);
                tell_choice(context, database, &chosen);
                if let Some(parent) = chosen.backup {
                    warn_of_later_parent(context, parent, now);
                }
                backup.parent = chosen.backup.map(|parent| parent.id.clone());
            }
            if let Some(told) = of_lost_runs(&catalogue, &runless) {
                context.output.warning(told);
            }
            let mut ahead = catalogue.complete().filter(|b| is_ahead(b.started, now));
            if let Some(backup) = ahead.next_back() {
                warn_of_clock(context, &catalogue, backup);
            }
        }
        Err(error) if whole => context
            .output
            .warning(format_args!("earlier backups cannot be looked at: {error}")),
        Err(error) => context.output.warning(format_args!(
            "earlier backups cannot be compared with, and everything is stored: {error}"
        )),
    }
    Ok(before)
}

/// Tells that the next backup will be dated before the one that it is compared with, by no
/// more than clocks differ: what is beyond that is refused, or told of that one's clock.
fn warn_of_later_parent(context: &Context, parent: &BackupRecord, now: Timestamp) {
    if parent.started <= now || is_ahead(parent.started, now) {
        return;
    }
    context.output.warning(format_args!(
        "this host's clock says {}, and backup {}, with which the next one is compared, was begun \
         at {}: the next one is dated before it, and 'pgkeep restore' takes neither for the \
         newest unasked, until there is a newer one. Set the clock of whichever host is wrong, \
         and make the backup again",
        words::time(now),
        parent.id.short(),
        words::time(parent.started)
    ));
}

/// Tells of backups of whose runs nothing is there.
fn of_lost_runs(catalogue: &Catalogue, runless: &[&BackupRecord]) -> Option<String> {
    let first = runless.first()?;
    let runs: BTreeSet<&RunId> = runless.iter().map(|backup| &backup.run).collect();
    let named = runs.iter().take(NAMED);
    let named: Vec<String> = named.map(ToString::to_string).collect();
    let more = match runs.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let databases: BTreeSet<String> = (runless.iter())
        .map(|backup| words::printable(&backup.database))
        .collect();
    let databases: Vec<String> = databases.into_iter().collect();
    Some(format!(
        "nothing is there of the runs {}{more}, so nothing tells whether their backups are whole \
         ({}{}): those of {} that are made now are not compared with them, and store anew what \
         they have. Bring {} back from another copy of the repository, and the next ones store \
         what has changed",
        named.join(", "),
        first.id.short(),
        match runless.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        },
        databases.join(", "),
        names::runs(&catalogue.cluster),
    ))
}

/// Tells where more is stored than would be if hosts shared their key.
fn tell_choice(context: &Context, database: &str, chosen: &ParentChoice<'_>) {
    let Some(shut) = chosen.shut else { return };
    let instead = match chosen.backup {
        Some(older) => format!(
            "compared with backup {}, an old one of this host's",
            older.id.short()
        ),
        None => "stored whole".to_owned(),
    };
    let host = words::printable(shut.host);
    context.output.warning(format_args!(
        "database {database:?} is {instead}: its last backup, {}, is of host {host}, and this \
         host's key does not open what it would have to be compared with. Where hosts of one \
         cluster share a key, each stores only what has changed: copy the host key file of {host} \
         here, and name it with host_key_file in [encryption]",
        shut.backup.id.short()
    ));
}
