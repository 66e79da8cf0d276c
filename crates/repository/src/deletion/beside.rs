//! What goes besides a cluster's objects: private keys and probes that somebody has left,
//! and uploads that nobody will finish.
//!
//! Invariant: only what is certain to be a repository's goes; names that only begin as ours
//! do are other people's.

use pgkeep_format::names;
use pgkeep_types::{BackupId, ObjectName};

use super::outlook::Outlook;
use super::plan::{Plan, Reason, Terms};
use super::seen::Seen;

/// Nothing else waits for what goes in this stage.
const STAGE: u8 = 7;

/// Private keys that count as nothing for good, and probes, once they are old.
pub(super) fn of_beside(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    let listed = outlook.seen.listing.beside.iter();
    for object in listed.filter(|object| terms.is_older(object.modified, terms.grace)) {
        if outlook.seen.records.keys_over.contains(&object.name) {
            plan.delete(object, STAGE, Reason::Key);
        } else if names::is_probe(object.name.as_str()) {
            plan.delete(object, STAGE, Reason::Probe);
        }
    }
}

/// What an upload has left goes when its run has ended or is dead, since nobody finishes
/// it then, and what belongs to no known run when it is old. All that is lost where that
/// is wrong is an upload of a run that comes to nothing in any case. One that is to become
/// no object of a repository is somebody else's, and stays.
pub(super) fn of_uploads(outlook: &Outlook<'_>, terms: &Terms, plan: &mut Plan) {
    let listing = &outlook.seen.listing;
    plan.unfinished_unknown
        .clone_from(&listing.unfinished_unknown);
    let unfinished = listing.unfinished.iter().chain(&listing.unfinished_beside);
    for upload in unfinished.filter(|upload| is_ours(&upload.object)) {
        let run = backup_in(outlook.seen, &upload.object).and_then(|id| outlook.run(&id));
        let goes = match run {
            Some(run) if run.ended || run.dead => true,
            Some(run) if run.lives() => false,
            Some(_) | None => terms.is_older(upload.modified, terms.grace),
        };
        if goes {
            plan.unfinished.push(upload.clone());
        }
    }
}

/// The backup in whose folder an object was to be.
fn backup_in(seen: &Seen, object: &str) -> Option<BackupId> {
    let inside = object.strip_prefix(&names::backups(&seen.cluster))?;
    inside.split('/').next()?.parse().ok()
}

/// Whether what was to be at this name is an object of a repository, or any one in this
/// folder: a directory knows no more of a file under a temporary name, which is ours.
fn is_ours(object: &str) -> bool {
    if object.is_empty() || object.ends_with('/') {
        return true;
    }
    let name = object.parse::<ObjectName>().ok();
    let is_object =
        |name: &ObjectName| names::place(name).is_some() || names::key_object(name).is_some();
    names::is_probe(object) || name.as_ref().is_some_and(is_object)
}
