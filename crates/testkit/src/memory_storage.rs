//! A strict storage in memory whose every call can be made to fail.
//!
//! Invariants: it grants nothing that the contract does not promise: listings
//! come in tiny pages and in no order, a name is never written twice, an upload
//! that is not finished leaves no object. A scripted failure happens at one
//! numbered call, before or after the call had its effect.

mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, StorageErrorKind, Unfinished,
    UnfinishedPage, Upload,
};
use pgkeep_types::{Clock, ObjectName, Timestamp};

use crate::ScriptedClock;
use upload::MemoryUpload;

const PAGE: usize = 3;

/// Which call fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The call's number; the first one is 0.
    pub call: usize,
    /// Whether the call has its effect all the same, as when an answer is lost.
    pub takes_effect: bool,
    /// What the caller sees.
    pub error: io::ErrorKind,
}

/// A storage in memory, for tests. Clones share their objects.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    modified: Timestamp,
}

impl Object {
    fn meta(&self, name: &ObjectName) -> ObjectMeta {
        ObjectMeta {
            name: name.clone(),
            size: self.bytes.len() as u64,
            modified: self.modified,
        }
    }
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectName, Object>,
    /// Uploads that were begun and are not over.
    unfinished: BTreeMap<String, Unfinished>,
    begun: u64,
    clock: Option<Arc<ScriptedClock>>,
    calls: Vec<(Operation, String)>,
    failure: Option<Failure>,
    whole_reads: u64,
    /// From this call on everything fails, as if the storage were gone.
    gone_from: Option<usize>,
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStorage")
    }
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty storage whose own clock is `clock`. Without one, its clock stands
    /// still.
    #[must_use]
    pub fn with_clock(clock: Arc<ScriptedClock>) -> Self {
        let memory = Self::default();
        memory.state().clock = Some(clock);
        memory
    }

    /// Starts counting calls again, with one failure among them.
    pub fn fail(&self, failure: Failure) {
        let mut state = self.state();
        state.calls.clear();
        state.gone_from = None;
        state.failure = Some(failure);
    }

    /// Starts counting calls again; from the one numbered `call` on all fail.
    pub fn gone_from(&self, call: usize) {
        let mut state = self.state();
        state.calls.clear();
        state.failure = None;
        state.gone_from = Some(call);
    }

    /// Starts counting calls again, with no failure.
    pub fn heal(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.failure = None;
        state.gone_from = None;
    }

    /// The calls since the count was started.
    #[must_use]
    pub fn calls(&self) -> Vec<(Operation, String)> {
        self.state().calls.clone()
    }

    /// How many reads did not say how much they want at most.
    #[must_use]
    pub fn whole_reads(&self) -> u64 {
        self.state().whole_reads
    }

    /// The names of all objects.
    #[must_use]
    pub fn names(&self) -> Vec<ObjectName> {
        self.state().objects.keys().cloned().collect()
    }

    /// The bytes of an object.
    #[must_use]
    pub fn object(&self, name: &ObjectName) -> Bytes {
        self.state()
            .objects
            .get(name)
            .expect("the object is there")
            .bytes
            .clone()
    }

    /// Changes an object behind everybody's back; `None` removes it.
    pub fn replace(&self, name: &ObjectName, bytes: Option<Bytes>) {
        let mut state = self.state();
        match bytes {
            Some(bytes) => state.insert(name, bytes),
            None => drop(state.objects.remove(name)),
        }
    }

    /// The objects that were to be of uploads that are not over.
    #[must_use]
    pub fn unfinished_objects(&self) -> Vec<String> {
        let state = self.state();
        state
            .unfinished
            .values()
            .map(|u| u.object.clone())
            .collect()
    }

    /// Leaves an upload as one does whose process is killed.
    pub fn leave_unfinished(&self, name: &ObjectName) {
        self.state().begin(name);
    }

    /// A storage with the same objects that shares nothing with this one.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        let state = self.state();
        copy.state().objects = state.objects.clone();
        copy.state().clock.clone_from(&state.clock);
        drop(state);
        copy
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no test panics while it holds the lock")
    }

    pub(crate) fn error(
        &self,
        operation: Operation,
        object: &str,
        kind: io::ErrorKind,
    ) -> StorageError {
        let source = io::Error::new(kind, "scripted");
        StorageError {
            operation,
            object: object.to_owned(),
            location: self.location(),
            kind: StorageErrorKind::from(&source),
            source,
        }
    }

    /// Counts a call and gives it `effect`, unless the script says otherwise.
    fn call<T>(
        &self,
        operation: Operation,
        object: &str,
        effect: impl FnOnce(&mut State) -> Result<T, io::ErrorKind>,
    ) -> Result<T, StorageError> {
        let mut state = self.state();
        let number = state.calls.len();
        state.calls.push((operation, object.to_owned()));
        if state.gone_from.is_some_and(|from| number >= from) {
            return Err(self.error(operation, object, io::ErrorKind::NotConnected));
        }
        match state.failure.filter(|failure| failure.call == number) {
            None => effect(&mut state).map_err(|kind| self.error(operation, object, kind)),
            Some(failure) => {
                if failure.takes_effect {
                    let _ = effect(&mut state);
                }
                Err(self.error(operation, object, failure.error))
            }
        }
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.call(Operation::Put, name.as_str(), |state| {
            state.create(name, bytes)
        })
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        let id = self.call(Operation::Upload, name.as_str(), |state| {
            Ok(state.begin(name))
        })?;
        Ok(Box::new(MemoryUpload {
            storage: self.clone(),
            name: name.clone(),
            id,
            parts: Vec::new(),
        }))
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.call(Operation::Get, name.as_str(), |state| {
            state.whole_reads += u64::from(range.is_none());
            let object = state.objects.get(name).ok_or(io::ErrorKind::NotFound)?;
            let bytes = &object.bytes;
            let length = bytes.len();
            let cut = |at: u64| usize::try_from(at).unwrap_or(length).min(length);
            Ok(match range {
                None => bytes.clone(),
                Some(range) => bytes.slice(cut(range.start)..cut(range.end)),
            })
        })
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.call(Operation::List, prefix, |state| {
            // Backwards, in tiny pages: whoever relies on order or size fails.
            let before = cursor.as_ref().map(|cursor| cursor.0.as_str());
            let mut found = state
                .objects
                .iter()
                .rev()
                .filter(|(name, _)| name.as_str().starts_with(prefix))
                .filter(|(name, _)| before.is_none_or(|before| name.as_str() < before));
            let objects: Vec<ObjectMeta> = found
                .by_ref()
                .take(PAGE)
                .map(|(name, object)| object.meta(name))
                .collect();
            let last = objects.last().map(|object| object.name.to_string());
            let next = found.next().and(last).map(Cursor);
            Ok(Page { objects, next })
        })
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.call(Operation::Head, name.as_str(), |state| {
            let object = state.objects.get(name).ok_or(io::ErrorKind::NotFound)?;
            Ok(object.meta(name))
        })
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.call(Operation::Delete, name.as_str(), |state| {
            state.objects.remove(name);
            Ok(())
        })
    }

    async fn unfinished(
        &self,
        prefix: &str,
        cursor: Option<Cursor>,
    ) -> Result<UnfinishedPage, StorageError> {
        self.call(Operation::ListUnfinished, prefix, |state| {
            let before = cursor.as_ref().map(|cursor| &cursor.0);
            let mut found = state
                .unfinished
                .iter()
                .rev()
                .filter(|(_, upload)| upload.object.starts_with(prefix))
                .filter(|(id, _)| before.is_none_or(|before| *id < before));
            let page = found.by_ref().take(PAGE).map(|(_, upload)| upload.clone());
            let unfinished: Vec<Unfinished> = page.collect();
            let last = unfinished.last().map(|upload| upload.id.clone());
            let next = found.next().and(last).map(Cursor);
            Ok(UnfinishedPage { unfinished, next })
        })
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<bool, StorageError> {
        self.call(Operation::Discard, &unfinished.object, |state| {
            state.unfinished.remove(&unfinished.id);
            Ok(true)
        })
    }
}

impl State {
    fn create(&mut self, name: &ObjectName, bytes: Bytes) -> Result<(), io::ErrorKind> {
        if self.objects.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists);
        }
        self.insert(name, bytes);
        Ok(())
    }

    /// Refuses what was discarded meanwhile.
    fn goes_on(&self, upload: &str) -> Result<(), io::ErrorKind> {
        match self.unfinished.contains_key(upload) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound),
        }
    }

    fn now(&self) -> Timestamp {
        let clock = self.clock.as_ref();
        clock.map_or(Timestamp::UNIX_EPOCH, |clock| clock.now())
    }

    /// Begins an upload, and tells what it is called.
    fn begin(&mut self, name: &ObjectName) -> String {
        self.begun += 1;
        let id = format!("{:06}", self.begun);
        let upload = Unfinished {
            object: name.to_string(),
            id: id.clone(),
            modified: self.now(),
            bytes: None,
        };
        self.unfinished.insert(id.clone(), upload);
        id
    }

    fn insert(&mut self, name: &ObjectName, bytes: Bytes) {
        let modified = self.now();
        self.objects
            .insert(name.clone(), Object { bytes, modified });
    }
}
