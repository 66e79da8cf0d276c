//! Whether the server that is backed up is the one that was backed up before.
//!
//! Invariant: a server is known by its system identifier, never by its address or by what
//! its databases are called; one that does not tell it is compared with nothing.

use std::collections::BTreeMap;

use pgkeep_repository::Catalogue;
use pgkeep_types::SystemId;

use super::report::Ended;
use crate::context::Context;

/// The servers that the newest backups so far are of, by database.
#[derive(Default)]
pub(super) struct Before(BTreeMap<String, SystemId>);

impl Before {
    pub(super) fn of<'a>(
        catalogue: &Catalogue,
        databases: impl Iterator<Item = &'a String>,
    ) -> Self {
        let newest = databases.filter_map(|database| {
            let of_it = catalogue.complete().filter(|b| b.database == *database);
            let told = of_it.filter_map(|b| Some((b.started, b.system_id?)));
            let (_, system) = told.max_by_key(|(started, _)| *started)?;
            Some((database.clone(), system))
        });
        Self(newest.collect())
    }

    /// Tells of databases that are of another server than before.
    pub(super) fn tell_change(&self, context: &Context, ended: &[Ended]) {
        let mut changed: BTreeMap<(SystemId, SystemId), Vec<String>> = BTreeMap::new();
        for (planned, made) in ended {
            let now = made.as_ref().ok().and_then(|record| record.system_id);
            let before = self.0.get(&planned.database).copied();
            if let (Some(before), Some(now)) = (before, now)
                && before != now
            {
                let names = changed.entry((before, now)).or_default();
                names.push(format!("{:?}", planned.database));
            }
        }
        for ((before, now), names) in changed {
            context.output.warning(format_args!(
                "the backups of {} so far are of another server (system {before}; this one is \
                 {now}): those stay, whatever is made of this one; where this is not the server \
                 that is meant, look at 'connection'",
                names.join(", ")
            ));
        }
    }
}
