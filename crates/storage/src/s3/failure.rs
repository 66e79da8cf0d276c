//! What went wrong with a request, out of the client's errors.
//!
//! Invariant: the cause is looked for by its type, never by its text; no error
//! that leaves here has a URL, a header or a key in it.

use std::error::Error;
use std::io;
use std::time::Duration;

use object_store::client::{HttpError, HttpErrorKind};

use super::answer::Answer;
use super::bounded::TooMuch;
use super::resolve::NoSuchHost;
use super::wire::{InTheClear, NoCredentials};
use crate::{StorageError, StorageErrorKind};

/// The kind and the cause of a failed request.
pub(super) fn of_request(error: &(dyn Error + 'static)) -> (StorageErrorKind, io::Error) {
    if let Some(answer) = cause::<Answer>(error) {
        let kind = answer.kind();
        return (kind, io::Error::new(io_kind(kind), answer.clone()));
    }
    if let Some(nobody) = cause::<NoCredentials>(error) {
        let kind = StorageErrorKind::Denied;
        return (kind, io::Error::new(io_kind(kind), nobody.to_string()));
    }
    if let Some(refused) = cause::<InTheClear>(error) {
        return (
            StorageErrorKind::Other,
            io::Error::other(refused.to_string()),
        );
    }
    if let Some(too_much) = cause::<TooMuch>(error) {
        let kind = StorageErrorKind::Other;
        return (kind, io::Error::other(too_much.to_string()));
    }
    if let Some(http) = cause::<HttpError>(error) {
        let kind = match http.kind() {
            // Certificates and the like: the same every time.
            _ if causes(http).any(is_invalid_data) => StorageErrorKind::Other,
            HttpErrorKind::Timeout => StorageErrorKind::TimedOut,
            _ => StorageErrorKind::Unreachable,
        };
        if http.kind() == HttpErrorKind::Connect && causes(http).any(is_nobody) {
            return (
                kind,
                io::Error::new(io_kind(kind), NobodyThere(chain(http))),
            );
        }
        return (kind, io::Error::new(io_kind(kind), chain(http)));
    }
    let kind = StorageErrorKind::Other;
    (kind, io::Error::other(chain(error)))
}

/// The connection was refused, or the host's name is nobody's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NobodyThere(String);

/// Whether nobody listens where the storage should be.
pub(crate) fn nobody_is_there(error: &StorageError) -> bool {
    let source = error.source.get_ref();
    source.is_some_and(|source| cause::<NobodyThere>(source).is_some())
}

/// How long the storage asks to be left alone.
pub(crate) fn retry_after(error: &StorageError) -> Option<Duration> {
    answer(error)?.retry_after
}

/// What the user can do about a server's refusal.
pub(crate) fn hint(error: &StorageError) -> Option<&'static str> {
    if nobody_is_there(error) {
        return Some("check 'endpoint' and 'proxy' in the address, and whether the server is up");
    }
    answer(error)?.hint()
}

pub(super) fn answer(error: &StorageError) -> Option<&Answer> {
    cause::<Answer>(error.source.get_ref()?)
}

/// The error and its causes, outermost first; those too that an [`io::Error`] holds
/// without calling them its source.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(held) => Some(held as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The first cause of this type.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn is_invalid_data(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref().map(io::Error::kind);
    io == Some(io::ErrorKind::InvalidData)
}

fn is_nobody(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref().map(io::Error::kind);
    io == Some(io::ErrorKind::ConnectionRefused) || error.is::<NoSuchHost>()
}

/// The two innermost causes in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    // An outer text often ends with the inner one.
    let mut told: Vec<String> = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let inner = texts.get(n + 1);
        let own = inner.map_or(text.as_str(), |inner| {
            text.strip_suffix(inner.as_str()).unwrap_or(text)
        });
        let own = own.trim_end_matches([':', ' ']);
        if !own.is_empty() && !told.iter().any(|before| before == own) {
            told.push(own.to_owned());
        }
    }
    // The outer ones say only that a request was sent.
    told.split_off(told.len().saturating_sub(2)).join(": ")
}

fn io_kind(kind: StorageErrorKind) -> io::ErrorKind {
    use StorageErrorKind as K;
    match kind {
        K::NotFound => io::ErrorKind::NotFound,
        K::AlreadyExists => io::ErrorKind::AlreadyExists,
        K::Denied => io::ErrorKind::PermissionDenied,
        K::NoSpace => io::ErrorKind::StorageFull,
        K::TimedOut => io::ErrorKind::TimedOut,
        K::Throttled => io::ErrorKind::ResourceBusy,
        K::Unreachable => io::ErrorKind::ConnectionAborted,
        K::Other => io::ErrorKind::Other,
    }
}
