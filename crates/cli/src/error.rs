//! Every failure, into words and an exit code.
//!
//! Invariants: this is the one place that knows exit codes; words are
//! `error:`, `caused by:` and `hint:`, readable without colour.

mod hint;

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use pgkeep_capture::{CaptureError, GlobalsError};
use pgkeep_config::{ConfigError, Origin};
use pgkeep_format::FormatError;
use pgkeep_postgres::client::{ConnectError, ConnectionStringError, QueryError};
use pgkeep_repository::RepositoryError;
use pgkeep_restore::RestoreError;
use pgkeep_storage::OpenError;
use pgkeep_storage::s3::AddressError;
use pgkeep_types::BackupId;

use crate::commands::DemoError;
use crate::words;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// Done in part.
    Partial,
    /// Nothing suitable was found.
    NothingFound,
    /// Interrupted.
    Interrupted,
    /// A check that warns.
    Warning,
    /// A check that found something critical.
    Critical,
    /// A check that cannot tell.
    Unknown,
}

impl Exit {
    /// How a check ends that was to end so: by the codes of Nagios.
    pub(crate) fn of_check(self) -> Self {
        match self {
            Self::Failed | Self::Usage | Self::Partial | Self::NothingFound => Self::Unknown,
            Self::Done | Self::Interrupted | Self::Warning | Self::Critical | Self::Unknown => self,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::NothingFound => 4,
            Exit::Interrupted => 130,
            Exit::Warning => 1,
            Exit::Critical => 2,
            Exit::Unknown => 3,
        })
    }
}

/// Everything that a command can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// What was asked for cannot be meant.
    #[error("{problem}")]
    Usage {
        /// What is wrong with it.
        problem: String,
        /// What to do instead.
        hint: String,
    },
    /// The repository is not what the configuration says.
    #[error("{problem}")]
    Disagrees {
        /// In what.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// No backup is meant, or several.
    #[error("{problem}")]
    NoSuchBackup {
        /// What was looked for.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// There is nothing to back up.
    #[error("cluster {cluster} has no database to back up")]
    NoDatabases {
        /// The cluster.
        cluster: String,
    },
    /// A backup that was to be deleted is still there.
    #[error("backup {id} was not deleted: {problem}")]
    StillThere {
        /// The backup.
        id: BackupId,
        /// What is there.
        problem: String,
    },
    /// A backup that was to be deleted was pinned meanwhile.
    #[error(
        "backup {id} was not deleted: it was pinned meanwhile, and goes once its pin has ended"
    )]
    PinnedMeanwhile {
        /// The backup.
        id: BackupId,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A connection string cannot be understood.
    #[error("{}the connection of cluster {cluster} cannot be used", .origin.place())]
    Connection {
        /// Where it is given.
        origin: Origin,
        /// The cluster.
        cluster: String,
        /// Why not.
        #[source]
        source: ConnectionStringError,
    },
    /// A connection string on the command line cannot be understood.
    #[error("what {option} gives cannot be used")]
    ConnectionArgument {
        /// The option.
        option: &'static str,
        /// Why not.
        #[source]
        source: ConnectionStringError,
    },
    /// A repository's address cannot be used.
    #[error("{}repository {repository:?} cannot be used", .origin.place())]
    Address {
        /// Where its address is given.
        origin: Origin,
        /// The repository.
        repository: String,
        /// Why not.
        source: AddressError,
    },
    /// A server cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A cluster's server cannot be reached.
    #[error("the server of cluster {cluster} cannot be asked")]
    NoServer {
        /// The cluster.
        cluster: String,
        /// Why not.
        source: ConnectError,
    },
    /// A cluster's server does not answer a question.
    #[error("the server of cluster {cluster} cannot be asked")]
    NoAnswer {
        /// The cluster.
        cluster: String,
        /// Why not.
        source: QueryError,
    },
    /// A repository's storage cannot be reached.
    #[error(transparent)]
    Storage(#[from] OpenError),
    /// The repository failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A capture failed.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The globals could not be read.
    #[error(transparent)]
    Globals(#[from] GlobalsError),
    /// A restore failed.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A run could not even begin.
    #[error("cannot back up database {}", quoted(.databases))]
    NotBegun {
        /// The databases that were to be backed up.
        databases: Vec<String>,
        /// Why not.
        source: Box<CliError>,
    },
    /// What a repository does not give, and another one has.
    #[error("{source}")]
    Elsewhere {
        /// Why it does not.
        source: Box<CliError>,
        /// Which one has it, and what to do.
        hint: String,
    },
    /// All was backed up, and what was to go did not.
    #[error("all was backed up, and pruning failed")]
    NotPruned {
        /// Why not.
        source: Box<CliError>,
    },
    /// A key file cannot be used.
    #[error("{} cannot be used", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: FormatError,
    },
    /// What was given as the file of a reader's key is none.
    #[error("{} is no file of a recovery key or a prover's", .path.display())]
    NoIdentityFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: FormatError,
    },
    /// A host's key file was given where a reader's is needed.
    #[error("{} holds a host's key, which opens no backup", .path.display())]
    HostsKey {
        /// The file.
        path: PathBuf,
    },
    /// Nothing at hand says that the repository is the right one.
    #[error(
        "no key file at hand knows the repository in {location}: whoever can write there may have \
         made it, and a restore would run what they put into it"
    )]
    Unpinned {
        /// Where it is.
        location: String,
    },
    /// An object below `keys/` cannot be used, or is not there.
    #[error("of the keys, this counts as nothing: {0}")]
    UnreadableKey(String),
    /// There is no host key to write with.
    #[error("found no host key, and without one this host writes no backups")]
    NoHostKey,
    /// A file of ours is there already.
    #[error("{} exists already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Keys of a repository that is to be made are there already, and it is not.
    #[error("{} exists already, and {location} holds no repository", .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// What an earlier try may have written.
        left: Vec<PathBuf>,
        /// Where the repository is to be.
        location: String,
    },
    /// The directory of a repository that is to be made holds something else.
    #[error(
        "{} holds something else already ({}), and a repository has its directory to itself",
        .path.display(),
        words::printable(.name)
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// A name in it.
        name: String,
    },
    /// A file can be read by others.
    #[error("{} holds a private key and can be read by others", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The host's key file cannot be read.
    #[error("{}cannot read the host's key file {}", .origin.place(), .path.display())]
    HostKeyFile {
        /// Where it is named.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The operating system refused something.
    #[error("cannot {what}")]
    Process {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The host's clock tells no date.
    #[error("this host's clock is beyond the year 9999")]
    Clock,
    /// A repository takes longer than a check waits.
    #[error("the repository has not answered within {within} (--timeout)")]
    TooSlow {
        /// How long it was waited for, in words.
        within: String,
    },
    /// Somebody was asked, and said no.
    #[error("nothing was changed")]
    Declined,
    /// Somebody asked to stop, and nothing had to be cleaned up.
    #[error("{what} was interrupted")]
    Interrupted {
        /// What was being done.
        what: String,
    },
    /// Somebody asked `init` to stop.
    #[error("init was interrupted; {left}")]
    InitInterrupted {
        /// What there is of what it was to make.
        left: String,
    },
    /// Somebody asked a second time, and nothing was cleaned up.
    #[error("interrupted twice, and dropped where it stood")]
    Insisted,
    /// The demo could not go on.
    #[error("the demo failed")]
    Demo(#[from] DemoError),
}

impl CliError {
    /// How the program ends.
    pub(crate) fn exit_code(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::ConnectionArgument { .. } => Exit::Usage,
            Self::Interrupted { .. }
            | Self::InitInterrupted { .. }
            | Self::Insisted
            | Self::Capture(CaptureError::Interrupted { .. })
            | Self::Globals(GlobalsError::Interrupted) => Exit::Interrupted,
            Self::Restore(error) if error.is_interrupted() => Exit::Interrupted,
            Self::Demo(DemoError::Interrupted) => Exit::Interrupted,
            Self::NotBegun { source, .. } | Self::Elsewhere { source, .. } => source.exit_code(),
            Self::NotPruned { source } if source.exit_code() == Exit::Interrupted => {
                Exit::Interrupted
            }
            Self::NoSuchBackup { .. } => Exit::NothingFound,
            Self::Restore(error) if error.is_nothing_found() => Exit::NothingFound,
            _ => Exit::Failed,
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}

/// The error and its causes, outermost first; a cause that the one before it
/// ends with already is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.last().is_some_and(|before| before.ends_with(&text)) {
            words.push(text);
        }
        cause = error.source();
    }
    words
}

/// The error and its causes as one sentence.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    chain(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let inner = io::Error::other("disk on fire");
        let error = CliError::Process {
            what: "save",
            source: inner,
        };
        assert_eq!(sentence(&error), "cannot save: disk on fire");
        let error = CliError::Process {
            what: "save: disk on fire",
            source: io::Error::other("disk on fire"),
        };
        assert_eq!(chain(&error).len(), 1);
    }
}
