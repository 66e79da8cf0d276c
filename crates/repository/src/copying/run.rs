//! A run that copies.
//!
//! Invariants: `begin` is durable before anything else, and names all that is put; of what a
//! backup needs of that no tombstone was there afterwards. A backup's record is written last,
//! and is looked after as a captured one's is; it has no tombstone written by its own writer,
//! since another copy of it may come.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use jiff::Timestamp;
use pgkeep_format::names::{self, BackupPart, RunRecord};
use pgkeep_format::records::{
    BackupOutcome, BackupRecord, Copies, Outcome, PlannedBackup, RunErrors, RunOutcome,
};
use pgkeep_format::{Hash, RecordKind};
use pgkeep_storage::list_all;
use pgkeep_types::{BackupId, ClusterName, ObjectName};

use super::plan::{CopyPlan, Planned};
use super::signed::{InPlace, Signed};
use crate::cited::cited;
use crate::deletion::Signs;
use crate::records::Draft;
use crate::run::errors_within;
use crate::{Needed, Repository, RepositoryError, Run, RunPlan, WriteAccess};

/// A run that copies, whose `begin` is durable.
#[derive(Debug)]
pub struct CopyRun {
    pub(super) repository: Repository,
    access: WriteAccess,
    pub(super) plan: RunPlan,
    brings: BTreeSet<BackupId>,
    signs: Signs,
    ended: Vec<BackupOutcome>,
    errors: RunErrors,
}

impl Repository {
    /// Writes down what is about to be copied from `from`. Must be called inside of a runtime.
    ///
    /// # Errors
    /// Where the storage fails; then nothing was begun.
    pub async fn begin_copy(
        &self,
        access: &WriteAccess,
        from: &Self,
        mut plan: RunPlan,
        copy: &CopyPlan,
    ) -> Result<CopyRun, RepositoryError> {
        plan.backups = copy
            .backups
            .iter()
            .map(|planned| PlannedBackup {
                id: planned.record.id.clone(),
                database: planned.record.database.clone(),
                parent: planned.parent.clone(),
            })
            .collect();
        let copies = Copies {
            from: from.id().to_string(),
            brings: copy.brings.iter().cloned().collect(),
        };
        let every = Run::SIGN_EVERY;
        let signs = self.write_begin(access, &plan, Some(copies), every);
        let signs = signs.await?;
        Ok(CopyRun {
            repository: self.clone(),
            access: access.clone(),
            plan,
            brings: copy.brings.clone(),
            signs,
            ended: Vec::new(),
            errors: RunErrors::default(),
        })
    }
}

impl CopyRun {
    /// Copies one of the planned backups, and tells how many bytes were put for it, and its
    /// record there.
    ///
    /// # Errors
    /// Where it came to nothing; what was put stays for the next time.
    pub async fn copy<F: Future<Output = ()>>(
        &mut self,
        from: &Repository,
        planned: &Planned,
        pace: impl Fn(u64) -> F,
    ) -> Result<(u64, BackupRecord), RepositoryError> {
        let copied = self.try_copy(from, planned, pace).await;
        match &copied {
            Ok(_) => self.ended(planned, Outcome::Complete),
            Err(error) => self.give_up(planned, error),
        }
        copied
    }

    /// Takes down why one of the planned backups is not copied.
    pub fn give_up(&mut self, planned: &Planned, error: &RepositoryError) {
        let id = planned.record.id.clone();
        self.errors.errors.insert(id, error.to_string());
        self.ended(planned, Outcome::Failed);
    }

    fn ended(&mut self, planned: &Planned, outcome: Outcome) {
        self.ended.push(BackupOutcome {
            id: planned.record.id.clone(),
            database: planned.record.database.clone(),
            outcome,
        });
    }

    async fn try_copy<F: Future<Output = ()>>(
        &self,
        from: &Repository,
        planned: &Planned,
        pace: impl Fn(u64) -> F,
    ) -> Result<(u64, BackupRecord), RepositoryError> {
        let Self {
            repository,
            access,
            plan,
            ..
        } = self;
        let source = &planned.record;
        let cluster = &source.cluster;
        // After the begin: whoever deletes any of it has not seen that, and is seen here.
        self.check_tombstones(source).await?;
        if let Some(parent) = &planned.parent {
            let approved = PlannedBackup {
                id: source.id.clone(),
                database: source.database.clone(),
                parent: Some(parent.clone()),
            };
            if !repository.is_good_parent(cluster, &approved).await? {
                return Err(overtaken_by(
                    &source.id,
                    format!("backup {parent}, which kept what it needs, was deleted meanwhile"),
                ));
            }
        }
        if !repository.capabilities().create_only {
            // There nothing tells that something has come in between.
            self.check_alone(cluster, &source.id).await?;
        }
        // Before anything is put: of a backup that is there nothing is replaced.
        self.clear_place(cluster, &source.id).await?;
        let there = self.sizes(source).await?;
        let mut put = 0;
        for (name, pack) in cited(source)? {
            let needed = Needed {
                holder: source.id.clone(),
                length: pack.length,
                blake3: pack.blake3,
                by: vec![source.id.clone()],
                name,
            };
            match there.get(&needed.name) {
                // Uploads show only once they are finished, and are finished only once their
                // hash was seen to be right.
                Some(size) if *size == needed.length => continue,
                Some(_) => repository.put_from(from, &needed, true, &pace).await?,
                None => repository.put_from(from, &needed, false, &pace).await?,
            }
            put += needed.length;
        }
        let mut record = source.clone();
        for part in [BackupPart::Manifest, BackupPart::Facts] {
            let signed = repository.signed_anew(access, from, source, part).await?;
            let length = signed.length();
            let hash = self.make_be_or_adopt(cluster, &source.id, signed).await?;
            if part == BackupPart::Manifest {
                (record.records.manifest, record.records.manifest_length) = (hash, length);
            } else {
                (record.records.facts, record.records.facts_length) = (hash, length);
            }
            put += length;
        }
        record.run = plan.id.clone();
        let name = names::backup(cluster, &source.id, BackupPart::Backup)?;
        let draft = Draft {
            repository: repository.id(),
            name: &name,
            kind: RecordKind::Backup,
            clear: record.clone(),
            hidden: None,
        };
        let bytes = draft
            .sign(repository.storage.as_ref(), &access.signer)
            .await?;
        self.clear_place(cluster, &source.id).await?;
        repository.put_own(&name, bytes).await?;
        // What is not confirmed its outcome calls failed: nobody takes it for a backup then.
        self.confirm(&record).await.map(|()| (put, record))
    }

    /// Makes a part be there, and tells its hash: this host's own, or what another copy has
    /// put, where that says the same.
    async fn make_be_or_adopt(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
        signed: Signed,
    ) -> Result<Hash, RepositoryError> {
        let repository = &self.repository;
        // Once for what is there, once for what has come since.
        for _ in 0..2 {
            match repository.in_place(&signed).await? {
                InPlace::TheSame(hash) => return Ok(hash),
                InPlace::Nothing => {}
                InPlace::Useless => {
                    self.check_alone(cluster, id).await?;
                    self.clear_place(cluster, id).await?;
                    self.delete(id, &signed.name).await?;
                }
            }
            if repository.put_signed(&signed).await? {
                return Ok(signed.hash());
            }
        }
        Err(overtaken_by(
            id,
            format!("somebody else is putting {}", signed.name),
        ))
    }

    /// Refuses where the backup was deleted, one whose packs come along, or one of this run
    /// whose packs it needs: what is there of that one may be going.
    async fn check_tombstones(&self, record: &BackupRecord) -> Result<(), RepositoryError> {
        let made = self.plan.backups.iter().map(|planned| &planned.id);
        let made: BTreeSet<&BackupId> = made.collect();
        let needed = record.needs.iter().map(|need| &need.backup);
        let needed = needed.filter(|id| made.contains(id));
        let used = self.brings.iter().chain(needed).chain([&record.id]);
        for used in used.collect::<BTreeSet<&BackupId>>() {
            let tombstone = self.repository.tombstone(&record.cluster, used).await?;
            if tombstone.is_some() {
                let problem = format!("backup {used} was deleted meanwhile");
                return Err(overtaken_by(&record.id, problem));
            }
        }
        Ok(())
    }

    /// The sizes of what is there in the folders that a backup needs.
    async fn sizes(
        &self,
        record: &BackupRecord,
    ) -> Result<BTreeMap<ObjectName, u64>, RepositoryError> {
        let holders: BTreeSet<&BackupId> = record.needs.iter().map(|need| &need.backup).collect();
        let mut sizes = BTreeMap::new();
        for holder in holders {
            let folder = format!("{}{holder}/", names::backups(&record.cluster));
            let listed = list_all(self.repository.storage.as_ref(), &folder).await?;
            sizes.extend(listed.into_iter().map(|object| (object.name, object.size)));
        }
        Ok(sizes)
    }

    /// Looks, after the commit, whether anybody has deleted or given up what it relies on.
    async fn confirm(&self, record: &BackupRecord) -> Result<(), RepositoryError> {
        self.check_tombstones(record).await?;
        let (repository, access) = (&self.repository, &self.access);
        let problem = match repository.overtaken(access, &self.plan, record).await? {
            None => repository.first_uncited(record).await?,
            problem => problem,
        };
        match problem {
            Some(problem) => Err(overtaken_by(&record.id, problem)),
            None => Ok(()),
        }
    }

    /// Writes down how the run ended.
    ///
    /// # Errors
    /// Where the storage fails; the backups are what they are all the same.
    pub async fn finish(self, finished: Timestamp) -> Result<Outcome, RepositoryError> {
        self.signs.stop().await;
        let good = self
            .ended
            .iter()
            .filter(|ended| ended.outcome == Outcome::Complete);
        let outcome = match good.count() {
            good if good == self.plan.backups.len() => Outcome::Complete,
            0 => Outcome::Failed,
            _ => Outcome::Partial,
        };
        let record = RunOutcome {
            run: self.plan.id.clone(),
            finished,
            outcome,
            backups: self.ended,
            globals: None,
            copies: true,
        };
        let name = names::run(&self.plan.cluster, &self.plan.id, RunRecord::Outcome)?;
        let kind = RecordKind::Outcome;
        let errors = errors_within(kind.limit(), self.errors, record.backups.len());
        let errors = errors.map_err(|source| RepositoryError::Make {
            what: "the outcome",
            source,
        })?;
        self.repository
            .write(&self.access, kind, &name, record, Some(errors))
            .await?;
        Ok(outcome)
    }
}

pub(super) fn overtaken_by(id: &BackupId, problem: String) -> RepositoryError {
    RepositoryError::Overtaken {
        backup: id.clone(),
        problem,
    }
}
