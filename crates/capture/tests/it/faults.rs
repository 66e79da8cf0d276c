//! Every storage call of a capture is made to fail in turn: none is taken for a
//! good one, each names the database and the object, and the next one works.

use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use pgkeep_capture::{CaptureError, Dump, Excluded, Progress};
use pgkeep_format::records::{BackupKind, PlannedBackup, Selection};
use pgkeep_format::{HostKey, Identities, RecoveryIdentity, Trust};
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::Tools;
use pgkeep_repository::{Committed, Limits, NewRepository, Repository, RepositoryError, RunPlan};
use pgkeep_storage::{Operation, Storage};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::{Failure, MemoryStorage, ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ClusterName, Environment, RunId};

struct Scene {
    cluster: Cluster,
    connection: ConnectionParameters,
    tools: Tools,
    clock: ScriptedClock,
    random: SeededRandom,
}

impl Scene {
    async fn new(rows: u32) -> Self {
        let cluster = Cluster::start(Major::Fifteen).await;
        cluster.psql("postgres", "CREATE DATABASE app").await;
        let fill = format!(
            "CREATE TABLE t AS SELECT md5(random()::text) AS noise FROM generate_series(1, {rows})"
        );
        cluster.psql("app", &fill).await;
        let programs = [Major::Fifteen.programs()];
        Self {
            connection: cluster.connection("app"),
            tools: Tools::find(&programs, &Environment::new("/")).await,
            cluster,
            clock: ScriptedClock::at("2026-11-20T03:00:00Z"),
            random: SeededRandom::new(3),
        }
    }

    async fn repository(&self) -> Stored {
        let memory = MemoryStorage::new();
        let identity = RecoveryIdentity::generate();
        let recovery = [identity.recipient()];
        let mut host = HostKey::generate("db1".to_owned(), &[1; 32]);
        let guest = host.clone();
        let new = NewRepository::draw(&recovery, &guest, &self.random);
        let trust = new.trust();
        host.pin(trust.clone());
        new.create(&memory, &self.clock, &self.random)
            .await
            .unwrap();
        memory.heal();
        Stored {
            memory,
            host,
            trust,
            identities: Identities::new(vec![identity]),
        }
    }

    /// A backup, from opening the repository to its commit.
    async fn back_up(&self, stored: &Stored) -> Result<Committed, Failed> {
        let repository = stored.open().await?;
        let access = repository.write_access(&stored.host)?;
        let planned = PlannedBackup {
            id: BackupId::new(&self.clock, &self.random),
            database: "app".to_owned(),
            parent: None,
        };
        let plan = RunPlan {
            id: RunId::new(&self.clock, &self.random),
            cluster: main(),
            kind: BackupKind::Dump,
            started: self.clock.now(),
            pgkeep: "0.0.0".to_owned(),
            backups: vec![planned.clone()],
        };
        let run = repository.begin(&access, plan).await?;
        let dump = Dump {
            connection: &self.connection,
            tools: &self.tools,
            clock: &self.clock,
            globals: None,
            selection: &Selection::default(),
            excluded: &Excluded::default(),
            pace: None,
            progress: &Progress::default(),
            limits: limits(),
            lock_timeout: None,
            warn: &|words| panic!("a warning: {words}"),
        };
        let stop = pin!(std::future::pending());
        Ok(dump.capture(&run, &planned, stop).await?)
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

struct Stored {
    memory: MemoryStorage,
    host: HostKey,
    trust: Trust,
    identities: Identities,
}

impl Stored {
    async fn open(&self) -> Result<Repository, RepositoryError> {
        let storage: Arc<dyn Storage> = Arc::new(self.memory.clone());
        Repository::open(storage, std::slice::from_ref(&self.trust)).await
    }

    /// How many backups are listed as good; each is read back whole.
    async fn good(&self) -> usize {
        let repository = self.open().await.unwrap();
        let catalogue = repository
            .catalogue(&main(), &self.identities)
            .await
            .unwrap();
        let access = repository.read_access(&self.identities).unwrap();
        let mut good = 0;
        for record in catalogue.complete() {
            let backup = repository.open_backup(&access, record).await.unwrap();
            let mut reader = backup.read("dump").unwrap();
            let mut length = 0;
            while let Some(bytes) = reader.next().await.unwrap() {
                length += bytes.len() as u64;
            }
            assert_eq!(length, record.raw_bytes);
            good += 1;
        }
        good
    }
}

fn main() -> ClusterName {
    "main".parse().unwrap()
}

fn limits() -> Limits {
    Limits {
        pack: 700_000,
        part: 256 << 10,
        level: 1,
        workers: NonZeroUsize::new(2).unwrap(),
    }
}

/// Fails one call of a backup, and holds what follows against the rules.
async fn fail(scene: &Scene, failure: Failure) {
    let stored = scene.repository().await;
    stored.memory.fail(failure);
    let made = scene.back_up(&stored).await;
    let calls = stored.memory.calls();
    let call = calls.get(failure.call).cloned();
    let commit = |(operation, object): &(Operation, String)| {
        *operation == Operation::Put && object.ends_with("/backup")
    };
    let committed = calls.iter().position(commit);
    stored.memory.heal();
    let good = stored.good().await;
    match made {
        // A commit whose answer was lost, and that was asked for again.
        Ok(_) => assert_eq!(good, 1, "{failure:?}"),
        Err(failed) => {
            // After the commit it is looked whether anybody has given the run up. Where
            // that cannot be found out the backup has failed, though all of it is there.
            let after = committed.is_some_and(|commit| commit < failure.call);
            assert!(good == 0 || after, "{failure:?}: {failed}");
            let (_, object) = call.expect("the call that failed");
            let mut told = failed.to_string();
            let mut cause = std::error::Error::source(&failed);
            while let Some(error) = cause {
                told = format!("{told}: {error}");
                cause = error.source();
            }
            assert!(told.contains(&object), "{failure:?}: {told}");
            if let Failed::Capture(_) = failed {
                assert!(told.contains("\"app\""), "{failure:?}: {told}");
            }
        }
    }
    scene.back_up(&stored).await.expect("the next backup works");
    assert_eq!(stored.good().await, good + 1);
}

async fn calls_of(scene: &Scene) -> usize {
    let stored = scene.repository().await;
    scene.back_up(&stored).await.unwrap();
    stored.memory.calls().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_storage_call_fails_in_turn() {
    let scene = Scene::new(60_000).await;
    let calls = calls_of(&scene).await;
    assert!(calls > 15, "{calls} calls are too few to prove anything");
    for call in 0..calls {
        let error = io::ErrorKind::StorageFull;
        fail(
            &scene,
            Failure {
                call,
                takes_effect: false,
                error,
            },
        )
        .await;
    }
    scene.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_seeded_failures_of_a_larger_capture() {
    let seed = 42;
    let random = SeededRandom::new(seed);
    let scene = Scene::new(400_000).await;
    let calls = calls_of(&scene).await;
    for _ in 0..10 {
        let failure = Failure {
            call: usize::try_from(random.below(calls as u64)).unwrap(),
            takes_effect: random.below(2) == 1,
            error: io::ErrorKind::ConnectionReset,
        };
        fail(&scene, failure).await;
    }
    scene.cluster.stop().await;
}
