//! A check for programs.
//!
//! Invariant: every finding and every note is there, with its sentence.

use pgkeep_format::records::Level;
use pgkeep_maintenance::check::{Judgement, Severity};
use pgkeep_types::{BackupId, ClusterName, Timestamp};
use serde::Serialize;

use super::{Checked, words};
use crate::output::JSON_VERSION;

#[derive(Serialize)]
pub(super) struct Report {
    version: u32,
    verdict: String,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    clusters: Vec<Cluster>,
}

#[derive(Serialize)]
struct Cluster {
    cluster: ClusterName,
    verdict: String,
    sentence: String,
    findings: Vec<Finding>,
    notes: Vec<Note>,
    databases: Vec<Database>,
    space: Vec<Space>,
}

#[derive(Serialize)]
struct Finding {
    severity: String,
    finding: &'static str,
    repository: Option<String>,
    database: Option<String>,
    says: String,
}

#[derive(Serialize)]
struct Note {
    repository: Option<String>,
    /// What was not looked at, where that is what it says.
    not_looked_at: Option<&'static str>,
    says: String,
}

#[derive(Serialize)]
struct Database {
    repository: String,
    database: String,
    /// The newest good backup.
    newest: Option<Newest>,
    /// How much is proven, and when that was last done.
    proof: Option<Proof>,
}

#[derive(Serialize)]
struct Proof {
    level: Level,
    age_seconds: u64,
}

#[derive(Serialize)]
struct Newest {
    id: BackupId,
    started: Timestamp,
    age_seconds: u64,
    raw_bytes: u64,
}

#[derive(Serialize)]
struct Space {
    repository: String,
    free_bytes: u64,
    /// For how long it lasts by what was newly stored of late.
    lasts_seconds: Option<u64>,
}

/// What is told where nothing could be judged.
pub(super) fn unknown(problem: &str) -> Report {
    Report {
        version: JSON_VERSION,
        verdict: word(Severity::Unknown),
        problem: Some(problem.to_owned()),
        clusters: Vec::new(),
    }
}

/// What came of all clusters.
pub(super) fn report(checked: &[Checked], severity: Severity) -> Report {
    Report {
        version: JSON_VERSION,
        verdict: word(severity),
        problem: None,
        clusters: checked.iter().map(cluster).collect(),
    }
}

fn word(severity: Severity) -> String {
    severity.as_str().to_ascii_lowercase()
}

fn cluster(checked: &Checked) -> Cluster {
    let nothing = Judgement::default();
    let judgement = checked.judged.as_ref().unwrap_or(&nothing);
    let findings = judgement.findings.iter().map(|finding| Finding {
        severity: word(finding.severity),
        finding: finding.what.name(),
        repository: finding.repository.clone(),
        database: finding.what.database().map(str::to_owned),
        says: words::of_one(finding, false),
    });
    let notes = judgement.notes.iter().map(|(repository, note)| Note {
        repository: repository.clone(),
        not_looked_at: note.unseen(),
        says: words::of_note(note),
    });
    let databases = judgement.measured.iter().map(|measured| Database {
        repository: measured.repository.clone(),
        database: measured.database.clone(),
        newest: measured.newest.as_ref().map(|(good, age)| Newest {
            id: good.id.clone(),
            started: good.started,
            age_seconds: *age,
            raw_bytes: good.bytes,
        }),
        proof: measured
            .proof
            .map(|(level, age_seconds)| Proof { level, age_seconds }),
    });
    let space = judgement
        .space
        .iter()
        .map(|(repository, free, lasts)| Space {
            repository: repository.clone(),
            free_bytes: *free,
            lasts_seconds: *lasts,
        });
    Cluster {
        cluster: checked.cluster.clone(),
        verdict: word(checked.severity()),
        sentence: checked.sentence(),
        findings: findings.collect(),
        notes: notes.collect(),
        databases: databases.collect(),
        space: space.collect(),
    }
}
