//! What was done, and how long it took.
//!
//! Invariants: a step that was begun has ended one way or the other once the list is
//! taken; what was not begun says that it was not done.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pgkeep_format::records::{ProofStep, StepOutcome};

use crate::ProofProgress;

/// Something that is done for a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// Opening the backup, and its facts.
    #[default]
    Open,
    /// Looking for room and memory.
    Room,
    /// Looking whether this host can keep a server from everything else.
    Isolate,
    /// Making and starting a throwaway server.
    Server,
    /// Making the roles and tablespaces of the globals.
    Roles,
    /// Looking whether the host has what the backup needs.
    Look,
    /// Restoring the database.
    Restore,
    /// Comparing it with what was dumped.
    Compare,
    /// Asking questions.
    Questions,
    /// `pg_amcheck`.
    Amcheck,
}

impl Step {
    /// All of them, in their order.
    const ALL: [Self; 10] = [
        Self::Open,
        Self::Room,
        Self::Isolate,
        Self::Server,
        Self::Roles,
        Self::Look,
        Self::Restore,
        Self::Compare,
        Self::Questions,
        Self::Amcheck,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Room => "room",
            Self::Isolate => "isolate",
            Self::Server => "server",
            Self::Roles => "roles",
            Self::Look => "look",
            Self::Restore => "restore",
            Self::Compare => "compare",
            Self::Questions => "questions",
            Self::Amcheck => "amcheck",
        }
    }
}

/// The steps of one proof.
#[derive(Debug)]
pub(crate) struct Steps<'a> {
    progress: &'a ProofProgress,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ended: Vec<ProofStep>,
    running: Option<(Step, Instant)>,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(progress: &'a ProofProgress) -> Self {
        Self {
            progress,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, step: Step) {
        self.begin_at(step, Instant::now());
    }

    pub(crate) fn begin_at(&self, step: Step, at: Instant) {
        self.progress.enter(step);
        self.lock().running = Some((step, at));
    }

    pub(crate) fn done(&self, notes: Vec<String>) {
        self.end(StepOutcome::Done, notes, Instant::now());
    }

    pub(crate) fn done_at(&self, at: Instant) {
        self.end(StepOutcome::Done, Vec::new(), at);
    }

    /// The step that was begun was not done, since `why`.
    pub(crate) fn not_done(&self, why: impl Into<String>) {
        self.end(StepOutcome::NotDone, vec![why.into()], Instant::now());
    }

    /// The step that was begun has failed, as `notes` say in short.
    pub(crate) fn failed(&self, notes: Vec<String>) {
        self.end(StepOutcome::Failed, notes, Instant::now());
    }

    fn end(&self, outcome: StepOutcome, notes: Vec<String>, at: Instant) {
        let mut inner = self.lock();
        let Some((step, begun)) = inner.running.take() else {
            return;
        };
        inner.ended.push(ProofStep {
            name: step.as_str().to_owned(),
            outcome,
            ms: milliseconds(begun, at),
            notes,
        });
    }

    /// All of them; the one that was under way has failed, since `problem`, where there
    /// is one, and what it did not come to was not done.
    pub(crate) fn into_list(self, problem: Option<&str>) -> Vec<ProofStep> {
        let notes = problem.map(str::to_owned).into_iter().collect();
        self.end(StepOutcome::Failed, notes, Instant::now());
        let inner = self.inner.into_inner();
        let mut list = inner.unwrap_or_else(PoisonError::into_inner).ended;
        for step in Step::ALL {
            if !list.iter().any(|known| known.name == step.as_str()) {
                list.push(ProofStep {
                    name: step.as_str().to_owned(),
                    outcome: StepOutcome::NotDone,
                    ms: 0,
                    notes: Vec::new(),
                });
            }
        }
        list
    }
}

/// From one instant to another; a clock that stands still makes it 0.
pub(crate) fn milliseconds(from: Instant, to: Instant) -> u64 {
    let length = to.saturating_duration_since(from);
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_was_under_way_when_all_ended_has_failed() {
        let progress = ProofProgress::default();
        let steps = Steps::new(&progress);
        steps.begin(Step::Open);
        steps.done(vec!["7 tables".to_owned()]);
        steps.begin(Step::Roles);
        steps.not_done("there are no globals");
        steps.begin(Step::Restore);
        assert_eq!(progress.step(), Step::Restore);
        let list = steps.into_list(Some("it broke"));
        let told: Vec<_> = list
            .iter()
            .map(|step| (step.name.as_str(), step.outcome, step.notes.join(" ")))
            .collect();
        let expected = |name, outcome, note: &str| (name, outcome, note.to_owned());
        assert_eq!(
            told[..3],
            [
                expected("open", StepOutcome::Done, "7 tables"),
                expected("roles", StepOutcome::NotDone, "there are no globals"),
                expected("restore", StepOutcome::Failed, "it broke"),
            ]
        );
        assert_eq!(told.len(), Step::ALL.len());
        let rest = told[3..].iter();
        assert!(
            rest.clone()
                .all(|(_, outcome, _)| *outcome == StepOutcome::NotDone)
        );
    }
}
