//! A copy of one cluster's backups, and what is told of it.
//!
//! Invariant: whatever was to be copied, mended or carried and was not is named, and counted as bad.

use std::collections::BTreeSet;
use std::sync::Arc;

use pgkeep_format::Identities;
use pgkeep_format::records::BackupRecord;
use pgkeep_maintenance::{Copied, Copy as Copying, CopyProgress, Mended, Todo};
use pgkeep_repository::{Catalogue, Pace};
use pgkeep_types::{BackupId, Clock, ClusterName, ObjectName};
use serde::Serialize;

use super::proofs::{self, ProofsLine};
use super::{Count, Pair};
use crate::context::Context;
use crate::error::{CliError, sentence};
use crate::output::JSON_VERSION;
use crate::words;

/// Why something did not have its turn.
const STOPPED: &str = "somebody asked to stop before its turn came";

/// What programs are told.
#[derive(Serialize)]
pub(super) struct Report {
    version: u32,
    dry_run: bool,
    backups: Vec<Line>,
    mended: Vec<MendedLine>,
    /// The clusters that could not be looked at, or not to the end.
    failed: Vec<FailedLine>,
    /// What cannot be read where it was to be copied from, and why not.
    #[serde(skip)]
    damaged: Vec<(ClusterName, BackupId, String)>,
    proofs: Vec<ProofsLine>,
}

impl Report {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            version: JSON_VERSION,
            dry_run,
            backups: Vec::new(),
            mended: Vec::new(),
            failed: Vec::new(),
            damaged: Vec::new(),
            proofs: Vec::new(),
        }
    }

    fn note_damaged(&mut self, there: &Catalogue) {
        let damaged = there.unreadable().filter_map(|unreadable| {
            let id = unreadable.id.clone()?;
            Some((there.cluster.clone(), id, sentence(&unreadable.error)))
        });
        self.damaged.extend(damaged);
    }

    /// The damaged backup that is meant by a text, and what is wrong with it.
    pub(super) fn damaged(&self, text: &str) -> Option<(&ClusterName, &BackupId, &str)> {
        let mut damaged = self.damaged.iter();
        let (cluster, id, problem) = damaged.find(|(_, id, _)| id.is_meant_by(text))?;
        Some((cluster, id, problem))
    }

    /// Whether there was nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.backups.is_empty() && self.mended.is_empty() && self.proofs.is_empty()
    }

    /// Takes down that a cluster was not looked at, or not to the end.
    pub(super) fn failed(&mut self, cluster: &ClusterName, error: &CliError) {
        self.failed.push(FailedLine {
            cluster: cluster.clone(),
            error: sentence(error),
        });
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

#[derive(Serialize)]
struct Line {
    id: BackupId,
    cluster: ClusterName,
    /// None where nothing tells it.
    database: Option<String>,
    /// `copied`, `to copy`, `failed` or `left`.
    status: &'static str,
    bytes: Option<u64>,
    error: Option<String>,
}

#[derive(Serialize)]
struct MendedLine {
    object: ObjectName,
    /// `mended`, `to mend`, `failed` or `left`.
    status: &'static str,
    error: Option<String>,
}

#[derive(Serialize)]
struct FailedLine {
    cluster: ClusterName,
    error: String,
}

/// A copy of a cluster.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) pair: &'a Pair,
    pub(super) pace: Option<&'a Arc<Pace>>,
    pub(super) dry_run: bool,
    /// Whether what is not copied and need not be is not worth a word.
    pub(super) is_quiet: bool,
    /// Whether what cannot be read is missed.
    pub(super) takes_all: bool,
}

impl Job<'_> {
    /// Copies what is `wanted` of a cluster, and tells it.
    pub(super) async fn cluster(
        &self,
        cluster: &ClusterName,
        wanted: impl Fn(&BackupRecord) -> bool,
        found: &mut BTreeSet<BackupId>,
        report: &mut Report,
    ) -> Result<Count, CliError> {
        let Self { context, pair, .. } = self;
        let none = Identities::default();
        let there = pair.from.catalogue(cluster, &none).await?;
        let here = pair.to.catalogue(cluster, &none).await?;
        found.extend(there.complete().filter(|r| wanted(r)).map(|r| r.id.clone()));
        report.note_damaged(&there);
        let progress = CopyProgress::default();
        let copy = Copying {
            from: &pair.from,
            to: &pair.to,
            access: &pair.access,
            there: &there,
            here: &here,
            pace: self.pace,
            progress: &progress,
            clock: &context.clock,
            random: &context.random,
            pgkeep: env!("CARGO_PKG_VERSION"),
        };
        let todo = copy.todo(&wanted)?;
        let unreadable = there.unreadable().filter(|_| self.takes_all).count();
        let mut count = Count {
            seen: there.complete().filter(|r| wanted(r)).count() + unreadable,
            ..Count::default()
        };
        for left in &todo.plan.left {
            // Who names a backup wants that one.
            let is_named = !self.takes_all && !self.is_quiet;
            count.bad += usize::from(is_named || !left.is_settled);
            if self.is_quiet && left.is_settled {
                continue;
            }
            self.leave(
                cluster,
                &left.id,
                Some(&left.database),
                &left.reason,
                report,
            );
        }
        if self.takes_all {
            count.bad += self.tell_unreadable(&there, &here, report);
        }
        if self.dry_run {
            self.tell(cluster, &todo, report);
            return Ok(count);
        }
        let stop = || context.interrupt.was_requested();
        let mut mended = Vec::new();
        let unmended = copy.mend(&todo, stop, |object| mended.push(object)).await;
        for object in mended {
            self.take_mended(object, &mut count, report);
        }
        for object in unmended {
            count.bad += 1;
            report.mended.push(MendedLine {
                object: object.clone(),
                status: "left",
                error: Some(STOPPED.to_owned()),
            });
        }
        let ran = copy.run(
            &todo,
            stop,
            |record| self.begun(record),
            |copied| {
                self.take(cluster, copied, &mut count, report);
            },
        );
        for record in ran.await? {
            count.bad += 1;
            self.leave(cluster, &record.id, Some(&record.database), STOPPED, report);
        }
        let mut carried = Vec::new();
        let waiting = copy.carry(&todo, stop, |of_one| carried.push(of_one)).await;
        for of_one in carried {
            let told = proofs::take(context, cluster, &pair.name, of_one, &mut count);
            report.proofs.extend(told);
        }
        for record in waiting {
            count.bad += 1;
            let left = ProofsLine::of(cluster, record, "left");
            report.proofs.push(left.because(STOPPED));
        }
        Ok(count)
    }

    /// Tells of a backup that is not copied.
    fn leave(
        &self,
        cluster: &ClusterName,
        id: &BackupId,
        database: Option<&str>,
        reason: &str,
        report: &mut Report,
    ) {
        let of = database.map(|name| format!(" of database {}", words::printable(name)));
        self.context.output.data(format_args!(
            "backup {id}{} is not copied: {reason}\n",
            of.unwrap_or_default()
        ));
        report.backups.push(Line {
            id: id.clone(),
            cluster: cluster.clone(),
            database: database.map(str::to_owned),
            status: "left",
            bytes: None,
            error: Some(reason.to_owned()),
        });
    }

    /// Tells of backups that are not whole there and cannot be copied or mended, since they
    /// cannot be read; how many they are.
    fn tell_unreadable(&self, from: &Catalogue, to: &Catalogue, report: &mut Report) -> usize {
        let there = to.complete().map(|record| &record.id);
        let deleted = to.deleted.iter().map(|deleted| &deleted.id);
        let known: BTreeSet<&BackupId> = there.chain(deleted).collect();
        let mut told = BTreeSet::new();
        for unreadable in from.unreadable() {
            let Some(id) = &unreadable.id else { continue };
            if known.contains(id) || !told.insert(id) {
                continue;
            }
            let name = &self.pair.from_name;
            let error = sentence(&unreadable.error);
            let is_hurt_there = to.hurt().any(|record| record.id == *id);
            let reason = match is_hurt_there {
                true => format!(
                    "it is damaged in both, and what is hurt in {:?} cannot be mended from \
                     repository {name:?}: {error}",
                    self.pair.name
                ),
                false => format!("it cannot be read in repository {name:?}: {error}"),
            };
            let database = unreadable.database.as_deref();
            self.leave(&from.cluster, id, database, &reason, report);
        }
        told.len()
    }

    fn tell(&self, cluster: &ClusterName, todo: &Todo, report: &mut Report) {
        for (object, _) in &todo.mends {
            let object = object.name.clone();
            self.context
                .output
                .data(format_args!("{object} would be mended\n"));
            report.mended.push(MendedLine {
                object,
                status: "to mend",
                error: None,
            });
        }
        for planned in &todo.plan.backups {
            let record = &planned.record;
            self.context.output.data(format_args!(
                "backup {} of database {} would be copied: {} are its own\n",
                record.id,
                words::printable(&record.database),
                words::size(record.new_bytes)
            ));
            report.backups.push(Line {
                id: record.id.clone(),
                cluster: cluster.clone(),
                database: Some(record.database.clone()),
                status: "to copy",
                bytes: Some(record.new_bytes),
                error: None,
            });
        }
        for record in &todo.lacking_proofs {
            self.context.output.data(format_args!(
                "proofs of backup {} of database {} would be carried\n",
                record.id,
                words::printable(&record.database)
            ));
            let line = ProofsLine::of(cluster, record, "to carry");
            report.proofs.push(line);
        }
    }

    fn take_mended(&self, mended: Mended, count: &mut Count, report: &mut Report) {
        let Mended { object, error } = mended;
        let output = self.context.output;
        match &error {
            None => {
                count.good += 1;
                output.data(format_args!("{object} is mended\n"));
            }
            Some(error) => {
                count.bad += 1;
                let error = sentence(error);
                output.data(format_args!("{object} could not be mended: {error}\n"));
            }
        }
        report.mended.push(MendedLine {
            object,
            status: if error.is_none() { "mended" } else { "failed" },
            error: error.as_ref().map(|error| sentence(error)),
        });
    }

    fn begun(&self, record: &BackupRecord) {
        let now = words::time(self.context.clock.now());
        let (database, id, name) = (&record.database, &record.id, &self.pair.name);
        self.context.output.say(format_args!(
            "{now} START copy of {database:?}, backup {id}, to repository {name:?}"
        ));
    }

    fn take(&self, cluster: &ClusterName, copied: Copied, count: &mut Count, report: &mut Report) {
        let Copied {
            id,
            database,
            result,
        } = copied;
        let now = words::time(self.context.clock.now());
        let output = self.context.output;
        let (status, bytes, error) = match result {
            Ok(bytes) => {
                count.good += 1;
                let sent = words::size(bytes);
                output.say(format_args!(
                    "{now} END   copy of {database:?}: complete, {sent} sent"
                ));
                ("copied", Some(bytes), None)
            }
            Err(error) => {
                count.bad += 1;
                output.say(format_args!("{now} END   copy of {database:?}: FAILED"));
                let error = CliError::Repository(error);
                output.failure(&error);
                ("failed", None, Some(sentence(&error)))
            }
        };
        report.backups.push(Line {
            id,
            cluster: cluster.clone(),
            database: Some(database),
            status,
            bytes,
            error,
        });
    }
}
