//! A line of the list: what there is to say of a backup, for people and for programs.

use pgkeep_format::records::{BackupOutcome, BackupRecord, Level, Outcome, PlannedBackup};
use pgkeep_repository::{Attempt, Catalogue, Pinned, Unreadable};
use pgkeep_types::{BackupId, ClusterName, PinId, Timestamp};
use serde::Serialize;

use super::table::Column;
use crate::commands::prove::{elsewhere, level_word};
use crate::words;

/// How a backup is listed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BackupLine {
    id: Option<BackupId>,
    cluster: ClusterName,
    kind: Option<String>,
    database: Option<String>,
    status: Status,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    raw_bytes: Option<u64>,
    stored_bytes: Option<u64>,
    new_bytes: Option<u64>,
    server_version: Option<String>,
    /// Whether the cluster's globals are with it.
    globals: Option<bool>,
    /// Whether it has a part of the database alone, since that was chosen.
    selected: Option<bool>,
    /// How much is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    /// The same, whichever copy of it was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<Level>,
    /// Whether the newest proof that tells says that it is not good.
    #[serde(skip_serializing_if = "is_false")]
    refuted: bool,
    /// Whether a key that is in use opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_in_use: Option<bool>,
    /// Whether the record of a key that opens it is lost.
    #[serde(skip)]
    lacks_a_key: bool,
    /// By the storage's clock; of a run that should have shown by now that it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Who wants it kept, as far as that holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pins: Vec<PinLine>,
    /// It was chosen for deletion, and goes once its pins have ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    chosen_for_deletion: bool,
}

/// A pin that holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PinLine {
    id: PinId,
    /// None where it cannot be read.
    reason: Option<String>,
    until: Option<Timestamp>,
    host: Option<String>,
}

impl PinLine {
    pub(crate) fn of(pinned: &Pinned) -> Self {
        let record = pinned.record.as_ref();
        Self {
            id: pinned.id.clone(),
            reason: record.map(|record| record.reason.clone()),
            until: record.and_then(|record| record.until),
            host: record.map(|record| record.host.clone()),
        }
    }

    /// Why, until when and by whom.
    pub(crate) fn told(&self) -> String {
        let (Some(reason), Some(host)) = (&self.reason, &self.host) else {
            return "what its pin says cannot be read".to_owned();
        };
        let reason = words::printable(reason);
        let host = words::printable(host);
        match self.until {
            Some(until) => {
                let until = words::time_to_the_minute(until);
                format!("{reason} (until {until}, by host {host})")
            }
            None => format!("{reason} (by host {host})"),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What has become of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Everything that a restore needs is stored.
    Complete,
    /// It failed.
    Failed,
    /// Nothing was recorded of how it ended, and it has shown of late that it goes on.
    Running,
    /// Nothing was recorded of how it ended, and it shows no sign of life.
    Abandoned,
    /// Its record cannot be read.
    Damaged,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "FAILED",
            Self::Running => "running",
            Self::Abandoned => "ABANDONED",
            Self::Damaged => "DAMAGED",
        }
    }
}

impl BackupLine {
    /// A backup that was committed.
    pub(crate) fn complete(record: &BackupRecord) -> Self {
        Self {
            id: Some(record.id.clone()),
            cluster: record.cluster.clone(),
            kind: Some(record.kind.as_str().to_owned()),
            database: Some(record.database.clone()),
            status: Status::Complete,
            started: Some(record.started),
            finished: Some(record.finished),
            raw_bytes: Some(record.raw_bytes),
            stored_bytes: Some(record.stored_bytes),
            new_bytes: Some(record.new_bytes),
            server_version: Some(record.server_version.clone()),
            globals: Some(record.globals),
            selected: Some(record.selected),
            level: Some(Level::Stored),
            worth: Some(Level::Stored),
            refuted: false,
            key_in_use: None,
            lacks_a_key: false,
            silent_since: None,
            error: None,
            pins: Vec::new(),
            chosen_for_deletion: false,
        }
    }

    /// A backup that has just failed.
    pub(crate) fn failed(cluster: &ClusterName, planned: &PlannedBackup, error: String) -> Self {
        Self {
            id: Some(planned.id.clone()),
            kind: Some("dump".to_owned()),
            database: Some(planned.database.clone()),
            status: Status::Failed,
            started: Some(planned.id.time()),
            error: Some(error),
            ..Self::empty(cluster)
        }
    }

    /// A backup that was begun and not committed.
    pub(crate) fn attempt(catalogue: &Catalogue, attempt: &Attempt, now: Timestamp) -> Self {
        Self {
            id: Some(attempt.id.clone()),
            kind: Some(attempt.begin.kind.as_str().to_owned()),
            database: Some(attempt.database.clone()),
            status: match attempt.outcome {
                Some(Outcome::Complete | Outcome::Partial | Outcome::Failed) => Status::Failed,
                None if catalogue.is_running(attempt, now) => Status::Running,
                None => Status::Abandoned,
            },
            started: Some(attempt.begin.started),
            silent_since: catalogue.silent_since(attempt, now),
            error: attempt.error.clone(),
            ..Self::empty(&catalogue.cluster)
        }
    }

    /// How it ended, as the run's outcome says it.
    pub(crate) fn outcome(&self) -> Option<BackupOutcome> {
        Some(BackupOutcome {
            id: self.id.clone()?,
            database: self.database.clone()?,
            outcome: match self.status {
                Status::Complete => Outcome::Complete,
                _ => Outcome::Failed,
            },
        })
    }

    /// Why it failed.
    pub(crate) fn failure(&self) -> Option<(BackupId, String)> {
        Some((self.id.clone()?, self.error.clone()?))
    }

    /// What has become of it, in a word.
    pub(crate) fn status(&self) -> &'static str {
        self.status.word()
    }

    /// What there is to say of it beside its row.
    pub(super) fn remark(&self) -> Option<String> {
        let id = self.id.as_ref()?.short();
        match (self.status, &self.error, self.silent_since) {
            (Status::Complete, ..) if !self.pins.is_empty() => {
                let pins: Vec<String> = self.pins.iter().map(PinLine::told).collect();
                Some(format!("{id}: pinned: {}", pins.join("; ")))
            }
            (Status::Failed, Some(error), _) => Some(format!("{id}: {}", words::printable(error))),
            (Status::Running | Status::Abandoned, _, Some(since)) => Some(format!(
                "{id}: no sign of life since {}; a run that goes on shows one every ten minutes",
                words::time_to_the_minute(since)
            )),
            _ => None,
        }
    }

    /// A backup whose record cannot be read.
    pub(super) fn unreadable(cluster: &ClusterName, unreadable: &Unreadable) -> Self {
        Self {
            id: unreadable.id.clone(),
            database: unreadable.database.clone(),
            started: unreadable.id.as_ref().map(BackupId::time),
            error: Some(unreadable.error.to_string()),
            ..Self::empty(cluster)
        }
    }

    /// Itself, told who wants it kept.
    pub(super) fn with_pins(self, catalogue: &Catalogue, now: Timestamp) -> Self {
        let Some(id) = self.id.clone() else {
            return self;
        };
        let holding = catalogue.pins(&id).filter(|pinned| pinned.holds(now));
        Self {
            pins: holding.map(PinLine::of).collect(),
            chosen_for_deletion: catalogue.chosen(&id).is_some(),
            ..self
        }
    }

    /// Itself, told whether a key that is in use opens it, and whether the record of one that
    /// does is lost.
    pub(super) fn with_key_in_use(self, is_in_use: bool, lacks_a_key: bool) -> Self {
        Self {
            key_in_use: Some(is_in_use),
            lacks_a_key,
            ..self
        }
    }

    /// Itself, told what its proofs come to.
    pub(super) fn with_proofs(self, catalogue: &Catalogue) -> Self {
        let Some(id) = self.id.clone() else {
            return self;
        };
        Self {
            level: Some(catalogue.level(&id)),
            worth: Some(catalogue.worth(&id)),
            refuted: catalogue.refuted(&id).is_some(),
            ..self
        }
    }

    fn empty(cluster: &ClusterName) -> Self {
        Self {
            id: None,
            cluster: cluster.clone(),
            kind: None,
            database: None,
            status: Status::Damaged,
            started: None,
            finished: None,
            raw_bytes: None,
            stored_bytes: None,
            new_bytes: None,
            server_version: None,
            globals: None,
            selected: None,
            level: None,
            worth: None,
            refuted: false,
            key_in_use: None,
            lacks_a_key: false,
            silent_since: None,
            error: None,
            pins: Vec::new(),
            chosen_for_deletion: false,
        }
    }

    pub(super) fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Of which kind it is, where that is known.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// What it has in a column: what belongs together in one text.
    pub(super) fn cell(&self, column: Column) -> Vec<String> {
        let text = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), words::printable);
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), words::size);
        vec![match column {
            Column::Id => self.id.as_ref().map_or("-", BackupId::short).to_owned(),
            Column::Kind => text(&self.kind),
            Column::Database => text(&self.database),
            Column::Started => self
                .started
                .map_or_else(|| "-".to_owned(), words::time_to_the_minute),
            Column::Size => bytes(self.raw_bytes),
            Column::New => bytes(self.new_bytes),
            Column::Status => {
                let words = self.statuses().into_iter();
                return words.map(ToOwned::to_owned).collect();
            }
        }]
    }

    /// Its level where it is complete, or what has become of it; then what else there is to
    /// know of it.
    fn statuses(&self) -> Vec<&'static str> {
        let first = match self.level {
            Some(level) => level_word(level, self.refuted),
            None => self.status.word(),
        };
        let mut words = vec![first];
        let copies = self.level.zip(self.worth).filter(|_| !self.refuted);
        words.extend(copies.and_then(|(level, worth)| elsewhere(level, worth)));
        words.extend((self.globals == Some(false)).then_some("NO GLOBALS"));
        words.extend((self.selected == Some(true)).then_some("a part"));
        words.extend((!self.pins.is_empty()).then_some("pinned"));
        if self.key_in_use == Some(false) {
            words.push(match self.lacks_a_key {
                true => "KEY RECORD LOST",
                false => "RETIRED KEYS ONLY",
            });
        }
        words
    }
}
