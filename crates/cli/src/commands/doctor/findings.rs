//! What was looked at, and what came of it.
//!
//! Invariant: what could not be looked at is a problem, never good.

use std::fmt::Display;

use serde::Serialize;

use crate::error::sentence;
use crate::words;

/// How far right what is found begins.
pub(super) const INDENT: usize = 22;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Good,
    /// A backup will be made, and something is less than it could be.
    Warning,
    /// A backup does not end well, or its restore will fail.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    /// What it is about.
    subject: &'static str,
    pub(super) state: State,
    says: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, subject: &'static str, says: impl Display) {
        self.add(subject, State::Good, says.to_string(), None);
    }

    pub(super) fn warning(&mut self, subject: &'static str, says: impl Display, mend: &str) {
        let mend = Some(mend.to_owned());
        self.add(subject, State::Warning, says.to_string(), mend);
    }

    pub(super) fn problem(&mut self, subject: &'static str, says: impl Display, mend: &str) {
        let mend = Some(mend.to_owned());
        self.add(subject, State::Problem, says.to_string(), mend);
    }

    /// An error of something that was tried.
    pub(super) fn error(
        &mut self,
        subject: &'static str,
        error: &(dyn std::error::Error + 'static),
        mend: Option<String>,
    ) {
        self.add(subject, State::Problem, sentence(error), mend);
    }

    /// Takes over what else was found; of what, where there is more than one such.
    pub(super) fn append(&mut self, found: Self, of: Option<&String>) {
        self.0.extend(found.0.into_iter().map(|mut finding| {
            if let Some(of) = of {
                finding.says = format!("{of}: {}", finding.says);
            }
            finding
        }));
    }

    fn add(&mut self, subject: &'static str, state: State, says: String, mend: Option<String>) {
        self.0.push(Finding {
            subject,
            state,
            says,
            mend,
        });
    }

    pub(super) fn count(&self, state: State) -> usize {
        self.0.iter().filter(|found| found.state == state).count()
    }

    /// A paragraph each, and what it comes to.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for found in &self.0 {
            let word = match found.state {
                State::Good => "ok",
                State::Warning => "warning",
                State::Problem => "PROBLEM",
            };
            let says = words::printable(&found.says);
            text.push_str(&format!("{word:<9}{:<13}{says}\n", found.subject));
            if let Some(mend) = &found.mend {
                text.push_str(&format!(
                    "{:<INDENT$}mend: {}\n",
                    "",
                    words::printable(mend)
                ));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_how_to_mend_it() {
        let mut findings = Findings::default();
        findings.good("tools", "pg_dump 15.18");
        findings.problem("rights", "cannot read public.t", "grant it");
        assert_eq!(
            findings.describe(),
            "ok       tools        pg_dump 15.18\n\
             PROBLEM  rights       cannot read public.t\n                      \
             mend: grant it\n"
        );
        assert_eq!(findings.count(State::Problem), 1);
    }
}
