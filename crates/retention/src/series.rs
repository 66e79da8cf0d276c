//! What is decided about: the backups of one database.
//!
//! Invariant: a series has one repository, one cluster, one kind and one database;
//! another name, however alike, is another series.

use pgkeep_types::{BackupId, ObjectName, Timestamp};

/// The good backups of one repository, cluster, kind and database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// In any order.
    pub good: Vec<Candidate>,
    /// What came to nothing and is newer than all that is good.
    pub failed: Option<Failure>,
}

/// What came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This one failed, or was abandoned.
    Attempt(BackupId),
    /// This one was committed, and is damaged.
    Damaged(BackupId),
    /// This one was restored to see whether it can be, and could not.
    Refuted(BackupId),
    /// This one has less than those before it.
    Lacking(BackupId),
    /// Nobody can tell what came of the run that this record is of.
    Unread(ObjectName),
    /// This one may be no good one.
    Doubted {
        /// The backup.
        backup: BackupId,
        /// Why.
        doubt: Doubt,
    },
}

/// What was written down of a backup and cannot be read: it may say that the backup is not
/// good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// This proof: a test restore may have failed.
    Proof(ObjectName),
    /// What this verification has found: the backup may be hurt.
    Verification(ObjectName),
}

/// A backup that was committed and can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub id: BackupId,
    /// What it holds is of this moment: by it backups are ordered, and belong to a day.
    pub started: Timestamp,
    /// How far it was tried, with success.
    pub level: Level,
    /// Whether its times can be believed; where not, it displaces nothing and stays.
    pub dated: bool,
    /// Whether it was chosen for deletion before: it stays for its pin alone, and takes
    /// nobody's place.
    pub chosen: bool,
    /// Whether it may be no good one: it displaces nothing and stays.
    pub doubt: Option<Doubt>,
    /// Whether somebody wants it kept.
    pub pin: Option<Pin>,
}

/// How far a backup was tried, and all was well: each level counts for those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nobody has restored it.
    Untried,
    /// It was restored.
    Restorable,
    /// It was restored and questioned.
    Proven,
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Self; 3] = [Self::Untried, Self::Restorable, Self::Proven];
}

/// Somebody's wish that a backup stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Why.
    pub reason: String,
    /// Until when; for good, where nothing is said.
    pub until: Option<Timestamp>,
}

impl Pin {
    /// Whether it still holds.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}
