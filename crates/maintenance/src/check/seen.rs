//! What was seen of a cluster: plain data, of a server and of repositories.
//!
//! Invariant: what could not be seen is said to be that, never left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgkeep_format::RepositoryId;
use pgkeep_format::records::Level;
use pgkeep_types::{BackupId, ClusterName, SystemId, Timestamp};

/// What was seen of a cluster's server.
#[derive(Clone, Debug)]
pub enum Server {
    /// It was asked.
    Asked(Asked),
    /// It could not be, and why not.
    Unreachable(String),
}

/// What a server has said.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The databases that it has and a backup is to be of.
    pub databases: BTreeSet<String>,
    /// Those that have to be there, by name, and are not.
    pub missing: BTreeSet<String>,
    /// The patterns that choose databases and match none.
    pub unmatched: Vec<String>,
    /// By how many seconds its clock is ahead.
    pub ahead: i64,
    /// Which server it is, where it tells.
    pub system: Option<SystemId>,
}

/// What was seen of one of the cluster's repositories.
#[derive(Clone, Debug)]
pub enum Repository {
    /// It was looked at.
    Seen(Box<Seen>),
    /// It could not be opened or listed, and why not.
    Unreachable(String),
    /// It has not shown what it holds within this time.
    TooSlow(Duration),
}

/// What a repository holds of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Which repository it is; none where that does not matter.
    pub id: Option<RepositoryId>,
    /// All databases of which there is anything.
    pub databases: BTreeMap<String, Database>,
    /// What is damaged, or may be.
    pub damaged: Vec<Damaged>,
    /// What is wrong with proofs that cannot be read.
    pub bad_proofs: Vec<BadProof>,
    /// What is wrong with pins that cannot be read, and with what should have lifted some.
    pub bad_pins: Vec<String>,
    /// Whether there is a recovery key in use, or nothing is sealed.
    pub readable: bool,
    /// What is below `keys/` and cannot be used, or is missing.
    pub bad_keys: Vec<String>,
    /// Why this host may not write; none where it may. The outer none where it has no key
    /// to write with.
    pub may_not_write: Option<Option<String>>,
    /// The room that there is.
    pub space: Space,
    /// How much was newly stored of late.
    pub stored: Stored,
    /// The clusters that the repository has, where that matters for its room.
    pub clusters: Clusters,
    /// The time within which it was not read to the end, where that was so.
    pub slow: Option<Duration>,
    /// Whether nothing here knows that it is the right repository.
    pub unpinned: bool,
    /// The newest that the storage's clock has said.
    pub newest: Timestamp,
}

/// How many bytes a day were newly stored of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// By all.
    pub all: u64,
    /// By those of which none were deleted in that time.
    pub kept: u64,
}

impl Stored {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            all: self.all.saturating_add(other.all),
            kept: self.kept.saturating_add(other.kept),
        }
    }
}

/// The clusters that a repository has.
#[derive(Clone, Debug)]
pub enum Clusters {
    /// These.
    Listed(BTreeSet<ClusterName>),
    /// They could not be listed, and why not.
    Unknown(String),
}

impl Default for Clusters {
    fn default() -> Self {
        Self::Listed(BTreeSet::new())
    }
}

/// What a storage says of its free space.
#[derive(Clone, Debug, Default)]
pub enum Space {
    /// So many bytes.
    Free(u64),
    /// That kind of storage tells none.
    #[default]
    Untold,
    /// It could not be asked, and why not.
    Unknown(String),
}

/// What a repository holds of a database.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// Whether a backup is to be of it, by the configuration.
    pub chosen: bool,
    /// The newest good one.
    pub newest: Option<Good>,
    /// Why it cannot be told by the clocks which one is the newest.
    pub unclear: Option<String>,
    /// A backup of it that is newer than that one and has a part of it alone, where the
    /// whole is wanted.
    pub part: Option<BackupId>,
    /// The newest attempt that is newer than the newest good one.
    pub attempt: Option<Attempted>,
    /// The sizes in bytes of the good ones before the newest, which comes first.
    pub sizes: Vec<u64>,
    /// Their tables.
    pub rows: Rows,
    /// When the oldest good one was made.
    pub since: Option<Timestamp>,
    /// The server that earlier good ones are of, where it is not the newest one's.
    pub moved: Option<Moved>,
    /// What is proven of its good ones.
    pub proofs: Proofs,
}

/// That backups are of another server than those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The server that those before are of.
    pub from: SystemId,
    /// When the oldest one of the new server was made.
    pub since: Timestamp,
}

/// A proof that cannot be gone by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadProof {
    /// What is wrong with it.
    pub problem: String,
    /// Whether it is nobody's who may write proofs: then it counts as none. Any other may
    /// have said that its backup is not good.
    pub is_foreign: bool,
}

/// What is proven of a database's good backups.
#[derive(Clone, Debug, Default)]
pub struct Proofs {
    /// When one was last restored and compared, or more.
    pub restorable: Option<Timestamp>,
    /// When one was last proven: questioned besides.
    pub proven: Option<Timestamp>,
    /// How many questions that one was asked.
    pub asked: u32,
    /// What says that they are not good: the newest proof of any, or one of a backup that is
    /// newer than the newest good one.
    pub failed: Option<Refused>,
    /// The newest proof, where its host could not tell.
    pub not_provable: Option<Refused>,
    /// The most that was ever proven of one, whatever was found later.
    pub ever: Option<Level>,
}

/// A proof that is none.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The backup.
    pub id: BackupId,
    /// When.
    pub at: Timestamp,
    /// The host that tried.
    pub host: String,
}

/// A good backup.
#[derive(Clone, Debug)]
pub struct Good {
    /// Its id.
    pub id: BackupId,
    /// When its snapshot was taken.
    pub started: Timestamp,
    /// The bytes that were captured.
    pub bytes: u64,
    /// Whether the cluster's globals are with it.
    pub globals: bool,
    /// The server that it is of, where that has told.
    pub system: Option<SystemId>,
    /// Who can open it.
    pub opens: Opens,
}

/// Who can open a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opens {
    /// A key that is in use.
    ToSomebody,
    /// These keys alone, none of which is in use.
    ToRetired(Vec<String>),
    /// A key whose record is lost, and no other.
    ToLost,
}

/// A backup that was begun and is not there.
#[derive(Clone, Debug)]
pub struct Attempted {
    /// Its id.
    pub id: BackupId,
    /// When its run began.
    pub started: Timestamp,
    /// What has become of it.
    pub state: State,
}

/// What has become of an attempt.
#[derive(Clone, Debug)]
pub enum State {
    /// It failed; why, where that can be read.
    Failed(Option<String>),
    /// Nothing says how it ended, and it shows no sign of life.
    CutOff,
    /// It should have shown that it goes on, since this time.
    Silent(Timestamp),
    /// It goes on.
    Running,
}

/// Something that is damaged, or of which nobody can tell whether it is good.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The backup, where it is one's.
    pub id: Option<BackupId>,
    /// Its database, where that is known.
    pub database: Option<String>,
    /// When it was begun, where that is known.
    pub begun: Option<Timestamp>,
    /// What is wrong.
    pub problem: String,
}

/// The rows of a table, by its schema and its name; none where they were not counted.
pub type Tables = BTreeMap<(String, String), Option<u64>>;

/// What was seen of the rows of a database's backups.
#[derive(Clone, Debug)]
pub enum Rows {
    /// They were counted.
    Counted {
        /// Those of the newest good backup.
        newest: Tables,
        /// Those of the ones before it, which were to have the same of the database; the
        /// newest first.
        before: Vec<Tables>,
        /// Why there are too few before it, where that is not for being young.
        missing: Option<String>,
    },
    /// They were not looked at, and why not.
    Unseen(String),
    /// What should have told them is damaged.
    Damaged(String),
}

impl Default for Rows {
    fn default() -> Self {
        Self::Unseen("there is no backup".to_owned())
    }
}
