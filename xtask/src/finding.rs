//! What a rule has to say of a tree: how much it looked at, and each breach with
//! the place where it is to be mended.

use std::fmt;
use std::path::{Path, PathBuf};

/// Whether a finding fails the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It does.
    Error,
    /// It is only told.
    Warning,
}

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
    pub(crate) message: String,
    pub(crate) weight: Weight,
}

impl Finding {
    pub(crate) fn error(path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
            weight: Weight::Error,
        }
    }

    pub(crate) fn warning(path: &Path, message: impl Into<String>) -> Self {
        Self {
            weight: Weight::Warning,
            ..Self::error(path, message)
        }
    }

    pub(crate) fn at(self, line: usize) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Error => "error",
            Weight::Warning => "warning",
        };
        write!(f, "{weight}: {}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What one rule found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rule: &'static str,
    /// How many things the rule was held against, and what they are.
    pub(crate) looked_at: usize,
    pub(crate) what: &'static str,
    pub(crate) findings: Vec<Finding>,
}

#[cfg(test)]
impl Report {
    /// The findings as a reader sees them.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.findings.iter().map(ToString::to_string).collect()
    }
}
