//! The only retries of the house: a storage whose calls are tried again.
//!
//! Invariants: only what is transient is tried again, until the call's own
//! deadline; a call that may have had its effect unseen is resolved as the
//! contract says, never guessed; a call without an answer ends as `TimedOut`.

mod delay;
mod parts;
mod patience;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_types::{ObjectName, Random};
use tokio::time::{Instant, sleep, timeout};

use crate::parts::{PartUpload, Parts};
use crate::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, StorageErrorKind, Unfinished,
    UnfinishedPage, Upload, s3,
};

pub use delay::{Delay, OnDelay};
pub use patience::Patience;

use delay::Teller;

/// A storage whose calls are tried again.
#[derive(Clone)]
pub struct Retrying {
    inner: Arc<dyn Storage>,
    patience: Patience,
    random: Arc<dyn Random>,
    teller: Option<Teller>,
    answered: Arc<AtomicBool>,
}

impl fmt::Debug for Retrying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Retrying").field(&self.inner).finish()
    }
}

/// A call that was tried until its time was up.
#[derive(Debug, thiserror::Error)]
#[error("tried {attempts} times in {within:.1?}: {last}")]
struct GaveUp {
    attempts: u32,
    within: Duration,
    #[source]
    last: io::Error,
}

/// What a call is about, for its errors.
#[derive(Clone, Copy)]
struct Call<'a> {
    operation: Operation,
    object: &'a str,
    /// How many bytes it sends.
    sends: u64,
    /// How many bytes it reads, or how many there may be.
    reads: u64,
}

impl Call<'_> {
    fn bytes(&self) -> u64 {
        self.sends.saturating_add(self.reads)
    }
}

/// How the attempts of a call ended.
struct Tried<T> {
    result: Result<T, StorageError>,
    /// Whether an attempt that failed may have had its effect.
    unclear: bool,
}

impl Retrying {
    /// Tries the calls of `inner` again, with `patience`.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, patience: Patience, random: Arc<dyn Random>) -> Self {
        Self {
            inner,
            patience,
            random,
            teller: None,
            answered: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Tells `told` of calls that have had no answer for a while, now and then.
    #[must_use]
    pub fn telling(self, told: OnDelay) -> Self {
        Self {
            teller: Some(Teller::new(told)),
            ..self
        }
    }

    async fn call<'a, T, F>(
        &'a self,
        call: Call<'_>,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Tried<T>
    where
        F: Future<Output = Result<T, StorageError>> + Send + 'a,
    {
        let started = Instant::now();
        let mut attempts = 0;
        let mut unclear = false;
        let mut before: Option<StorageError> = None;
        loop {
            attempts += 1;
            let left = self.total(call).saturating_sub(started.elapsed());
            let full = self.patience.attempt_of(call.bytes());
            let work = timeout(full.min(left), attempt());
            let delay = || self.delay(call, started, None);
            let result = match Teller::watch(self.teller.as_ref(), delay, work).await {
                Ok(result) => result,
                // An attempt that was cut short says less than the one before it.
                Err(_) => Err(match before.take() {
                    Some(before) if left < full => before,
                    _ => self.timed_out(call, full.min(left)),
                }),
            };
            if !result.as_ref().is_err_and(StorageError::is_transient) {
                self.answered.store(true, Ordering::Relaxed);
            }
            let error = match result {
                Err(error) if error.is_transient() => error,
                result => return Tried { result, unclear },
            };
            if error.kind == StorageErrorKind::Throttled {
                self.answered.store(true, Ordering::Relaxed);
            }
            let asked = s3::retry_after(&error);
            let pause = self
                .patience
                .pause_after(attempts, asked, self.random.as_ref());
            let mut total = self.total(call);
            if !self.answered.load(Ordering::Relaxed) && s3::nobody_is_there(&error) {
                total = total.min(self.patience.nobody);
            }
            if started.elapsed() + pause >= total {
                let result = Err(gave_up(error, attempts, started.elapsed()));
                return Tried {
                    result,
                    unclear: true,
                };
            }
            if let Some(teller) = &self.teller {
                teller.tell(&self.delay(call, started, Some(&error)));
            }
            unclear = true;
            before = Some(error);
            sleep(pause).await;
        }
    }

    fn total(&self, call: Call<'_>) -> Duration {
        match self.answered.load(Ordering::Relaxed) {
            true => self.patience.total_of(call.bytes()),
            false => self.patience.first_of(call.sends),
        }
    }

    fn delay(&self, call: Call<'_>, since: Instant, problem: Option<&StorageError>) -> Delay {
        Delay {
            location: self.inner.location(),
            waited: since.elapsed(),
            // What is sent and read has its time.
            usual: self.patience.transfer_of(call.bytes()),
            problem: problem.map(|error| error.source.to_string()),
        }
    }

    fn timed_out(&self, call: Call<'_>, time: Duration) -> StorageError {
        let text = format!("no answer within {time:.1?}");
        StorageError {
            operation: call.operation,
            object: call.object.to_owned(),
            location: self.inner.location(),
            kind: StorageErrorKind::TimedOut,
            source: io::Error::new(io::ErrorKind::TimedOut, text),
        }
    }

    /// Whether the object is there and holds exactly these bytes.
    async fn holds(&self, name: &ObjectName, bytes: &Bytes) -> Result<bool, StorageError> {
        match self.head(name).await {
            Ok(meta) if meta.size == bytes.len() as u64 => {}
            Ok(_) => return Ok(false),
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        }
        let length = bytes.len() as u64;
        Ok(self.get(name, Some(0..length)).await? == *bytes)
    }

    fn inner_parts(&self, name: &ObjectName) -> Result<&dyn Parts, StorageError> {
        self.inner.parts().ok_or_else(|| StorageError {
            operation: Operation::Upload,
            object: name.to_string(),
            location: self.inner.location(),
            kind: StorageErrorKind::Other,
            source: io::Error::other("the storage takes no parts"),
        })
    }
}

fn gave_up(error: StorageError, attempts: u32, within: Duration) -> StorageError {
    let kind = error.source.kind();
    let last = error.source;
    StorageError {
        source: io::Error::new(
            kind,
            GaveUp {
                attempts,
                within,
                last,
            },
        ),
        ..error
    }
}

#[async_trait]
impl Storage for Retrying {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn prepare(&self) -> Result<(), StorageError> {
        // A directory's affair, which no weather touches.
        self.inner.prepare().await
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        let call = Call {
            operation: Operation::Put,
            object: name.as_str(),
            sends: bytes.len() as u64,
            reads: 0,
        };
        let tried = self
            .call(call, || self.inner.put(name, bytes.clone()))
            .await;
        match tried.result {
            // What is there may be what an earlier attempt has written.
            Err(error) if tried.unclear && error.kind == StorageErrorKind::AlreadyExists => {
                match self.holds(name, &bytes).await? {
                    true => Ok(()),
                    false => Err(error),
                }
            }
            result => result,
        }
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        match PartUpload::of(Arc::new(self.clone()), name) {
            Some(upload) => Ok(Box::new(upload)),
            // Nothing of it can be sent again.
            None => self.inner.upload(name).await,
        }
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        let range_bytes = |range: &Range<u64>| range.end.saturating_sub(range.start);
        let call = Call {
            operation: Operation::Get,
            object: name.as_str(),
            // Whole objects that are read at once are small, or a few parts.
            reads: range.as_ref().map_or(16 << 20, range_bytes),
            sends: 0,
        };
        self.call(call, || self.inner.get(name, range.clone()))
            .await
            .result
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        let call = Call {
            operation: Operation::List,
            object: prefix,
            sends: 0,
            reads: 0,
        };
        self.call(call, || self.inner.list(prefix, cursor.clone()))
            .await
            .result
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        let call = Call {
            operation: Operation::Head,
            object: name.as_str(),
            sends: 0,
            reads: 0,
        };
        self.call(call, || self.inner.head(name)).await.result
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        let call = Call {
            operation: Operation::Delete,
            object: name.as_str(),
            sends: 0,
            reads: 0,
        };
        self.call(call, || self.inner.delete(name)).await.result
    }

    async fn unfinished(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        let call = Call {
            operation: Operation::ListUnfinished,
            object: prefix,
            sends: 0,
            reads: 0,
        };
        self.call(call, || self.inner.unfinished(prefix, cursor.clone()))
            .await
            .result
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        let call = Call {
            operation: Operation::Discard,
            object: &unfinished.object,
            sends: 0,
            reads: 0,
        };
        self.call(call, || self.inner.discard_unfinished(unfinished))
            .await
            .result
    }

    async fn remove_empty_folders(&self, folder: &str) -> Result<(), StorageError> {
        // Likewise.
        self.inner.remove_empty_folders(folder).await
    }

    fn shows_versions(&self) -> bool {
        self.inner.shows_versions()
    }

    fn parts(&self) -> Option<&dyn Parts> {
        self.inner.parts().map(|_| self as &dyn Parts)
    }
}
