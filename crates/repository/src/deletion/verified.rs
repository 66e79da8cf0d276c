//! What goes of what verifications have found.
//!
//! Invariant: nothing goes that anybody could still go by; see
//! [`superseded`](crate::verification::superseded).

use std::collections::BTreeMap;

use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::{ObjectName, ObjectNameError, Timestamp, VerificationId};

use super::keep::Kept;
use super::outlook::Outlook;
use super::plan::{Plan, Reason, Terms};
use crate::verification::{Wanted, superseded};

/// Nothing else waits for what goes in this stage.
const STAGE: u8 = 7;

pub(super) fn of_verifications(
    outlook: &Outlook<'_>,
    terms: &Terms,
    kept: &Kept,
    plan: &mut Plan,
) -> Result<(), ObjectNameError> {
    let seen = outlook.seen;
    if seen.listing.verifications.is_empty() {
        return Ok(());
    }
    let mut needed = kept.cited.clone();
    for id in &kept.backups {
        for part in [BackupPart::Manifest, BackupPart::Facts] {
            let name = names::backup(&seen.cluster, id, part)?;
            let is_cited = seen.records.backups.contains_key(id);
            if is_cited || outlook.sizes.contains_key(&name) {
                needed.insert(name);
            }
        }
    }
    let backups = came(&seen.listing.backups);
    let verifications = came(&seen.listing.verifications);
    let stored = |id: &VerificationId| {
        let name = names::verification(&seen.cluster, id).ok()?;
        verifications.get(&name).copied()
    };
    let wanted = Wanted {
        needed: &needed,
        came: &|name| backups.get(name).copied(),
        stored: &stored,
    };
    let over = superseded(&seen.records.verifications, &wanted)?;
    for object in &seen.listing.verifications {
        match names::place(&object.name) {
            Some(Place::Verification(_, id)) if over.contains(&id) => {
                plan.delete(object, STAGE, Reason::Verification);
            }
            Some(_) if seen.records.nothing.contains(&object.name) => {
                if terms.is_older(object.modified, terms.grace) {
                    plan.delete(object, STAGE, Reason::Orphan);
                }
            }
            Some(_) => {}
            None => plan.foreign.push(object.name.clone()),
        }
    }
    Ok(())
}

/// When objects came to be, by the storage's clock.
fn came(objects: &[ObjectMeta]) -> BTreeMap<&ObjectName, Timestamp> {
    let objects = objects.iter();
    objects.map(|o| (&o.name, o.modified)).collect()
}
