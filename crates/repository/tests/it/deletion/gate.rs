//! A storage that lets one call through at a time, in an order that a seed decides.
//!
//! Invariants: a call has its whole effect between being let through and being told to
//! be done; nothing is let through before everybody who is still at work waits here or
//! has ended. So the storage sees one order of calls out of all that there could be.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_storage::{
    Cursor, ObjectMeta, Operation, Page, Storage, StorageError, StorageErrorKind, Upload,
};
use pgkeep_testkit::{MemoryStorage, SeededRandom};
use pgkeep_types::ObjectName;
use tokio::sync::{Notify, oneshot};

/// Where everybody waits.
pub(crate) struct Gate {
    memory: MemoryStorage,
    /// Whether a second write to a name changes the object, as some servers have it.
    overwrites: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<(usize, oneshot::Sender<()>)>,
    /// Whether a call is under way.
    busy: bool,
    working: BTreeSet<usize>,
    killed: BTreeSet<usize>,
    /// Who is mostly let through, until it is another one's turn.
    favourite: usize,
}

impl Gate {
    pub(crate) fn new(memory: MemoryStorage, overwrites: bool) -> Arc<Self> {
        Arc::new(Self {
            memory,
            overwrites,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The storage as the actor of this number sees it.
    pub(crate) fn storage(self: &Arc<Self>, actor: usize) -> Arc<dyn Storage> {
        Arc::new(Gated {
            gate: Arc::clone(self),
            actor,
        })
    }

    /// Runs the actors' work to its end, one call at a time.
    pub(crate) async fn run(
        self: &Arc<Self>,
        actors: Vec<tokio::task::JoinHandle<()>>,
        random: &SeededRandom,
        mut between: impl FnMut(&Self),
    ) {
        loop {
            let ended = actors
                .iter()
                .enumerate()
                .filter(|(_, task)| task.is_finished());
            let ended: Vec<usize> = ended.map(|(actor, _)| actor).collect();
            let waits = {
                let mut state = self.state();
                state.working.retain(|actor| !ended.contains(actor));
                if state.working.is_empty() {
                    break;
                }
                !state.busy && state.all_wait()
            };
            if waits {
                between(self);
                self.state().let_one_through(random);
            } else {
                // An end tells nobody: it is looked for now and then.
                let changed = self.changed.notified();
                let _ = tokio::time::timeout(std::time::Duration::from_millis(1), changed).await;
            }
        }
        for actor in actors {
            actor.await.unwrap();
        }
    }

    /// Counts an actor among those that have to be waited for.
    pub(crate) fn expect(&self, actor: usize) {
        self.state().working.insert(actor);
    }

    /// From now on none of an actor's calls has any effect.
    pub(crate) fn kill(&self, actor: usize) {
        let mut state = self.state();
        state.killed.insert(actor);
        state.waiting.retain(|(waiting, _)| *waiting != actor);
    }

    /// Whether somebody was killed.
    pub(crate) fn was_killed(&self, actor: usize) -> bool {
        self.state().killed.contains(&actor)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn all_wait(&mut self) -> bool {
        // Whoever was dropped waits no more.
        self.waiting.retain(|(_, release)| !release.is_closed());
        let waits = |actor: &usize| self.waiting.iter().any(|(waiting, _)| waiting == actor);
        let mut alive = self.working.difference(&self.killed);
        alive.all(waits) && !self.waiting.is_empty()
    }

    fn let_one_through(&mut self, random: &SeededRandom) {
        let actors: BTreeSet<usize> = self.waiting.iter().map(|(actor, _)| *actor).collect();
        let drawn = |of: usize| usize::try_from(random.below(of.max(1) as u64)).unwrap();
        let any = actors.iter().nth(drawn(actors.len()));
        // Somebody slow beside somebody quick, and the other way round: that one stands
        // still while another goes all its way is where things go wrong.
        if drawn(40) == 0 || !actors.contains(&self.favourite) {
            self.favourite = any.copied().unwrap_or_default();
        }
        let favourite = actors.get(&self.favourite).filter(|_| drawn(12) != 0);
        let Some(actor) = favourite.or(any) else {
            return;
        };
        let mut calls = self.waiting.iter();
        if let Some(at) = calls.position(|(waiting, _)| waiting == actor) {
            let (_, release) = self.waiting.remove(at);
            self.busy = release.send(()).is_ok();
        }
    }
}

/// A call that is under way.
struct Passing<'a>(&'a Gate);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.state().busy = false;
        self.0.changed.notify_one();
    }
}

struct Gated {
    gate: Arc<Gate>,
    actor: usize,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gated({})", self.actor)
    }
}

impl Gated {
    async fn pass(&self, operation: Operation) -> Result<Passing<'_>, StorageError> {
        let (release, released) = oneshot::channel();
        {
            let mut state = self.gate.state();
            if state.killed.contains(&self.actor) {
                return Err(killed(operation));
            }
            state.waiting.push((self.actor, release));
        }
        self.gate.changed.notify_one();
        match released.await {
            Ok(()) => Ok(Passing(&self.gate)),
            Err(_) => Err(killed(operation)),
        }
    }
}

fn killed(operation: Operation) -> StorageError {
    StorageError {
        operation,
        object: String::new(),
        location: "gate".to_owned(),
        kind: StorageErrorKind::Other,
        source: io::Error::other("killed"),
    }
}

#[async_trait]
impl Storage for Gated {
    fn location(&self) -> String {
        "gate".to_owned()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        let _passing = self.pass(Operation::Put).await?;
        if self.gate.overwrites {
            self.gate.memory.replace(name, Some(bytes));
            return Ok(());
        }
        self.gate.memory.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        // Nothing is seen of it before it is finished.
        Ok(Box::new(GatedUpload {
            gated: Self {
                gate: Arc::clone(&self.gate),
                actor: self.actor,
            },
            upload: self.gate.memory.upload(name).await?,
        }))
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        let _passing = self.pass(Operation::Get).await?;
        self.gate.memory.get(name, range).await
    }

    async fn list(&self, prefix: &str, cursor: Option<Cursor>) -> Result<Page, StorageError> {
        let _passing = self.pass(Operation::List).await?;
        self.gate.memory.list(prefix, cursor).await
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        let _passing = self.pass(Operation::Head).await?;
        self.gate.memory.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        let _passing = self.pass(Operation::Delete).await?;
        self.gate.memory.delete(name).await
    }
}

struct GatedUpload {
    gated: Gated,
    upload: Box<dyn Upload>,
}

#[async_trait]
impl Upload for GatedUpload {
    async fn part(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.upload.part(bytes).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StorageError> {
        let _passing = self.gated.pass(Operation::Upload).await?;
        self.upload.finish().await
    }

    async fn abort(self: Box<Self>) -> Result<(), StorageError> {
        self.upload.abort().await
    }
}
