//! What can go wrong with a storage.
//!
//! Invariant: few kinds, each one that a caller or a user acts on differently;
//! operation, object and location are always told.

use std::fmt;
use std::io;

use crate::local::Vanished;
use crate::s3;

/// What was asked of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Make a small object.
    Put,
    /// Start, fill or finish a large object.
    Upload,
    /// Read.
    Get,
    /// Name objects.
    List,
    /// Tell a size.
    Head,
    /// Remove.
    Delete,
    /// Name what is unfinished.
    ListUnfinished,
    /// Remove what is unfinished.
    Discard,
    /// Reach the storage at all.
    Open,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put | Self::Upload => "write",
            Self::Get => "read",
            Self::List => "list",
            Self::Head => "look up",
            Self::Delete => "delete",
            Self::ListUnfinished => "list unfinished uploads below",
            Self::Discard => "discard what is unfinished of",
            Self::Open => "open",
        })
    }
}

/// What to do about an error depends on its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageErrorKind {
    /// There is no such object.
    NotFound,
    /// There is such an object already.
    AlreadyExists,
    /// The storage does not let us.
    Denied,
    /// The storage is full.
    NoSpace,
    /// No answer, or no progress, in the time that was given: whether the call
    /// had its effect is unknown.
    TimedOut,
    /// The storage asks to be left alone for a while; whether the call had its
    /// effect is unknown, since a gateway may have said so after the storage did.
    Throttled,
    /// The storage could not be reached, broke off, or failed inside: whether the
    /// call had its effect is unknown.
    Unreachable,
    /// Anything else; the same call would fail again.
    Other,
}

impl StorageErrorKind {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::TimedOut | Self::Throttled | Self::Unreachable)
    }
}

/// A call to a storage that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}{location}: {source}", match object.as_str() {
    "" => String::new(),
    object => format!("{object} in "),
})]
pub struct StorageError {
    /// What was asked.
    pub operation: Operation,
    /// The object's name, or the prefix of a listing.
    pub object: String,
    /// Where the storage is.
    pub location: String,
    /// What to do about it.
    pub kind: StorageErrorKind,
    /// Why it failed.
    pub source: io::Error,
}

impl StorageError {
    /// Whether the storage said that there is no such object.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == StorageErrorKind::NotFound
    }

    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }

    /// Whether the storage itself is no longer what it was: a directory that is gone, or
    /// another one in its place.
    fn has_vanished(&self) -> bool {
        let inner = self.source.get_ref();
        inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<Vanished>)
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if let Some(hint) = s3::hint(self) {
            return Some(hint.to_owned());
        }
        if self.has_vanished() {
            return Some(format!(
                "look whether the file system of {} is mounted; nothing was written in its place",
                self.location
            ));
        }
        if self.source.kind() == io::ErrorKind::NotADirectory {
            return Some(format!(
                "a part of the path is a file where a directory should be: look at {}",
                self.location
            ));
        }
        match self.kind {
            StorageErrorKind::Denied => Some(format!(
                "give the user that runs pgkeep access to {}",
                self.location
            )),
            StorageErrorKind::NoSpace => Some(format!("make room in {}", self.location)),
            _ => None,
        }
    }
}

impl From<&io::Error> for StorageErrorKind {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as E;
        match error.kind() {
            // A path that goes through a file (`NotADirectory`) is no object that is not
            // there: whether there is one cannot be told.
            E::NotFound => Self::NotFound,
            E::AlreadyExists => Self::AlreadyExists,
            E::PermissionDenied | E::ReadOnlyFilesystem => Self::Denied,
            E::StorageFull | E::QuotaExceeded => Self::NoSpace,
            E::TimedOut => Self::TimedOut,
            E::ConnectionRefused
            | E::ConnectionReset
            | E::ConnectionAborted
            | E::NotConnected
            | E::BrokenPipe
            | E::HostUnreachable
            | E::NetworkUnreachable => Self::Unreachable,
            _ => Self::Other,
        }
    }
}
