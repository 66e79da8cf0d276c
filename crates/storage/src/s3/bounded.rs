//! How much of an answer is read.
//!
//! Invariant: no answer is held that is longer than what was asked for can be, whatever
//! its length was said to be: who holds the storage may send anything, without an end.

use http_body_util::{BodyExt, LengthLimitError, Limited};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponseBody};
use reqwest::header::RANGE;

/// Of an object that is read whole, and of a listing: a thousand names of 1024 bytes, each
/// byte of which may be written as six.
pub(super) const WHOLE: u64 = 64 << 20;
/// Of everything that is not an object's content, where the status says all.
pub(super) const WORDS: u64 = 1 << 20;

/// More came than was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the server sends more than the {0} bytes that were asked for")]
pub(super) struct TooMuch(pub(super) u64);

/// How long the answer to a request may be that succeeds.
pub(super) fn limit(request: &HttpRequest) -> u64 {
    let range = request.headers().get(RANGE);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let ends = range.and_then(|range| {
        let (first, last) = range.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    ends.map_or(WHOLE, |(first, last)| {
        last.saturating_sub(first).saturating_add(1)
    })
}

/// The body, which fails as soon as more comes.
pub(super) fn bounded(body: HttpResponseBody, limit: u64) -> HttpResponseBody {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let failed = move |error: Box<dyn std::error::Error + Send + Sync>| match error
        .downcast::<HttpError>()
    {
        Ok(own) => *own,
        Err(other) if other.is::<LengthLimitError>() => {
            HttpError::new(HttpErrorKind::Unknown, TooMuch(limit))
        }
        Err(other) => HttpError::new_boxed(HttpErrorKind::Unknown, other),
    };
    HttpResponseBody::new(Limited::new(body, most).map_err(failed))
}
