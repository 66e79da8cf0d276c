//! What a repository holds of a cluster: its backups, and the attempts that
//! came to nothing.
//!
//! Invariants: a backup is listed as good only by its own `backup` record, and
//! never where it has a tombstone or its run says that it failed; a run without an
//! outcome is never taken for anything but unfinished. A record that cannot be read
//! hides no other: it is an entry of its own.

mod clocks;
mod found;
mod lost;
mod newest;
mod parent;
mod pins;
mod proofs;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use pgkeep_format::Identities;
use pgkeep_format::names::{self, Place, RunRecord};
use pgkeep_format::records::{BackupRecord, Outcome, RunBegin, Tombstone};
use pgkeep_storage::list_all;
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};

pub use self::clocks::{Contested, Misdated};
use self::found::Found;
pub use self::newest::Unclear;
use self::parent::Origin;
pub use self::parent::{ParentChoice, ShutParent};
pub use self::pins::Pinned;
use self::pins::Pins;
pub use self::proofs::Proof;
use self::proofs::Proofs;
use crate::verification::ReadBack;
use crate::{Repository, RepositoryError};

/// A run that has given no sign of life for longer is taken for one that was cut
/// off. It gives one every ten minutes.
const SILENCE: SignedDuration = SignedDuration::from_hours(1);
/// So long after a sign of life there should have been another one, or two.
pub(crate) const OVERDUE: SignedDuration = SignedDuration::from_mins(25);

/// By how much the clocks of two hosts may differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(10);

/// Whether a backup says that it is of a time that has not come; clocks of two
/// hosts may differ a little.
#[must_use]
pub fn is_ahead(started: Timestamp, now: Timestamp) -> bool {
    started.duration_since(now) > CLOCKS_DIFFER
}

/// A cluster's backups and attempts, oldest first.
#[derive(Debug)]
pub struct Catalogue {
    /// The cluster.
    pub cluster: ClusterName,
    /// What there is.
    pub entries: Vec<Entry>,
    /// Backups that were deleted, as long as it is known.
    pub deleted: Vec<Deleted>,
    /// Records that count as nothing: of retired hosts, whose ends do not list them. Of a
    /// backup that its run has planned there is an attempt besides.
    pub unbelieved: Vec<Unreadable>,
    /// Which of them were chosen for deletion, and stay for their pins.
    chosen: BTreeMap<BackupId, Tombstone>,
    /// What is proven of them.
    proofs: Proofs,
    /// Which are to be kept.
    pins: Pins,
    /// Whether what hosts must read again is sealed to them.
    is_sealed: bool,
    /// Where backups come from that can be read.
    origins: BTreeMap<BackupId, Origin>,
    /// Backups of which a run says that they are whole.
    pub(crate) confirmed: BTreeSet<BackupId>,
    /// Runs of which anything is there.
    runs: BTreeSet<RunId>,
    /// Backups that were committed and are hurt, by what is listed or was read.
    hurt: Vec<BackupRecord>,
    /// What is missing of those, or has another length.
    lost: BTreeSet<ObjectName>,
    /// What verifications have said.
    said: ReadBack,
    /// Which good backups a record may call hurt that cannot be read.
    doubted: BTreeMap<BackupId, ObjectName>,
    /// When the newest of all objects came to be, by the storage's clock.
    newest: Timestamp,
}

/// Something that was begun.
#[derive(Debug)]
pub enum Entry {
    /// A backup that was committed.
    Complete(Box<BackupRecord>),
    /// A backup that failed, or whose run has no outcome.
    Attempt(Attempt),
    /// A record that is there and cannot be read.
    Unreadable(Unreadable),
}

/// A backup that was begun and not committed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The id that it had.
    pub id: BackupId,
    /// The run.
    pub begin: RunBegin,
    /// The database.
    pub database: String,
    /// How the run ended; none where nothing was recorded.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub error: Option<String>,
    /// When the run was begun, by the storage's clock.
    begun: Option<Timestamp>,
    /// The run's last sign of life, by the storage's clock; none where somebody has
    /// taken it for dead.
    last_sign: Option<Timestamp>,
}

/// A backup that was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// The backup.
    pub id: BackupId,
    /// When, by whom and why; none where that cannot be read.
    pub tombstone: Option<Tombstone>,
}

/// A record that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The object's name.
    pub object: ObjectName,
    /// The backup, where it is a backup's record.
    pub id: Option<BackupId>,
    /// The backup's database, where its run's begin tells it.
    pub database: Option<String>,
    /// Why not.
    pub error: RepositoryError,
}

impl Catalogue {
    /// The backups that were committed and can be read, oldest first.
    pub fn complete(&self) -> impl DoubleEndedIterator<Item = &BackupRecord> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Complete(record) => Some(record.as_ref()),
            Entry::Attempt(_) | Entry::Unreadable(_) => None,
        })
    }

    /// Backups that were committed and can be read, and of which something is missing or was
    /// found hurt: an [`Unreadable`] tells of each what it is.
    pub fn hurt(&self) -> impl Iterator<Item = &BackupRecord> {
        self.hurt.iter()
    }

    /// Whether an object that a backup needs was listed, with its length.
    #[must_use]
    pub fn is_there(&self, object: &ObjectName) -> bool {
        !self.lost.contains(object)
    }

    /// What verifications have said of what backups need.
    #[must_use]
    pub fn read_back(&self) -> &ReadBack {
        &self.said
    }

    /// Since when all that a good backup needs is known to be whole; none where something
    /// of it was never read back, or the backup is not good, or [may not
    /// be](Self::unread_verification).
    #[must_use]
    pub fn intact(&self, id: &BackupId) -> Option<Timestamp> {
        if self.doubted.contains_key(id) {
            return None;
        }
        let record = self.complete().find(|record| record.id == *id)?;
        self.said.intact(record)
    }

    /// What a verification has found and nobody can read, of a good backup: it may say that
    /// something is hurt which the backup needs, and not all of that was found whole since.
    #[must_use]
    pub fn unread_verification(&self, id: &BackupId) -> Option<&ObjectName> {
        self.doubted.get(id)
    }

    /// The records of verifications that cannot be read.
    pub fn unread_verifications(&self) -> impl Iterator<Item = &Unreadable> {
        self.unreadable().filter(|unreadable| {
            let place = names::place(&unreadable.object);
            matches!(place, Some(Place::Verification(..)))
        })
    }

    /// Whether a good backup was looked after once it was there, and its run has said that it
    /// is whole.
    #[must_use]
    pub fn is_confirmed(&self, id: &BackupId) -> bool {
        self.confirmed.contains(id) && self.complete().any(|record| record.id == *id)
    }

    /// When a backup was committed, by the storage's clock.
    #[must_use]
    pub fn committed_at(&self, id: &BackupId) -> Option<Timestamp> {
        self.origins.get(id).map(|origin| origin.committed)
    }

    /// When the newest of all objects came to be, by the storage's clock.
    #[must_use]
    pub fn newest_instant(&self) -> Timestamp {
        self.newest
    }

    /// Records that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &Unreadable> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Unreadable(unreadable) => Some(unreadable),
            Entry::Complete(_) | Entry::Attempt(_) => None,
        })
    }

    /// What a backup's run has said and cannot be read: it may have said that the backup
    /// failed.
    pub fn unread_of_run(&self, backup: &BackupRecord) -> impl Iterator<Item = &Unreadable> {
        let run = backup.run.clone();
        self.unreadable().filter(move |unreadable| {
            matches!(names::place(&unreadable.object), Some(Place::Run(_, of, _)) if of == run)
        })
    }

    /// The host that wrote a backup, by the name of its key.
    #[must_use]
    pub fn host(&self, id: &BackupId) -> Option<&str> {
        self.origins.get(id).map(|origin| origin.host.as_str())
    }

    /// Whether the run of `attempt` may still go on. `now` is the time of day here;
    /// it matters only where the storage's own clock has not been seen to be later.
    #[must_use]
    pub fn is_running(&self, attempt: &Attempt, now: Timestamp) -> bool {
        let now = now.max(self.newest);
        let recent = |sign: Timestamp| now.duration_since(sign) < SILENCE;
        attempt.outcome.is_none() && attempt.last_sign.is_some_and(recent)
    }

    /// Whether an attempt was begun after a backup, by its host's clock or by the storage's.
    #[must_use]
    pub fn is_after(&self, attempt: &Attempt, backup: &BackupRecord) -> bool {
        let committed = self.origins.get(&backup.id).map(|origin| origin.committed);
        attempt.begin.started > backup.started
            || committed.is_some_and(|committed| attempt.begun.is_some_and(|at| at > committed))
    }

    /// Since when the run of `attempt` has given no sign of life, by the storage's
    /// clock, where it should have given another one and nobody has said how it ended.
    #[must_use]
    pub fn silent_since(&self, attempt: &Attempt, now: Timestamp) -> Option<Timestamp> {
        let now = now.max(self.newest);
        let overdue = |sign: &Timestamp| now.duration_since(*sign) > OVERDUE;
        let sign = attempt.last_sign.filter(overdue);
        sign.filter(|_| attempt.outcome.is_none())
    }
}

impl Repository {
    /// Lists what there is of `cluster`. Needs no key; why backups failed is told
    /// where one of `identities` opens it.
    ///
    /// # Errors
    /// Where the storage cannot be listed. What cannot be read is an entry.
    pub async fn catalogue(
        &self,
        cluster: &ClusterName,
        identities: &Identities,
    ) -> Result<Catalogue, RepositoryError> {
        let (catalogue, unaccounted) = self.look_over(cluster, identities).await?;
        if unaccounted.is_empty() {
            return Ok(catalogue);
        }
        // A run may have begun meanwhile, or somebody deletes what an old one has left:
        // whatever nothing tells of twice has lost its records.
        let (mut catalogue, again) = self.look_over(cluster, identities).await?;
        let mut lost: BTreeSet<_> = again.intersection(&unaccounted).cloned().collect();
        for planned in self.disowned(&catalogue).await? {
            lost.remove(&planned);
        }
        let location = self.location();
        for id in lost {
            let lost = lost::lost(cluster, &id, None, &location)?;
            catalogue.entries.push(Entry::Unreadable(lost));
        }
        catalogue.entries.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(catalogue)
    }

    /// What the runs of retired hosts set out to make that count as nothing.
    async fn disowned(&self, catalogue: &Catalogue) -> Result<BTreeSet<BackupId>, RepositoryError> {
        let mut disowned = BTreeSet::new();
        for unbelieved in &catalogue.unbelieved {
            let object = &unbelieved.object;
            if let Some(Place::Run(cluster, run, RunRecord::Begin)) = names::place(object) {
                let begin = self.disowned_begin(object, &cluster, &run).await?;
                let planned = begin.into_iter().flat_map(|begin| begin.backups);
                disowned.extend(planned.map(|planned| planned.id));
            }
        }
        Ok(disowned)
    }

    async fn look_over(
        &self,
        cluster: &ClusterName,
        identities: &Identities,
    ) -> Result<(Catalogue, BTreeSet<BackupId>), RepositoryError> {
        let storage = self.storage.as_ref();
        // In this order: what a run says that it committed is there to be listed
        // afterwards, and what is not there then has its tombstone by then.
        let mut objects = list_all(storage, &names::runs(cluster)).await?;
        objects.extend(list_all(storage, &names::backups(cluster)).await?);
        objects.extend(list_all(storage, &names::tombstones(cluster)).await?);
        objects.extend(list_all(storage, &names::proofs(cluster)).await?);
        objects.extend(list_all(storage, &names::verifications(cluster)).await?);
        objects.extend(list_all(storage, &names::pins(cluster)).await?);
        let wanted = objects.iter().filter_map(|object| {
            let place = names::place(&object.name)?;
            Some((object.name.clone(), place, object.size))
        });
        let read = self.cluster_records(wanted.collect(), identities).await?;
        let mut found = Found::new(objects);
        for (object, place, record) in read {
            found.take(object, place, record);
        }
        found.forget_deleted_meanwhile(self, cluster).await?;
        found.into_catalogue(cluster, self)
    }

    /// The names of all clusters of which the repository holds anything.
    ///
    /// # Errors
    /// Where the storage cannot be listed.
    pub async fn clusters(&self) -> Result<Vec<ClusterName>, RepositoryError> {
        let objects = list_all(self.storage.as_ref(), "").await?;
        let clusters: BTreeSet<ClusterName> = objects
            .iter()
            .filter_map(|object| names::place(&object.name))
            .map(|place: Place| place.cluster().clone())
            .collect();
        Ok(clusters.into_iter().collect())
    }
}

impl Deleted {
    /// When, by whom and why, in words.
    #[must_use]
    pub fn how(&self) -> Option<String> {
        let tombstone = self.tombstone.as_ref()?;
        let (deleted, host) = (tombstone.deleted, &tombstone.host);
        let reason = &tombstone.reason;
        Some(format!("at {deleted:.0} by host {host}: {reason}"))
    }
}

impl Entry {
    /// Oldest first. Ids tell the second only; what can be read tells more.
    fn order(&self) -> (Timestamp, &str) {
        match self {
            Self::Complete(record) => (record.started, record.id.as_str()),
            Self::Attempt(attempt) => (attempt.begin.started, attempt.id.as_str()),
            Self::Unreadable(unreadable) => {
                let time = unreadable.id.as_ref().map(BackupId::time);
                (time.unwrap_or_default(), unreadable.object.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_of_a_time_that_has_not_come_is_ahead_beyond_what_clocks_differ_by() {
        let now: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
        for (started, ahead) in [
            ("2026-11-20T02:00:00Z", false),
            ("2026-11-20T03:09:00Z", false),
            ("2026-11-20T03:11:00Z", true),
            ("2036-11-20T03:00:00Z", true),
        ] {
            assert_eq!(is_ahead(started.parse().unwrap(), now), ahead, "{started}");
        }
    }
}
