//! What a prune would do, told: what goes, of what, and how much it is.
//!
//! Invariant: everything that goes is told, and everything that was chosen and does not.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::BackupRecord;
use pgkeep_maintenance::left;
use pgkeep_repository::Catalogue;
use pgkeep_repository::deletion::{Plan, Prune, Reason};
use pgkeep_types::BackupId;
use serde::Serialize;

use crate::context::Context;
use crate::words;

/// Objects that go for one reason.
#[derive(Serialize)]
pub(super) struct Group {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<BackupId>,
    objects: usize,
    bytes: u64,
}

/// What objects are of, in the words of the JSON.
fn of(reason: &Reason) -> (&'static str, Option<&BackupId>) {
    match reason {
        Reason::Deleted(id) => ("deleted", Some(id)),
        Reason::Failed(id) => ("failed", Some(id)),
        Reason::Abandoned(id) => ("abandoned", Some(id)),
        Reason::Orphan => ("orphan", None),
        Reason::Sign => ("sign", None),
        Reason::Damaged => ("damaged", None),
        Reason::History => ("history", None),
        Reason::Verification => ("verification", None),
        Reason::Key => ("key", None),
        Reason::Probe => ("probe", None),
    }
}

/// What goes, by why.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let mut groups: BTreeMap<&Reason, (usize, u64)> = BTreeMap::new();
    for deletion in &plan.deletions {
        let (objects, bytes) = groups.entry(&deletion.reason).or_default();
        *objects += 1;
        *bytes += deletion.size;
    }
    let group = |(reason, (objects, bytes)): (&Reason, _)| {
        let (reason, backup) = of(reason);
        Group {
            reason,
            backup: backup.cloned(),
            objects,
            bytes,
        }
    };
    groups.into_iter().map(group).collect()
}

/// How many bytes come back of unfinished uploads, as far as that is known.
pub(super) fn unfinished_bytes(plan: &Plan) -> u64 {
    plan.unfinished
        .iter()
        .filter_map(|upload| upload.bytes)
        .sum()
}

/// Tells what goes and why.
pub(super) fn tell(
    context: &Context,
    catalogue: &Catalogue,
    chosen: &BTreeSet<BackupId>,
    prune: &Prune,
    plan: &Plan,
) {
    let output = context.output;
    let say = |words: std::fmt::Arguments<'_>| {
        output.data(format_args!("{}\n", output.folded(&words.to_string(), 2)));
    };
    for dead in &prune.declarations().dead {
        let run = &dead.run;
        say(format_args!(
            "run {run} has given no sign of life for a day, and is taken for dead"
        ));
    }
    let groups = groups(plan);
    // All of it may be needed by others.
    let gone: BTreeSet<&BackupId> = groups.iter().filter_map(|g| g.backup.as_ref()).collect();
    for id in chosen.iter().filter(|id| !gone.contains(id)) {
        say(format_args!(
            "backup {id}: nothing goes; nothing of it is left, or other backups or a run need that"
        ));
    }
    let records: BTreeMap<&BackupId, &BackupRecord> =
        catalogue.complete().map(|r| (&r.id, r)).collect();
    let left = left(catalogue, chosen);
    for group in &groups {
        let bytes = words::size(group.bytes);
        let objects = words::counted(group.objects, "object");
        let Some(id) = &group.backup else {
            let what = match group.reason {
                "orphan" => "of a host whose key was retired before",
                "damaged" => "damaged records of runs that are dead",
                "verification" => "what verifications have found and later ones say anew",
                "key" => "private keys under a passphrase that is no longer in use",
                "probe" => "left by somebody who tried out what the storage does",
                "sign" => "signs of life of runs that have ended",
                _ => "records of what is long over",
            };
            say(format_args!("{objects}, {bytes}: {what}"));
            continue;
        };
        let what = match (group.reason, records.get(id)) {
            ("deleted", Some(record)) => format!(
                "{} of database {} of {}",
                record.kind.as_str(),
                words::printable(&record.database),
                words::time(record.started)
            ),
            ("deleted", None) => "deleted".to_owned(),
            ("failed", _) => "failed".to_owned(),
            _ => "its run was cut off".to_owned(),
        };
        say(format_args!("backup {id}: {what}; {objects}, {bytes}"));
        if let Some(left) = left.get(id) {
            let left = words::size(*left);
            say(format_args!(
                "  {left} of it stay, since later backups refer to them"
            ));
        }
    }
    if !plan.unfinished.is_empty() {
        let uploads = words::counted(plan.unfinished.len(), "unfinished upload");
        let bytes = words::size(unfinished_bytes(plan));
        let told = match plan.unfinished.iter().all(|upload| upload.bytes.is_some()) {
            true => format!("{uploads}, {bytes}"),
            // A bucket does not tell.
            false => uploads,
        };
        say(format_args!("{told}: of writers that are gone"));
    }
    // What a table has told of is in the preview alone.
    let whole = prune.preview();
    let is_nothing = whole.deletions.is_empty() && whole.unfinished.is_empty();
    if is_nothing && chosen.is_empty() && prune.declarations().dead.is_empty() {
        say(format_args!("there is nothing to delete"));
    }
    if let Some(problem) = &plan.unfinished_unknown {
        context.output.warning(format_args!(
            "what killed writers have left unfinished could not be looked at, and stays: \
             {problem}; let the bucket remove it (docs/storage.md)"
        ));
    }
    for name in &plan.foreign {
        context.output.warning(format_args!(
            "{name} is no object of a repository, and stays"
        ));
    }
}

/// What is left for the next prune.
pub(super) fn left_over(objects: usize) -> Option<String> {
    let counted = words::counted(objects, "object");
    (objects > 0).then(|| {
        format!(
            "{counted} that should go as well are left, since others deleted backups all the \
             while: 'pgkeep prune' once more removes them"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_for_the_next_prune_is_told_and_nothing_is_where_nothing_is_left() {
        assert_eq!(left_over(0), None);
        let told = left_over(3).unwrap();
        assert!(told.starts_with("3 objects"), "{told}");
        assert!(told.contains("are left"), "{told}");
    }
}
