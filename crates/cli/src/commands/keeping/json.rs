//! What is kept, for programs.
//!
//! Invariant: every reason is told, with what it lasts until; words that people read are
//! elsewhere.

use pgkeep_maintenance::Verdict;
use pgkeep_retention::{Doubt, Failure, Level, Period, Until, Why};
use pgkeep_types::{BackupId, ObjectName, RunId, SystemId, Timestamp};
use serde::Serialize;

use super::{Kept, Spared, reasons};

/// What becomes of a cluster's backups.
#[derive(Serialize)]
pub(in crate::commands) struct Report {
    series: Vec<Series>,
    /// Of which no policy deletes any.
    damaged: Vec<Damaged>,
    good: usize,
    going: usize,
    /// How many bytes come back; null where that cannot be told.
    frees_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Series {
    database: String,
    kind: &'static str,
    /// Whether its backups have a part of the database alone.
    part: bool,
    /// The server that they are of, where it has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    system_id: Option<SystemId>,
    policy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_failure: Option<Failed>,
    backups: Vec<Backup>,
}

#[derive(Serialize)]
struct Backup {
    id: BackupId,
    started: Timestamp,
    goes: bool,
    why: Vec<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frees_bytes: Option<u64>,
    /// What of it stays, since backups that stay need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves_bytes: Option<u64>,
    /// A run that goes on and refers to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_use_by: Option<RunId>,
}

#[derive(Serialize)]
struct Damaged {
    id: BackupId,
    database: Option<String>,
    problem: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Failed {
    Attempt(BackupId),
    Damaged(BackupId),
    Refuted(BackupId),
    Lacking(BackupId),
    Unread(ObjectName),
    UnreadProof {
        backup: BackupId,
        object: ObjectName,
    },
    UnreadVerification {
        backup: BackupId,
        object: ObjectName,
    },
}

#[derive(Default, Serialize)]
struct Reason {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    among: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<End>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Success,
    ProvedAgain,
    ReadAgain,
    Time(Timestamp),
    Newer {
        count: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        period: Option<&'static str>,
        /// Whether only those count that a rolling rule takes for one of that period.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        rolling: bool,
        among: &'static str,
    },
}

impl Report {
    pub(in crate::commands) fn of(kept: &Kept<'_>) -> Self {
        let series = kept.judged.iter().map(|series| Series {
            database: series.name.database.clone(),
            kind: series.name.kind,
            part: series.name.part,
            system_id: series.name.system,
            policy: series.policy.to_string(),
            after_failure: series.failed.clone().map(Failed::from),
            backups: series.verdicts.iter().map(|v| backup(kept, v)).collect(),
        });
        let damaged = kept.damaged.iter().map(|damage| Damaged {
            id: damage.id.clone(),
            database: damage.database.clone(),
            problem: damage.problem.clone(),
        });
        Self {
            series: series.collect(),
            damaged: damaged.collect(),
            good: kept.judged.iter().map(|series| series.verdicts.len()).sum(),
            going: kept.going().count(),
            frees_bytes: kept.bytes(),
        }
    }
}

fn backup(kept: &Kept<'_>, verdict: &Verdict<'_>) -> Backup {
    let id = &verdict.backup.id;
    let spared = kept.spared(id).filter(|_| verdict.goes());
    let goes = verdict.goes() && spared.is_none();
    let (in_use_by, besides) = match spared {
        Some(Spared::InUse(run)) => (Some(run.clone()), None),
        Some(Spared::Pinned) => (None, Some("just_pinned")),
        Some(Spared::Later) => (None, Some("next_prune")),
        None => (None, None),
    };
    let besides = besides.map(|reason| Reason {
        reason,
        ..Reason::default()
    });
    let stays = verdict.stays.iter().map(Reason::from);
    Backup {
        id: id.clone(),
        started: verdict.backup.started,
        goes,
        why: stays.chain(besides).collect(),
        frees_bytes: kept.freed(id).filter(|_| goes),
        leaves_bytes: goes.then(|| kept.left(id)),
        in_use_by,
    }
}

/// Of which backups it is said.
fn among(level: Level) -> &'static str {
    reasons::word(level).unwrap_or("all")
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Attempt(id) => Self::Attempt(id),
            Failure::Damaged(id) => Self::Damaged(id),
            Failure::Refuted(id) => Self::Refuted(id),
            Failure::Lacking(id) => Self::Lacking(id),
            Failure::Unread(object) => Self::Unread(object),
            Failure::Doubted { backup, doubt } => match doubt {
                Doubt::Proof(object) => Self::UnreadProof { backup, object },
                Doubt::Verification(object) => Self::UnreadVerification { backup, object },
            },
        }
    }
}

impl From<&Why> for Reason {
    fn from(why: &Why) -> Self {
        let until = match why.until() {
            Until::Open => None,
            Until::Success => Some(End::Success),
            Until::ProvedAgain => Some(End::ProvedAgain),
            Until::ReadAgain => Some(End::ReadAgain),
            Until::Time(time) => Some(End::Time(time)),
            Until::Newer {
                count,
                period,
                rolling,
                level,
            } => Some(End::Newer {
                count,
                rolling,
                period: period.map(Period::noun),
                among: among(level),
            }),
        };
        let plain = |reason| Self {
            reason,
            ..Self::default()
        };
        let said = match why {
            Why::NoPolicy => plain("no_policy"),
            Why::AfterFailure(_) => plain("after_failure"),
            Why::Newest(Level::Untried) => plain("newest"),
            Why::Newest(Level::Restorable) => plain("newest_restorable"),
            Why::Newest(Level::Proven) => plain("newest_proven"),
            Why::Undated => plain("undated"),
            Why::Doubted(Doubt::Proof(_)) => plain("unread_proof"),
            Why::Doubted(Doubt::Verification(_)) => plain("unread_verification"),
            Why::Pinned(pin) => Self {
                pinned_for: Some(pin.reason.clone()),
                ..plain("pinned")
            },
            Why::Rule(place) => Self {
                rule: Some(reasons::rule(place.rule)),
                place: Some(place.place),
                of: Some(place.of),
                among: Some(among(place.level)),
                ..plain("rule")
            },
        };
        Self { until, ..said }
    }
}
