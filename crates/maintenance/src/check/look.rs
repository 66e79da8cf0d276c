//! What a repository shows of a cluster, as plain data.
//!
//! Invariants: nothing is written, and no more is opened than the facts of the newest
//! backups. What is good is what the catalogue and the policy take for good; what a host
//! may open is asked of its keys, and what it may not is said to be unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgkeep_config::Databases;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{BackupRecord, Level, ProofOutcome};
use pgkeep_format::{Encryption, Identities};
use pgkeep_repository::{
    Attempt, Catalogue, Entry, Proof, Repository, RepositoryError, Unclear, Unreadable, is_ahead,
};
use pgkeep_types::{BackupId, Timestamp};

use super::seen::{
    Attempted, BadProof, Clusters, Damaged, Database, Good, Moved, Opens, Proofs, Refused, Rows,
    Seen, Space, State, Stored,
};
use crate::series::Known;

mod rows;

/// So many good backups before the newest say what is usual.
const BEFORE: usize = 8;
const DAY: u64 = 86_400;
/// Over so many seconds it is reckoned what is newly stored.
const LATELY: i64 = 14 * 86_400;
/// What is newly stored in less is no rate.
const LEAST: i64 = 86_400;

/// What is asked of a repository.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// What it holds of the cluster.
    pub catalogue: &'a Catalogue,
    /// The keys that are at hand.
    pub identities: &'a Identities,
    /// Of which databases backups are to be.
    pub databases: &'a Databases,
    /// Whether they are to have a part of each alone.
    pub part: bool,
    /// The databases of which the rows are wanted; all that are chosen, where there are
    /// none.
    pub rows_of: Option<&'a BTreeSet<String>>,
    /// How long facts are waited for; the rows of those that have not come are unseen.
    pub timeout: Duration,
    /// The time of this host's clock.
    pub now: Timestamp,
}

/// Looks. What is not the repository's or the cluster's to tell (`may_not_write`, `space`,
/// `clusters`) is left open.
pub async fn look(at: Look<'_>) -> Seen {
    let Look {
        repository,
        catalogue,
        now,
        ..
    } = at;
    let known = Known::new(catalogue);
    let good = |database: &str| {
        let series = known
            .good
            .iter()
            .filter(|(series, _)| series.database == database);
        let mut of_it: Vec<&BackupRecord> = series
            .filter(|(series, _)| at.part || !series.part)
            .flat_map(|(_, good)| good.iter().copied())
            .filter(|record| !is_ahead(record.started, now))
            // Somebody has deleted it, and only its pin keeps it for now.
            .filter(|record| catalogue.chosen(&record.id).is_none())
            .collect();
        of_it.sort_by_key(|record| std::cmp::Reverse((record.started, &record.id)));
        of_it
    };
    let mut databases = BTreeMap::new();
    let mut histories = Vec::new();
    for name in names_in(catalogue) {
        let mut of_it = good(&name);
        let moved = moved(&of_it);
        // What is usual of one server says nothing of another.
        let system = of_it.first().and_then(|newest| newest.system_id);
        of_it.retain(|record| {
            let is_told = system.is_some() && record.system_id.is_some();
            !is_told || record.system_id == system
        });
        let database = Database {
            moved,
            ..at.database(&name, &of_it)
        };
        let is_wanted = at
            .rows_of
            .map_or(database.chosen, |names| names.contains(&name));
        if is_wanted && !of_it.is_empty() {
            let newest = of_it.into_iter().take(BEFORE + 1).cloned();
            histories.push((name.clone(), newest.collect::<Vec<_>>()));
        }
        databases.insert(name, database);
    }
    let mut unread_facts = Vec::new();
    let mut is_late = false;
    for (name, counted) in at.rows(histories).await {
        is_late |= counted.is_late;
        unread_facts.extend(counted.damaged);
        if let Some(database) = databases.get_mut(&name) {
            database.rows = counted.rows;
        }
    }
    let unread = catalogue
        .complete()
        .flat_map(|b| catalogue.unread_of_run(b).map(move |u| (b, u)));
    let unsure = unread.map(|(backup, unread)| Damaged {
        id: Some(backup.id.clone()),
        database: Some(backup.database.clone()),
        begun: Some(backup.id.time()),
        problem: in_words(&unread.error),
    });
    let mut damaged: Vec<Damaged> = catalogue.unreadable().map(damage).collect();
    damaged.extend(unsure);
    damaged.extend(unread_facts);
    Seen {
        id: Some(repository.id()),
        databases,
        damaged,
        bad_proofs: catalogue.bad_proofs().iter().map(bad_proof).collect(),
        bad_pins: catalogue
            .unread_pins()
            .map(|bad| in_words(&bad.error))
            .collect(),
        readable: repository.encryption() == Encryption::None
            || !repository.recovery_recipients().is_empty(),
        bad_keys: repository.unreadable_keys().to_vec(),
        may_not_write: None,
        space: Space::Untold,
        stored: lately(catalogue, now),
        clusters: Clusters::default(),
        slow: is_late.then_some(at.timeout),
        unpinned: !repository.is_pinned(),
        newest: catalogue.newest_instant(),
    }
}

/// The databases of which there is anything.
fn names_in(catalogue: &Catalogue) -> BTreeSet<String> {
    let names = catalogue.entries.iter().filter_map(|entry| match entry {
        Entry::Complete(record) => Some(record.database.clone()),
        Entry::Attempt(attempt) => Some(attempt.database.clone()),
        Entry::Unreadable(unreadable) => unreadable.database.clone(),
    });
    names.collect()
}

fn bad_proof(bad: &Unreadable) -> BadProof {
    BadProof {
        problem: in_words(&bad.error),
        is_foreign: matches!(bad.error, RepositoryError::ForeignProof { .. }),
    }
}

fn damage(unreadable: &Unreadable) -> Damaged {
    let of_run = || match names::place(&unreadable.object)? {
        Place::Run(_, run, _) => Some(run.time()),
        _ => None,
    };
    Damaged {
        id: unreadable.id.clone(),
        database: unreadable.database.clone(),
        begun: unreadable.id.as_ref().map(BackupId::time).or_else(of_run),
        problem: in_words(&unreadable.error),
    }
}

/// How many bytes a day were newly stored of late.
fn lately(catalogue: &Catalogue, now: Timestamp) -> Stored {
    let ago = |then: Timestamp| now.duration_since(then).as_secs();
    let is_late = |then: Timestamp| ago(then) <= LATELY;
    let of_late = catalogue
        .complete()
        .filter(|record| is_late(record.started));
    let bytes: u128 = of_late.map(|record| u128::from(record.new_bytes)).sum();
    let oldest = catalogue.complete().map(|record| ago(record.started)).max();
    let seconds = oldest.unwrap_or(0).clamp(LEAST, LATELY);
    let per_day = bytes * u128::from(DAY) / u128::from(seconds.unsigned_abs());
    let per_day = u64::try_from(per_day).unwrap_or(u64::MAX);
    let mut deleted = catalogue
        .deleted
        .iter()
        .filter_map(|deleted| deleted.tombstone.as_ref());
    let is_pruned = deleted.any(|tombstone| is_late(tombstone.deleted));
    Stored {
        all: per_day,
        kept: if is_pruned { 0 } else { per_day },
    }
}

impl Look<'_> {
    /// What there is of a database; `good` are the good backups of it and of the newest one's
    /// server, the newest first.
    fn database(&self, name: &str, good: &[&BackupRecord]) -> Database {
        let Self {
            catalogue,
            repository,
            now,
            ..
        } = *self;
        let newest = good.first().copied();
        let unclear = match catalogue.newest(name, None, now) {
            Ok(_) => None,
            // It is told as what is damaged.
            Err(Unclear::Unreadable(..)) => None,
            Err(Unclear::Ahead(ahead)) => Some(format!(
                "backup {} says that it was made at {:.0}, which has not come",
                ahead.id.short(),
                ahead.started
            )),
            Err(Unclear::DatedBack(misdated) | Unclear::Misdated(misdated)) => Some(format!(
                "backup {} was made after {}, and says that it is older",
                misdated.later.id.short(),
                misdated.earlier.id.short()
            )),
        };
        let mut parts = catalogue
            .complete()
            .filter(|record| record.database == name);
        let part = parts.rfind(|record| {
            record.selected && !self.part && newest.is_none_or(|good| good.started < record.started)
        });
        let attempts = catalogue.entries.iter().filter_map(|entry| match entry {
            Entry::Attempt(attempt) if attempt.database == name => Some(attempt),
            _ => None,
        });
        let attempts =
            attempts.filter(|attempt| newest.is_none_or(|good| catalogue.is_after(attempt, good)));
        let attempt = attempts.max_by_key(|attempt| (attempt.begin.started, &attempt.id));
        Database {
            chosen: self.databases.has(name),
            newest: newest.map(|record| Good {
                id: record.id.clone(),
                started: record.started,
                bytes: record.raw_bytes,
                globals: record.globals,
                system: record.system_id,
                opens: opens(repository, record),
            }),
            unclear,
            part: part.map(|record| record.id.clone()),
            attempt: attempt.map(|attempt| attempted(catalogue, attempt, now)),
            sizes: good
                .iter()
                .skip(1)
                .take(BEFORE)
                .map(|record| record.raw_bytes)
                .collect(),
            rows: Rows::default(),
            since: good.last().map(|record| record.started),
            moved: None,
            proofs: self.proofs(name, good),
        }
    }

    /// What is proven of a database's backups, in whichever repository a copy of them was
    /// restored; `good` come with the newest first. A proof is
    /// as old as the later one of two clocks makes it.
    fn proofs(&self, name: &str, good: &[&BackupRecord]) -> Proofs {
        let catalogue = self.catalogue;
        let at = |proof: &Proof| proof.record.started.min(proof.stored);
        let refused = |proof: &Proof| Refused {
            id: proof.record.backup.clone(),
            at: at(proof),
            host: proof.record.host.clone(),
        };
        let newest_of = |level: Level| {
            let standing = good
                .iter()
                .filter(|record| catalogue.worth(&record.id) >= level);
            let proofs = standing.flat_map(|record| catalogue.proofs(&record.id));
            let proofs = proofs.filter(|proof| proof.record.level() >= Some(level));
            proofs.max_by_key(|proof| at(proof))
        };
        let proven = newest_of(Level::Proven);
        // One that a proof has refuted is not among the good ones.
        let all = || {
            let of_it = catalogue
                .complete()
                .filter(|record| record.database == name);
            of_it.filter(|record| self.part || !record.selected)
        };
        let proofs = || all().flat_map(|record| catalogue.proofs(&record.id));
        let newest = proofs().max_by_key(|proof| at(proof));
        // What a host cannot tell takes nothing back.
        let told = proofs().filter(|proof| proof.record.outcome != ProofOutcome::NotProvable);
        let failed = told.max_by_key(|proof| at(proof));
        let failed = failed.filter(|proof| proof.record.refutes());
        let mut newer = all().filter(|record| {
            let good = good.first();
            good.is_none_or(|good| good.started < record.started)
        });
        let of_newer = newer.find_map(|record| catalogue.refuted(&record.id));
        let not_provable = newest.filter(|proof| proof.record.outcome == ProofOutcome::NotProvable);
        Proofs {
            restorable: newest_of(Level::Restorable).map(at),
            proven: proven.map(at),
            asked: proven.map_or(0, |proof| proof.record.questions),
            failed: failed.or(of_newer).map(refused),
            not_provable: not_provable.map(refused),
            ever: proofs().filter_map(|proof| proof.record.level()).max(),
        }
    }
}

/// Whether backups, the newest first, are of another server than those before.
fn moved(good: &[&BackupRecord]) -> Option<Moved> {
    let mut told = good.iter().filter_map(|b| Some((b.system_id?, b.started)));
    let (now, mut since) = told.next()?;
    for (system, started) in told {
        if system != now {
            return Some(Moved {
                from: system,
                since,
            });
        }
        since = started;
    }
    None
}

fn attempted(catalogue: &Catalogue, attempt: &Attempt, now: Timestamp) -> Attempted {
    let state = match (attempt.outcome, catalogue.silent_since(attempt, now)) {
        (Some(_), _) => State::Failed(attempt.error.clone()),
        (None, _) if !catalogue.is_running(attempt, now) => State::CutOff,
        (None, Some(since)) => State::Silent(since),
        (None, None) => State::Running,
    };
    Attempted {
        id: attempt.id.clone(),
        started: attempt.begin.started,
        state,
    }
}

fn opens(repository: &Repository, record: &BackupRecord) -> Opens {
    match (
        repository.opens_to_anybody(record),
        repository.lacks_a_key_of(record),
    ) {
        (true, _) => Opens::ToSomebody,
        (false, true) => Opens::ToLost,
        (false, false) => Opens::ToRetired(repository.sealed_to(record)),
    }
}

/// An error with its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.ends_with(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}
