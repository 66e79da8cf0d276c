//! Copying backups to another repository of the same family, and mending what is hurt there.
//!
//! Invariants: what is planned is told before anything is written; a backup that cannot be
//! copied keeps no other from its turn; what was mended is written down, with the findings
//! that it mends.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgkeep_format::names::{self, BackupPart, Place};
use pgkeep_format::records::{
    BackupKind, BackupRecord, FindingId, Outcome, Verification, WholeObjects, WholePack,
};
use pgkeep_repository::{
    Catalogue, CopyPlan, Needed, Pace, Repository, RepositoryError, RunPlan, WriteAccess,
};
use pgkeep_types::{BackupId, Clock, ObjectName, Random, RunId, VerificationId};

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
        Ok(Todo { plan, mends })
    }

    /// Mends what is hurt; `told` of each object.
    pub async fn mend(&self, todo: &Todo, mut told: impl FnMut(Mended)) {
        let said = self.here.read_back();
        let round = said.newest_round().max(1);
        for (needed, source) in &todo.mends {
            let mended = self
                .to
                .mend(self.access, self.from, source, needed, self.paced());
            let mut error = mended.await.err();
            if error.is_none() {
                let findings = said.open_of(&needed.name, needed.blake3);
                let findings = findings.map(|(id, _)| id.clone()).collect();
                error = self.note(needed, findings, round).await.err();
            }
            let object = needed.name.clone();
            told(Mended { object, error });
        }
    }

    /// Writes down that an object that was just put is whole.
    async fn note(
        &self,
        needed: &Needed,
        mended: Vec<FindingId>,
        round: u64,
    ) -> Result<(), RepositoryError> {
        let blake3 = needed.blake3;
        let mut whole = WholeObjects {
            backup: needed.holder.clone(),
            manifest: None,
            facts: None,
            packs: Vec::new(),
            index: Vec::new(),
        };
        match names::place(&needed.name) {
            Some(Place::Backup(_, _, BackupPart::Manifest)) => whole.manifest = Some(blake3),
            Some(Place::Backup(_, _, BackupPart::Facts)) => whole.facts = Some(blake3),
            Some(Place::Pack(_, _, number)) => whole.packs.push(WholePack { number, blake3 }),
            Some(Place::Index(_, _, number)) => whole.index.push(WholePack { number, blake3 }),
            _ => {}
        }
        let record = Verification {
            id: VerificationId::new(self.clock, self.random),
            cluster: self.here.cluster.clone(),
            written: self.clock.now(),
            host: self.access.host().to_owned(),
            pgkeep: self.pgkeep.to_owned(),
            round,
            ended: true,
            whole: vec![whole],
            findings: Vec::new(),
            mended,
        };
        self.to.write_verification(self.access, record).await
    }

    /// Copies what is planned; `begun` and `told` of each backup. Stops between two where
    /// `stop` says so.
    ///
    /// # Errors
    /// Where the run could not be begun, or could not be given its end.
    pub async fn run(
        &self,
        todo: &Todo,
        stop: impl Fn() -> bool,
        mut begun: impl FnMut(&BackupRecord),
        mut told: impl FnMut(Copied),
    ) -> Result<Outcome, RepositoryError> {
        if todo.plan.backups.is_empty() {
            return Ok(Outcome::Complete);
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
        for planned in &todo.plan.backups {
            if stop() {
                break;
            }
            begun(&planned.record);
            let result = run.copy(self.from, planned, self.paced()).await;
            told(Copied {
                id: planned.record.id.clone(),
                database: planned.record.database.clone(),
                result,
            });
        }
        run.finish(self.clock.now()).await
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
