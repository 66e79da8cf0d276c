//! What is measured: a way to do the job, run once each round.
//!
//! Invariant: the first subject of a table is the one that the others are
//! compared to.

use crate::measure::Cost;

/// One way to do the job.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'static str,
    /// The ratio to the first subject's time that is to be kept to.
    pub(crate) goal: Option<f64>,
    /// Does it once and finds the result right; the number is the round's.
    pub(crate) run: Box<dyn FnMut(usize) -> Figures + 'a>,
}

/// What one round of a subject came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) cost: Cost,
    /// What it left on the disk, in bytes; none where that says nothing.
    pub(crate) stored: Option<u64>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(name: &'static str, run: impl FnMut(usize) -> Figures + 'a) -> Self {
        Self {
            name,
            goal: None,
            run: Box::new(run),
        }
    }

    pub(crate) fn goal(mut self, at_most: f64) -> Self {
        self.goal = Some(at_most);
        self
    }
}

/// A subject's figures, a round each.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) goal: Option<f64>,
    pub(crate) rounds: Vec<Figures>,
}

/// Runs all subjects in turn, round after round.
pub(crate) fn in_turns(mut subjects: Vec<Subject<'_>>, rounds: usize) -> Vec<Measured> {
    let mut measured: Vec<Measured> = subjects
        .iter()
        .map(|subject| Measured {
            name: subject.name,
            goal: subject.goal,
            rounds: Vec::new(),
        })
        .collect();
    for round in 0..rounds {
        for (subject, measured) in subjects.iter_mut().zip(&mut measured) {
            measured.rounds.push((subject.run)(round));
        }
    }
    measured
}
