//! A repository with its keys, and one backup there and back.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{
    BackupKind, BackupOutcome, BackupRecord, Outcome, PlannedBackup, RunErrors,
};
use pgkeep_format::{HostKey, Identities, Passphrase, RecoveryIdentity, Trust};
use pgkeep_repository::{
    BackupWriter, Catalogue, DumpMeta, Limits, NewRepository, Repository, RepositoryError, Run,
    RunPlan, RunReport,
};
use pgkeep_storage::Storage;
use pgkeep_testkit::{MemoryStorage, ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId, SystemId};

pub(crate) struct World {
    pub(crate) memory: MemoryStorage,
    /// Where it goes on, where that is not the memory.
    pub(crate) elsewhere: Option<Arc<dyn Storage>>,
    pub(crate) host: HostKey,
    pub(crate) identities: Identities,
    pub(crate) trust: Trust,
    pub(crate) clock: ScriptedClock,
    /// The storage's own.
    pub(crate) storage_clock: Arc<ScriptedClock>,
    pub(crate) random: SeededRandom,
    /// The server that is backed up.
    pub(crate) system: Option<SystemId>,
}

impl World {
    pub(crate) async fn sealed() -> Self {
        Self::sealed_to(vec![RecoveryIdentity::generate()]).await
    }

    pub(crate) async fn sealed_to(identities: Vec<RecoveryIdentity>) -> Self {
        Self::new(identities, None, None).await
    }

    pub(crate) async fn under_passphrase(key: RecoveryIdentity, passphrase: &Passphrase) -> Self {
        Self::new(vec![key], None, Some(passphrase)).await
    }

    pub(crate) async fn unencrypted() -> Self {
        Self::new(Vec::new(), None, None).await
    }

    pub(crate) async fn unencrypted_of(owner: &RecoveryIdentity) -> Self {
        let mut world = Self::new(Vec::new(), Some(owner), None).await;
        world.identities = Identities::new(vec![owner.clone()]);
        world
    }

    /// A sealed one, on what `storage` makes of the memory.
    pub(crate) async fn on<S: Storage + 'static>(
        storage: impl FnOnce(&MemoryStorage) -> Arc<S>,
    ) -> (Self, Arc<S>) {
        let identities = vec![RecoveryIdentity::generate()];
        let mut made = None;
        let mut world = Self::new_on(identities, None, None, |memory| {
            let storage = storage(memory);
            made = Some(Arc::clone(&storage));
            storage
        })
        .await;
        let storage = made.unwrap();
        world.elsewhere = Some(Arc::<S>::clone(&storage));
        (world, storage)
    }

    async fn new(
        identities: Vec<RecoveryIdentity>,
        owner: Option<&RecoveryIdentity>,
        passphrase: Option<&Passphrase>,
    ) -> Self {
        let plain = |memory: &MemoryStorage| -> Arc<dyn Storage> { Arc::new(memory.clone()) };
        Self::new_on(identities, owner, passphrase, plain).await
    }

    async fn new_on(
        identities: Vec<RecoveryIdentity>,
        owner: Option<&RecoveryIdentity>,
        passphrase: Option<&Passphrase>,
        storage: impl FnOnce(&MemoryStorage) -> Arc<dyn Storage>,
    ) -> Self {
        // A host's clock and the storage's have nothing to do with each other.
        let storage_clock = Arc::new(ScriptedClock::at("2001-01-01T00:00:00Z"));
        let memory = MemoryStorage::with_clock(Arc::clone(&storage_clock));
        let clock = ScriptedClock::at("2026-11-20T03:00:00Z");
        static WORLDS: AtomicU64 = AtomicU64::new(1);
        let random = SeededRandom::new(WORLDS.fetch_add(1, Ordering::Relaxed));
        let mut host = HostKey::generate("db1".to_owned(), &[1; 32]);
        let recovery: Vec<_> = identities.iter().map(RecoveryIdentity::recipient).collect();
        let guest = host.clone();
        let owner = owner.map(RecoveryIdentity::recipient);
        let mut new = NewRepository::draw(&recovery, &guest, &random).owned_by(owner);
        if let Some(passphrase) = passphrase {
            new.wrap(&identities[0], passphrase, &clock).await.unwrap();
        }
        let trust = new.trust();
        host.pin(trust.clone());
        let storage = storage(&memory);
        new.create(storage.as_ref(), &clock, &random).await.unwrap();
        Self {
            memory,
            elsewhere: None,
            host,
            identities: Identities::new(identities),
            trust,
            clock,
            storage_clock,
            random,
            system: None,
        }
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        let elsewhere = self.elsewhere.clone();
        elsewhere.unwrap_or_else(|| Arc::new(self.memory.clone()))
    }

    pub(crate) async fn open(&self) -> Result<Repository, RepositoryError> {
        Repository::open(self.storage(), std::slice::from_ref(&self.trust)).await
    }

    pub(crate) async fn catalogue(&self) -> Catalogue {
        let repository = self.open().await.unwrap();
        repository
            .catalogue(&main(), &self.identities)
            .await
            .unwrap()
    }

    /// Backs `content` up; small packs and parts, so that there are many.
    pub(crate) async fn back_up(&self, content: &[u8]) -> Result<BackupRecord, RepositoryError> {
        self.back_up_in_parts(content, limits().part, None).await
    }

    /// Backs `content` up, compared with `parent`.
    pub(crate) async fn back_up_on(
        &self,
        parent: &BackupRecord,
        content: &[u8],
    ) -> Result<BackupRecord, RepositoryError> {
        self.back_up_in_parts(content, limits().part, Some(parent))
            .await
    }

    /// Backs `content` up in parts of so many bytes.
    pub(crate) async fn back_up_in_parts(
        &self,
        content: &[u8],
        part: usize,
        parent: Option<&BackupRecord>,
    ) -> Result<BackupRecord, RepositoryError> {
        let content = Bytes::copy_from_slice(content);
        let files = [("dump".to_owned(), Cutting::Content, content)];
        self.back_up_files(&files, Limits { part, ..limits() }, parent)
            .await
    }

    /// Backs files up, which come in the order of their paths.
    pub(crate) async fn back_up_tree(
        &self,
        files: &[(String, Cutting, Bytes)],
        parent: Option<&BackupRecord>,
    ) -> Result<BackupRecord, RepositoryError> {
        self.back_up_files(files, limits(), parent).await
    }

    async fn back_up_files(
        &self,
        files: &[(String, Cutting, Bytes)],
        limits: Limits,
        parent: Option<&BackupRecord>,
    ) -> Result<BackupRecord, RepositoryError> {
        let repository = self.open().await?;
        self.back_up_files_in(&repository, files, limits, parent)
            .await
    }

    /// Backs `content` up into a repository that was opened before.
    pub(crate) async fn back_up_in(
        &self,
        repository: &Repository,
        content: &[u8],
    ) -> Result<BackupRecord, RepositoryError> {
        let content = Bytes::copy_from_slice(content);
        let files = [("dump".to_owned(), Cutting::Content, content)];
        self.back_up_files_in(repository, &files, limits(), None)
            .await
    }

    async fn back_up_files_in(
        &self,
        repository: &Repository,
        files: &[(String, Cutting, Bytes)],
        limits: Limits,
        parent: Option<&BackupRecord>,
    ) -> Result<BackupRecord, RepositoryError> {
        let access = repository.write_access(&self.host)?;
        let run = repository.begin(&access, self.plan(parent)).await?;
        self.back_up_in_run(run, files, limits).await
    }

    /// What a run sets out to do that makes one backup.
    pub(crate) fn plan(&self, parent: Option<&BackupRecord>) -> RunPlan {
        let planned = PlannedBackup {
            id: BackupId::new(&self.clock, &self.random),
            database: "app".to_owned(),
            parent: parent.map(|parent| parent.id.clone()),
        };
        RunPlan {
            id: RunId::new(&self.clock, &self.random),
            cluster: main(),
            kind: BackupKind::Dump,
            started: self.clock.now(),
            pgkeep: "0.0.0".to_owned(),
            backups: vec![planned],
        }
    }

    /// Makes the backup of a run that has begun.
    pub(crate) async fn back_up_in_run(
        &self,
        run: Run,
        files: &[(String, Cutting, Bytes)],
        limits: Limits,
    ) -> Result<BackupRecord, RepositoryError> {
        let planned = run.planned()[0].clone();
        let parent = run.parent(&planned).await?;
        let mut backup = run.backup(&planned, limits, parent)?;
        // Where a later stage has failed, the end tells why.
        let _ = write(&mut backup, files).await;
        let meta = DumpMeta {
            system_id: self.system,
            server_version: "15.18".to_owned(),
            started: self.clock.now(),
            globals: false,
            selected: false,
            facts: b"{}".to_vec(),
        };
        let committed = match backup.finish().await {
            Ok(stored) => stored.commit(meta, || self.clock.now()).await,
            Err(error) => Err(error),
        };
        let outcome = match &committed {
            Ok(_) => Outcome::Complete,
            Err(_) => Outcome::Failed,
        };
        let ended = BackupOutcome {
            id: planned.id,
            database: planned.database,
            outcome,
        };
        let mut errors = RunErrors::default();
        if let Err(error) = &committed {
            errors.errors.insert(ended.id.clone(), error.to_string());
        }
        let finished = run.finish(self.clock.now(), report(ended, errors)).await;
        let record = committed?.into_record();
        finished?;
        Ok(record)
    }

    /// Reads a backup's dump back.
    pub(crate) async fn read_back(
        &self,
        record: &BackupRecord,
    ) -> Result<Vec<u8>, RepositoryError> {
        self.read_back_with(record, &self.identities).await
    }

    /// Reads a backup's dump back, with these keys alone.
    pub(crate) async fn read_back_with(
        &self,
        record: &BackupRecord,
        identities: &Identities,
    ) -> Result<Vec<u8>, RepositoryError> {
        let repository = self.open().await?;
        let access = repository.read_access(identities)?;
        let backup = repository.open_backup(&access, record).await?;
        let mut reader = backup.read("dump")?;
        let mut content = Vec::new();
        while let Some(piece) = reader.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }
}

async fn write(
    backup: &mut BackupWriter<'_>,
    files: &[(String, Cutting, Bytes)],
) -> Result<(), RepositoryError> {
    for (path, cutting, bytes) in files {
        let mut file = backup.file(path, *cutting).await?;
        let mut bytes = bytes.clone();
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(100_000));
            file.write(piece).await?;
        }
        file.finish().await?;
    }
    Ok(())
}

pub(crate) fn main() -> ClusterName {
    "main".parse().unwrap()
}

pub(crate) fn limits() -> Limits {
    Limits {
        pack: 600_000,
        part: 128 << 10,
        level: 1,
        workers: NonZeroUsize::new(3).unwrap(),
    }
}

/// Bytes that compress to about half.
pub(crate) fn content(length: usize, seed: u64) -> Vec<u8> {
    let random = SeededRandom::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&(random.next() & 0xffff_ffff).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn report(ended: BackupOutcome, errors: RunErrors) -> RunReport {
    RunReport {
        backups: vec![ended],
        globals: None,
        errors,
    }
}
