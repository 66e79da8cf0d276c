//! Which server the newest backups are of.
//!
//! Invariant: a server is known by its system identifier; one that does not tell it is
//! compared with nothing.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_types::{SystemId, Timestamp};

use super::super::finding::{Note, Severity, What};
use super::super::seen::{Asked, Seen};
use super::{Judging, age};

/// So many seconds it is told that backups are of another server than before: what is not
/// meant is noticed by then, and what is meant, such as an upgrade, alarms no longer.
const SERVER_CHANGED: u64 = 7 * 86_400;
impl Judging<'_> {
    /// Whether the newest backups are of this server, and of the one that those before are.
    pub(super) fn servers(
        &mut self,
        wanted: &BTreeSet<&str>,
        seen: &Seen,
        asked: Option<&Asked>,
        now: Timestamp,
    ) {
        let mut others: BTreeMap<(SystemId, SystemId), Vec<String>> = BTreeMap::new();
        let mut changes: BTreeMap<(SystemId, SystemId), (Timestamp, Vec<String>)> = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in wanted {
            let Some(database) = seen.databases.get(*name) else {
                continue;
            };
            let Some(newest) = &database.newest else {
                continue;
            };
            let server = asked.and_then(|asked| asked.system);
            if newest.system.is_none() || server.is_none() {
                unknown.push((*name).to_owned());
            }
            let Some(backups) = newest.system else {
                continue;
            };
            if let Some(server) = server.filter(|server| *server != backups) {
                let of_it = others.entry((backups, server)).or_default();
                of_it.push((*name).to_owned());
            }
            let moved = database.moved.as_ref();
            if let Some(moved) = moved.filter(|m| age(m.since, now) <= SERVER_CHANGED) {
                let of_it = changes.entry((moved.from, backups));
                let (since, names) = of_it.or_insert_with(|| (moved.since, Vec::new()));
                *since = moved.since.max(*since);
                names.push((*name).to_owned());
            }
        }
        if !unknown.is_empty() && asked.is_some() {
            self.note(Note::SystemUnknown(unknown));
        }
        for ((backups, server), databases) in others {
            let what = What::OtherServer {
                databases,
                backups,
                server,
            };
            self.find(Severity::Critical, what);
        }
        for ((from, to), (since, databases)) in changes {
            let what = What::ServerChanged {
                databases,
                from,
                to,
                since,
            };
            self.find(Severity::Warning, what);
        }
    }
}
