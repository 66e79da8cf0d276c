//! What is proven of backups.
//!
//! Invariants: a proof counts only where a believed host has signed it for this backup,
//! and it cites the very `backup` record that is there. One that cannot be read may be any: its
//! backup has no level by proofs until a later one tells of it again. What a failed proof says
//! is taken back only by one that got as far and found all right, and that was made after it by
//! its host's date and not before it by the storage's clock: where that cannot be told, the
//! failure stands. One that was carried from another repository tells of what the backup holds,
//! and never that this copy was restored; nor does it take back that this copy was damaged.

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgkeep_format::Hash;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{Level, ProofRecord};
use pgkeep_types::{BackupId, ObjectName};

use super::{Catalogue, Unreadable};
use crate::RepositoryError;

/// A proof that counts.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What it says.
    pub record: ProofRecord,
    /// When it was stored, by the storage's clock.
    pub stored: Timestamp,
}

impl Proof {
    /// Whether a copy in another repository was restored.
    #[must_use]
    pub fn is_carried(&self) -> bool {
        self.record.repository.is_some()
    }

    /// Whether it takes back what `failed` says.
    fn takes_back(&self, failed: &Self) -> bool {
        let is_of_this_copy = !self.is_carried() || failed.record.tells_of_all_copies();
        self.record.is_as_much_as(&failed.record) && is_of_this_copy && self.is_after(failed)
    }

    fn is_after(&self, other: &Self) -> bool {
        self.record.started > other.record.started && self.stored >= other.stored
    }
}

/// The proofs of a cluster's backups.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    pub(super) good: BTreeMap<BackupId, Vec<Proof>>,
    pub(super) bad: Vec<Unreadable>,
    /// The newest proof of a backup that cannot be read, where none tells of it since.
    unread: BTreeMap<BackupId, ObjectName>,
}

impl Proofs {
    /// Sorts what was read; `backups` are those that are there, with the hashes of their
    /// records.
    pub(super) fn sort(
        found: Vec<(ObjectName, Proof)>,
        backups: &BTreeMap<BackupId, Hash>,
        location: &str,
    ) -> Self {
        let mut proofs = Self::default();
        for (object, proof) in found {
            let id = &proof.record.backup;
            match backups.get(id) {
                // It goes with the next prune, as its backup did.
                None => {}
                Some(hash) if *hash == proof.record.record => {
                    proofs.good.entry(id.clone()).or_default().push(proof);
                }
                Some(_) => proofs.bad.push(Unreadable {
                    error: RepositoryError::ForeignProof {
                        object: object.to_string(),
                        location: location.to_owned(),
                        backup: id.clone(),
                    },
                    id: Some(id.clone()),
                    object,
                    database: None,
                }),
            }
        }
        for of_one in proofs.good.values_mut() {
            of_one.sort_by(|a, b| {
                let of = |proof: &Proof| (proof.record.started, proof.record.id.clone());
                of(a).cmp(&of(b))
            });
        }
        proofs
    }

    /// Takes in what cannot be read; `stored` tells when an object was stored, by the
    /// storage's clock.
    pub(super) fn add_unread(
        &mut self,
        unread: Vec<Unreadable>,
        stored: &BTreeMap<ObjectName, Timestamp>,
    ) {
        for bad in unread {
            if let Some((backup, finished)) = names::place(&bad.object).and_then(times) {
                let of_one = self.good.get(&backup).map_or(&[][..], Vec::as_slice);
                let stored = stored.get(&bad.object).copied().unwrap_or_default();
                let tells_since = |proof: &Proof| {
                    // Of this copy no carried one tells, and what one took back later would
                    // leave nothing of the doubt.
                    let tells = proof.record.level().is_some()
                        || (proof.record.refutes() && proof.record.damage);
                    tells
                        && !proof.is_carried()
                        && proof.record.started >= finished
                        && proof.stored >= stored
                };
                if !of_one.iter().any(tells_since) {
                    self.unread.insert(backup, bad.object.clone());
                }
            }
            self.bad.push(bad);
        }
    }
}

/// The backup of a proof, and a moment when that was over: ids tell the second only.
fn times(place: Place) -> Option<(BackupId, Timestamp)> {
    match place {
        Place::Proof(_, backup, proof) => {
            let finished = proof
                .time()
                .saturating_add(jiff::SignedDuration::from_secs(1));
            Some((backup, finished.unwrap_or(Timestamp::MAX)))
        }
        _ => None,
    }
}

impl Catalogue {
    /// The proofs of a backup that count, oldest first.
    #[must_use]
    pub fn proofs(&self, backup: &BackupId) -> &[Proof] {
        self.proofs.good.get(backup).map_or(&[], Vec::as_slice)
    }

    /// Proofs that cannot be read, or are of another `backup` record than is there.
    #[must_use]
    pub fn bad_proofs(&self) -> &[Unreadable] {
        &self.proofs.bad
    }

    /// The same, for whoever tells of them.
    pub fn take_bad_proofs(&mut self) -> Vec<Unreadable> {
        std::mem::take(&mut self.proofs.bad)
    }

    /// A proof of a backup that cannot be read, where no later one says whether the backup
    /// is good.
    #[must_use]
    pub fn unread_proof(&self, backup: &BackupId) -> Option<&ObjectName> {
        self.proofs.unread.get(backup)
    }

    /// How much is known of this copy of a backup that is there. Where a proof has refuted it, or
    /// one that cannot be read may have, or a verification that cannot be read may call it hurt, no
    /// proof counts; nor does any that was made before one that failed.
    #[must_use]
    pub fn level(&self, backup: &BackupId) -> Level {
        self.level_by(backup, |proof| !proof.is_carried())
    }

    /// How much is known of what a backup holds, whichever copy of it was restored: what it is
    /// worth to whoever decides which ones stay. By the same rules as its [level](Self::level),
    /// and never less.
    #[must_use]
    pub fn worth(&self, backup: &BackupId) -> Level {
        self.level_by(backup, |_| true)
    }

    /// The level by those proofs that count.
    fn level_by(&self, backup: &BackupId, counts: impl Fn(&Proof) -> bool) -> Level {
        if self.unread_verification(backup).is_some() {
            return Level::Stored;
        }
        let is_open = self.unread_proof(backup).is_some() || self.refuted(backup).is_some();
        let proofs = match is_open {
            true => &[],
            false => self.proofs(backup),
        };
        let standing = proofs.iter().filter(|proof| counts(proof)).filter(|proof| {
            let mut refuting = proofs.iter().filter(|other| other.record.refutes());
            refuting.all(|refuting| proof.is_after(refuting))
        });
        let levels = standing.filter_map(|proof| proof.record.level());
        levels.max().unwrap_or_else(|| match self.intact(backup) {
            Some(_) => Level::Intact,
            None => Level::Stored,
        })
    }

    /// Whether a backup is proven.
    #[must_use]
    pub fn is_proven(&self, backup: &BackupId) -> bool {
        self.level(backup) == Level::Proven
    }

    /// The newest proof that says that a backup is not good and that no later one takes
    /// back.
    #[must_use]
    pub fn refuted(&self, backup: &BackupId) -> Option<&Proof> {
        self.refuting(backup).next()
    }

    /// All of these, the newest first.
    pub fn refuting(&self, backup: &BackupId) -> impl Iterator<Item = &Proof> {
        let proofs = self.proofs(backup);
        let is_taken_back = |failed: &Proof| proofs.iter().any(|later| later.takes_back(failed));
        let stands = move |proof: &&Proof| proof.record.refutes() && !is_taken_back(proof);
        proofs.iter().rev().filter(stands)
    }
}

/// The backup of which an object is a proof, by its name.
pub(super) fn proven(object: &ObjectName) -> Option<BackupId> {
    match names::place(object)? {
        Place::Proof(_, backup, _) => Some(backup),
        _ => None,
    }
}
