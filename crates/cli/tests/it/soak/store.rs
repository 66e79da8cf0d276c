//! A repository in memory, and single backups there and back.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Outcome, PlannedBackup, RunErrors,
};
use pgkeep_format::{HostKey, Identities, RecoveryIdentity, Trust};
use pgkeep_repository::{
    BackupWriter, DumpMeta, Limits, NewRepository, Repository, RepositoryError, RunPlan, RunReport,
};
use pgkeep_storage::Storage;
use pgkeep_testkit::{MemoryStorage, ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId};

/// How long something may take, whatever the storage does.
const DEADLINE: Duration = Duration::from_secs(120);
const FILE: &str = "dump";

/// A repository with all its keys.
pub(super) struct Store {
    pub(super) memory: MemoryStorage,
    host: HostKey,
    identities: Identities,
    trust: Trust,
    clock: ScriptedClock,
}

/// A backup that is to be made.
pub(super) struct Order {
    pub(super) id: BackupId,
    pub(super) run: RunId,
    pub(super) content: Vec<u8>,
    /// How many bytes are handed over at a time.
    pub(super) piece: usize,
    pub(super) limits: Limits,
}

impl Store {
    pub(super) async fn new(random: &SeededRandom) -> Self {
        let sealed = random.below(3) > 0;
        let identities = match sealed {
            true => vec![RecoveryIdentity::generate()],
            false => Vec::new(),
        };
        let recovery: Vec<_> = identities.iter().map(RecoveryIdentity::recipient).collect();
        let memory = MemoryStorage::new();
        let clock = ScriptedClock::at("2026-11-20T03:00:00Z");
        let mut host = HostKey::generate("db1".to_owned(), &[1; 32]);
        let guest = host.clone();
        let new = NewRepository::draw(&recovery, &guest, random);
        let trust = new.trust();
        host.trust.push(trust.clone());
        new.create(&memory, &clock, random).await.unwrap();
        Self {
            memory,
            host,
            identities: Identities::new(identities),
            trust,
            clock,
        }
    }

    /// The same repository in a storage of its own, to be spoilt.
    pub(super) fn copy(&self) -> Self {
        Self {
            memory: self.memory.copy(),
            host: self.host.clone(),
            identities: self.identities.clone(),
            trust: self.trust.clone(),
            clock: ScriptedClock::at(&self.clock.now().to_string()),
        }
    }

    /// An order for `content`.
    pub(super) fn order(&self, random: &SeededRandom, content: Vec<u8>) -> Order {
        Order {
            id: BackupId::new(&self.clock, random),
            run: RunId::new(&self.clock, random),
            content,
            piece: 100_000,
            limits: Limits {
                pack: 600_000,
                part: 128 << 10,
                level: 1,
                workers: NonZeroUsize::new(2).unwrap(),
            },
        }
    }

    async fn open(&self) -> Result<Repository, RepositoryError> {
        let storage: Arc<dyn Storage> = Arc::new(self.memory.clone());
        Repository::open(storage, std::slice::from_ref(&self.trust)).await
    }

    /// Makes a backup, from opening the repository to the run's outcome.
    pub(super) async fn back_up(&self, order: &Order) -> Result<BackupRecord, RepositoryError> {
        in_time(self.make(order)).await
    }

    async fn make(&self, order: &Order) -> Result<BackupRecord, RepositoryError> {
        let repository = self.open().await?;
        let access = repository.write_access(&self.host)?;
        let catalogue = repository.catalogue(&main(), &self.identities).await?;
        let parent = catalogue
            .parent(
                &access,
                BackupKind::Dump,
                "app",
                None,
                &std::collections::BTreeSet::new(),
            )
            .backup;
        let planned = PlannedBackup {
            id: order.id.clone(),
            database: "app".to_owned(),
            parent: parent.map(|parent| parent.id.clone()),
        };
        let plan = RunPlan {
            id: order.run.clone(),
            cluster: main(),
            kind: BackupKind::Dump,
            started: self.clock.now(),
            pgkeep: "0.0.0".to_owned(),
            backups: vec![planned.clone()],
        };
        let run = repository.begin(&access, plan).await?;
        // Without a parent that can be read there is more to store, and no failure.
        let parent = run.parent(&planned).await.unwrap_or_default();
        let mut backup = run.backup(&planned, order.limits, parent)?;
        // Where a later stage has failed, the end tells why.
        let _ = write(&mut backup, order).await;
        let meta = DumpMeta {
            system_id: None,
            server_version: "18.4".to_owned(),
            started: self.clock.now(),
            globals: false,
            selected: false,
            facts: b"{}".to_vec(),
        };
        let made = match backup.finish().await {
            Ok(stored) => stored.commit(meta, || self.clock.now()).await,
            Err(error) => Err(error),
        };
        let mut errors = RunErrors::default();
        let outcome = match &made {
            Ok(_) => Outcome::Complete,
            Err(error) => {
                errors.errors.insert(order.id.clone(), error.to_string());
                Outcome::Failed
            }
        };
        let ended = BackupOutcome {
            id: planned.id,
            database: planned.database,
            outcome,
        };
        let finished = run.finish(self.clock.now(), report(ended, errors)).await;
        let record = made?.into_record();
        finished?;
        Ok(record)
    }

    /// The backups that are listed as good.
    pub(super) async fn good(&self) -> Result<Vec<BackupRecord>, RepositoryError> {
        in_time(async {
            let repository = self.open().await?;
            let catalogue = repository.catalogue(&main(), &self.identities).await?;
            Ok(catalogue.complete().cloned().collect())
        })
        .await
    }

    /// What a backup holds.
    pub(super) async fn read(&self, record: &BackupRecord) -> Result<Vec<u8>, RepositoryError> {
        in_time(async {
            let repository = self.open().await?;
            let access = repository.read_access(&self.identities)?;
            let backup = repository.open_backup(&access, record).await?;
            let mut reader = backup.read(FILE)?;
            let mut content = Vec::new();
            while let Some(piece) = reader.next().await? {
                content.extend_from_slice(&piece);
            }
            Ok(content)
        })
        .await
    }
}

async fn write(backup: &mut BackupWriter<'_>, order: &Order) -> Result<(), RepositoryError> {
    let mut file = backup.file(FILE, Cutting::Content).await?;
    for piece in order.content.chunks(order.piece) {
        file.write(piece.to_vec().into()).await?;
    }
    file.finish().await
}

fn main() -> ClusterName {
    "main".parse().unwrap()
}

/// Nothing waits for ever.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(DEADLINE, work).await;
    done.expect("an end, whatever the storage does")
}

fn report(ended: BackupOutcome, errors: RunErrors) -> RunReport {
    RunReport {
        backups: vec![ended],
        globals: None,
        errors,
    }
}
