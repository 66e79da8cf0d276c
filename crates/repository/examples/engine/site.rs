//! A repository, and backups of a tree there and back.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::cut::Cutting;
use pgkeep_format::records::{BackupKind, BackupOutcome, BackupRecord, Outcome, PlannedBackup};
use pgkeep_format::{HostKey, Identities, RecoveryIdentity};
use pgkeep_repository::{
    BackupWriter, DumpMeta, Limits, NewRepository, Piece, Repository, RunPlan, RunReport,
};
use pgkeep_storage::Storage;
use pgkeep_testkit::{ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ClusterName, RunId};

use crate::tree::Tree;

/// How much is read of a file at a time: 128 pages.
const READ: usize = 1 << 20;

/// A repository with its keys.
pub(crate) struct Site {
    pub(crate) repository: Repository,
    host: HostKey,
    identities: Identities,
    clock: ScriptedClock,
    random: SeededRandom,
}

impl Site {
    /// Makes one in an empty storage.
    pub(crate) async fn new(storage: Arc<dyn Storage>, sealed: bool) -> Self {
        let identities: Vec<RecoveryIdentity> = (0..u8::from(sealed))
            .map(|_| RecoveryIdentity::generate())
            .collect();
        let recovery: Vec<_> = identities.iter().map(RecoveryIdentity::recipient).collect();
        let clock = ScriptedClock::at("2026-11-20T03:00:00Z");
        let random = SeededRandom::new(1);
        let mut host = HostKey::generate("db1".to_owned(), &[1; 32]);
        let guest = host.clone();
        let new = NewRepository::draw(&recovery, &guest, &random);
        let trust = new.trust();
        host.pin(trust.clone());
        new.create(storage.as_ref(), &clock, &random)
            .await
            .expect("a repository");
        let repository = Repository::open(storage, &[trust])
            .await
            .expect("a repository");
        Self {
            repository,
            host,
            identities: Identities::new(identities),
            clock,
            random,
        }
    }

    /// Backs up whatever `feed` feeds.
    async fn back_up(
        &self,
        parent: Option<&BackupRecord>,
        feed: impl AsyncFnOnce(&mut BackupWriter<'_>),
    ) -> BackupRecord {
        let access = self.repository.write_access(&self.host).expect("a writer");
        let planned = PlannedBackup {
            id: BackupId::new(&self.clock, &self.random),
            database: "tree".to_owned(),
            parent: parent.map(|parent| parent.id.clone()),
        };
        let plan = RunPlan {
            id: RunId::new(&self.clock, &self.random),
            cluster: main(),
            kind: BackupKind::Dump,
            started: self.clock.now(),
            pgkeep: "0.0.0".to_owned(),
            backups: vec![planned.clone()],
        };
        let run = self.repository.begin(&access, plan).await.expect("begun");
        let parent = run.parent(&planned).await.expect("the parent");
        let limits = Limits::default();
        let mut backup = run.backup(&planned, limits, parent).expect("a writer");
        feed(&mut backup).await;
        let stored = backup.finish().await.expect("stored");
        assert!(stored.parent_lost().is_none());
        let meta = DumpMeta {
            system_id: None,
            server_version: "18.4".to_owned(),
            started: self.clock.now(),
            globals: false,
            selected: false,
            facts: b"{}".to_vec(),
        };
        let committed = stored
            .commit(meta, || self.clock.now())
            .await
            .expect("committed");
        let record = committed.into_record();
        let ended = BackupOutcome {
            id: planned.id,
            database: planned.database,
            outcome: Outcome::Complete,
        };
        let ended = run.finish(
            self.clock.now(),
            RunReport {
                backups: vec![ended],
                ..RunReport::default()
            },
        );
        ended.await.expect("an outcome");
        record
    }

    /// Backs a tree up.
    pub(crate) async fn store_tree(
        &self,
        tree: &Tree,
        parent: Option<&BackupRecord>,
    ) -> BackupRecord {
        self.back_up(parent, async |backup| {
            for entry in &tree.entries {
                let mut file = backup
                    .file(&entry.path, entry.cutting)
                    .await
                    .expect("a file");
                let mut source = File::open(tree.root.join(&entry.path)).expect("a file");
                loop {
                    let mut buffer = Vec::with_capacity(READ);
                    let mut piece = Read::by_ref(&mut source).take(READ as u64);
                    if piece.read_to_end(&mut buffer).expect("bytes") == 0 {
                        break;
                    }
                    file.write(buffer.into()).await.expect("written");
                }
                file.finish().await.expect("its end");
            }
        })
        .await
    }

    /// Backs one stream up.
    pub(crate) async fn store_stream(&self, bytes: &Bytes) -> BackupRecord {
        self.back_up(None, async |backup| {
            let mut file = backup.file("dump", Cutting::Content).await.expect("a file");
            let mut rest = bytes.clone();
            while !rest.is_empty() {
                let piece = rest.split_to(rest.len().min(READ));
                file.write(piece).await.expect("written");
            }
            file.finish().await.expect("its end");
        })
        .await
    }

    /// Reads a file back and hands its pieces to `take`.
    pub(crate) async fn read(
        &self,
        record: &BackupRecord,
        paths: &[&str],
        mut take: impl FnMut(&str, &[u8]),
    ) {
        let access = self
            .repository
            .read_access(&self.identities)
            .expect("a reader");
        let backup = self
            .repository
            .open_backup(&access, record)
            .await
            .expect("the backup");
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let mut reader = backup.read_all(paths).expect("files");
        let mut open = String::new();
        while let Some(piece) = reader.next().await.expect("their bytes") {
            match piece {
                Piece::File(path) => open = path,
                Piece::Bytes(bytes) => take(&open, &bytes),
                Piece::End => {}
            }
        }
    }
}

/// Writes files below a directory.
pub(crate) struct Restored<'a> {
    directory: &'a Path,
    open: Option<(String, File)>,
}

impl<'a> Restored<'a> {
    pub(crate) fn new(directory: &'a Path) -> Self {
        Self {
            directory,
            open: None,
        }
    }

    pub(crate) fn take(&mut self, path: &str, bytes: &[u8]) {
        if self.open.as_ref().is_none_or(|(open, _)| open != path) {
            self.end();
            let place = self.directory.join(path);
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            self.open = Some((path.to_owned(), File::create(place).expect("a file")));
        }
        let (_, file) = self.open.as_mut().expect("an open file");
        file.write_all(bytes).expect("written");
    }

    /// Ends the open file.
    fn end(&mut self) {
        self.open = None;
    }

    /// Waits until all of it is on the disk.
    pub(crate) fn sync(mut self) {
        self.end();
        let directory = File::open(self.directory).expect("the directory");
        rustix::fs::syncfs(&directory).expect("synced");
    }
}

fn main() -> ClusterName {
    "main".parse().expect("a name")
}
