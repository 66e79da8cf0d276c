//! What keeps a check from being made at all; a breach of a rule is no error
//! here but a finding.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a task could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(&'static str),
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A manifest is not what Cargo would accept.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A program could not be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// Its name or path.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("{command} ended with {status}{}{stderr}", if stderr.is_empty() { "" } else { ":\n" })]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The findings could not be written out.
    #[error("cannot write the findings: {0}")]
    Output(#[from] std::io::Error),
}
