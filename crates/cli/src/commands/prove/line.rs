//! A line of what was proved, for people and for programs.
//!
//! Invariant: what was skipped is told as such.

use pgkeep_format::records::{
    BackupRecord, Level, ProofDetails, ProofOutcome, ProofRecord, StepOutcome,
};
use pgkeep_proof::{NOT_COMPARED, Proof};
use pgkeep_types::{BackupId, ClusterName, Timestamp};
use serde::Serialize;

use crate::output::Output;
use crate::words::{self, Align};

/// How far right goes on what there is to say of a backup.
pub(super) const REMARK: usize = 10;

/// What came of one backup.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProofLine {
    pub(super) backup: Option<BackupId>,
    pub(super) cluster: ClusterName,
    pub(super) database: String,
    /// When the backup was begun.
    pub(super) backup_started: Option<Timestamp>,
    pub(super) outcome: ProofOutcome,
    pub(super) level: Option<Level>,
    /// Whether it was written down.
    pub(super) recorded: bool,
    /// Why it is not more.
    pub(super) problem: Option<String>,
    /// Why it was not written down, though it was to be.
    pub(super) not_recorded: Option<String>,
    /// Why the backup counts as refuted all the same.
    pub(super) still_refuted: Option<String>,
    /// What the object is that it failed for, and what mends it.
    pub(super) damage: Option<String>,
    pub(super) proof: Option<ProofRecord>,
    pub(super) details: Option<ProofDetails>,
}

impl ProofLine {
    /// What cannot even be tried.
    pub(super) fn refused(cluster: &ClusterName, database: &str, problem: String) -> Self {
        Self {
            backup: None,
            cluster: cluster.clone(),
            database: database.to_owned(),
            backup_started: None,
            outcome: ProofOutcome::Failed,
            level: None,
            recorded: false,
            problem: Some(problem),
            not_recorded: None,
            still_refuted: None,
            damage: None,
            proof: None,
            details: None,
        }
    }

    /// What this host cannot even try, and another may.
    pub(super) fn not_provable(cluster: &ClusterName, database: &str, problem: String) -> Self {
        Self {
            outcome: ProofOutcome::NotProvable,
            ..Self::refused(cluster, database, problem)
        }
    }

    pub(super) fn of_id(self, backup: &BackupId) -> Self {
        Self {
            backup: Some(backup.clone()),
            ..self
        }
    }

    pub(super) fn of_backup(self, backup: &BackupRecord) -> Self {
        Self {
            backup: Some(backup.id.clone()),
            backup_started: Some(backup.started),
            ..self
        }
    }

    /// A proof, and whether it was written down; `refuting` are the proofs that its backup had
    /// failed before, the newest first.
    pub(super) fn of<'f>(
        backup: &BackupRecord,
        proof: Proof,
        recorded: Result<bool, String>,
        mut refuting: impl Iterator<Item = &'f ProofRecord>,
    ) -> Self {
        let Proof {
            record, details, ..
        } = proof;
        let is_good = recorded == Ok(true) && record.level().is_some();
        let refuted = refuting.find(|failed| is_good && !record.is_as_much_as(failed));
        Self {
            still_refuted: refuted.map(|failed| {
                format!(
                    "the backup stays FAILED PROOF: of {} in the proof of {} on host {}, {} right, \
                     and only a proof that asks no fewer takes that back",
                    words::counted(failed.questions as usize, "answer"),
                    words::time(failed.started),
                    failed.host,
                    match failed.right {
                        1 => "1 was".to_owned(),
                        right => format!("{right} were"),
                    }
                )
            }),
            backup: Some(backup.id.clone()),
            cluster: backup.cluster.clone(),
            database: backup.database.clone(),
            backup_started: Some(backup.started),
            outcome: record.outcome,
            level: record.level(),
            recorded: recorded == Ok(true),
            problem: details.problem.clone(),
            not_recorded: recorded.err(),
            damage: None,
            proof: Some(record),
            details: Some(details),
        }
    }

    pub(super) fn with_damage(self, damage: String) -> Self {
        Self {
            damage: Some(damage),
            ..self
        }
    }

    /// What came of it, in a word.
    pub(super) fn outcome(&self) -> &'static str {
        outcome_word(self.outcome)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.outcome == ProofOutcome::Failed
            || self.not_recorded.is_some()
            || self.still_refuted.is_some()
    }

    pub(super) fn is_good(&self) -> bool {
        self.level.is_some()
    }

    /// What was found, in short.
    fn found(&self) -> String {
        match self
            .proof
            .as_ref()
            .map(|proof| (proof.right, proof.questions))
        {
            None => "-".to_owned(),
            Some((_, 0)) => "nothing asked".to_owned(),
            Some((right, asked)) => format!("{right} of {asked} right"),
        }
    }

    /// What was left out of what is good, and why.
    fn skipped(&self) -> Vec<String> {
        let steps = self.details.iter().flat_map(|details| &details.steps);
        let skipped = steps.filter(|step| step.outcome == StepOutcome::NotDone);
        let skipped = skipped.filter(|step| self.is_good() && step.name != "questions");
        let told = skipped.map(|step| format!("{} was {}", step.name, step.notes.join("; ")));
        told.collect()
    }

    /// What was not compared of what is good.
    fn not_compared(&self) -> impl Iterator<Item = &String> {
        let details = self.details.iter().filter(|_| self.is_good());
        let notes = details.flat_map(|details| details.steps.iter().flat_map(|step| &step.notes));
        notes.filter(|note| note.starts_with(NOT_COMPARED))
    }

    /// What there is to say of it beside its row.
    pub(super) fn remarks(&self) -> Vec<String> {
        let backup = self.backup.as_ref();
        let id = backup.map_or(self.cluster.as_str(), BackupId::short);
        let mut remarks = Vec::new();
        if let Some(problem) = &self.problem {
            remarks.push(format!("{id}: {}", words::printable(problem)));
        }
        if let Some(damage) = &self.damage {
            remarks.push(format!("{id}: {}", words::printable(damage)));
        }
        if self.outcome == ProofOutcome::Restorable {
            remarks.push(format!(
                "{id}: restorable, and not proven: no questions are configured for database {:?}",
                self.database
            ));
        }
        remarks.extend(
            self.skipped()
                .iter()
                .map(|skipped| format!("{id}: {skipped}")),
        );
        let not_compared = self.not_compared();
        remarks.extend(not_compared.map(|what| format!("{id}: {}", words::printable(what))));
        if let Some(problem) = &self.not_recorded {
            remarks.push(format!(
                "{id}: the proof could not be written down: {}",
                words::printable(problem)
            ));
        }
        let still = self.still_refuted.iter();
        remarks.extend(still.map(|why| format!("{id}: {}", words::printable(why))));
        remarks
    }

    fn cells(&self, with_cluster: bool) -> Vec<String> {
        let dash = || "-".to_owned();
        let proof = self.proof.as_ref();
        let restore = proof.and_then(|proof| proof.restore_ms);
        let loss = proof.and_then(|proof| proof.loss_seconds);
        let id = self.backup.as_ref().map_or("-", BackupId::short);
        let mut cells = vec![id.to_owned()];
        cells.extend(with_cluster.then(|| self.cluster.to_string()));
        cells.extend([
            words::printable(&self.database),
            self.outcome().to_owned(),
            restore.map_or_else(dash, lasting),
            loss.map_or_else(dash, words::span),
            self.found(),
        ]);
        cells.iter().map(|cell| words::unbroken(cell)).collect()
    }
}

/// The lines as a table; one cluster needs no column. What is too long for a terminal goes on
/// behind the id.
pub(super) fn table(lines: &[ProofLine], output: Output) -> String {
    let several = lines.iter().any(|line| line.cluster != lines[0].cluster);
    let mut headings = vec![("BACKUP", Align::Left)];
    headings.extend(several.then_some(("CLUSTER", Align::Left)));
    headings.extend([
        ("DATABASE", Align::Left),
        ("LEVEL", Align::Left),
        ("RESTORE", Align::Right),
        ("BEHIND", Align::Right),
        ("FOUND", Align::Left),
    ]);
    let rows = lines.iter().map(|line| line.cells(several));
    let rows: Vec<Vec<String>> = rows.collect();
    let table = words::table_of(&headings, &rows, words::WIDEST);
    words::with_blanks(&output.folded(&table, REMARK))
}

/// So many milliseconds, such as `2.1 s`.
pub(super) fn lasting(milliseconds: u64) -> String {
    match milliseconds {
        0..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => words::span(milliseconds / 1000),
    }
}

/// What came of a proof, in a word.
pub(super) fn outcome_word(outcome: ProofOutcome) -> &'static str {
    match outcome {
        ProofOutcome::Proven => "proven",
        ProofOutcome::Restorable => "restorable",
        ProofOutcome::Failed => "FAILED",
        ProofOutcome::NotProvable => "not provable here",
    }
}

/// The level of a backup, in a word; one that a proof has refuted is at none.
pub(in crate::commands) fn level_word(level: Level, refuted: bool) -> &'static str {
    match refuted {
        true => "FAILED PROOF",
        false => level.as_str(),
    }
}

/// What is known of a backup beyond its own level, where a copy of it in another repository was
/// restored.
pub(in crate::commands) fn elsewhere(level: Level, worth: Level) -> Option<&'static str> {
    match worth {
        Level::Proven if level < worth => Some("proven elsewhere"),
        Level::Restorable if level < worth => Some("restorable elsewhere"),
        _ => None,
    }
}

/// A proof in lines, as `pgkeep show` tells it.
pub(in crate::commands) fn describe(
    proof: &ProofRecord,
    details: Option<&ProofDetails>,
) -> Vec<(String, String)> {
    let mut lines = vec![(
        "proof".to_owned(),
        format!(
            "{}: {}, on host {} with pgkeep {}{}",
            words::time(proof.started),
            outcome_word(proof.outcome),
            proof.host,
            proof.pgkeep,
            match proof.repository {
                Some(_) => ", of the copy in another repository",
                None => "",
            }
        ),
    )];
    let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
    let mut took = Vec::new();
    if let Some(restore) = proof.restore_ms {
        took.push(format!("restored in {}", lasting(restore)));
    }
    if let Some(loss) = proof.loss_seconds {
        took.push(format!("the data was {} old", words::span(loss)));
    }
    if let Some(version) = &proof.server_version {
        took.push(format!("PostgreSQL {version}"));
    }
    line("", took.join(", "));
    let Some(details) = details else {
        line(
            "",
            "steps and answers are sealed; no key at hand opens them".to_owned(),
        );
        return lines;
    };
    for step in &details.steps {
        let outcome = match step.outcome {
            StepOutcome::Done => format!("done in {}", lasting(step.ms)),
            StepOutcome::Failed => format!("FAILED after {}", lasting(step.ms)),
            StepOutcome::NotDone => "not done".to_owned(),
        };
        let notes: Vec<&str> = step
            .notes
            .iter()
            .map(|note| note.strip_prefix("not done: ").unwrap_or(note))
            .collect();
        let notes = match notes.is_empty() {
            true => String::new(),
            false => format!(": {}", notes.join("; ")),
        };
        line(&format!("  {}", step.name), format!("{outcome}{notes}"));
    }
    let is_of_an_answer = |problem: &String| {
        let wrong = details.questions.iter().filter(|answer| !answer.right);
        let mut problems = wrong.filter_map(|answer| answer.problem.as_ref());
        problems.any(|of_answer| problem.contains(of_answer.as_str()))
    };
    let is_of_a_step = |problem| {
        details
            .steps
            .iter()
            .any(|step| step.notes.contains(problem))
    };
    let problem = details.problem.as_ref();
    if let Some(problem) = problem.filter(|p| !is_of_an_answer(p) && !is_of_a_step(p)) {
        line("  problem", problem.clone());
    }
    for answer in &details.questions {
        let told = answer.answer.as_deref().unwrap_or("no answer");
        let verdict = match (&answer.problem, answer.right) {
            (None, true) => "right".to_owned(),
            (None, false) => "WRONG".to_owned(),
            (Some(problem), _) => format!("WRONG: {problem}"),
        };
        line(
            "  asked",
            format!(
                "{}: {told} (wanted: {}); {verdict}, {}",
                answer.name,
                answer.expected,
                lasting(answer.ms)
            ),
        );
    }
    lines
}
