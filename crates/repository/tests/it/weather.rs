//! Whole backups, restores and prunes on a real server whose n-th request fails.
//!
//! Invariants: what fails once is not noticed; what fails for good is an error that names
//! an object, and then nothing is listed as good that is not, and the next backup, restore
//! and prune work. A seed decides which request fails and how.
#![expect(
    clippy::print_stdout,
    reason = "a case tells what it does, to whoever has to understand its end"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Limits, RepositoryError};
use pgkeep_storage::Patience;
use pgkeep_testkit::proxy::{Mishap, RequestProxy, Strike};
use pgkeep_testkit::s3::S3s;
use pgkeep_testkit::{SeededRandom, soak};
use pgkeep_types::BackupId;

use crate::deletion::{dump, prune};
use crate::world::{World, content, limits};

/// Time enough for what works; a stall is told soon.
const PATIENCE: Patience = Patience {
    attempt: Duration::from_secs(2),
    total: Duration::from_secs(60),
    first: Duration::from_secs(60),
    nobody: Duration::from_secs(60),
    slowest: 1 << 30,
    pause: Duration::from_millis(5),
    longest_pause: Duration::from_millis(50),
};
/// Gives up soon, but not on what nobody strikes, however busy the machine is.
const IMPATIENCE: Patience = Patience {
    attempt: Duration::from_secs(2),
    total: Duration::from_secs(3),
    first: Duration::from_secs(3),
    ..PATIENCE
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// A first backup.
    Backup,
    /// One that is compared with its parent.
    SecondBackup,
    Restore,
    Prune,
}

impl Flow {
    /// What a round of it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Backup => "backups into a bucket",
            Self::SecondBackup => "second backups into a bucket",
            Self::Restore => "restores from a bucket",
            Self::Prune => "prunes of a bucket",
        }
    }
}

/// A repository with two backups, the second of which refers to the first.
struct Base {
    world: World,
    old: BackupRecord,
    new: BackupRecord,
    contents: BTreeMap<BackupId, Vec<u8>>,
    /// What the flows back up: more than one part of an upload.
    next: Vec<u8>,
    server: S3s,
    proxy: RequestProxy,
    cases: u32,
}

/// Packs of two parts.
fn two_parts() -> Limits {
    Limits {
        pack: 6 << 20,
        part: 5 << 20,
        ..limits()
    }
}

/// Bytes that nothing compresses.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let random = SeededRandom::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

impl Base {
    async fn new() -> Self {
        let world = World::sealed().await;
        let first = content(700_000, 1);
        let old = world.back_up(&first).await.unwrap();
        let second = [&first[..], &content(300_000, 2)].concat();
        let new = world.back_up_on(&old, &second).await.unwrap();
        let server = S3s::start();
        let proxy = RequestProxy::start(&server.access().endpoint);
        Self {
            next: [&second[..], &noise(6_500_000, 3)].concat(),
            contents: [(old.id.clone(), first), (new.id.clone(), second)].into(),
            world,
            old,
            new,
            server,
            proxy,
            cases: 0,
        }
    }

    /// Begins a case with a copy of the repository, past the proxy.
    async fn begin(&mut self) -> String {
        self.cases += 1;
        let prefix = format!("case-{}", self.cases);
        self.world.elsewhere = Some(self.server.access().storage(&prefix));
        let storage = self.world.storage();
        let mut writing = tokio::task::JoinSet::new();
        for name in self.world.memory.names() {
            let (storage, bytes) = (Arc::clone(&storage), self.world.memory.object(&name));
            writing.spawn(async move { storage.put(&name, bytes).await });
        }
        for written in writing.join_all().await {
            written.unwrap();
        }
        prefix
    }

    /// Goes through the proxy from now on.
    fn through(&mut self, prefix: &str, patience: Patience) {
        let access = self.server.access().through(self.proxy.endpoint());
        self.world.elsewhere = Some(access.patient(prefix, patience));
    }

    /// Goes past the proxy again.
    fn past(&mut self, prefix: &str) {
        self.proxy.arm(None);
        self.world.elsewhere = Some(self.server.access().storage(prefix));
    }

    async fn back_up(
        &self,
        parent: Option<&BackupRecord>,
    ) -> Result<BackupRecord, RepositoryError> {
        let repository = self.world.open().await?;
        let access = repository.write_access(&self.world.host)?;
        let run = repository.begin(&access, self.world.plan(parent)).await?;
        let files = dump(&self.next);
        self.world.back_up_in_run(run, &files, two_parts()).await
    }

    /// Does it, and looks at what came of it.
    async fn flow(&self, flow: Flow) -> Result<(), RepositoryError> {
        match flow {
            Flow::Backup | Flow::SecondBackup => {
                let parent = (flow == Flow::SecondBackup).then_some(&self.new);
                let record = self.back_up(parent).await?;
                assert_eq!(record.parent.as_ref(), parent.map(|parent| &parent.id));
                assert!(self.world.read_back(&record).await? == self.next);
            }
            Flow::Restore => {
                let read = self.world.read_back(&self.new).await?;
                assert!(read == self.contents[&self.new.id], "wrong data came out");
            }
            Flow::Prune => {
                prune(&self.world, &[&self.old.id]).await?;
            }
        }
        Ok(())
    }

    /// Every backup that is listed as good is.
    async fn all_that_is_listed_is_good(&self) -> usize {
        let catalogue = self.world.catalogue().await;
        for record in catalogue.complete() {
            let read = self.world.read_back(record).await.unwrap();
            let expected = self.contents.get(&record.id).unwrap_or(&self.next);
            assert!(read == *expected, "wrong data came out of {}", record.id);
        }
        catalogue.complete().count()
    }

    /// How many requests the flow makes.
    async fn requests(&mut self, flow: Flow) -> u64 {
        let prefix = self.begin().await;
        self.through(&prefix, PATIENCE);
        self.proxy.arm(None);
        self.flow(flow).await.unwrap();
        self.proxy.requests().len() as u64
    }

    async fn once(&mut self, flow: Flow, random: &SeededRandom, requests: u64) {
        let strike = drawn(random, requests, false);
        println!("  {flow:?}, {strike:?}");
        let prefix = self.begin().await;
        self.through(&prefix, PATIENCE);
        self.proxy.arm(Some(strike));
        self.flow(flow).await.unwrap();
        self.past(&prefix);
        let good = self.all_that_is_listed_is_good().await;
        let expected = match flow {
            Flow::Backup | Flow::SecondBackup => 3,
            Flow::Restore => 2,
            Flow::Prune => 1,
        };
        assert_eq!(good, expected, "{strike:?}");
    }

    async fn for_good(&mut self, flow: Flow, random: &SeededRandom, requests: u64) {
        let strike = drawn(random, requests, true);
        println!("  {flow:?}, {strike:?}");
        let prefix = self.begin().await;
        self.through(&prefix, IMPATIENCE);
        self.proxy.arm(Some(strike));
        let error = self.flow(flow).await.unwrap_err().to_string();
        let from = usize::try_from(strike.from).unwrap();
        let mut struck = self.proxy.requests();
        assert!(struck.len() > from, "given up before the strike: {error}");
        let struck = struck.split_off(from);
        let asked: Vec<String> = struck.iter().map(|line| object(line, &prefix)).collect();
        // Of the keys any will do that can be read, and none says which.
        let names = |asked: &String| error.contains(asked) || asked.starts_with("keys/");
        assert!(asked.iter().any(names), "{strike:?}: {error}: {asked:?}");

        self.past(&prefix);
        let good = self.all_that_is_listed_is_good().await;
        assert!((1..=3).contains(&good), "{strike:?}: {error}");
        if flow != Flow::Prune {
            self.flow(Flow::Prune).await.unwrap();
        }
        self.flow(Flow::SecondBackup).await.unwrap();
        self.flow(Flow::Restore).await.unwrap();
        self.flow(Flow::Prune).await.unwrap();
        self.all_that_is_listed_is_good().await;
    }
}

fn drawn(random: &SeededRandom, requests: u64, lasting: bool) -> Strike {
    let bytes = usize::try_from(random.below(3000)).unwrap();
    let mishap = match random.below(6) {
        0 => Mishap::CutRequest(bytes),
        1 => Mishap::CutRequest(bytes * 1000),
        2 => Mishap::CutAnswer(0),
        // For good, so early that no answer is whole, not even one without a body.
        3 => Mishap::CutAnswer(bytes / if lasting { 30 } else { 10 }),
        4 => Mishap::Stall,
        _ => Mishap::SlowDown,
    };
    // The last one of all may be one that nobody waits for.
    let from = random.below(requests.saturating_sub(1).max(1));
    Strike {
        from,
        lasting,
        mishap,
    }
}

/// The object that a request is about, or the folder that it lists.
fn object(line: &str, prefix: &str) -> String {
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let listed = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("prefix="));
    let name = listed.unwrap_or(path).replace("%2F", "/");
    let own = format!("{prefix}/");
    let at = name.find(&own).map_or(name.len(), |at| at + own.len());
    name[at..].to_owned()
}

async fn cases(flow: Flow, seed: u64, once: u32, for_good: u32) {
    let random = SeededRandom::new(seed);
    let mut base = Base::new().await;
    let requests = base.requests(flow).await;
    for _ in 0..once {
        base.once(flow, &random, requests).await;
    }
    for _ in 0..for_good {
        base.for_good(flow, &random, requests).await;
    }
}

/// Rounds of a flow, in each of which some requests fail once and some for good.
async fn holds(flow: Flow) {
    for seed in soak::rounds(flow.name()) {
        cases(flow, seed, 6, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_backup_outlives_any_request_that_fails_and_tells_what_fails_for_good() {
    holds(Flow::Backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_second_backup_outlives_any_request_that_fails_and_tells_what_fails_for_good() {
    holds(Flow::SecondBackup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_restore_outlives_any_request_that_fails_and_tells_what_fails_for_good() {
    holds(Flow::Restore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_prune_outlives_any_request_that_fails_and_tells_what_fails_for_good() {
    holds(Flow::Prune).await;
}
