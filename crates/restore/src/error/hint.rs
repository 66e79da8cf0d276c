//! What the user can do about a restore that failed.
//!
//! Invariant: a new error does not compile until it has its place here.

use std::io::ErrorKind;

use super::RestoreError;
use crate::scratch::WAY_OUT;

const ELSEWHERE: &str = "make room there, or name a file on another disk";

impl RestoreError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingFound {
                oldest: Some(oldest),
                ..
            } => Some(format!(
                "the oldest good backup of it was finished at {oldest:.0}"
            )),
            Self::NothingFound { available, .. } if available.is_empty() => {
                Some("'pgkeep list' shows what there is".to_owned())
            }
            Self::NothingFound { available, .. } => Some(format!(
                "there are good backups of {}",
                available.join(", ")
            )),
            Self::Unreadable { .. } => Some(
                "name another backup with --backup ID; 'pgkeep list' shows which there are"
                    .to_owned(),
            ),
            Self::Ambiguous { .. } => Some("give more of the id".to_owned()),
            Self::Unfinished { .. } | Self::Deleted { .. } => {
                Some("'pgkeep list' shows what there is".to_owned())
            }
            Self::Read { source, .. } => source.hint(),
            Self::Connect { source, .. } | Self::ConnectForGlobals { source } => source.hint(),
            Self::TwoServers { .. } => {
                Some("name the same server twice; with --admin another user of it".to_owned())
            }
            Self::Unmet { problems, .. } | Self::UnmetGlobals { problems } => {
                let mut hints: Vec<&str> = Vec::new();
                for hint in problems.iter().filter_map(|problem| problem.hint.as_deref()) {
                    // SQL brings its own semicolon.
                    let hint = hint.trim_end_matches(';');
                    if !hints.contains(&hint) {
                        hints.push(hint);
                    }
                }
                (!hints.is_empty()).then(|| hints.join("; "))
            }
            Self::NoGlobals { .. } => Some(
                "'pgkeep list' shows which backups have none; those of other databases of the \
                 same run have none either"
                    .to_owned(),
            ),
            Self::Globals { .. } => Some(
                "'pgkeep restore --globals --to-file FILE' writes them to be looked at".to_owned(),
            ),
            Self::Swap { source, .. } => {
                let ends = "end the sessions in it, or name a superuser with --admin URL";
                Some(both(source.hint(), ends))
            }
            Self::Unnamed { source, ways, .. } => Some(both(source.hint(), ways)),
            Self::DropReplaced { source, way, .. } => Some(both(source.hint(), way)),
            Self::Role { source, .. } => source.hint(),
            Self::Create { source } => source.hint(),
            Self::Restore {
                part: Some(part),
                source,
                ..
            } => source.hint().or_else(|| Some(of_a_part(part))),
            Self::Restore { source, .. } | Self::Sql { source, .. } => source.hint(),
            Self::Question { .. } => {
                Some("the restored database was left as it is; look at it yourself".to_owned())
            }
            Self::FileExists { .. } => Some("give another name; nothing is replaced".to_owned()),
            Self::Leftover { way, .. } => Some(format!("it is not whole; by hand: {way}")),
            Self::Differs {
                unprivileged: Some(role),
                ..
            } => Some(format!(
                "role {role:?} may not give or take away all of these rights: restore as a \
                 superuser with --into URL, or without rights by --no-privileges; the restored \
                 database was left as it is"
            )),
            Self::Differs { .. } => {
                Some("look at both; the restored database was left as it is".to_owned())
            }
            Self::FromTheFuture { .. } => Some(
                "the clock of that host was wrong, or this one's is; name the backup that you mean \
                 with --backup ID"
                    .to_owned(),
            ),
            Self::Misdated { .. } => Some(
                "name the backup that you mean with --backup ID; where the clocks are right by \
                 now, the next 'pgkeep backup' is the newest again"
                    .to_owned(),
            ),
            Self::DatedBack { .. } => Some(
                "name the backup that you mean with --backup ID; 'pgkeep list' shows which there \
                 are"
                .to_owned(),
            ),
            Self::Look { source, .. } | Self::LookForGlobals { source } => source.hint(),
            Self::NoSuchPart { problem, .. } => Some(problem.hint()),
            Self::NoProgram { source, .. } => source.hint(),
            Self::StrangeName { .. } | Self::Contents { .. } => Some(
                "restore the whole database, or write the archive with --to-file and choose with \
                 pg_restore --list and --use-list"
                    .to_owned(),
            ),
            Self::Scratch { .. } => Some(WAY_OUT.to_owned()),
            Self::NoRoom { .. } => Some(ELSEWHERE.to_owned()),
            Self::File { path, source } => {
                let directory = path.parent().unwrap_or(path).display();
                match source.kind() {
                    ErrorKind::NotFound => {
                        Some(format!("directory {directory} is not there: make it first"))
                    }
                    ErrorKind::NotADirectory => {
                        Some(format!("{directory} is a file: name another directory"))
                    }
                    ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                        Some(format!("this user may not write in {directory}"))
                    }
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                        Some(ELSEWHERE.to_owned())
                    }
                    _ => None,
                }
            }
            Self::Facts { .. }
            | Self::Feed { .. }
            | Self::Interrupted { .. } => None,
        }
    }
}

/// What the server says of it, and what helps.
fn both(said: Option<String>, helps: &str) -> String {
    match said {
        Some(said) => format!("{said}; {helps}"),
        None => helps.to_owned(),
    }
}

/// What a backup of a part may lack.
fn of_a_part(part: &str) -> String {
    format!(
        "the backup is of a part ({part}): what that needs of the rest is not in it, such as a \
         function, a table behind a view, or the rows that a foreign key asks for. '--table' takes \
         single tables of it; '--to-file' gives the archive, of which pg_restore makes what it can"
    )
}

#[cfg(test)]
mod tests {
    use crate::{Problem, RestoreError};

    #[test]
    fn what_helps_against_two_problems_is_said_once() {
        let problem = |what: &str, hint: &str| Problem {
            what: what.to_owned(),
            hint: Some(hint.to_owned()),
        };
        let error = RestoreError::UnmetGlobals {
            problems: vec![
                problem("no role", "CREATE ROLE a;"),
                problem("no b", "install its package"),
                problem("no c", "install its package"),
            ],
        };
        let hint = error.hint().unwrap();
        assert_eq!(hint, "CREATE ROLE a; install its package");
    }
}
