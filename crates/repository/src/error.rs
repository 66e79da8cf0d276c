//! What can go wrong with a repository.
//!
//! Invariant: an error names the object, and the repository where it lies.

mod hint;

use pgkeep_format::{FormatError, RepositoryId};
use pgkeep_storage::{StorageError, StorageErrorKind};
use pgkeep_types::{BackupId, ObjectNameError, Timestamp};

use crate::deletion::PlanError;
use crate::keys::KeysError;

/// Why something could not be done with a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no repository here.
    #[error("no repository in {location}")]
    Missing {
        /// Where it was looked for.
        location: String,
    },
    /// There was one when it was opened.
    #[error("the repository in {location} is not there any more")]
    Vanished {
        /// Where it was.
        location: String,
    },
    /// There is a repository already.
    #[error("there is a repository in {location} already")]
    Exists {
        /// Where it is.
        location: String,
    },
    /// There are keys of a repository that was never finished.
    #[error(
        "{location} holds keys of a repository {}, the last one since {since}: {}",
        if *.in_use { "and its backups, and no pgkeep.json" } else { "that was never finished" },
        .objects.join(", ")
    )]
    Remains {
        /// Where they are.
        location: String,
        /// All objects below `keys/`.
        objects: Vec<String>,
        /// When the newest of them came to be, by the storage's clock.
        since: Timestamp,
        /// Whether there are backups beside them: then the repository lost its descriptor.
        in_use: bool,
    },
    /// There are backups, and nothing else of their repository.
    #[error(
        "{location} holds backups of a repository (cluster {}; {object} is one object of it), \
         and neither its pgkeep.json nor anything of its keys/", .clusters.join(", ")
    )]
    Beheaded {
        /// Where they are.
        location: String,
        /// The clusters that were seen; there may be more.
        clusters: Vec<String>,
        /// One of the objects.
        object: String,
    },
    /// Somebody else's object is there since the making of a repository began.
    #[error("{object} in {location} is there, and not of the repository that is being made")]
    Contested {
        /// The object's name.
        object: String,
        /// Where it is.
        location: String,
    },
    /// Key records cannot be read: whom they vouch for is not known.
    #[error("cannot write to the repository in {location} while it has keys that cannot be read: {}", .keys.join("; "))]
    UnreadableKeys {
        /// Where the repository is.
        location: String,
        /// Each key record, and what is wrong with it.
        keys: Vec<String>,
    },
    /// The recovery keys are others than when this host joined.
    #[error(
        "the keys that open the repository in {location} are not those that host {host} knows: {}",
        .changed.join(", ")
    )]
    Recipients {
        /// Where the repository is.
        location: String,
        /// The host's name.
        host: String,
        /// What was added, and what is gone.
        changed: Vec<String>,
    },
    /// This host has not been told yet that it is the right repository.
    #[error("host {host} does not know the repository in {location} yet")]
    NotTrusted {
        /// The host's name.
        host: String,
        /// Where the repository is.
        location: String,
    },
    /// This host may no longer write here.
    #[error("the key of host {host} was retired from the repository in {location}{}",
        .retired.map(|at| at.strftime(" on %Y-%m-%d").to_string()).unwrap_or_default())]
    Retired {
        /// The host's name.
        host: String,
        /// Where the repository is.
        location: String,
        /// When.
        retired: Option<Timestamp>,
    },
    /// This host's key is about to be retired.
    #[error("the key of host {host} is being retired from the repository in {location}")]
    Ending {
        /// The host's name.
        host: String,
        /// Where the repository is.
        location: String,
    },
    /// A retired key has signed what it had not when it was retired.
    #[error(
        "{object} in {location} is signed by host {host}, whose key was retired on {}, and is not \
         among what it had written by then",
        .retired.strftime("%Y-%m-%d")
    )]
    NotBelieved {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// The host's name.
        host: String,
        /// When its key was retired.
        retired: Timestamp,
        /// Whether it counts as nothing: the end of the key is the one that the newest
        /// ring lists, and does not have this name at all.
        is_nothing: bool,
    },
    /// What says that a backup is deleted is not to be believed.
    #[error("what says that backup {backup} is deleted cannot be believed: {source}")]
    BadTombstone {
        /// The backup.
        backup: BackupId,
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// Why not.
        source: Box<RepositoryError>,
    },
    /// The keys were not changed as was asked, or a passphrase opens none.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A key was added after a backup was made: the next one cannot refer to it.
    #[error("backup {backup} is not sealed to every key that the next one is sealed to")]
    ShutToSome {
        /// The backup.
        backup: BackupId,
    },
    /// A key at hand is a reader's, and not of this backup.
    #[error("backup {backup} is not sealed to the key at hand, {key}: {why}")]
    SealedToOthers {
        /// The backup.
        backup: BackupId,
        /// The key's role and name.
        key: String,
        /// Why not.
        why: String,
        /// The keys that it is sealed to, retired ones too.
        readers: Vec<String>,
    },
    /// A manifest refers to what its backup does not say that it needs.
    #[error("backup {backup} refers to pack {number} of {holder}, which it does not cite")]
    NotNeeded {
        /// The backup.
        backup: BackupId,
        /// Whose pack it is.
        holder: BackupId,
        /// The pack's number.
        number: u32,
    },
    /// Files come in the order of their paths.
    #[error("file {path:?} does not come after the one before it")]
    Order {
        /// The file.
        path: String,
    },
    /// An object is not what was written, or cannot be used.
    #[error("{object} in {location}: {source}")]
    Object {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// What is wrong with it.
        #[source]
        source: FormatError,
    },
    /// An object is whole, but not the one that the backup cites.
    #[error(
        "{object} in {location}: damaged at offset 0: it is not the object that backup {backup} cites"
    )]
    Uncited {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// The backup that cites it.
        backup: BackupId,
    },
    /// The root key is not the one that was there when we joined.
    #[error("the repository in {location} is not the one that this host or key knows as {id}")]
    Foreign {
        /// Where it is.
        location: String,
        /// The id it claims.
        id: RepositoryId,
    },
    /// This host may not write here.
    #[error("host {host} is no writer of the repository in {location}")]
    NotAWriter {
        /// The host's name.
        host: String,
        /// Where the repository is.
        location: String,
    },
    /// No key at hand opens the repository's backups.
    #[error("no key at hand opens backups of the repository in {location}")]
    NoIdentity {
        /// Where the repository is.
        location: String,
        /// The recovery keys that would.
        recipients: Vec<String>,
        /// Whether a passphrase would.
        passphrase: bool,
    },
    /// A backup has no such file.
    #[error("backup {backup} has no file {path:?}")]
    NoFile {
        /// The backup.
        backup: BackupId,
        /// The file.
        path: String,
    },
    /// A created object did not behave as the storage's contract says.
    #[error("{location} does not keep what is written: {what}")]
    Unreliable {
        /// Where the storage is.
        location: String,
        /// What was seen.
        what: &'static str,
    },
    /// A key or record could not be made.
    #[error("cannot make {what}: {source}")]
    Make {
        /// What it should have been.
        what: &'static str,
        /// Why not.
        source: FormatError,
    },
    /// A name could not be put together.
    #[error(transparent)]
    Name(#[from] ObjectNameError),
    /// The host's clock cannot be right.
    #[error("this host's clock says {time}, and no id can be made of that")]
    Clock {
        /// What it says.
        time: String,
    },
    /// The host's clock is behind: what it makes now would be dated before what there is.
    #[error(
        "this host's clock says {now}, and backup {backup} was begun at {started}: the next one \
         would be dated before it"
    )]
    ClockBehind {
        /// What it says.
        now: Timestamp,
        /// The backup.
        backup: BackupId,
        /// When that says that it was begun; the storage's clock does not contradict it.
        started: Timestamp,
    },
    /// An object that a backup cites is not in the listing as it should be.
    #[error("{object} in {location}: {problem}")]
    Lost {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// What was seen.
        problem: String,
    },
    /// A run has made a backup that is there, and what it set out to make is not.
    #[error("{object} in {location}: it is not there, though a backup of its run is")]
    LostBegin {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
    },
    /// A proof is of another `backup` record than the backup has.
    #[error("{object} in {location} proves another record of backup {backup} than is there")]
    ForeignProof {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// The backup.
        backup: BackupId,
    },
    /// Two repositories have different backups of one id.
    #[error("backup {backup} in {location} is no copy of the one in {other}")]
    NoCopy {
        /// The backup.
        backup: BackupId,
        /// Where the one repository is.
        location: String,
        /// Where the other one is.
        other: String,
    },
    /// An object that a backup needs was read back, and is not what was written.
    #[error(
        "{object} in {location}: {problem}, as host {host} found on {}",
        .found.strftime("%Y-%m-%d")
    )]
    Hurt {
        /// The object's name.
        object: String,
        /// Where the repository is.
        location: String,
        /// What is wrong with it.
        problem: String,
        /// The host that has read it.
        host: String,
        /// When that was written down, by that host's clock.
        found: Timestamp,
    },
    /// A backup was committed, and others had deleted or given up what it needs.
    #[error("backup {backup} came to nothing: {problem}")]
    Overtaken {
        /// The backup.
        backup: BackupId,
        /// By what.
        problem: String,
    },
    /// While a backup was made, the keys were changed that it should be sealed to.
    #[error(
        "backup {backup} came to nothing: the keys that open backups were changed while it was \
         made: {}", .changed.join(", ")
    )]
    KeysChanged {
        /// The backup.
        backup: BackupId,
        /// What was added, and what is gone.
        changed: Vec<String>,
    },
    /// Somebody has deleted the backup.
    #[error("backup {backup} was deleted{}", .how.as_ref().map(|how| format!(" {how}")).unwrap_or_default())]
    Deleted {
        /// The backup.
        backup: BackupId,
        /// When, by whom and why, where that is known.
        how: Option<String>,
    },
    /// A pin came too late, or nobody would believe it.
    #[error("backup {backup} was not pinned: {problem}{}", match .left {
        true => "; the pin that was written could not be lifted",
        false => "",
    })]
    NotPinned {
        /// The backup.
        backup: BackupId,
        /// Why not.
        problem: String,
        /// Whether the pin is still there.
        left: bool,
    },
    /// What to delete could not be told, so nothing more was.
    #[error("{} deleted in {location}: {source}", match .deleted {
        0 => "nothing was".to_owned(),
        1 => "1 object was deleted, and nothing more was".to_owned(),
        objects => format!("{objects} objects were deleted, and nothing more was"),
    })]
    NotDeleted {
        /// Where the repository is.
        location: String,
        /// How many objects had been deleted before that.
        deleted: usize,
        /// Why not.
        source: PlanError,
    },
    /// There is no room to write what has to be written before anything goes.
    #[error(
        "{}; what else should go stays, since there is no room to write that it goes",
        match .deleted {
            0 => "nothing was deleted".to_owned(),
            deleted => format!(
                "what could go without writing anything was deleted ({deleted} objects and \
                 uploads, {bytes} bytes)"
            ),
        }
    )]
    NoRoom {
        /// How many objects and unfinished uploads went all the same.
        deleted: usize,
        /// Their bytes, where the storage tells them.
        bytes: u64,
        /// What could not be written.
        source: StorageError,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// Another stage of the work has failed; that one tells why.
    #[error("the work was given up")]
    GivenUp,
}

impl RepositoryError {
    /// Whether an object was read that is damaged: what was in it is lost.
    #[must_use]
    pub fn is_of_damage(&self) -> bool {
        matches!(
            self,
            Self::Object {
                source: FormatError::Damaged { .. },
                ..
            }
        )
    }

    /// The object that is missing, or may not be what was written.
    #[must_use]
    pub fn hurt_object(&self) -> Option<&str> {
        match self {
            Self::Object {
                object,
                source:
                    FormatError::Damaged { .. }
                    | FormatError::UnknownWriter { .. }
                    | FormatError::Read { .. },
                ..
            }
            | Self::Uncited { object, .. } => Some(object),
            Self::Storage(error) if error.is_not_found() => Some(&error.object),
            _ => None,
        }
    }

    /// Whether somebody else was at the same at the same time, and may have done it.
    #[must_use]
    pub fn is_of_others(&self) -> bool {
        match self {
            Self::Overtaken { .. } => true,
            Self::Storage(error) => error.kind == StorageErrorKind::AlreadyExists,
            _ => false,
        }
    }

    /// Whether it is about a record that counts as nothing: of a retired key, which its
    /// end does not list.
    pub(crate) fn is_about_nothing(&self) -> bool {
        matches!(
            self,
            Self::NotBelieved {
                is_nothing: true,
                ..
            }
        )
    }
}
