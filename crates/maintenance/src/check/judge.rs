//! The judgement: what was seen, limits and the time, to findings.
//!
//! Invariants: a pure function. Every database that a backup is to be of is measured in
//! every repository that was seen, and where it has no good backup there it has a finding.
//! An older backup is never better than a newer one.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_config::CheckSettings;
use pgkeep_types::{BackupId, Timestamp};

use super::finding::{Finding, Judgement, Measured, Note, Severity, What};
use super::proofs::{self, ProofLimits, Proven};
use super::rows;
use super::seen::{Asked, Attempted, Database, Good, Opens, Repository, Rows, Seen, Server, State};
use super::sizes::{self, HISTORY};

mod proven;
mod servers;
mod stored;
#[cfg(test)]
mod tests;

/// By how many seconds a server's clock may differ.
const SERVER_DIFFERS: u64 = 60;
/// By how many seconds a storage's clock may be ahead.
const STORAGE_DIFFERS: i64 = 600;

/// What is taken for fresh, for plausible and for room enough.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of the cluster.
    pub check: CheckSettings,
    /// What is wanted of proofs.
    pub proofs: ProofLimits,
}

/// Judges a cluster. `now` is the time of this host's clock: where a storage has seen a
/// later one, ages are of that.
#[must_use]
pub fn judge(
    server: &Server,
    repositories: &BTreeMap<String, Repository>,
    limits: &Limits,
    now: Timestamp,
) -> Judgement {
    let mut judging = Judging {
        limits: &limits.check,
        proofs: &limits.proofs,
        judgement: Judgement::default(),
        repository: None,
        proven: BTreeMap::new(),
        known: BTreeSet::new(),
    };
    let asked = match server {
        Server::Asked(asked) => {
            judging.server(asked);
            Some(asked)
        }
        Server::Unreachable(problem) => {
            let problem = problem.clone();
            judging.find(Severity::Warning, What::ServerUnreachable { problem });
            None
        }
    };
    for repository in repositories.values() {
        if let Repository::Seen(seen) = repository {
            judging.known.extend(seen.databases.keys().cloned());
        }
    }
    let mut latest = now;
    for (name, repository) in repositories {
        judging.repository = Some(name.clone());
        match repository {
            Repository::Seen(seen) => {
                latest = latest.max(seen.newest);
                judging.seen(seen, asked, now.max(seen.newest), now);
            }
            Repository::Unreachable(problem) => {
                let problem = problem.clone();
                judging.find(Severity::Critical, What::RepositoryUnreachable { problem });
            }
            Repository::TooSlow(after) => {
                let what = What::RepositoryTooSlow { after: *after };
                judging.find(Severity::Unknown, what);
            }
        }
    }
    judging.repository = None;
    judging.same(repositories);
    judging.proven(latest);
    judging.unasked(asked, repositories);
    let mut judgement = judging.judgement;
    // The oldest first, among those of a kind.
    judgement.findings.sort_by_key(|finding| {
        let age = match finding.what {
            What::Old { age, .. } | What::ProofOld { age, .. } => age,
            _ => 0,
        };
        std::cmp::Reverse((finding.severity, age))
    });
    judgement
}

struct Judging<'a> {
    limits: &'a CheckSettings,
    proofs: &'a ProofLimits,
    judgement: Judgement,
    /// The repository that is being judged.
    repository: Option<String>,
    /// What is proven of each database that has a good backup, in any repository.
    proven: BTreeMap<String, Proven>,
    /// The databases of which there is anything in any repository: a backup, good or not, or an
    /// attempt at one.
    known: BTreeSet<String>,
}

impl Judging<'_> {
    fn find(&mut self, severity: Severity, what: What) {
        self.judgement.findings.push(Finding {
            severity,
            repository: self.repository.clone(),
            what,
        });
    }

    fn note(&mut self, note: Note) {
        let repository = self.repository.clone();
        self.judgement.notes.push((repository, note));
    }

    fn server(&mut self, asked: &Asked) {
        if asked.databases.is_empty() {
            self.find(Severity::Critical, What::NoDatabases);
        }
        for database in &asked.missing {
            let database = database.clone();
            self.find(Severity::Warning, What::NamedMissing { database });
        }
        for pattern in asked.unmatched.clone() {
            self.note(Note::Unmatched(pattern));
        }
        if asked.ahead.unsigned_abs() > SERVER_DIFFERS {
            let ahead = asked.ahead;
            self.find(Severity::Warning, What::ServerClock { ahead });
        }
    }

    /// Finds names that are of one repository.
    fn same(&mut self, repositories: &BTreeMap<String, Repository>) {
        let mut known = BTreeMap::new();
        for (name, repository) in repositories {
            let Repository::Seen(seen) = repository else {
                continue;
            };
            let Some(first) = seen.id.and_then(|id| known.insert(id, name)) else {
                continue;
            };
            let what = What::OneRepository {
                first: first.clone(),
                second: name.clone(),
            };
            self.find(Severity::Critical, what);
        }
    }

    /// Judges a repository. `now` is the later of the clocks, `here` this host's.
    fn seen(&mut self, seen: &Seen, asked: Option<&Asked>, now: Timestamp, here: Timestamp) {
        let wanted = wanted(seen, asked);
        if wanted.is_empty() && seen.databases.values().all(|d| d.newest.is_none()) {
            self.find(Severity::Critical, What::Empty);
        }
        self.keys(seen);
        if let Some(after) = seen.slow {
            self.find(Severity::Unknown, What::RepositoryTooSlow { after });
        }
        let ahead = seconds_signed(here, seen.newest);
        if ahead > STORAGE_DIFFERS {
            self.find(Severity::Warning, What::StorageClock { ahead });
        }
        let nothing = Database::default();
        let of = |name: &str| seen.databases.get(name).unwrap_or(&nothing);
        let max_age = self.limits.max_age.as_secs();
        let is_fresh = |good: &Good| age(good.started, now) <= max_age;
        let any_fresh = wanted
            .iter()
            .any(|name| of(name).newest.as_ref().is_some_and(is_fresh));
        for name in &wanted {
            self.database(name, of(name), any_fresh, now);
        }
        self.servers(&wanted, seen, asked, now);
        for damaged in &seen.damaged {
            self.damaged(damaged, &wanted, seen);
        }
        for bad in seen.bad_proofs.clone() {
            self.find(Severity::Warning, What::BadProof { bad });
        }
        for problem in seen.bad_pins.clone() {
            self.find(Severity::Warning, What::BadPin { problem });
        }
        self.rows(&wanted, seen);
        self.space(seen);
        if asked.is_some() {
            let gone = seen.databases.iter().filter(|(name, database)| {
                database.chosen && database.newest.is_some() && !wanted.contains(name.as_str())
            });
            let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
            if !gone.is_empty() {
                self.note(Note::Gone(gone));
            }
        }
    }

    fn database(&mut self, name: &str, seen: &Database, any_fresh: bool, now: Timestamp) {
        let database = name.to_owned();
        self.freshness(&database, seen, any_fresh, now);
        if let Some(problem) = seen.unclear.clone() {
            let database = database.clone();
            self.find(Severity::Critical, What::Unclear { database, problem });
        }
        if let Some(id) = seen.part.clone() {
            let database = database.clone();
            self.find(Severity::Warning, What::Part { database, id });
        }
        if let Some(attempt) = &seen.attempt {
            self.attempt(&database, attempt, now);
        }
        if let Some((severity, what)) = proofs::refusals(name, &seen.proofs) {
            self.find(severity, what);
        }
        let Some(good) = &seen.newest else { return };
        let proven = self.proven.entry(database.clone()).or_default();
        proven.add(seen.since, &seen.proofs);
        let id = good.id.clone();
        if !good.globals {
            let (database, id) = (database.clone(), id.clone());
            self.find(Severity::Warning, What::NoGlobals { database, id });
        }
        let keys = match &good.opens {
            Opens::ToSomebody => None,
            Opens::ToRetired(keys) => Some(keys.clone()),
            Opens::ToLost => Some(Vec::new()),
        };
        if let Some(keys) = keys {
            let what = What::Sealed {
                database: database.clone(),
                id,
                keys,
            };
            self.find(Severity::Critical, what);
        }
        let (bytes, before) = (good.bytes, seen.sizes.as_slice());
        if let Some((usual, nothing)) = sizes::dump_shrunk(bytes, before, self.limits.max_shrink) {
            let severity = match nothing {
                true => Severity::Critical,
                false => Severity::Warning,
            };
            let what = What::Shrunk {
                database,
                bytes,
                usual,
            };
            self.find(severity, what);
        } else if let Some(usual) = sizes::dump_grown(bytes, before, self.limits.max_growth) {
            let what = What::Grown {
                database,
                bytes,
                usual,
            };
            self.find(Severity::Warning, what);
        }
    }

    fn freshness(&mut self, name: &str, seen: &Database, any_fresh: bool, now: Timestamp) {
        let database = name.to_owned();
        let newest = seen.newest.as_ref();
        let newest = newest.map(|good| (good.clone(), age(good.started, now)));
        self.judgement.measured.push(Measured {
            repository: self.repository.clone().unwrap_or_default(),
            database: database.clone(),
            newest: newest.clone(),
            proof: proofs::measured(&seen.proofs, now),
        });
        let Some((good, age)) = newest else {
            // Backups are made, and nobody has tried to make one of it yet.
            let new = any_fresh && !self.known.contains(name);
            let severity = match new {
                true => Severity::Warning,
                false => Severity::Critical,
            };
            return self.find(severity, What::NoBackup { database, new });
        };
        let wanted = self.limits.max_age.as_secs();
        let severity = match age {
            age if age > self.limits.critical_age.as_secs() => Severity::Critical,
            age if age > wanted => Severity::Warning,
            _ => return,
        };
        let what = What::Old {
            database,
            started: good.started,
            age,
            wanted,
        };
        self.find(severity, what);
    }

    fn attempt(&mut self, database: &str, attempt: &Attempted, now: Timestamp) {
        let (database, id) = (database.to_owned(), attempt.id.clone());
        let started = attempt.started;
        let (age, wanted) = (age(started, now), self.limits.max_run.as_secs());
        let what = match &attempt.state {
            State::Failed(problem) => What::Failed {
                database,
                id,
                started,
                problem: problem.clone(),
            },
            State::CutOff => What::CutOff {
                database,
                id,
                started,
            },
            State::Silent(since) => What::Silent {
                database,
                id,
                since: *since,
            },
            State::Running if age > wanted => What::Long {
                database,
                id,
                age,
                wanted,
            },
            State::Running => return,
        };
        self.find(Severity::Warning, what);
    }

    fn rows(&mut self, wanted: &BTreeSet<&str>, seen: &Seen) {
        let mut unseen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut young = Vec::new();
        for name in wanted {
            let Some(database) = seen.databases.get(*name).filter(|d| d.newest.is_some()) else {
                continue;
            };
            if database.sizes.len() < HISTORY {
                young.push((*name).to_owned());
            }
            let mut not_seen = |why: String| {
                let of = unseen.entry(why).or_default();
                of.push((*name).to_owned());
            };
            match &database.rows {
                Rows::Counted {
                    newest,
                    before,
                    missing,
                } => {
                    for (severity, what) in rows::judge(name, newest, before, self.limits) {
                        self.find(severity, what);
                    }
                    if let Some(why) = rows::uncounted(newest, before) {
                        not_seen(why);
                    }
                    if let Some(why) = missing.clone() {
                        not_seen(why);
                    }
                }
                Rows::Unseen(why) => not_seen(why.clone()),
                Rows::Damaged(problem) => {
                    let what = What::Damaged {
                        id: database.newest.as_ref().map(newest_id),
                        database: Some((*name).to_owned()),
                        problem: problem.clone(),
                    };
                    self.find(Severity::Critical, what);
                }
            }
        }
        for (why, names) in unseen {
            self.note(Note::RowsUnseen(names, why));
        }
        if !young.is_empty() {
            self.note(Note::NoHistory(young));
        }
    }
}

/// The databases that a backup is to be of: those that the server has, or where it cannot
/// be asked, those that the repository knows.
fn wanted<'a>(seen: &'a Seen, asked: Option<&'a Asked>) -> BTreeSet<&'a str> {
    match asked {
        Some(asked) => asked.databases.iter().map(String::as_str).collect(),
        None => {
            let known = seen
                .databases
                .iter()
                .filter(|(_, database)| database.chosen);
            known.map(|(name, _)| name.as_str()).collect()
        }
    }
}

fn newest_id(good: &Good) -> BackupId {
    good.id.clone()
}

/// So many seconds ago; 0 of what has not come.
pub(super) fn age(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(seconds_signed(then, now)).unwrap_or(0)
}

fn seconds_signed(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}
