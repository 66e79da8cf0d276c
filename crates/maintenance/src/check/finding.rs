//! What was found, as data: words are made of it elsewhere.
//!
//! Invariant: a finding says all that its sentence needs.

use std::time::Duration;

use pgkeep_format::records::Level;
use pgkeep_types::{BackupId, SystemId, Timestamp};

use super::seen::{BadProof, Good};

/// How bad something is, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// To be looked at soon.
    Warning,
    /// It cannot be told.
    Unknown,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The repository that it is about; none where it is about the server.
    pub repository: Option<String>,
    /// What it is.
    pub what: What,
}

/// What is not as it should be. Ages and lengths of time are in seconds, sizes in bytes;
/// `wanted` is the limit, and `usual` the median of what was before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are called what they are")]
pub enum What {
    /// The server cannot be asked which databases there are.
    ServerUnreachable { problem: String },
    /// The server has no database that a backup is to be of.
    NoDatabases,
    /// A database has to be there, by its name, and is not.
    NamedMissing { database: String },
    /// The server's clock is ahead, or behind.
    ServerClock { ahead: i64 },
    /// The repository cannot be opened or listed.
    RepositoryUnreachable { problem: String },
    /// Two names are of one repository: what is in the one is not in another place.
    OneRepository { first: String, second: String },
    /// The repository was not looked at to the end.
    RepositoryTooSlow { after: Duration },
    /// The repository holds no good backup at all.
    Empty,
    /// The storage's clock is ahead.
    StorageClock { ahead: i64 },
    /// A database has never had a good backup; it may be new.
    NoBackup { database: String, new: bool },
    /// The newest good backup is too old.
    Old {
        database: String,
        started: Timestamp,
        age: u64,
        wanted: u64,
    },
    /// It cannot be told which backup is the newest.
    Unclear { database: String, problem: String },
    /// The newest backup has a part of the database alone.
    Part { database: String, id: BackupId },
    /// The newest good backups are of another server than the one that was asked.
    OtherServer {
        databases: Vec<String>,
        backups: SystemId,
        server: SystemId,
    },
    /// The newest good backups are of another server than those before.
    ServerChanged {
        databases: Vec<String>,
        from: SystemId,
        to: SystemId,
        since: Timestamp,
    },
    /// The newest good backup has no globals.
    NoGlobals { database: String, id: BackupId },
    /// The newest attempt failed.
    Failed {
        database: String,
        id: BackupId,
        started: Timestamp,
        problem: Option<String>,
    },
    /// The newest attempt was cut off.
    CutOff {
        database: String,
        id: BackupId,
        started: Timestamp,
    },
    /// An attempt has stopped to show that it goes on.
    Silent {
        database: String,
        id: BackupId,
        since: Timestamp,
    },
    /// A backup goes on for too long.
    Long {
        database: String,
        id: BackupId,
        age: u64,
        wanted: u64,
    },
    /// Something is damaged.
    Damaged {
        id: Option<BackupId>,
        database: Option<String>,
        problem: String,
    },
    /// A backup was not restored, is not what was dumped, or gave a wrong answer.
    ProofFailed {
        database: String,
        id: BackupId,
        at: Timestamp,
        host: String,
    },
    /// The host of the newest proof could not tell.
    NotProvable {
        database: String,
        id: BackupId,
        at: Timestamp,
        host: String,
    },
    /// The newest proof is too old.
    ProofOld {
        database: String,
        at: Timestamp,
        age: u64,
        wanted: u64,
    },
    /// A database was never proven, and should have been.
    NeverProven { database: String },
    /// It was, and no proof stands any more.
    NoLongerProven { database: String },
    /// The newest proof answered fewer questions than are configured now.
    FewerQuestions {
        database: String,
        at: Timestamp,
        asked: u32,
        wanted: u32,
    },
    /// A question is about a database of which there is no backup, or only those from before
    /// it was gone or left out.
    Unasked { database: String, stale: bool },
    /// A proof cannot be gone by.
    BadProof { bad: BadProof },
    /// A pin cannot be read, or what should have lifted one.
    BadPin { problem: String },
    /// There is no recovery key in use: nobody could restore what is written now.
    NoRecoveryKey,
    /// Something below `keys/` cannot be used, or is missing.
    BadKey { problem: String },
    /// This host may not write.
    MayNotWrite { problem: String },
    /// No key that is in use opens the newest good backup.
    Sealed {
        database: String,
        id: BackupId,
        keys: Vec<String>,
    },
    /// A table that had rows has none.
    Emptied {
        database: String,
        table: String,
        usual: u64,
    },
    /// A table that had rows is not there.
    TableGone {
        database: String,
        table: String,
        usual: u64,
    },
    /// A table has lost many of its rows.
    FewerRows {
        database: String,
        table: String,
        rows: u64,
        usual: u64,
    },
    /// A database is much smaller than it was.
    Shrunk {
        database: String,
        bytes: u64,
        usual: u64,
    },
    /// A database is much larger than it was.
    Grown {
        database: String,
        bytes: u64,
        usual: u64,
    },
    /// There is no room for long.
    Space {
        free: u64,
        per_day: u64,
        lasts: u64,
        wanted: u64,
    },
}

impl What {
    /// The database that it is about, where it is about one.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::NamedMissing { database }
            | Self::NoBackup { database, .. }
            | Self::Old { database, .. }
            | Self::Unclear { database, .. }
            | Self::Part { database, .. }
            | Self::NoGlobals { database, .. }
            | Self::Failed { database, .. }
            | Self::CutOff { database, .. }
            | Self::Silent { database, .. }
            | Self::Long { database, .. }
            | Self::ProofFailed { database, .. }
            | Self::NotProvable { database, .. }
            | Self::ProofOld { database, .. }
            | Self::NeverProven { database }
            | Self::NoLongerProven { database }
            | Self::FewerQuestions { database, .. }
            | Self::Unasked { database, .. }
            | Self::Sealed { database, .. }
            | Self::Emptied { database, .. }
            | Self::TableGone { database, .. }
            | Self::FewerRows { database, .. }
            | Self::Shrunk { database, .. }
            | Self::Grown { database, .. } => Some(database),
            Self::Damaged { database, .. } => database.as_deref(),
            Self::ServerUnreachable { .. }
            | Self::NoDatabases
            | Self::ServerClock { .. }
            | Self::OtherServer { .. }
            | Self::ServerChanged { .. }
            | Self::RepositoryUnreachable { .. }
            | Self::RepositoryTooSlow { .. }
            | Self::OneRepository { .. }
            | Self::Empty
            | Self::StorageClock { .. }
            | Self::BadProof { .. }
            | Self::BadPin { .. }
            | Self::NoRecoveryKey
            | Self::BadKey { .. }
            | Self::MayNotWrite { .. }
            | Self::Space { .. } => None,
        }
    }

    /// What kind of finding it is, in one word that stays the same.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ServerUnreachable { .. } => "server-unreachable",
            Self::NoDatabases => "no-databases",
            Self::NamedMissing { .. } => "database-missing",
            Self::ServerClock { .. } => "server-clock",
            Self::RepositoryUnreachable { .. } => "repository-unreachable",
            Self::RepositoryTooSlow { .. } => "repository-too-slow",
            Self::OneRepository { .. } => "one-repository",
            Self::Empty => "no-backups",
            Self::StorageClock { .. } => "storage-clock",
            Self::NoBackup { .. } => "no-backup",
            Self::Old { .. } => "backup-old",
            Self::Unclear { .. } => "newest-unclear",
            Self::Part { .. } => "backup-partial",
            Self::OtherServer { .. } => "other-server",
            Self::ServerChanged { .. } => "server-changed",
            Self::NoGlobals { .. } => "globals-missing",
            Self::Failed { .. } => "run-failed",
            Self::CutOff { .. } => "run-abandoned",
            Self::Silent { .. } => "run-silent",
            Self::Long { .. } => "run-long",
            Self::Damaged { .. } => "damaged",
            Self::ProofFailed { .. } => "proof-failed",
            Self::NotProvable { .. } => "not-provable",
            Self::ProofOld { .. } => "proof-old",
            Self::NeverProven { .. } => "never-proven",
            Self::NoLongerProven { .. } => "no-longer-proven",
            Self::FewerQuestions { .. } => "proof-of-fewer-questions",
            Self::Unasked { .. } => "question-unasked",
            Self::BadProof { .. } => "proof-damaged",
            Self::BadPin { .. } => "pin-damaged",
            Self::NoRecoveryKey => "no-recovery-key",
            Self::BadKey { .. } => "key-unusable",
            Self::MayNotWrite { .. } => "host-may-not-write",
            Self::Sealed { .. } => "sealed-to-retired",
            Self::Emptied { .. } => "table-emptied",
            Self::TableGone { .. } => "table-gone",
            Self::FewerRows { .. } => "table-shrunk",
            Self::Shrunk { .. } => "database-shrunk",
            Self::Grown { .. } => "database-grown",
            Self::Space { .. } => "space",
        }
    }
}

/// What there is to say without alarm: what was not looked at, and what is no fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Databases are gone from the server; their backups are there.
    Gone(Vec<String>),
    /// A pattern that chooses databases matches none that the server has.
    Unmatched(String),
    /// The rows of databases were not looked at.
    RowsUnseen(Vec<String>, String),
    /// Databases were never proven, and nothing says that they should be.
    NeverProven(Vec<String>),
    /// Databases have too few backups for their sizes to be judged.
    NoHistory(Vec<String>),
    /// The free space could not be asked for.
    SpaceUnknown(String),
    /// That kind of storage tells no free space.
    SpaceUntold,
    /// These clusters store there, too, and are not in the sum by which it is judged for how
    /// long the room lasts.
    SpaceOfSome(Vec<String>),
    /// Which other clusters store there could not be told.
    OthersUnknown(String),
    /// No key file here knows the repository: whether it is the right one was not looked at.
    Unpinned,
    /// This host has no key to write with: whether it may was not looked at.
    NoHostKey,
    /// The server, or the newest backups of these databases, do not tell which server they
    /// are of.
    SystemUnknown(Vec<String>),
}

impl Note {
    /// What was not looked at, in a word or two; none where it says something else.
    #[must_use]
    pub fn unseen(&self) -> Option<&'static str> {
        match self {
            Self::RowsUnseen(..) => Some("rows"),
            Self::SpaceUnknown(_) => Some("free space"),
            Self::OthersUnknown(_) => Some("what other clusters store"),
            Self::NoHostKey => Some("whether this host may write"),
            Self::SystemUnknown(_) => Some("whether the backups are of this server"),
            Self::Unpinned => Some("whether it is the right repository"),
            Self::Gone(_)
            | Self::Unmatched(_)
            | Self::NeverProven(_)
            | Self::NoHistory(_)
            | Self::SpaceUntold
            | Self::SpaceOfSome(_) => None,
        }
    }
}

/// The numbers of a database in a repository.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The repository.
    pub repository: String,
    /// The database.
    pub database: String,
    /// The newest good backup, its age in seconds and its size in bytes.
    pub newest: Option<(Good, u64)>,
    /// How much is proven of its backups, and how many seconds ago that was last done.
    pub proof: Option<(Level, u64)>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
    /// What else there is to say, by repository.
    pub notes: Vec<(Option<String>, Note)>,
    /// Each database that a backup is to be of, in each repository that was seen.
    pub measured: Vec<Measured>,
    /// The free space of repositories that tell it, and for how many seconds it lasts.
    pub space: Vec<(String, u64, Option<u64>)>,
}

impl Judgement {
    /// How bad it is altogether. Where no database was judged it is not known.
    #[must_use]
    pub fn severity(&self) -> Severity {
        let all = self.findings.iter().map(|finding| finding.severity);
        let least = match self.measured.is_empty() {
            true => Severity::Unknown,
            false => Severity::Ok,
        };
        all.fold(least, Severity::max)
    }
}
