//! How a cluster's backups are proved: what is asked of a database that was restored.
//!
//! Invariant: a question has exactly one thing that it must answer, and a time limit.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::span;

/// How a cluster's backups are proved.
#[derive(Clone, Debug, PartialEq)]
pub struct ProveSettings {
    /// What is asked, in this order.
    pub queries: Vec<Question>,
    /// How old the newest proof may become.
    pub max_age: Option<Duration>,
    /// The directory in which throwaway servers are made; one for temporary files where
    /// nothing is said.
    pub scratch: Option<PathBuf>,
    /// How throwaway servers are kept from everything else.
    pub isolation: Isolation,
    /// How long the proof of one backup may take, whatever it is doing.
    pub timeout: Duration,
}

impl ProveSettings {
    /// How long a proof may take where nothing is said: so that of those that are made each
    /// night one that hangs is over before the next.
    pub const TIMEOUT: Duration = Duration::from_secs(12 * 3600);

    /// A length of time as a sentence has it.
    #[must_use]
    pub fn in_words(length: Duration) -> String {
        span::in_words(length)
    }
}

impl Default for ProveSettings {
    fn default() -> Self {
        Self {
            queries: Vec::new(),
            max_age: None,
            scratch: None,
            isolation: Isolation::default(),
            timeout: Self::TIMEOUT,
        }
    }
}

/// How a server that runs a database's own code is kept from everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// In namespaces of Linux, or there is no server.
    #[default]
    Namespaces,
    /// Not.
    None,
}

/// A question about a database.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What it is called; its own text where it has no name.
    pub name: String,
    /// The database.
    pub database: String,
    /// One statement.
    pub sql: String,
    /// What it must answer.
    pub expected: Expected,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// What a question must answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// One row with one value, which is true.
    True,
    /// One row or more.
    Rows,
    /// No row.
    NoRows,
    /// One row with one number within bounds, which belong to them.
    Number {
        /// The least.
        min: Option<Number>,
        /// The most.
        max: Option<Number>,
    },
    /// One row with one point in time that is no longer ago than this when the proof
    /// begins, and not yet to come, but for the minutes by which clocks differ.
    NewerThan(Duration),
}

/// A number of the configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole one.
    Whole(i64),
    /// Another one; finite.
    Real(f64),
}

impl Number {
    /// The number as a real one, which it may not be to the last digit.
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers that differ by less are not told apart"
    )]
    #[must_use]
    pub fn as_real(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

impl Question {
    /// How long an answer may take where nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("true"),
            Self::Rows => f.write_str("rows"),
            Self::NoRows => f.write_str("no rows"),
            Self::Number { min, max } => match (min, max) {
                (Some(min), Some(max)) => write!(f, "a number from {min} to {max}"),
                (Some(min), None) => write!(f, "a number of at least {min}"),
                (None, Some(max)) => write!(f, "a number of at most {max}"),
                (None, None) => f.write_str("a number"),
            },
            Self::NewerThan(age) => write!(f, "a time within the last {}", span::in_words(*age)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_question_must_answer_is_told_in_words() {
        let number = |min: Option<i64>, max: Option<f64>| Expected::Number {
            min: min.map(Number::Whole),
            max: max.map(Number::Real),
        };
        let age = |seconds| Expected::NewerThan(Duration::from_secs(seconds));
        for (expected, words) in [
            (Expected::True, "true"),
            (number(Some(1), None), "a number of at least 1"),
            (number(None, Some(0.5)), "a number of at most 0.5"),
            (number(Some(1), Some(2.5)), "a number from 1 to 2.5"),
            (age(86_400), "a time within the last 24 h"),
            (age(90), "a time within the last 90 s"),
        ] {
            assert_eq!(expected.to_string(), words);
        }
    }
}
