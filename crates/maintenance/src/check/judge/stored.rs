//! What is judged of a repository as a whole: keys, damage, room.
//!
//! Invariant: what is damaged is never nothing to tell of.

use std::collections::BTreeSet;

use super::Judging;
use crate::check::finding::{Note, Severity, What};
use crate::check::seen::{Clusters, Damaged, Seen, Space};
use crate::check::space;

impl Judging<'_> {
    pub(super) fn keys(&mut self, seen: &Seen) {
        if seen.unpinned {
            self.note(Note::Unpinned);
        }
        if !seen.readable {
            self.find(Severity::Critical, What::NoRecoveryKey);
        }
        for problem in seen.bad_keys.clone() {
            self.find(Severity::Critical, What::BadKey { problem });
        }
        match &seen.may_not_write {
            None => self.note(Note::NoHostKey),
            // Told already, by what it is.
            Some(Some(_)) if !seen.bad_keys.is_empty() => {}
            Some(Some(problem)) => {
                let problem = problem.clone();
                self.find(Severity::Warning, What::MayNotWrite { problem });
            }
            Some(None) => {}
        }
    }

    /// What is damaged is critical where it may be the newest of a database.
    pub(super) fn damaged(&mut self, damaged: &Damaged, wanted: &BTreeSet<&str>, seen: &Seen) {
        let is_of_it = |name: &&&str| damaged.database.as_deref().is_none_or(|of| of == **name);
        let is_newest = |name: &str| {
            let newest = seen.databases.get(name).and_then(|d| d.newest.as_ref());
            let newest = newest.map(|good| good.id.time());
            damaged
                .begun
                .is_none_or(|begun| newest.is_none_or(|newest| begun >= newest))
        };
        let severity = match wanted.iter().filter(is_of_it).any(|name| is_newest(name)) {
            true => Severity::Critical,
            false => Severity::Warning,
        };
        let what = What::Damaged {
            id: damaged.id.clone(),
            database: damaged.database.clone(),
            problem: damaged.problem.clone(),
        };
        self.find(severity, what);
    }

    pub(super) fn space(&mut self, seen: &Seen) {
        match &seen.space {
            Space::Free(free) => {
                let name = self.repository.clone().unwrap_or_default();
                let lasts = space::lasts(*free, seen.stored.all);
                self.judgement.space.push((name, *free, lasts));
                match &seen.clusters {
                    Clusters::Listed(others) if others.is_empty() => {}
                    Clusters::Listed(others) => {
                        let others = others.iter().map(ToString::to_string);
                        self.note(Note::SpaceOfSome(others.collect()));
                    }
                    Clusters::Unknown(problem) => {
                        self.note(Note::OthersUnknown(problem.clone()));
                    }
                }
            }
            Space::Untold => self.note(Note::SpaceUntold),
            Space::Unknown(problem) => self.note(Note::SpaceUnknown(problem.clone())),
        }
        if let Some((severity, what)) = space::judge(seen, self.limits) {
            self.find(severity, what);
        }
    }
}
