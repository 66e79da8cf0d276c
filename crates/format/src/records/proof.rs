//! The record of a test restore: what was done, what was asked, what came of it.
//!
//! Invariants: what a proof counts for is in the clear, so that whoever lists or prunes
//! needs no key; what tells of a database's inside (answers, differences, errors) is
//! sealed. A proof says for which `backup` record it is, by that object's hash, and
//! holds for no other. One that was carried from another repository says which copy was
//! restored.

use jiff::Timestamp;
use pgkeep_types::{BackupId, ClusterName, ProofId};
use serde::{Deserialize, Serialize};

use crate::error::{Damage, FormatError};
use crate::{Hash, RepositoryId};

/// How much is known of a backup, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All that it cites is there, with the right sizes.
    Stored,
    /// All of it was read back and verified.
    Intact,
    /// It was restored, and compared with what was dumped.
    Restorable,
    /// It was restored, compared and questioned, and every answer was right.
    Proven,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Intact => "intact",
            Self::Restorable => "restorable",
            Self::Proven => "proven",
        }
    }
}

/// What came of a test restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofOutcome {
    /// Restored and compared; and every question was answered right, of one or more.
    Proven,
    /// Restored and compared; no questions were asked.
    Restorable,
    /// The backup was not restored, is not what was dumped, or gave a wrong answer.
    Failed,
    /// The host could not tell: it lacks something, or something was in the way.
    NotProvable,
}

/// The clear part of a `proof` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRecord {
    /// The proof.
    pub id: ProofId,
    /// The backup that was restored.
    pub backup: BackupId,
    /// Whose backup it is.
    pub cluster: ClusterName,
    /// The BLAKE3 hash of all bytes of the backup's `backup` record.
    pub record: Hash,
    /// The host that restored it.
    pub host: String,
    /// The version of pgkeep.
    pub pgkeep: String,
    /// When the proof began, by the host's clock.
    pub started: Timestamp,
    /// When it ended, by the host's clock.
    pub finished: Timestamp,
    /// What came of it.
    pub outcome: ProofOutcome,
    /// How many questions were asked.
    pub questions: u32,
    /// How many of them were answered right.
    pub right: u32,
    /// How long it took from the beginning to the last answer, or to the end of the
    /// comparison where nothing was asked, in milliseconds; none where it did not get
    /// so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_ms: Option<u64>,
    /// How old the data was when the proof began: the seconds since the backup's
    /// snapshot; none where that is later by its host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_seconds: Option<u64>,
    /// The version of the server that it was restored into, such as `15.18`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// The version of the `pg_restore` that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_restore_version: Option<String>,
    /// The repository whose copy was restored, where that is another one than the record is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryId>,
    /// Of a failure, whether an object of that copy was damaged or missing: it says nothing of
    /// others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damage: bool,
}

impl ProofRecord {
    /// The level that it gives its backup; none where it failed, or says of itself what
    /// cannot be.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        let all_right = self.right == self.questions;
        match self.outcome {
            ProofOutcome::Proven if self.questions > 0 && all_right => Some(Level::Proven),
            ProofOutcome::Restorable if self.questions == 0 && all_right => Some(Level::Restorable),
            ProofOutcome::Proven
            | ProofOutcome::Restorable
            | ProofOutcome::Failed
            | ProofOutcome::NotProvable => None,
        }
    }

    /// Whether it says that the backup is not good.
    #[must_use]
    pub fn refutes(&self) -> bool {
        self.outcome != ProofOutcome::NotProvable && self.level().is_none()
    }

    /// Whether it has found right what `failed` has not, as far as can be told: after one that
    /// had questions to ask only one that was asked no fewer tells more. Which they were is
    /// sealed.
    #[must_use]
    pub fn is_as_much_as(&self, failed: &Self) -> bool {
        match self.level() {
            Some(Level::Proven) => self.questions >= failed.questions,
            Some(_) => failed.questions == 0,
            None => false,
        }
    }

    /// Whether it tells something of the backup wherever that lies: neither of damage to one
    /// copy, nor of what a host lacks.
    #[must_use]
    pub fn tells_of_all_copies(&self) -> bool {
        self.level().is_some() || self.refutes() && !self.damage
    }
}

/// The sealed part of a `proof` record; JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofDetails {
    /// What was done, in this order.
    pub steps: Vec<ProofStep>,
    /// What was asked, in this order.
    pub questions: Vec<ProofAnswer>,
    /// Why it is not more: what failed, or what was in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Something that was done, or was to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofStep {
    /// What.
    pub name: String,
    /// How it ended.
    pub outcome: StepOutcome,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What there is to say of it; why it was not done, or how it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It was done, and all was right.
    Done,
    /// It failed.
    Failed,
    /// It was not done.
    NotDone,
}

/// A question, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofAnswer {
    /// What it is called.
    pub name: String,
    /// The database that was asked.
    pub database: String,
    /// The question.
    pub sql: String,
    /// What it had to answer, in words.
    pub expected: String,
    /// What it answered; none where that was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Whether that was right.
    pub right: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl ProofDetails {
    /// The plaintext of the record's sealed part, each text cut to an equal share where it
    /// would be longer than a record of this kind may be.
    ///
    /// # Errors
    /// Never in practice: the fields are plain text.
    pub fn to_json_within(&self, limit: u64) -> Result<Vec<u8>, FormatError> {
        let json = |details: &Self| {
            serde_json::to_vec(details)
                .map_err(|error| FormatError::damaged(0, Damage::Json(error)))
        };
        let whole = json(self)?;
        // The record has its clear part and the seals besides.
        let limit = limit / 2;
        if whole.len() as u64 <= limit {
            return Ok(whole);
        }
        let mut cut = self.clone();
        // In JSON a byte of text takes six at most.
        let room = usize::try_from(limit / 8).unwrap_or(usize::MAX);
        let share = room / cut.texts().count().saturating_add(1);
        for text in cut.texts().filter(|text| text.len() > share) {
            text.truncate(text.floor_char_boundary(share));
            text.push('…');
        }
        json(&cut)
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let of_steps = self.steps.iter_mut().flat_map(|step| &mut step.notes);
        let of_questions = self.questions.iter_mut().flat_map(|question| {
            let ProofAnswer {
                name,
                database,
                sql,
                expected,
                answer,
                problem,
                right: _,
                ms: _,
            } = question;
            let always = [name, database, sql, expected];
            always.into_iter().chain(answer).chain(problem)
        });
        of_steps.chain(of_questions).chain(&mut self.problem)
    }

    /// Reads the plaintext of the record's sealed part.
    ///
    /// # Errors
    /// `Damaged` where the JSON is not that of such details.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        serde_json::from_slice(bytes).map_err(|error| FormatError::damaged(0, Damage::Json(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(outcome: ProofOutcome, questions: u32, right: u32) -> ProofRecord {
        let time: Timestamp = "2026-11-20T04:00:00Z".parse().unwrap();
        ProofRecord {
            id: "20261120T040000Z-7k3m9q2x".parse().unwrap(),
            backup: "20261120T030000Z-7k3m9q2x".parse().unwrap(),
            cluster: "main".parse().unwrap(),
            record: Hash::of(b""),
            host: "db".to_owned(),
            pgkeep: "0.1.0".to_owned(),
            started: time,
            finished: time,
            outcome,
            questions,
            right,
            restore_ms: None,
            loss_seconds: None,
            server_version: None,
            pg_restore_version: None,
            repository: None,
            damage: false,
        }
    }

    #[test]
    fn nothing_is_proven_without_a_question_that_was_answered_right() {
        use ProofOutcome::{Failed, NotProvable, Proven, Restorable};
        for (outcome, questions, right, level, refutes) in [
            (Proven, 2, 2, Some(Level::Proven), false),
            (Proven, 0, 0, None, true),
            (Proven, 2, 1, None, true),
            (Proven, 1, 2, None, true),
            (Restorable, 0, 0, Some(Level::Restorable), false),
            (Restorable, 1, 0, None, true),
            (Restorable, 1, 1, None, true),
            (Failed, 1, 1, None, true),
            (NotProvable, 1, 1, None, false),
        ] {
            let record = record(outcome, questions, right);
            assert_eq!(record.level(), level, "{outcome:?} {questions} {right}");
            assert_eq!(record.refutes(), refutes, "{outcome:?} {questions} {right}");
        }
    }

    #[test]
    fn what_one_copy_lacks_and_what_a_host_cannot_tell_say_nothing_of_other_copies() {
        use ProofOutcome::{Failed, NotProvable, Proven, Restorable};
        for (outcome, questions, damage, expected) in [
            (Proven, 1, false, true),
            (Restorable, 0, false, true),
            (Failed, 1, false, true),
            (Failed, 1, true, false),
            (NotProvable, 1, false, false),
        ] {
            let record = ProofRecord {
                damage,
                ..record(outcome, questions, questions)
            };
            assert_eq!(record.tells_of_all_copies(), expected, "{outcome:?}");
        }
    }

    #[test]
    fn details_that_do_not_fit_are_cut_and_all_of_them_told() {
        let step = |n: u64| ProofStep {
            name: "compare".to_owned(),
            outcome: StepOutcome::Failed,
            ms: n,
            notes: vec!["\u{1}ü".repeat(9000)],
        };
        let details = ProofDetails {
            steps: (0..5).map(step).collect(),
            questions: Vec::new(),
            problem: Some("short".to_owned()),
        };
        let whole = details.to_json_within(u64::MAX).unwrap();
        assert_eq!(ProofDetails::from_json(&whole).unwrap(), details);
        let cut = details.to_json_within(40_000).unwrap();
        assert!(cut.len() <= 20_000, "{}", cut.len());
        let cut = ProofDetails::from_json(&cut).unwrap();
        assert_eq!(cut.problem, details.problem);
        assert_eq!(cut.steps.len(), 5);
        assert!(cut.steps.iter().all(|step| step.notes[0].ends_with('…')));
    }
}
