//! How often somebody who opens, or reads, waits for the storage, one time after the
//! other: at a distance that is what an answer takes.

#![allow(clippy::panic)]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_repository::{Repository, RepositoryError};
use pgkeep_storage::{Cursor, ObjectMeta, Page, Storage, StorageError, Upload, list_all};
use pgkeep_testkit::MemoryStorage;
use pgkeep_types::ObjectName;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::world::{World, content};

/// A storage that answers nothing of a round before all of the round was asked for:
/// what waits for an answer before it asks for the rest of the round waits for good.
#[derive(Clone, Debug)]
struct Rounds {
    inner: MemoryStorage,
    /// What is still to be asked for in each round.
    left: Arc<Mutex<Vec<Vec<String>>>>,
    /// What was asked for and is in no round.
    others: Arc<Mutex<Vec<String>>>,
    asked: Arc<Notify>,
    /// The first listing shows nothing.
    blind: Arc<AtomicBool>,
}

impl Rounds {
    fn new(inner: &MemoryStorage, rounds: &[&[&str]]) -> Self {
        let owned = |round: &&[&str]| round.iter().map(|&call| call.to_owned()).collect();
        Self {
            inner: inner.clone(),
            left: Arc::new(Mutex::new(rounds.iter().map(owned).collect())),
            others: Arc::default(),
            asked: Arc::default(),
            blind: Arc::default(),
        }
    }

    async fn take(&self, call: &str, name: &str) {
        let call = format!("{call} {}", short(name));
        let round = self.round(&call);
        let Some(round) = round else {
            self.others.lock().unwrap().push(call);
            return;
        };
        self.asked.notify_waiters();
        loop {
            let asked = self.asked.notified();
            let is_whole = |left: &[Vec<String>]| left[..=round].iter().all(Vec::is_empty);
            if is_whole(&self.left.lock().unwrap()) {
                return;
            }
            asked.await;
        }
    }

    fn round(&self, call: &str) -> Option<usize> {
        let mut left = self.left.lock().unwrap();
        let found = left.iter().enumerate().find_map(|(round, calls)| {
            let at = calls.iter().position(|known| known == call)?;
            Some((round, at))
        });
        let (round, at) = found?;
        left[round].remove(at);
        Some(round)
    }

    /// Does `work`, which is to ask for all rounds.
    async fn watch<T>(&self, work: impl Future<Output = Result<T, RepositoryError>>) -> T {
        // Nothing here takes long but what waits for good.
        let done = timeout(Duration::from_secs(60), work).await;
        let left = self.left.lock().unwrap().clone();
        let done = done.unwrap_or_else(|_| panic!("an answer is waited for before {left:?}"));
        let done = done.unwrap();
        assert!(left.iter().all(Vec::is_empty), "not asked for: {left:?}");
        done
    }

    fn assert_nothing_else(&self) {
        assert_eq!(self.others.lock().unwrap()[..], [""; 0]);
    }
}

/// A name without what differs from one repository to the next.
fn short(name: &str) -> String {
    match name.split('/').collect::<Vec<_>>()[..] {
        ["keys", key] if !key.is_empty() && !key.starts_with("ring") => "a key".to_owned(),
        [_, "backups", _, ref rest @ ..] => rest.join("/"),
        _ => name.to_owned(),
    }
}

#[async_trait]
impl Storage for Rounds {
    fn location(&self) -> String {
        self.inner.location()
    }

    async fn put(&self, name: &ObjectName, bytes: Bytes) -> Result<(), StorageError> {
        self.inner.put(name, bytes).await
    }

    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>, StorageError> {
        self.inner.upload(name).await
    }

    async fn get(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, StorageError> {
        self.take("get", name.as_str()).await;
        self.inner.get(name, range).await
    }

    async fn list(&self, prefix: &str, _cursor: Option<Cursor>) -> Result<Page, StorageError> {
        self.take("list", prefix).await;
        if self.blind.swap(false, Ordering::Relaxed) {
            return Ok(Page::default());
        }
        let objects = list_all(&self.inner, prefix).await?;
        Ok(Page {
            objects,
            next: None,
        })
    }

    async fn head(&self, name: &ObjectName) -> Result<ObjectMeta, StorageError> {
        self.take("head", name.as_str()).await;
        self.inner.head(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StorageError> {
        self.inner.delete(name).await
    }
}

const OPEN: [&[&str]; 2] = [
    &["get pgkeep.json", "list keys/"],
    &["get a key", "get a key", "get keys/ring-1"],
];
const LOOK_INTO: &[&str] = &["get manifest", "get index/0"];

/// Reads a backup to its end.
async fn read(world: &World, rounds: &Rounds, content: &[u8]) {
    let record = world.back_up(content).await.unwrap();
    let reading = async {
        let storage = Arc::new(rounds.clone());
        let trust = std::slice::from_ref(&world.trust);
        let repository = Repository::open(storage, trust).await?;
        let access = repository.read_access(&world.identities)?;
        let backup = repository.open_backup(&access, &record).await?;
        let mut reader = backup.read("dump")?;
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await? {
            read.extend_from_slice(&piece);
        }
        Ok(read)
    };
    assert!(rounds.watch(reading).await == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_backup_is_four_round_trips_away_from_who_knows_only_the_address() {
    for world in [World::sealed().await, World::unencrypted().await] {
        let pack: &[&str] = &["head packs/0", "get packs/0"];
        let rounds = [OPEN[0], OPEN[1], LOOK_INTO, pack];
        let rounds = Rounds::new(&world.memory, &rounds);
        read(&world, &rounds, b"a small dump").await;
        rounds.assert_nothing_else();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_pack_is_asked_for_before_the_one_before_it_was_opened() {
    for world in [World::sealed().await, World::unencrypted().await] {
        // Where a chunk ends differs, and so whether there is a fourth.
        let packs: &[&str] = &[
            "head packs/0",
            "get packs/0",
            "head packs/1",
            "get packs/1",
            "head packs/2",
            "get packs/2",
        ];
        let rounds = [OPEN[0], OPEN[1], LOOK_INTO, packs];
        let rounds = Rounds::new(&world.memory, &rounds);
        read(&world, &rounds, &content(6_000_000, 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_listed_while_they_were_being_made_are_listed_again() {
    let world = World::sealed().await;
    let rounds = [OPEN[0], &["list keys/"], OPEN[1]];
    let rounds = Rounds::new(&world.memory, &rounds);
    rounds.blind.store(true, Ordering::Relaxed);
    let trust = std::slice::from_ref(&world.trust);
    let opening = Repository::open(Arc::new(rounds.clone()), trust);
    let repository = rounds.watch(opening).await;
    rounds.assert_nothing_else();
    assert_eq!(repository.unreadable_keys()[..], [""; 0]);
    repository.write_access(&world.host).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_repository_is_refused_though_its_listing_never_ends() {
    let (world, known) = (World::sealed().await, World::sealed().await);
    let rounds = Rounds::new(&world.memory, &[&["list keys/", "what is never asked for"]]);
    let trust = std::slice::from_ref(&known.trust);
    let opening = Repository::open(Arc::new(rounds), trust);
    let refused = timeout(Duration::from_secs(60), opening).await.unwrap();
    let error = refused.unwrap_err();
    assert!(matches!(error, RepositoryError::Foreign { .. }), "{error}");
}
