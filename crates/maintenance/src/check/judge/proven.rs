//! What is judged of proofs and questions, in all repositories together.
//!
//! Invariants: a proof of a backup in one repository stands for its copies. A question that
//! no new backup will ever answer is told.

use std::collections::BTreeMap;

use pgkeep_types::Timestamp;

use super::Judging;
use crate::check::finding::{Note, Severity, What};
use crate::check::proofs;
use crate::check::seen::{Asked, Repository};

impl Judging<'_> {
    /// How old proofs are.
    pub(super) fn proven(&mut self, now: Timestamp) {
        let mut never = Vec::new();
        for (name, proven) in std::mem::take(&mut self.proven) {
            if let Some((severity, what)) = proofs::freshness(&name, &proven, self.proofs, now) {
                self.find(severity, what);
            }
            if let Some((severity, what)) = proofs::unanswered(&name, &proven, self.proofs) {
                self.find(severity, what);
            }
            if proven.is_nothing() && !self.proofs.are_wanted() {
                never.push(name);
            }
        }
        if !never.is_empty() {
            self.note(Note::NeverProven(never));
        }
    }

    /// Finds questions about databases of which there is no backup, or none is made any more.
    pub(super) fn unasked(
        &mut self,
        asked: Option<&Asked>,
        repositories: &BTreeMap<String, Repository>,
    ) {
        let seen = repositories.values().map(|repository| match repository {
            Repository::Seen(seen) => Some(seen),
            Repository::Unreachable(_) | Repository::TooSlow(_) => None,
        });
        // One that was not seen may have backups of it.
        let all: Option<Vec<_>> = seen.clone().collect();
        let all_seen = all.is_some_and(|all| !all.is_empty());
        for database in self.proofs.questioned.keys() {
            let is_named = |asked: &Asked| {
                asked.databases.contains(database) || asked.missing.contains(database)
            };
            // That there is no backup of it, or that it is missing, is told already.
            if asked.is_some_and(is_named) {
                continue;
            }
            let mut seen = seen.clone().flatten();
            let is_known = seen.any(|seen| seen.databases.contains_key(database));
            let stale = match (is_known, asked) {
                (true, Some(_)) => true,
                (true, None) => continue,
                (false, _) if all_seen => false,
                (false, _) => continue,
            };
            let database = database.clone();
            self.find(Severity::Warning, What::Unasked { database, stale });
        }
    }
}
