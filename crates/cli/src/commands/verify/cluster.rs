//! What was found of a cluster in a repository: for people, and for programs.
//!
//! Invariant: both say the same; whatever is hurt is named, with the backups that need it.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::{BackupRecord, Problem};
use pgkeep_maintenance::{Amount, Found, Verified};
use pgkeep_repository::{Catalogue, Entry, RepositoryError, Unreadable, finding_in_words};
use pgkeep_types::{BackupId, ClusterName, ObjectName, Timestamp};
use serde::Serialize;

use super::report::Line;
use crate::context::Context;
use crate::error::sentence;
use crate::words;

/// What was found of a cluster in a repository.
#[derive(Serialize)]
pub(super) struct ClusterReport {
    cluster: ClusterName,
    repository: String,
    /// What was read.
    objects: usize,
    bytes: u64,
    /// All that backups need.
    all_objects: usize,
    all_bytes: u64,
    /// What the verification that was gone on with had read before, and found whole then.
    objects_before: usize,
    bytes_before: u64,
    before_since: Option<Timestamp>,
    before_until: Option<Timestamp>,
    /// What was to be read and was not.
    left_objects: usize,
    left_bytes: u64,
    hurt: Vec<HurtObject>,
    mended: Vec<ObjectName>,
    unread: Vec<Line>,
    /// Backups that are not offered any more.
    backups: Vec<HurtBackup>,
    databases: Vec<Database>,
    /// Why what was read and found could not be written down.
    not_written: Option<String>,
    /// Proofs of other records than are there.
    #[serde(skip)]
    bad: Vec<Unreadable>,
    /// Whether a share was wanted.
    #[serde(skip)]
    is_share: bool,
}

#[derive(Serialize)]
struct HurtObject {
    object: ObjectName,
    problem: Problem,
    #[serde(skip)]
    told: String,
    length: u64,
    found: Option<u64>,
    /// Whose bytes it has.
    instead: Option<ObjectName>,
    /// Whether it was known before.
    known: bool,
}

#[derive(Serialize)]
struct HurtBackup {
    id: Option<BackupId>,
    database: Option<String>,
    started: Option<Timestamp>,
    error: String,
}

#[derive(Serialize)]
struct Database {
    database: String,
    /// How many good backups there are: none that failed its proof, or of which nobody can tell.
    good: usize,
    /// The newest of them.
    newest: Option<BackupId>,
    newest_started: Option<Timestamp>,
    #[serde(skip)]
    is_hurt: bool,
}

impl From<Found> for HurtObject {
    fn from(found: Found) -> Self {
        let Found {
            finding,
            instead,
            was_known,
        } = found;
        Self {
            told: match &instead {
                Some(other) => format!("it has the bytes of {other}"),
                None => finding_in_words(&finding),
            },
            object: finding.object,
            problem: finding.problem,
            length: finding.length,
            found: finding.found,
            instead,
            known: was_known,
        }
    }
}

impl ClusterReport {
    /// `after` is what is offered once what was found was written down, if nothing has kept
    /// it from that: then `not_written` says what.
    pub(super) fn new(
        repository: &str,
        verdict: Verified,
        mut after: Catalogue,
        amount: Amount,
        not_written: Option<String>,
    ) -> Self {
        // Those that are damaged are found with what is strange.
        let mut bad = after.take_bad_proofs();
        bad.retain(|proof| matches!(proof.error, RepositoryError::ForeignProof { .. }));
        let hurt_records: BTreeMap<BackupId, BackupRecord> = after
            .hurt()
            .map(|record| (record.id.clone(), record.clone()))
            .collect();
        let mut names: BTreeSet<String> = BTreeSet::new();
        names.extend(after.complete().map(|backup| backup.database.clone()));
        names.extend(after.unreadable().filter_map(|u| u.database.clone()));
        let is_good = |id: &BackupId| {
            after.refuted(id).is_none()
                && after.unread_proof(id).is_none()
                && after.unread_verification(id).is_none()
        };
        let database = |name: String| {
            let of_it = after.complete().filter(|b| b.database == name);
            let good: Vec<&BackupRecord> = of_it.filter(|b| is_good(&b.id)).collect();
            let newest = good.last();
            let mut hurt = after.unreadable();
            Database {
                good: good.len(),
                newest: newest.map(|backup| backup.id.clone()),
                newest_started: newest.map(|backup| backup.started),
                is_hurt: hurt.any(|u| u.database.as_ref() == Some(&name)),
                database: name,
            }
        };
        let databases = names.into_iter().map(database).collect();
        let cluster = after.cluster.clone();
        let backups = after.entries.into_iter().filter_map(|entry| match entry {
            Entry::Unreadable(unreadable) => {
                let record = unreadable.id.as_ref().and_then(|id| hurt_records.get(id));
                Some(HurtBackup {
                    started: record.map(|record| record.started),
                    id: unreadable.id,
                    database: unreadable.database,
                    error: unreadable.error.to_string(),
                })
            }
            Entry::Complete(_) | Entry::Attempt(_) => None,
        });
        Self {
            cluster,
            repository: repository.to_owned(),
            objects: verdict.read.0,
            bytes: verdict.read.1,
            all_objects: verdict.all.0,
            all_bytes: verdict.all.1,
            objects_before: verdict.before.map_or(0, |before| before.objects),
            bytes_before: verdict.before.map_or(0, |before| before.bytes),
            before_since: verdict.before.map(|before| before.since),
            before_until: verdict.before.map(|before| before.until),
            left_objects: verdict.left.0,
            left_bytes: verdict.left.1,
            hurt: verdict.hurt.into_iter().map(HurtObject::from).collect(),
            mended: verdict.mended,
            unread: verdict
                .unread
                .into_iter()
                .map(|unread| Line {
                    object: unread.object,
                    error: sentence(&unread.error),
                })
                .collect(),
            backups: backups.collect(),
            databases,
            not_written: not_written.or(verdict.not_written.as_ref().map(|e| sentence(e))),
            is_share: amount != Amount::All,
            bad,
        }
    }

    /// Records that no backup needs, and that are bad.
    pub(super) fn take_bad(&mut self) -> Vec<Unreadable> {
        std::mem::take(&mut self.bad)
    }

    /// Whether no backup is there, whole or hurt.
    pub(super) fn is_nothing(&self) -> bool {
        self.all_objects == 0 && self.backups.is_empty()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.hurt.is_empty()
            && self.unread.is_empty()
            && self.backups.is_empty()
            && !self.is_forgotten()
    }

    /// Whether not everything was read, and nobody will know what was: the next verification
    /// would read the same again, and never the rest.
    fn is_forgotten(&self) -> bool {
        self.not_written.is_some() && (self.is_share || self.left_objects > 0)
    }

    /// Whether everything was read, now or by the verification that was gone on with.
    fn is_everything(&self) -> bool {
        self.objects + self.objects_before >= self.all_objects
    }

    /// What is whole, where nothing that was read is hurt.
    fn whole_word(&self) -> &'static str {
        match self.is_everything() {
            true => "all whole",
            false => "these whole",
        }
    }

    /// In a few words.
    pub(super) fn in_short(&self) -> String {
        if self.is_nothing() {
            return "nothing is there".to_owned();
        }
        let read = format!(
            "{}, {} read",
            words::counted(self.objects, "object"),
            words::size(self.bytes)
        );
        match self.hurt.len() {
            0 if self.is_whole() => format!("{read}, {}", self.whole_word()),
            0 => read,
            1 => format!("{read}, 1 HURT"),
            hurt => format!("{read}, {hurt} HURT"),
        }
    }

    /// Tells it all.
    pub(super) fn tell(&self, context: &Context) {
        let output = context.output;
        let say = |words: std::fmt::Arguments<'_>| {
            output.data(format_args!("{}\n", output.folded(&words.to_string(), 2)));
        };
        if self.is_nothing() {
            return say(format_args!(
                "cluster {} in repository {:?}: nothing is there, no backup that could be verified",
                self.cluster, self.repository
            ));
        }
        for hurt in &self.hurt {
            let known = if hurt.known { ", as before" } else { "" };
            say(format_args!("{}: {}{known}", hurt.object, hurt.told));
        }
        for object in &self.mended {
            say(format_args!("{object}: it is whole again"));
        }
        for unread in &self.unread {
            say(format_args!(
                "{}: could not be read: {}",
                unread.object, unread.error
            ));
        }
        for backup in &self.backups {
            let what = match (&backup.id, &backup.database) {
                (Some(id), Some(database)) => {
                    format!("backup {id} of database {}", words::printable(database))
                }
                (Some(id), None) => format!("backup {id}"),
                (None, _) => "a record".to_owned(),
            };
            say(format_args!(
                "{what} is hurt, and not offered: {}",
                backup.error
            ));
        }
        for database in self.databases.iter().filter(|database| database.is_hurt) {
            let name = words::printable(&database.database);
            match (&database.newest, database.newest_started) {
                (Some(id), Some(started)) => say(format_args!(
                    "database {name}: {} left; the newest is {id} of {}",
                    words::counted(database.good, "good backup"),
                    words::time(started)
                )),
                _ => say(format_args!("database {name}: NO GOOD BACKUP IS LEFT")),
            }
        }
        if let Some(problem) = &self.not_written {
            let so = match self.is_forgotten() {
                true => ", so the next time would read the same again, and never the rest",
                false => "",
            };
            say(format_args!(
                "what was read could not be written down{so}: {problem}"
            ));
        }
        if self.left_objects > 0 {
            let resume = match self.is_share || self.is_forgotten() {
                true => "",
                false => "; 'pgkeep verify --resume' goes on there",
            };
            say(format_args!(
                "{} left for the next time{resume}",
                words::counted(self.left_objects, "object")
            ));
        }
        let read = match (self.is_everything(), self.read_before()) {
            (false, before) if before.is_empty() => " read".to_owned(),
            (_, before) => before,
        };
        say(format_args!(
            "cluster {} in repository {:?}: {} of {}{read}, {}",
            self.cluster,
            self.repository,
            words::counted(self.objects, "object"),
            self.all_objects,
            match (self.hurt.len(), self.is_whole()) {
                (0, true) => self.whole_word().to_owned(),
                (0, false) => "and not all is well".to_owned(),
                (1, _) => "1 is hurt".to_owned(),
                (hurt, _) => format!("{hurt} are hurt"),
            }
        ));
    }

    /// What was read before, and when, as a part of the last line.
    fn read_before(&self) -> String {
        let (Some(since), Some(until)) = (self.before_since, self.before_until) else {
            return String::new();
        };
        let (since, until) = (words::time(since), words::time(until));
        let at = match since == until {
            true => format!("at {until}"),
            false => format!("from {since} to {until}"),
        };
        format!(" read now, {} {at}", self.objects_before)
    }
}
