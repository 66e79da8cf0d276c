//! Copying backups to another repository of the same family, and mending what is hurt there.
//!
//! Invariants: what is planned is told before anything is written; a backup that cannot be
//! copied keeps no other from its turn; what was mended is written down, with the findings
//! that it mends; what is proven of a backup comes after it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgkeep_format::Identities;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{BackupKind, BackupRecord, Verification};
use pgkeep_repository::{
    Catalogue, CopyPlan, CopyRun, Needed, Pace, Planned, Repository, RepositoryError, RunPlan,
    WriteAccess,
};
use pgkeep_types::{BackupId, Clock, ObjectName, Random, RunId, VerificationId};

use crate::whole::Whole;

/// A copy of a cluster's backups from one repository to another.
#[derive(Clone, Copy)]
pub struct Copy<'a> {
    /// Where they are.
    pub from: &'a Repository,
    /// Where they are to be.
    pub to: &'a Repository,
    /// The right to write there.
    pub access: &'a WriteAccess,
    /// What there is where they are.
    pub there: &'a Catalogue,
    /// What there is where they are to be.
    pub here: &'a Catalogue,
    /// How fast at most.
    pub pace: Option<&'a Arc<Pace>>,
    /// How far it is.
    pub progress: &'a CopyProgress,
    /// The host's clock.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub random: &'a dyn Random,
    /// The version of pgkeep.
    pub pgkeep: &'a str,
}

/// How far a copy is.
#[derive(Debug, Default)]
pub struct CopyProgress {
    /// Bytes that were read and put.
    pub bytes: AtomicU64,
}

/// What there is to do.
#[derive(Clone, Debug, Default)]
pub struct Todo {
    /// What is copied, and what cannot be.
    pub plan: CopyPlan,
    /// What is missing or hurt there and can be had here, with the backup that needs it.
    pub mends: Vec<(Needed, BackupRecord)>,
    /// What both have, and of which proofs are missing there.
    pub lacking_proofs: Vec<BackupRecord>,
}

/// What came of one backup.
#[derive(Debug)]
pub struct Copied {
    /// The backup.
    pub id: BackupId,
    /// Its database.
    pub database: String,
    /// How many bytes were put, or why it came to nothing.
    pub result: Result<u64, RepositoryError>,
}

/// What came of the proofs of one backup.
#[derive(Debug)]
pub struct Carried {
    /// The backup.
    pub id: BackupId,
    /// Its database.
    pub database: String,
    /// How many were put, or why not all of them.
    pub result: Result<usize, RepositoryError>,
}

/// What came of one object that was to be mended.
#[derive(Debug)]
pub struct Mended {
    /// The object.
    pub object: ObjectName,
    /// Why it is not.
    pub error: Option<RepositoryError>,
}

impl Copy<'_> {
    /// What there is to do for the backups that are `wanted`.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn todo(&self, wanted: impl Fn(&BackupRecord) -> bool) -> Result<Todo, RepositoryError> {
        let plan = self.here.plan_copy(self.there, &wanted)?;
        let lacking_proofs = self.here.lacking_proofs(self.there, &wanted);
        let said = self.here.read_back();
        let hurt: BTreeSet<&BackupId> = self.here.hurt().map(|record| &record.id).collect();
        let mut mends = Vec::new();
        for object in self.here.needed()? {
            let mut by = object.by.iter().filter(|id| hurt.contains(id));
            let source = by.find_map(|id| {
                let mut there = self.there.complete();
                there.find(|record| record.id == *id && wanted(record))
            });
            let is_hurt = said.open_of(&object.name, object.blake3).next().is_some()
                || !self.here.is_there(&object.name);
            if let (Some(source), true) = (source, is_hurt) {
                mends.push((object, source.clone()));
            }
        }
        Ok(Todo {
            plan,
            mends,
            lacking_proofs: lacking_proofs.into_iter().cloned().collect(),
        })
    }

    /// Mends what is hurt, as long as `stop` does not say otherwise; `told` of each object.
    /// Tells which did not have their turn.
    pub async fn mend<'t>(
        &self,
        todo: &'t Todo,
        stop: impl Fn() -> bool,
        mut told: impl FnMut(Mended),
    ) -> Vec<&'t ObjectName> {
        let mut mends = todo.mends.iter();
        while !stop() {
            let Some((needed, source)) = mends.next() else {
                break;
            };
            let error = self.mend_one(needed, source).await.err();
            let object = needed.name.clone();
            told(Mended { object, error });
        }
        mends.map(|(needed, _)| &needed.name).collect()
    }

    /// Mends an object from the backup that needs it, and writes that down with the findings
    /// that it mends.
    async fn mend_one(
        &self,
        needed: &Needed,
        source: &BackupRecord,
    ) -> Result<(), RepositoryError> {
        let pace = self.paced();
        let mended = self.to.mend(self.access, self.from, source, needed, pace);
        mended.await?;
        self.note(needed).await
    }

    /// Writes down that an object that was just read is whole.
    async fn note(&self, needed: &Needed) -> Result<(), RepositoryError> {
        let said = self.here.read_back();
        let mended = said.open_of(&needed.name, needed.blake3);
        let mended = mended.map(|(id, _)| id.clone()).collect();
        let mut whole = Whole::default();
        whole.add(needed);
        let record = Verification {
            id: VerificationId::new(self.clock, self.random),
            cluster: self.here.cluster.clone(),
            written: self.clock.now(),
            host: self.access.host().to_owned(),
            pgkeep: self.pgkeep.to_owned(),
            round: said.newest_round().max(1),
            ended: true,
            whole: whole.take(),
            findings: Vec::new(),
            mended,
        };
        self.to.write_verification(self.access, record).await
    }

    /// Copies what is planned, as long as `stop` does not say otherwise; `begun` and `told` of
    /// each backup. Tells which did not have their turn.
    ///
    /// # Errors
    /// Where the run could not be begun, or could not be given its end.
    pub async fn run<'t>(
        &self,
        todo: &'t Todo,
        stop: impl Fn() -> bool,
        mut begun: impl FnMut(&BackupRecord),
        mut told: impl FnMut(Copied),
    ) -> Result<Vec<&'t BackupRecord>, RepositoryError> {
        let mut waiting = todo.plan.backups.iter();
        if waiting.len() == 0 || stop() {
            return Ok(waiting.map(|planned| &planned.record).collect());
        }
        let plan = RunPlan {
            id: RunId::new(self.clock, self.random),
            cluster: self.here.cluster.clone(),
            kind: BackupKind::Dump,
            started: self.clock.now(),
            pgkeep: self.pgkeep.to_owned(),
            backups: Vec::new(),
        };
        let begin = self.to.begin_copy(self.access, self.from, plan, &todo.plan);
        let mut run = begin.await?;
        let mut overtaken = Vec::new();
        while !stop() {
            let Some(planned) = waiting.next() else {
                break;
            };
            begun(&planned.record);
            let result = self.copy_one(&mut run, planned).await;
            let copied = Copied {
                id: planned.record.id.clone(),
                database: planned.record.database.clone(),
                result,
            };
            match &copied.result {
                Err(error) if error.is_of_others() => overtaken.push(copied),
                _ => told(copied),
            }
        }
        run.finish(self.clock.now()).await?;
        for copied in self.looked_after(overtaken).await? {
            told(copied);
        }
        Ok(waiting.map(|planned| &planned.record).collect())
    }

    /// Carries the proofs that are missing there, those of what was just copied too, as long as
    /// `stop` does not say otherwise; `told` of each backup. Tells which did not have their turn.
    pub async fn carry<'t>(
        &self,
        todo: &'t Todo,
        stop: impl Fn() -> bool,
        mut told: impl FnMut(Carried),
    ) -> Vec<&'t BackupRecord> {
        let copied = todo.plan.backups.iter().map(|planned| &planned.record);
        let copied = copied.filter(|record| !self.there.proofs(&record.id).is_empty());
        let mut waiting = todo.lacking_proofs.iter().chain(copied);
        while !stop() {
            let Some(record) = waiting.next() else {
                break;
            };
            let proofs = self.there.proofs(&record.id).iter();
            let proofs = proofs.map(|proof| &proof.record);
            let carried = self.to.carry_proofs(self.access, self.from, record, proofs);
            let result = carried.await;
            let (id, database) = (record.id.clone(), record.database.clone());
            told(Carried {
                id,
                database,
                result,
            });
        }
        waiting.collect()
    }

    /// Looks for backups that another run has copied meanwhile: one whose run has said that it
    /// is whole is what was wanted, whoever has put it. Of one that its run has yet to look
    /// after nobody knows.
    async fn looked_after(
        &self,
        mut overtaken: Vec<Copied>,
    ) -> Result<Vec<Copied>, RepositoryError> {
        if overtaken.is_empty() {
            return Ok(overtaken);
        }
        let none = Identities::default();
        let now = self.to.catalogue(&self.here.cluster, &none).await?;
        for copied in &mut overtaken {
            if now.is_confirmed(&copied.id) {
                copied.result = Ok(0);
            }
        }
        Ok(overtaken)
    }

    /// Copies a backup. What it needs and was found hurt there is mended before: a record
    /// that is put beside it would not be a backup's that is good.
    async fn copy_one(&self, run: &mut CopyRun, planned: &Planned) -> Result<u64, RepositoryError> {
        for needed in self.here.found_hurt(&planned.record)? {
            if let Err(error) = self.mend_one(&needed, &planned.record).await {
                run.give_up(planned, &error);
                return Err(error);
            }
        }
        let (bytes, record) = run.copy(self.from, planned, self.paced()).await?;
        // Its manifest and facts may be found hurt from an earlier time.
        for needed in self.here.found_hurt(&record)? {
            if !matches!(names::place(&needed.name), Some(Place::Backup(..))) {
                continue;
            }
            self.mend_one(&needed, &planned.record).await?;
        }
        Ok(bytes)
    }

    fn paced(
        &self,
    ) -> impl Fn(u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + use<'_> {
        |bytes| {
            self.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
            let pace = self.pace.cloned();
            Box::pin(async move {
                if let Some(pace) = pace {
                    pace.take(usize::try_from(bytes).unwrap_or(usize::MAX))
                        .await;
                }
            })
        }
    }
}
