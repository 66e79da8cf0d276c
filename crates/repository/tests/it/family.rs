//! Two repositories of one family, for tests of what is copied between them: packs of the one
//! are packs of the other, and two hosts may write into the second.

use std::future::ready;
use std::sync::Arc;

use pgkeep_format::names::{self, BackupPart};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{HostKey, Identities, RecoveryIdentity};
use pgkeep_repository::{CopyPlan, NewRepository, Repository, RepositoryError, RunPlan};
use pgkeep_storage::Storage;
use pgkeep_testkit::{MemoryStorage, ScriptedClock, SeededRandom};
use pgkeep_types::{BackupId, Clock, ObjectName, RunId};

use crate::owner::add_host;
use crate::world::{World, content, main};

/// A repository with a backup, and another one of its family to which two hosts copy.
pub(crate) struct Family {
    pub(crate) source: World,
    pub(crate) target: World,
    pub(crate) second: HostKey,
    pub(crate) record: BackupRecord,
    pub(crate) bytes: Vec<u8>,
}

impl Family {
    pub(crate) async fn new() -> Self {
        Self::on(|memory| Arc::new(memory.clone())).await
    }

    pub(crate) async fn on(storage: impl FnOnce(&MemoryStorage) -> Arc<dyn Storage>) -> Self {
        let source = World::sealed().await;
        let bytes = content(150_000, 1);
        let record = source.back_up(&bytes).await.unwrap();
        let repository = source.open().await.unwrap();
        let access = repository.write_access(&source.host).unwrap();
        let keys = source.identities.iter().map(RecoveryIdentity::recipient);
        let recovery: Vec<_> = keys.collect();
        let storage_clock = Arc::new(ScriptedClock::at("2001-01-01T00:00:00Z"));
        let memory = MemoryStorage::with_clock(Arc::clone(&storage_clock));
        let elsewhere = storage(&memory);
        let random = SeededRandom::new(77);
        let mut host = source.host.clone();
        let guest = host.clone();
        let new = NewRepository::draw(&recovery, &guest, &random).like(&repository, &access);
        let trust = new.trust();
        host.pin(trust.clone());
        let clock = ScriptedClock::at("2026-11-20T04:00:00Z");
        let made = new.create(elsewhere.as_ref(), &clock, &random).await;
        made.unwrap();
        let target = World {
            memory,
            elsewhere: Some(elsewhere),
            host,
            identities: source.identities.clone(),
            trust,
            clock,
            storage_clock,
            random,
            system: source.system,
        };
        let second = add_host(&target, 2).await;
        Self {
            source,
            target,
            second,
            record,
            bytes,
        }
    }

    pub(crate) async fn plan(&self, target: &Repository) -> Result<CopyPlan, RepositoryError> {
        let none = Identities::default();
        let from = self.source.open().await?;
        let there = from.catalogue(&main(), &none).await?;
        let here = target.catalogue(&main(), &none).await?;
        here.plan_copy(&there, |_| true)
    }

    /// Copies what was planned; tells which backups became complete.
    pub(crate) async fn copy(
        &self,
        target: &Repository,
        host: &HostKey,
        plan: &CopyPlan,
    ) -> Result<Vec<BackupId>, RepositoryError> {
        let from = self.source.open().await?;
        let access = target.write_access(host)?;
        let run = RunPlan {
            id: RunId::new(&self.target.clock, &self.target.random),
            ..self.target.plan(None)
        };
        let mut run = target.begin_copy(&access, &from, run, plan).await?;
        let (mut good, mut failed) = (Vec::new(), None);
        for planned in &plan.backups {
            match run.copy(&from, planned, |_| ready(())).await {
                Ok(_) => good.push(planned.record.id.clone()),
                Err(error) => failed = Some(error),
            }
        }
        let finished = run.finish(self.target.clock.now()).await;
        match (failed, good.is_empty()) {
            (Some(error), true) => Err(error),
            _ => finished.map(|_| good),
        }
    }

    pub(crate) async fn check_good(&self) {
        let catalogue = self.target.catalogue().await;
        let there = catalogue
            .complete()
            .find(|backup| backup.id == self.record.id);
        assert!(there.is_some(), "{catalogue:?}");
        let read = self.target.read_back(there.unwrap()).await;
        assert!(read.unwrap() == self.bytes);
    }

    pub(crate) fn part(&self, part: BackupPart) -> ObjectName {
        names::backup(&main(), &self.record.id, part).unwrap()
    }
}
