//! What was listed and read, put together to a catalogue.
//!
//! Invariants: a record that went away between being listed and being read was
//! deleted by somebody; it is no damage. A tombstone hides its backup, whatever it
//! says; one that cannot be verified is told in its place.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{
    BackupRecord, Outcome, PlannedBackup, RunBegin, RunErrors, RunOutcome, Tombstone, Verification,
};
use pgkeep_format::{Encryption, Hash, VerifyingKey};
use pgkeep_storage::ObjectMeta;
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};

use super::lost::{lost, missing};
use super::parent::Origin;
use super::pins::Pins;
use super::proofs::{Proof, Proofs, proven};
use super::{Attempt, Catalogue, Deleted, Entry, Unreadable};
use crate::cited::lengths;
use crate::cluster_records::ClusterRecord;
use crate::verification::{ReadBack, Stored, in_words};
use crate::{Repository, RepositoryError};

/// What was listed and read.
#[derive(Default)]
pub(super) struct Found {
    sizes: BTreeMap<ObjectName, u64>,
    /// When objects of backups came to be, by the storage's clock.
    came: BTreeMap<ObjectName, Timestamp>,
    /// When proofs were stored, and verifications, by the same.
    stored: BTreeMap<ObjectName, Timestamp>,
    proofs: Vec<(ObjectName, Proof)>,
    newest: Timestamp,
    /// When runs were begun, by the storage's clock.
    begun: BTreeMap<RunId, Timestamp>,
    /// The last signs of life of runs, and of backups.
    signs: BTreeMap<RunId, Timestamp>,
    grown: BTreeMap<BackupId, Timestamp>,
    dead: BTreeSet<RunId>,
    tombstones: BTreeMap<BackupId, Option<Tombstone>>,
    backups: Vec<BackupRecord>,
    /// When backups were committed, by the storage's clock, and with whose key.
    committed: BTreeMap<BackupId, Timestamp>,
    writers: BTreeMap<BackupId, VerifyingKey>,
    /// The hashes of their records.
    hashes: BTreeMap<BackupId, Hash>,
    begins: Vec<RunBegin>,
    outcomes: BTreeMap<RunId, (RunOutcome, RunErrors)>,
    /// What verifications have found, and when that was stored.
    verifications: Vec<(Verification, Timestamp)>,
    /// Backups of which something is missing, or was found hurt.
    hurt: Vec<BackupRecord>,
    unreadable: Vec<Unreadable>,
    /// What counts as nothing.
    unbelieved: Vec<Unreadable>,
    pins: Pins,
}

fn latest<K: Ord>(instants: &mut BTreeMap<K, Timestamp>, key: K, instant: Timestamp) {
    let known = instants.entry(key).or_insert(instant);
    *known = instant.max(*known);
}

impl Found {
    pub(super) fn new(objects: Vec<ObjectMeta>) -> Self {
        let mut found = Self::default();
        for object in objects {
            found.newest = found.newest.max(object.modified);
            match names::place(&object.name) {
                Some(Place::Run(_, run, record)) => {
                    match record {
                        RunRecord::Dead => drop(found.dead.insert(run.clone())),
                        RunRecord::Begin => drop(found.begun.insert(run.clone(), object.modified)),
                        RunRecord::Outcome => {}
                    }
                    latest(&mut found.signs, run, object.modified);
                }
                Some(Place::Alive(_, run, _)) => latest(&mut found.signs, run, object.modified),
                Some(Place::Backup(_, id, part)) => {
                    found.came.insert(object.name.clone(), object.modified);
                    if part == BackupPart::Backup {
                        found.committed.insert(id.clone(), object.modified);
                    }
                    latest(&mut found.grown, id, object.modified);
                }
                Some(Place::Pack(_, id, _) | Place::Index(_, id, _)) => {
                    found.came.insert(object.name.clone(), object.modified);
                    latest(&mut found.grown, id, object.modified);
                }
                Some(Place::Tombstone(_, id) | Place::SecondTombstone(_, id)) => {
                    found.tombstones.insert(id, None);
                }
                Some(Place::Proof(..) | Place::Verification(..)) => {
                    found.stored.insert(object.name.clone(), object.modified);
                }
                Some(Place::Pin(..) | Place::Lift(..)) | None => {}
            }
            found.sizes.insert(object.name, object.size);
        }
        found
    }

    pub(super) fn take(
        &mut self,
        object: ObjectName,
        place: Place,
        record: Result<ClusterRecord, RepositoryError>,
    ) {
        match record {
            Ok(ClusterRecord::Pin(pin)) => self.pins.pin(pin),
            Ok(ClusterRecord::Lift(lift)) => self.pins.lift(&lift),
            Err(error) if matches!(place, Place::Pin(..) | Place::Lift(..)) => {
                self.unread_pin(object, place, error);
            }
            Ok(ClusterRecord::Backup(record, writer, hash)) => {
                self.hashes.insert(record.id.clone(), hash);
                self.writers.insert(record.id.clone(), writer);
                self.backups.push(*record);
            }
            Ok(ClusterRecord::Begin(begin)) => self.begins.push(begin),
            Ok(ClusterRecord::Outcome(outcome, errors)) => {
                self.outcomes.insert(outcome.run.clone(), (outcome, errors));
            }
            Ok(ClusterRecord::Tombstone(tombstone)) => {
                let id = tombstone.backup.clone();
                self.tombstones.insert(id, Some(tombstone));
            }
            Ok(ClusterRecord::Proof(record)) => {
                let stored = self.stored.get(&object).copied().unwrap_or_default();
                let record = *record;
                self.proofs.push((object, Proof { record, stored }));
            }
            Ok(ClusterRecord::Verification(verification)) => {
                let stored = self.stored.get(&object).copied().unwrap_or_default();
                self.verifications.push((*verification, stored));
            }
            Err(error) => {
                // One of a proof is told of its backup, for as long as that is there.
                let is_nothing = error.is_about_nothing() && !matches!(place, Place::Proof(..));
                let id = match place {
                    Place::Backup(_, id, _) | Place::Pack(_, id, _) | Place::Index(_, id, _) => {
                        Some(id)
                    }
                    // Of a run's record that went away nothing is left to tell.
                    Place::Run(..)
                    | Place::Tombstone(..)
                    | Place::SecondTombstone(..)
                    | Place::Proof(..)
                    | Place::Verification(..)
                        if is_not_found(&error) =>
                    {
                        return;
                    }
                    Place::Run(..) | Place::Alive(..) | Place::Verification(..) => None,
                    Place::Tombstone(_, id)
                    | Place::SecondTombstone(_, id)
                    | Place::Proof(_, id, _) => Some(id),
                    Place::Pin(..) | Place::Lift(..) => None,
                };
                let unreadable = Unreadable {
                    object,
                    id,
                    database: None,
                    error,
                };
                match is_nothing {
                    true => self.unbelieved.push(unreadable),
                    false => self.unreadable.push(unreadable),
                }
            }
        }
    }

    /// The records of verifications that cannot be read.
    fn unread_verifications(&self) -> Vec<Stored> {
        let unread = self.unreadable.iter().filter_map(|unreadable| {
            let Some(Place::Verification(_, id)) = names::place(&unreadable.object) else {
                return None;
            };
            let stored = self.stored.get(&unreadable.object).copied();
            // Of one whose time nobody knows nothing is later.
            let stored = stored.unwrap_or(Timestamp::MAX);
            Some(Stored { id, stored })
        });
        unread.collect()
    }

    /// Of which good backups one of those may say that they are hurt.
    fn doubted(
        &self,
        cluster: &ClusterName,
        said: &ReadBack,
    ) -> Result<BTreeMap<BackupId, ObjectName>, RepositoryError> {
        let mut doubted = BTreeMap::new();
        for backup in &self.backups {
            let came = |name: &ObjectName| self.came.get(name).copied();
            if let Some(unread) = said.unread_of(backup, came)? {
                let unread = names::verification(cluster, unread)?;
                doubted.insert(backup.id.clone(), unread);
            }
        }
        Ok(doubted)
    }

    /// Proofs that cannot be read: they hide nothing.
    fn take_bad_proofs(&mut self) -> Vec<Unreadable> {
        let is_proof = |unreadable: &mut Unreadable| proven(&unreadable.object).is_some();
        self.unreadable.extract_if(.., is_proof).collect()
    }

    /// A damaged pin holds, and what says of one that it does not is not believed.
    fn unread_pin(&mut self, object: ObjectName, place: Place, error: RepositoryError) {
        let is_nothing = error.is_about_nothing();
        if is_not_found(&error) {
            return;
        }
        let unread = Unreadable {
            object,
            id: None,
            database: None,
            error,
        };
        match (is_nothing, place) {
            (true, _) => self.unbelieved.push(unread),
            (false, Place::Pin(_, backup, id)) => self.pins.damaged(backup, id, unread),
            (false, _) => self.pins.unread(unread),
        }
    }

    /// Sorts out tombstones that count as nothing. Where their backup is there, they hide
    /// it all the same, and are told in its place: their writer may have deleted part of
    /// it before its key was retired.
    fn judge_tombstones(&mut self, location: &str) {
        let read = self.backups.iter().map(|backup| &backup.id);
        let damaged = self.unreadable.iter().filter_map(|u| u.id.as_ref());
        let there: BTreeSet<BackupId> = read.chain(damaged).cloned().collect();
        let is_tombstone = |u: &Unreadable| is_tombstone(&u.object);
        // What one of the two says need not be said by the other.
        let tombstones = &self.tombstones;
        let said: BTreeSet<BackupId> = tombstones
            .iter()
            .filter_map(|(id, said)| said.as_ref().map(|_| id.clone()))
            .collect();
        let is_said = |u: &Unreadable| u.id.as_ref().is_some_and(|id| said.contains(id));
        self.unreadable.retain(|u| !is_tombstone(u) || !is_said(u));
        let (in_the_way, nothing) =
            std::mem::take(&mut self.unbelieved)
                .into_iter()
                .partition(|u| {
                    let hides = u.id.as_ref().is_some_and(|id| there.contains(id));
                    is_tombstone(u) && !is_said(u) && hides
                });
        self.unbelieved = nothing;
        let unsaid = self.unbelieved.iter().filter(|u| !is_said(u));
        for tombstone in unsaid.filter(|u| is_tombstone(u)) {
            if let Some(id) = &tombstone.id {
                self.tombstones.remove(id);
            }
        }
        self.unreadable.extend::<Vec<_>>(in_the_way);
        for unreadable in self.unreadable.iter_mut().filter(|u| is_tombstone(u)) {
            if let Some(backup) = unreadable.id.clone() {
                let source = std::mem::replace(&mut unreadable.error, RepositoryError::GivenUp);
                unreadable.error = RepositoryError::BadTombstone {
                    backup,
                    object: unreadable.object.to_string(),
                    location: location.to_owned(),
                    source: Box::new(source),
                };
            }
        }
    }

    /// Looks for the tombstones of records that went away while they were read.
    pub(super) async fn forget_deleted_meanwhile(
        &mut self,
        repository: &Repository,
        cluster: &ClusterName,
    ) -> Result<(), RepositoryError> {
        let gone = self.unreadable.iter().filter(|u| is_not_found(&u.error));
        let gone: Vec<BackupId> = gone.filter_map(|u| u.id.clone()).collect();
        for id in gone {
            if !self.tombstones.contains_key(&id)
                && let Some(deleted) = repository.tombstone(cluster, &id).await?
            {
                self.tombstones.insert(id, deleted.tombstone);
            }
        }
        Ok(())
    }

    /// Backups that their writers gave up: each by the outcome of its own run. What another
    /// run says of them undoes no tombstone; nor does one that copies, which writes none.
    fn failed_by_their_own_runs(&self) -> BTreeSet<BackupId> {
        let captured = self.begins.iter().filter(|begin| begin.copies.is_none());
        let begun = captured.flat_map(|begin| {
            let planned = begin.backups.iter();
            planned.map(|planned| (&planned.id, &begin.run))
        });
        let made = self.backups.iter().map(|backup| (&backup.id, &backup.run));
        let runs: BTreeMap<&BackupId, &RunId> = begun.chain(made).collect();
        let mut failed = BTreeSet::new();
        let outcomes = self.outcomes.iter();
        for (run, (outcome, _)) in outcomes.filter(|(_, (outcome, _))| !outcome.copies) {
            let backups = outcome.backups.iter();
            let own = backups.filter(|backup| runs.get(&backup.id) == Some(&run));
            let own = own.filter(|backup| backup.outcome != Outcome::Complete);
            failed.extend(own.map(|backup| backup.id.clone()));
        }
        failed
    }

    fn said(&self, run: &RunId) -> Option<&RunOutcome> {
        self.outcomes.get(run).map(|(outcome, _)| outcome)
    }

    /// Whether the run has an outcome that cannot be read.
    fn ended_somehow(&self, run: &RunId) -> bool {
        self.unreadable.iter().any(|unreadable| {
            let place = names::place(&unreadable.object);
            matches!(place, Some(Place::Run(_, of, RunRecord::Outcome)) if of == *run)
        })
    }

    /// Sorts backups of which an object is missing or has another size out of the
    /// good ones.
    fn check_cited(&mut self, said: &ReadBack, location: &str) -> Result<(), RepositoryError> {
        for backup in std::mem::take(&mut self.backups) {
            let outcome = self.said(&backup.run);
            if outcome.is_some_and(|outcome| outcome.failed(&backup.id)) {
                continue;
            }
            let given_up = outcome.is_none()
                && self.dead.contains(&backup.run)
                && !self.ended_somehow(&backup.run);
            let missing = missing(&backup, &self.sizes)?;
            // It was given up before it was whole: an attempt.
            if missing.is_some() && given_up {
                continue;
            }
            let (object, error) = match (missing, said.hurt(&backup)?) {
                (None, None) => {
                    self.backups.push(backup);
                    continue;
                }
                (Some((object, problem)), _) => {
                    let error = RepositoryError::Lost {
                        object: object.to_string(),
                        location: location.to_owned(),
                        problem,
                    };
                    (object, error)
                }
                (None, Some(hurt)) => {
                    let error = RepositoryError::Hurt {
                        object: hurt.finding.object.to_string(),
                        location: location.to_owned(),
                        problem: in_words(&hurt.finding),
                        host: hurt.host.clone(),
                        found: hurt.written,
                    };
                    (hurt.finding.object.clone(), error)
                }
            };
            self.unreadable.push(Unreadable {
                error,
                object,
                id: Some(backup.id.clone()),
                database: Some(backup.database.clone()),
            });
            self.hurt.push(backup);
        }
        Ok(())
    }

    /// What has become of a backup that was planned and that is not there.
    fn unmade(
        &self,
        begin: &RunBegin,
        planned: &PlannedBackup,
        location: &str,
    ) -> Result<Entry, RepositoryError> {
        let outcome = self.outcomes.get(&begin.run);
        if outcome.is_some_and(|(outcome, _)| outcome.made(&planned.id)) {
            let lost = lost(
                &begin.cluster,
                &planned.id,
                Some(&planned.database),
                location,
            )?;
            return Ok(Entry::Unreadable(lost));
        }
        let signs = [self.signs.get(&begin.run), self.grown.get(&planned.id)];
        let last_sign = signs.into_iter().flatten().copied().max();
        let place = |u: &Unreadable| u.id.as_ref() == Some(&planned.id);
        let unbelieved = self.unbelieved.iter().find(|u| place(u));
        let said = outcome.and_then(|(_, errors)| errors.errors.get(&planned.id).cloned());
        Ok(Entry::Attempt(Attempt {
            id: planned.id.clone(),
            begin: begin.clone(),
            database: planned.database.clone(),
            outcome: outcome
                .map(|_| Outcome::Failed)
                .or(unbelieved.map(|_| Outcome::Failed)),
            error: said.or_else(|| unbelieved.map(|u| u.error.to_string())),
            begun: self.begun.get(&begin.run).copied(),
            last_sign: last_sign.filter(|_| !self.dead.contains(&begin.run)),
        }))
    }

    /// The catalogue, and the backups of which objects are there, and neither a record nor
    /// anything of a run.
    pub(super) fn into_catalogue(
        mut self,
        cluster: &ClusterName,
        repository: &Repository,
    ) -> Result<(Catalogue, BTreeSet<BackupId>), RepositoryError> {
        let location = repository.location();
        let location = location.as_str();
        let mut bad_proofs = self.take_bad_proofs();
        self.judge_tombstones(location);
        let mut deleted = std::mem::take(&mut self.tombstones);
        let failed = self.failed_by_their_own_runs();
        deleted.retain(|id, _| !failed.contains(id));
        let gone = self.unreadable.iter().filter(|u| is_not_found(&u.error));
        let gone: BTreeSet<&BackupId> = gone.filter_map(|u| u.id.as_ref()).collect();
        let is_there = |id: &BackupId| self.committed.contains_key(id) && !gone.contains(id);
        let chosen = self.pins.spare(&mut deleted, is_there, self.newest);
        self.backups.retain(|b| !deleted.contains_key(&b.id));
        self.unreadable.retain(|u| {
            // What is deleted cannot be damaged; what says that it is, can.
            let is_tombstone = is_tombstone(&u.object);
            let is_deleted = |id| deleted.contains_key(id);
            u.id.as_ref()
                .is_none_or(|id| is_deleted(id) == is_tombstone)
        });
        let verifications = self.verifications.iter();
        let unread = self.unread_verifications();
        let verifications = verifications.map(|(record, stored)| (record, *stored));
        let said = ReadBack::of(verifications, unread)?;
        self.check_cited(&said, location)?;
        let doubted = self.doubted(cluster, &said)?;

        let committed = self.backups.iter().map(|b| &b.id);
        let unreadable = self.unreadable.iter().filter_map(|u| u.id.as_ref());
        let told: BTreeSet<&BackupId> = committed.chain(unreadable).chain(deleted.keys()).collect();
        let mut entries = Vec::new();
        for begin in &self.begins {
            for planned in begin.backups.iter().filter(|p| !told.contains(&p.id)) {
                entries.push(self.unmade(begin, planned, location)?);
            }
        }
        let planned = self.begins.iter().flat_map(|begin| &begin.backups);
        let begun: BTreeSet<&BackupId> = planned.clone().map(|planned| &planned.id).collect();
        for backup in self.outcomes.values().flat_map(|(o, _)| &o.backups) {
            let known = told.contains(&backup.id) || begun.contains(&backup.id);
            if !known && backup.outcome == Outcome::Complete {
                let lost = lost(cluster, &backup.id, Some(&backup.database), location)?;
                entries.push(Entry::Unreadable(lost));
            }
        }
        let ended = self.outcomes.values().flat_map(|(o, _)| &o.backups);
        let ended: BTreeSet<&BackupId> = ended.map(|backup| &backup.id).collect();
        let tells = |id: &&BackupId| {
            [&told, &begun, &ended]
                .iter()
                .any(|known| known.contains(id))
        };
        let unaccounted = self.grown.keys().filter(|id| !tells(id)).cloned().collect();
        let databases: BTreeMap<&BackupId, &String> = planned
            .map(|planned| (&planned.id, &planned.database))
            .collect();
        let database = |id: Option<&BackupId>| databases.get(id?).map(|name| (*name).clone());
        entries.extend(self.unreadable.into_iter().map(|mut unreadable| {
            let known = unreadable.database.take();
            unreadable.database = known.or_else(|| database(unreadable.id.as_ref()));
            Entry::Unreadable(unreadable)
        }));
        let origins = origins(&self.backups, &self.writers, &self.committed, repository);
        let backups = self.backups.into_iter();
        entries.extend(backups.map(|record| Entry::Complete(Box::new(record))));
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        // Of what is hurt too: another repository may have it whole.
        let hurt = self.hurt.iter().map(|record| record.id.clone());
        let there: BTreeMap<BackupId, Hash> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Complete(record) => Some(record.id.clone()),
                Entry::Attempt(_) | Entry::Unreadable(_) => None,
            })
            .chain(hurt)
            .filter_map(|id| Some((id.clone(), *self.hashes.get(&id)?)))
            .collect();
        let mut proofs = Proofs::sort(self.proofs, &there, location);
        bad_proofs.retain(|bad| bad.id.as_ref().is_some_and(|id| there.contains_key(id)));
        proofs.add_unread(bad_proofs, &self.stored);
        let ended = self.outcomes.into_values().flat_map(|(o, _)| o.backups);
        let whole = ended.filter(|b| b.outcome == Outcome::Complete);
        let catalogue = Catalogue {
            cluster: cluster.clone(),
            entries,
            deleted: deleted
                .into_iter()
                .map(|(id, tombstone)| Deleted { id, tombstone })
                .collect(),
            pins: self.pins,
            chosen,
            is_sealed: repository.encryption() == Encryption::Age,
            origins,
            confirmed: whole.map(|backup| backup.id).collect(),
            unbelieved: self.unbelieved,
            runs: self.signs.into_keys().collect(),
            proofs,
            lost: lost_of(&self.hurt, &self.sizes)?,
            hurt: self.hurt,
            said,
            doubted,
            newest: self.newest,
        };
        Ok((catalogue, unaccounted))
    }
}

/// Where backups come from.
fn origins(
    backups: &[BackupRecord],
    writers: &BTreeMap<BackupId, VerifyingKey>,
    committed: &BTreeMap<BackupId, Timestamp>,
    repository: &Repository,
) -> BTreeMap<BackupId, Origin> {
    let origin = |backup: &BackupRecord| {
        let writer = writers.get(&backup.id)?;
        let mut hosts = repository.keys.hosts();
        let key = hosts.find(|key| key.record.verifier == Some(*writer))?;
        let origin = Origin {
            host: key.record.name.clone(),
            recipient: key.record.recipient.clone(),
            committed: committed.get(&backup.id).copied().unwrap_or_default(),
        };
        Some((backup.id.clone(), origin))
    };
    backups.iter().filter_map(origin).collect()
}

fn is_not_found(error: &RepositoryError) -> bool {
    matches!(error, RepositoryError::Storage(error) if error.is_not_found())
}

/// The objects that hurt backups need and that are not listed as they are cited.
fn lost_of(
    hurt: &[BackupRecord],
    sizes: &BTreeMap<ObjectName, u64>,
) -> Result<BTreeSet<ObjectName>, RepositoryError> {
    let mut lost = BTreeSet::new();
    for backup in hurt {
        let needed = lengths(backup)?.into_iter();
        let gone = needed.filter(|(name, length)| sizes.get(name) != Some(length));
        lost.extend(gone.map(|(name, _)| name));
    }
    Ok(lost)
}

fn is_tombstone(object: &ObjectName) -> bool {
    let place = names::place(object);
    matches!(
        place,
        Some(Place::Tombstone(..) | Place::SecondTombstone(..))
    )
}
