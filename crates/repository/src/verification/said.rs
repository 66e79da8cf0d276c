//! What the verifications of a cluster have said, put together.
//!
//! Invariant: a finding stands until a record cites it by its id.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::Hash;
use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::{BackupRecord, Finding, FindingId, Problem, Verification};
use pgkeep_types::{ClusterName, ObjectName, ObjectNameError, VerificationId};

use crate::cited::everything;

/// What verifications have said of a cluster's objects.
#[derive(Debug, Default)]
pub struct ReadBack {
    /// The last that was said of each object that was found whole, by the hash that it had.
    whole: BTreeMap<(ObjectName, Hash), Statement>,
    open: BTreeMap<FindingId, OpenFinding>,
    rounds: BTreeMap<u64, Round>,
    unread: Vec<Unread>,
}

/// When an object was found whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In which round.
    pub round: u64,
    /// When that was written down, by the clock of the host that had read it.
    pub written: Timestamp,
}

/// A finding that nobody has found mended.
#[derive(Clone, Debug)]
pub struct OpenFinding {
    /// What was found.
    pub finding: Finding,
    /// In which round it was found.
    pub round: u64,
    /// The host that has found it.
    pub host: String,
    /// When it was written down, by that host's clock.
    pub written: Timestamp,
}

/// A record that cannot be read: it may have a finding of whatever was there before it.
#[derive(Debug)]
struct Unread {
    record: Stored,
    /// What was found whole since, with the hash that it had.
    whole_since: BTreeSet<(ObjectName, Hash)>,
}

#[derive(Clone, Copy, Debug)]
struct Round {
    /// When its first and its last record came to be, by the storage's clock.
    first: Timestamp,
    last: Timestamp,
    ended: bool,
}

/// A record, as it was listed.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: VerificationId,
    /// When it came to be, by the storage's clock.
    pub(crate) stored: Timestamp,
}

impl Stored {
    /// Whether another record is later, by its host's clock and by the storage's. Ids tell
    /// the second only.
    pub(crate) fn is_before(&self, other: &VerificationId, stored: Timestamp) -> bool {
        self.id.time() < other.time() && self.stored <= stored
    }
}

impl ReadBack {
    /// Puts records together; each with the time at which it came to be, by the storage's
    /// clock.
    pub(crate) fn of<'a>(
        records: impl Iterator<Item = (&'a Verification, Timestamp)> + Clone,
        unread: Vec<Stored>,
    ) -> Result<Self, ObjectNameError> {
        let unread = unread.into_iter().map(|record| Unread {
            record,
            whole_since: BTreeSet::new(),
        });
        let mut said = Self {
            unread: unread.collect(),
            ..Self::default()
        };
        let mended = records.clone().flat_map(|(record, _)| &record.mended);
        let mended: BTreeSet<&FindingId> = mended.collect();
        for (record, stored) in records {
            let round = said.rounds.entry(record.round).or_insert(Round {
                first: stored,
                last: stored,
                ended: false,
            });
            round.first = round.first.min(stored);
            round.last = round.last.max(stored);
            round.ended |= record.ended;
            let statement = Statement {
                round: record.round,
                written: record.written,
            };
            for object in whole_objects(record)? {
                for unread in &mut said.unread {
                    if unread.record.is_before(&record.id, stored) {
                        unread.whole_since.insert(object.clone());
                    }
                }
                let known = said.whole.entry(object).or_insert(statement);
                if known.round <= statement.round {
                    *known = statement;
                }
            }
            for (id, finding) in findings(record) {
                if !mended.contains(&id) {
                    let open = OpenFinding {
                        finding: finding.clone(),
                        round: record.round,
                        host: record.host.clone(),
                        written: record.written,
                    };
                    said.open.insert(id, open);
                }
            }
        }
        Ok(said)
    }

    /// When the object was last found whole, with this hash.
    #[must_use]
    pub fn whole(&self, object: &ObjectName, hash: Hash) -> Option<Statement> {
        self.whole.get(&(object.clone(), hash)).copied()
    }

    /// The findings that stand.
    pub fn open(&self) -> impl Iterator<Item = (&FindingId, &OpenFinding)> {
        self.open.iter()
    }

    /// Those of one object that should have this hash.
    pub fn open_of<'a>(
        &'a self,
        object: &'a ObjectName,
        hash: Hash,
    ) -> impl Iterator<Item = (&'a FindingId, &'a OpenFinding)> {
        self.open
            .iter()
            .filter(move |(_, open)| open.finding.object == *object && open.finding.blake3 == hash)
    }

    /// The number of the newest round; 0 where there was none.
    #[must_use]
    pub fn newest_round(&self) -> u64 {
        self.rounds.keys().next_back().copied().unwrap_or(0)
    }

    /// The newest round that has not read all that it was to read, whatever ended since: its
    /// number, and when its last record came to be, by the storage's clock.
    #[must_use]
    pub fn unended_round(&self) -> Option<(u64, Timestamp)> {
        let mut newest_first = self.rounds.iter().rev();
        let (number, round) = newest_first.find(|(_, round)| !round.ended)?;
        Some((*number, round.last))
    }

    /// The newest round that had begun before an instant of the storage's clock.
    #[must_use]
    pub fn round_at(&self, instant: Timestamp) -> u64 {
        let before = self
            .rounds
            .iter()
            .filter(|(_, round)| round.first < instant);
        before.map(|(number, _)| *number).max().unwrap_or(0)
    }

    /// A record that cannot be read and may have a finding of something that the backup
    /// needs: the newest of those since which not all of it was found whole, or came to be.
    /// `came` tells when an object came to be, by the storage's clock.
    pub(crate) fn unread_of(
        &self,
        backup: &BackupRecord,
        came: impl Fn(&ObjectName) -> Option<Timestamp>,
    ) -> Result<Option<&VerificationId>, ObjectNameError> {
        if self.unread.is_empty() {
            return Ok(None);
        }
        let needed = everything(backup)?.into_iter();
        let needed: Vec<_> = needed.map(|(name, _, hash)| (name, hash)).collect();
        let is_open = |unread: &&Unread| {
            let mut needed = needed.iter();
            needed.any(|object| {
                let is_younger = came(&object.0).is_some_and(|came| came > unread.record.stored);
                !is_younger && !unread.whole_since.contains(object)
            })
        };
        let open = self.unread.iter().filter(is_open);
        Ok(open.map(|unread| &unread.record.id).max())
    }

    /// Whether the object was found whole after every record that cannot be read.
    #[must_use]
    pub fn is_told_since(&self, object: &ObjectName, hash: Hash) -> bool {
        let object = (object.clone(), hash);
        let mut unread = self.unread.iter();
        unread.all(|unread| unread.whole_since.contains(&object))
    }

    /// The second of the greatest id of a record that cannot be read: what takes its place
    /// has an id of a later one.
    #[must_use]
    pub fn unread_until(&self) -> Option<Timestamp> {
        let ids = self.unread.iter().map(|unread| unread.record.id.time());
        ids.max()
    }

    /// The first finding that stands of something that the backup needs.
    pub(crate) fn hurt(
        &self,
        backup: &BackupRecord,
    ) -> Result<Option<&OpenFinding>, ObjectNameError> {
        if self.open.is_empty() {
            return Ok(None);
        }
        let needed = everything(backup)?.into_iter();
        let needed: BTreeSet<(ObjectName, Hash)> =
            needed.map(|(name, _, hash)| (name, hash)).collect();
        let mut open = self.open.values();
        Ok(open.find(|open| {
            let finding = &open.finding;
            needed.contains(&(finding.object.clone(), finding.blake3))
        }))
    }

    /// Since when all is known to be whole that the backup needs: when the last of its
    /// objects was read that was read first. None where one was never read.
    pub(crate) fn intact(&self, backup: &BackupRecord) -> Option<Timestamp> {
        let mut since = Timestamp::MAX;
        for (name, _, hash) in everything(backup).ok()? {
            since = since.min(self.whole.get(&(name, hash))?.written);
        }
        Some(since)
    }
}

/// The objects that a record calls whole, with their hashes.
pub(super) fn whole_objects(
    record: &Verification,
) -> Result<Vec<(ObjectName, Hash)>, ObjectNameError> {
    let cluster: &ClusterName = &record.cluster;
    let mut objects = Vec::new();
    for of in &record.whole {
        let part = |part| names::backup(cluster, &of.backup, part);
        if let Some(hash) = of.manifest {
            objects.push((part(BackupPart::Manifest)?, hash));
        }
        if let Some(hash) = of.facts {
            objects.push((part(BackupPart::Facts)?, hash));
        }
        for pack in &of.packs {
            objects.push((names::pack(cluster, &of.backup, pack.number)?, pack.blake3));
        }
        for pack in &of.index {
            objects.push((names::index(cluster, &of.backup, pack.number)?, pack.blake3));
        }
    }
    Ok(objects)
}

/// The findings of a record, by their ids.
pub(super) fn findings(record: &Verification) -> impl Iterator<Item = (FindingId, &Finding)> {
    (0..).zip(&record.findings).map(|(number, finding)| {
        let id = FindingId {
            verification: record.id.clone(),
            number,
        };
        (id, finding)
    })
}

/// What is wrong with an object, in words.
#[must_use]
pub fn in_words(finding: &Finding) -> String {
    let (should, found) = (finding.length, finding.found.unwrap_or(0));
    match finding.problem {
        Problem::Missing => "it is not there".to_owned(),
        Problem::Truncated => format!("it is cut off: {found} bytes where {should} should be"),
        Problem::Longer => format!("it is too long: {found} bytes where {should} should be"),
        Problem::Altered => "it has the right length, and other bytes than were written".to_owned(),
        Problem::Foreign => "it has the bytes of another object".to_owned(),
        Problem::Unreadable => "the storage does not give it".to_owned(),
    }
}
