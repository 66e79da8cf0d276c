//! The work of a run: the globals, then a dump of each database, some at a time.
//!
//! Invariants: each is said to begin and to end; once somebody has asked to stop,
//! what has not had its turn has failed.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt};
use pgkeep_capture::{CaptureError, Dump, Excluded, Globals, GlobalsError, Pace, Progress};
use pgkeep_config::DumpSettings;
use pgkeep_format::records::{BackupRecord, PlannedBackup, Selection};
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::Tools;
use pgkeep_repository::{Committed, Limits, Run};
use pgkeep_types::Clock;

use super::progress::{DoneRow, DumpRow};
use super::report::Ended;
use crate::context::Context;
use crate::words;

/// What all of a run's work is done with.
pub(super) struct Work<'a> {
    pub(super) context: &'a Context,
    /// How many databases are dumped at the same time.
    pub(super) jobs: NonZeroUsize,
    pub(super) dump: &'a DumpSettings,
    pub(super) selection: &'a Selection,
    pub(super) excluded: &'a Excluded,
    pub(super) pace: Option<&'a Pace>,
    pub(super) tools: &'a Tools,
    pub(super) run: &'a Run,
}

impl Work<'_> {
    /// Reads the globals, and tells how that ended. The ways to connect are tried one
    /// after the other, `first` before `others`.
    pub(super) async fn globals(
        &self,
        first: &ConnectionParameters,
        others: &[ConnectionParameters],
    ) -> Result<Globals, GlobalsError> {
        let output = self.context.output;
        let started = words::time(self.context.clock.now());
        output.say(format_args!("{started} START globals"));
        let read = self.globals_by_any(first, others).await;
        let now = words::time(self.context.clock.now());
        match &read {
            Ok(globals) => {
                let size = words::size(globals.size());
                output.say(format_args!("{now} END   globals: complete, {size}"));
                for message in globals.said() {
                    output.warning(format_args!("pg_dumpall of the globals says: {message}"));
                }
                if !globals.has_passwords() {
                    output.warning(format_args!(
                        "the globals hold no password hashes: role {:?} may not read them \
                         (pg_authid); restored roles will have no passwords",
                        first.user()
                    ));
                }
            }
            Err(_) => output.say(format_args!("{now} END   globals: FAILED")),
        }
        read
    }

    /// Reads the globals by the first way that leads to the server; where none does, why
    /// `first` does not.
    async fn globals_by_any(
        &self,
        first: &ConnectionParameters,
        others: &[ConnectionParameters],
    ) -> Result<Globals, GlobalsError> {
        let read = self.globals_by(first).await;
        if !matches!(read, Err(GlobalsError::Connect(_))) {
            return read;
        }
        for way in others {
            let other = self.globals_by(way).await;
            if !matches!(other, Err(GlobalsError::Connect(_))) {
                return other;
            }
        }
        read
    }

    async fn globals_by(&self, way: &ConnectionParameters) -> Result<Globals, GlobalsError> {
        let mut stop = Box::pin(self.context.interrupt.requested());
        Globals::read(way, self.tools, stop.as_mut()).await
    }

    /// Dumps each database by its connection, some at a time; tells them in the order
    /// in which they were planned.
    pub(super) async fn dumps(
        &self,
        connections: &[ConnectionParameters],
        globals: Option<&Globals>,
    ) -> Vec<Ended> {
        let each = self.run.planned().iter().zip(connections);
        let done = Arc::new(DoneRow {
            done: AtomicUsize::new(0),
            databases: connections.len(),
        });
        let shown = (connections.len() > 1).then(|| self.context.live(Arc::clone(&done)));
        let dumps = each.map(async |(planned, connection)| {
            let ended = self.dump(globals, planned, connection).await;
            done.done.fetch_add(1, Ordering::Relaxed);
            ended
        });
        let ended = stream::iter(dumps).buffered(self.jobs.get());
        let ended = ended.collect().await;
        drop(shown);
        ended
    }

    async fn dump(
        &self,
        globals: Option<&Globals>,
        planned: &PlannedBackup,
        connection: &ConnectionParameters,
    ) -> Ended {
        let progress = Arc::new(Progress::default());
        let dump = Dump {
            connection,
            tools: self.tools,
            clock: &self.context.clock,
            globals,
            selection: self.selection,
            excluded: self.excluded,
            pace: self.pace,
            progress: &progress,
            limits: Limits::default().shared_by(self.jobs),
            lock_timeout: self.dump.lock_timeout,
            warn: &|words| self.context.output.warning(words),
        };
        let made = match self.context.interrupt.was_requested() {
            false => {
                let row = DumpRow::new(&planned.database, &progress);
                self.told(&dump, planned, row).await
            }
            true => Err(CaptureError::Interrupted {
                database: planned.database.clone(),
            }),
        };
        (planned.clone(), made)
    }

    /// Makes one backup and says when it began and how it ended.
    async fn told(
        &self,
        dump: &Dump<'_>,
        planned: &PlannedBackup,
        row: DumpRow,
    ) -> Result<BackupRecord, CaptureError> {
        let Self { context, run, .. } = self;
        let started = context.clock.now();
        let database = &planned.database;
        context.output.say(format_args!(
            "{} START dump of {database:?} as {}",
            words::time(started),
            planned.id
        ));
        let mut stop = Box::pin(context.interrupt.requested());
        let shown = context.live(row);
        let made = dump.capture(run, planned, stop.as_mut()).await;
        drop(shown);
        let now = context.clock.now();
        let took = words::duration(started, now);
        match &made {
            Ok(committed) => {
                let record = committed.record();
                context.output.say(format_args!(
                    "{} END   dump of {database:?}: complete, {} in {took}, {} new",
                    words::time(now),
                    words::size(record.raw_bytes),
                    words::size(record.new_bytes),
                ));
            }
            Err(_) => context.output.say(format_args!(
                "{} END   dump of {database:?}: FAILED after {took}",
                words::time(now)
            )),
        }
        made.map(Committed::into_record)
    }
}
