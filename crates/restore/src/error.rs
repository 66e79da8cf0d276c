//! Why a backup could not be restored.
//!
//! Invariant: every error names the backup, the database or the file.

mod hint;
mod kind;

use std::error::Error;
use std::path::PathBuf;

use pgkeep_format::FormatError;
use pgkeep_postgres::client::{ConnectError, CreateDatabaseError, QueryError};
use pgkeep_postgres::tools::{ToolError, ToolFailed};
use pgkeep_repository::RepositoryError;
use pgkeep_types::{BackupId, ClusterName, Timestamp, size};

use crate::NotThere;
use crate::preflight::Problem;

/// A restore that failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no backup that could be meant.
    #[error("found no good backup of {wanted} in cluster {cluster}")]
    NothingFound {
        /// What was wanted.
        wanted: String,
        /// The cluster.
        cluster: ClusterName,
        /// The databases that there are good backups of, where one was named.
        available: Vec<String>,
        /// When the oldest good backup of the database was finished, where that is too late.
        oldest: Option<Timestamp>,
    },
    /// The backup that is meant was deleted.
    #[error("backup {backup} was deleted{}", .how.as_ref().map(|how| format!(" {how}")).unwrap_or_default())]
    Deleted {
        /// The backup.
        backup: BackupId,
        /// When, by whom and why, where that is known.
        how: Option<String>,
    },
    /// What is meant never became a backup, or has not yet.
    #[error("backup {backup} {state}")]
    Unfinished {
        /// The id that it has.
        backup: BackupId,
        /// What has become of it.
        state: String,
    },
    /// Several backups could be meant.
    #[error("{prefix:?} is the beginning of {count} backups of cluster {cluster}")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// How many backups begin so.
        count: usize,
        /// The cluster.
        cluster: ClusterName,
    },
    /// What is meant may be a backup that cannot be read.
    #[error("backup {backup} may be the one, and cannot be used: {problem}")]
    Unreadable {
        /// The backup.
        backup: BackupId,
        /// What is wrong with it.
        problem: String,
    },
    /// The repository failed.
    #[error("cannot read backup {backup}")]
    Read {
        /// The backup.
        backup: BackupId,
        /// How it failed.
        #[source]
        source: RepositoryError,
    },
    /// The facts of a backup are not to be understood.
    #[error("cannot understand the facts of backup {backup}")]
    Facts {
        /// The backup.
        backup: BackupId,
        /// What is wrong with them.
        #[source]
        source: FormatError,
    },
    /// The table of contents of a backup's archive is not to be understood.
    #[error("cannot read the table of contents of backup {backup}: {problem}")]
    Contents {
        /// The backup.
        backup: BackupId,
        /// What is wrong with it.
        problem: String,
    },
    /// Something was named that the backup does not have.
    #[error("backup {backup} {problem}")]
    NoSuchPart {
        /// The backup.
        backup: BackupId,
        /// What it was.
        problem: NotThere,
    },
    /// The name of a table that would come is not in UTF-8.
    #[error("cannot choose parts of backup {backup}: the name of {table:?} is not in UTF-8")]
    StrangeName {
        /// The backup.
        backup: BackupId,
        /// The table, as well as it can be told.
        table: String,
    },
    /// There is no `pg_restore` that reads a backup's archive.
    #[error("cannot make SQL of backup {backup}")]
    NoProgram {
        /// The backup.
        backup: BackupId,
        /// Why not.
        #[source]
        source: ToolError,
    },
    /// No connection to the server.
    #[error("cannot restore into database {database:?}")]
    Connect {
        /// The new database.
        database: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// Who makes the database and who fills it are on two servers.
    #[error(
        "the database would be made on {admin} and filled on {connection}: these are two servers"
    )]
    TwoServers {
        /// Where it would be filled.
        connection: String,
        /// Where it would be made.
        admin: String,
    },
    /// The server does not have what the backup needs.
    #[error("cannot restore into database {database:?}: {}", told(.problems))]
    Unmet {
        /// The new database.
        database: String,
        /// All that is missing.
        problems: Vec<Problem>,
    },
    /// Whoever restores the globals may not.
    #[error("cannot restore the globals: {}", told(.problems))]
    UnmetGlobals {
        /// All that is missing.
        problems: Vec<Problem>,
    },
    /// A backup's globals are not to be understood.
    #[error("cannot understand the globals of backup {backup}: {problem}")]
    Globals {
        /// The backup.
        backup: BackupId,
        /// What is wrong with them.
        problem: String,
    },
    /// A backup has no globals.
    #[error("backup {backup} has no globals with it: they could not be read when it was made")]
    NoGlobals {
        /// The backup.
        backup: BackupId,
    },
    /// No connection to the server that is to have the globals.
    #[error("cannot restore the globals")]
    ConnectForGlobals {
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// The server does not say which roles and tablespaces it has.
    #[error("cannot look for what is missing of the globals")]
    LookForGlobals {
        /// Why not.
        #[source]
        source: QueryError,
    },
    /// The new database could not be put into the old one's place.
    #[error("cannot put the new database into the place of {database:?}, which is as it was")]
    Swap {
        /// The old database.
        database: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// What was filled and compared could not be given its name.
    #[error(
        "database {database:?} was restored and compared, could not be given its name, and stays \
         as {draft:?}"
    )]
    Unnamed {
        /// The name that it was to have.
        database: String,
        /// The one that it has.
        draft: String,
        /// The statements that make of it what was wanted, and those that drop it.
        ways: String,
        /// Why not.
        #[source]
        source: Box<RestoreError>,
    },
    /// The database that was replaced could not be dropped.
    #[error("the database that was replaced, {database:?}, could not be dropped and stays")]
    DropReplaced {
        /// What it is called now.
        database: String,
        /// The statements that drop it.
        way: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// The server refused to make a role.
    #[error("cannot make role {role:?}; no role was made")]
    Role {
        /// The role.
        role: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// The new database could not be made.
    #[error("cannot make the new database")]
    Create {
        /// Why not.
        #[source]
        source: CreateDatabaseError,
    },
    /// `pg_restore` failed.
    #[error("cannot restore into database {database:?}")]
    Restore {
        /// The new database.
        database: String,
        /// What of its database the backup was to have, where that is not all of it.
        part: Option<String>,
        /// How it failed.
        #[source]
        source: ToolFailed,
    },
    /// `pg_restore` failed to make SQL.
    #[error("cannot make SQL of database {database:?}")]
    Sql {
        /// The database that was dumped.
        database: String,
        /// How it failed.
        #[source]
        source: ToolFailed,
    },
    /// `pg_restore` would not take the data.
    #[error("cannot hand the data of database {database:?} to pg_restore")]
    Feed {
        /// The new database.
        database: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The server did not answer a question about the new database.
    #[error("database {database:?} was restored and cannot be compared with its backup")]
    Question {
        /// The new database, which stays.
        database: String,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What was restored is not what was backed up.
    #[error("database {database:?} was restored and differs from its backup: {}", some(.differences))]
    Differs {
        /// The new database, which stays.
        database: String,
        /// In what.
        differences: Vec<String>,
        /// The role that could not give or take away rights that were to be, where that
        /// is one of them.
        unprivileged: Option<String>,
    },
    /// The file is there already.
    #[error("{} exists already", .path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file would not fit.
    #[error(
        "cannot write {}: it takes {}, and {} are free there",
        .path.display(), size(*.needed), size(*.free)
    )]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// How many bytes it would have.
        needed: u64,
        /// How many there is room for.
        free: u64,
    },
    /// The archive could not be written into scratch space.
    #[error(
        "cannot use {} as scratch space, in which the archive takes {}",
        .directory.display(), size(*.needed)
    )]
    Scratch {
        /// The directory.
        directory: PathBuf,
        /// How many bytes the archive has.
        needed: u64,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Somebody asked to stop.
    #[error("the restore of {what} was interrupted")]
    Interrupted {
        /// What was being restored.
        what: String,
    },
    /// A restore failed, and what it had begun could not be removed.
    #[error("the unfinished database {database:?} could not be dropped and stays ({problem})")]
    Leftover {
        /// The unfinished database.
        database: String,
        /// Why it could not be dropped.
        problem: String,
        /// The statements that drop it.
        way: String,
        /// What failed first.
        #[source]
        failure: Box<RestoreError>,
    },
    /// The newest backup says that it is of a time that has not come.
    #[error(
        "the newest backup, {backup}{}, says that it was made at {started}, which has not come",
        .host.as_ref().map(|host| format!(" of host {host}")).unwrap_or_default()
    )]
    FromTheFuture {
        /// The backup.
        backup: BackupId,
        /// When it says that it was made.
        started: Timestamp,
        /// The host that made it.
        host: Option<String>,
    },
    /// A backup was made after the one that its date makes the newest.
    #[error(
        "which backup is the newest cannot be told: {later} was made after {newest}, and says \
         that it is older (of {later_started}, and of {started}){}",
        .host.as_ref().map(|host| format!("; the clock of host {host} was wrong")).unwrap_or_default()
    )]
    Misdated {
        /// The newest by its date.
        newest: BackupId,
        /// When it says that it was made.
        started: Timestamp,
        /// The one that was made after it.
        later: BackupId,
        /// When that says that it was made.
        later_started: Timestamp,
        /// The host whose clock was wrong, where that can be told.
        host: Option<String>,
    },
    /// The newest backup of those that say that they are old enough was made after one
    /// that is not: it may be newer than what is wanted.
    #[error(
        "the newest that was finished before {before:.0} cannot be told: {backup} says that it \
         was finished at {finished:.0}, and was made after {earlier}, which was finished at \
         {earlier_finished:.0}{}",
        .host.as_ref().map(|host| format!("; the clock of host {host} was wrong")).unwrap_or_default()
    )]
    DatedBack {
        /// The newest by its date.
        backup: BackupId,
        /// When it says that it was finished.
        finished: Timestamp,
        /// The time that is given.
        before: Timestamp,
        /// The one that was made before it.
        earlier: BackupId,
        /// When that says that it was finished.
        earlier_finished: Timestamp,
        /// The host whose clock was wrong, where that can be told.
        host: Option<String>,
    },
    /// The server does not say what it has.
    #[error("cannot look for what database {database:?} needs")]
    Look {
        /// The new database.
        database: String,
        /// Why not.
        #[source]
        source: QueryError,
    },
}

/// The first of them, and how many more there are.
fn some(differences: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut told = differences[..differences.len().min(SHOWN)].join("; ");
    if let more @ 1.. = differences.len().saturating_sub(SHOWN) {
        told.push_str(&format!("; and {more} more"));
    }
    told
}

fn told(problems: &[Problem]) -> String {
    let problems: Vec<&str> = problems.iter().map(|p| p.what.as_str()).collect();
    problems.join("; ")
}
