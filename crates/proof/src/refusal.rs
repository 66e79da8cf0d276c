//! Why a backup is not proven: by its own fault, by that of the copy that was restored, or by
//! the host's.
//!
//! Invariants: where it is not certain that the host or the storage was in the way, it is
//! the backup's; none is ever good. An error that nobody thought of is the backup's.

use std::error::Error;

use pgkeep_format::FormatError;
use pgkeep_postgres::client::CreateDatabaseError;
use pgkeep_postgres::server::{Mishap, Obstacle, ServerError};
use pgkeep_postgres::tools::ToolFailed;
use pgkeep_repository::RepositoryError;
use pgkeep_restore::RestoreError;
use pgkeep_types::ObjectName;

/// Why there is no good end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The backup is not what it should be.
    Backup(String),
    /// An object of this copy of it is missing, or is not what was stored.
    Damage {
        /// What is wrong.
        words: String,
        /// The object, where that is known.
        object: Option<ObjectName>,
    },
    /// This host cannot tell.
    Host(String),
}

/// What is said where a session ended under somebody: by us, by libpq (`pqReadData` in
/// src/interfaces/libpq/fe-misc.c), and by a server that has lost a process.
const OF_LOST_SESSIONS: [&str; 6] = [
    "talking to the PostgreSQL server",
    "lost the connection to database",
    "the server ended the session",
    "server closed the connection unexpectedly",
    "terminating connection because of crash of another server process",
    "the database system is in recovery mode",
];

/// What is to be said where the database's code needs another server.
pub(crate) const OTHER_SERVER: &str =
    "the database asks another server, and a proof's server reaches none";

impl Refusal {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Backup(words) | Self::Host(words) | Self::Damage { words, .. } => words,
        }
    }

    /// The object that is missing or damaged, where it is for that.
    pub(crate) fn object(&self) -> Option<&ObjectName> {
        match self {
            Self::Damage { object, .. } => object.as_ref(),
            Self::Backup(_) | Self::Host(_) => None,
        }
    }

    /// Whether a session was lost: that may be for a reason that the server tells later.
    pub(crate) fn is_of_a_lost_session(&self) -> bool {
        let mut signs = OF_LOST_SESSIONS.iter();
        signs.any(|sign| self.words().contains(sign))
    }

    /// The throwaway server is not there any more.
    pub(crate) fn has_ended() -> Self {
        Self::Host("the throwaway server has ended, and nobody told it to".to_owned())
    }

    pub(crate) fn of_server(error: &ServerError) -> Self {
        Self::Host(match error.hint() {
            Some(hint) => format!("{}; {hint}", words(error)),
            None => words(error),
        })
    }

    pub(crate) fn of_isolation(error: &ServerError) -> Self {
        let hint = error.hint().unwrap_or_default();
        Self::Host(format!(
            "{}. {hint}; where this machine reaches no server that matters, --not-isolated \
             does without",
            words(error)
        ))
    }

    pub(crate) fn of_repository(error: &RepositoryError) -> Self {
        let told = words(error);
        let damage = |words| Self::Damage {
            words,
            object: error.hurt_object().and_then(|object| object.parse().ok()),
        };
        match error {
            RepositoryError::Storage(error) if error.is_not_found() => damage(told),
            RepositoryError::Storage(_)
            | RepositoryError::Missing { .. }
            | RepositoryError::Vanished { .. }
            | RepositoryError::Deleted { .. }
            | RepositoryError::NoIdentity { .. }
            | RepositoryError::SealedToOthers { .. }
            | RepositoryError::Thread(_)
            | RepositoryError::GivenUp
            | RepositoryError::Object {
                source:
                    FormatError::NoIdentity
                    | FormatError::TooNew { .. }
                    | FormatError::NotUnderstood { .. },
                ..
            } => Self::Host(told),
            _ => damage(told),
        }
    }

    /// `newer`: that the server is of a newer major than the backup, in words, where it is.
    /// `obstacles`: what its log tells of what statements ran into.
    pub(crate) fn of_restore(
        error: &RestoreError,
        newer: Option<&str>,
        obstacles: &[Obstacle],
    ) -> Self {
        let told = words(error);
        let by_server = |told: String| match newer {
            Some(newer) => Self::Host(format!("{newer}: {told}")),
            None => Self::Backup(told),
        };
        match error {
            RestoreError::Read { source, .. } => Self::of_repository(source),
            RestoreError::Leftover { failure, .. } => Self::of_restore(failure, newer, obstacles),
            RestoreError::Unmet { problems, .. } | RestoreError::UnmetGlobals { problems } => {
                let problems: Vec<&str> = problems.iter().map(|p| p.what.as_str()).collect();
                Self::Host(problems.join("; "))
            }
            RestoreError::Connect { .. }
            | RestoreError::ConnectForGlobals { .. }
            | RestoreError::Look { .. }
            | RestoreError::LookForGlobals { .. }
            | RestoreError::Feed { .. } => Self::Host(told),
            RestoreError::Create {
                source: CreateDatabaseError::Property { .. },
            } => by_server(told),
            RestoreError::Create { .. } => Self::Host(told),
            RestoreError::Restore {
                source: ToolFailed::Start { .. } | ToolFailed::Wait { .. },
                ..
            } => Self::Host(told),
            RestoreError::Restore {
                source: ToolFailed::Signal { signal, .. },
                ..
            } if signal == "SIGKILL" => Self::Host(told),
            RestoreError::Restore { source, .. } => match behind(source.messages(), obstacles) {
                Some(Obstacle::OtherServer(_)) => Self::Host(format!("{OTHER_SERVER}: {told}")),
                Some(Obstacle::Library(_)) => Self::Host(told),
                None => by_server(told),
            },
            RestoreError::Role { .. } | RestoreError::Unnamed { .. } => by_server(told),
            _ => Self::Backup(told),
        }
    }

    /// What is to be said of a server that has lost a process or had no room; it goes before
    /// whatever its sessions said of that.
    pub(crate) fn of_mishaps(mishaps: &[Mishap], has_ended: bool) -> Option<Self> {
        let first = |wanted: fn(&Mishap) -> bool| mishaps.iter().find(|mishap| wanted(mishap));
        let room = first(|mishap| matches!(mishap, Mishap::NoRoom(_)));
        let killed = first(|mishap| matches!(mishap, Mishap::Killed(_)));
        let crashed = first(|mishap| matches!(mishap, Mishap::Crashed(_)));
        let unread = first(|mishap| matches!(mishap, Mishap::Unread(_)));
        match room.or(killed).or(crashed).or(unread) {
            Some(Mishap::NoRoom(said)) => Some(Self::Host(format!(
                "the throwaway server had no room or memory left: {said}"
            ))),
            Some(Mishap::Killed(said)) => Some(Self::Host(format!(
                "the throwaway server lost a process that was killed: {said}"
            ))),
            _ if has_ended => Some(Self::has_ended()),
            Some(Mishap::Crashed(said)) => Some(Self::Backup(format!(
                "the throwaway server crashed: {said}"
            ))),
            Some(Mishap::Unread(said)) => Some(Self::Host(format!(
                "what happened to the throwaway server is not known, since its log cannot be \
                 read: {said}"
            ))),
            None => None,
        }
    }
}

/// The obstacle that a session's messages are of: what a statement says is believed where the
/// server's log says so too, by what no statement can choose.
fn behind<'a>(messages: &[String], obstacles: &'a [Obstacle]) -> Option<&'a Obstacle> {
    let is_told = |said: &str| messages.iter().any(|message| message.contains(said));
    obstacles.iter().find(|obstacle| is_told(obstacle.said()))
}

/// Whether a statement failed since another server was to be asked.
pub(crate) fn is_of_another_server(message: &str, obstacles: &[Obstacle]) -> bool {
    let found = behind(&[message.to_owned()], obstacles);
    matches!(found, Some(Obstacle::OtherServer(_)))
}

/// The error and its causes as one sentence; a cause that was told is not told again.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.ends_with(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restore(message: &str) -> RestoreError {
        RestoreError::Restore {
            database: "app".to_owned(),
            part: None,
            source: ToolFailed::Exit {
                tool: "pg_restore",
                version: "15.1".to_owned(),
                database: "app".to_owned(),
                code: 1,
                messages: vec![message.to_owned()],
            },
        }
    }

    #[test]
    fn what_the_host_lacks_is_not_held_against_the_backup_where_its_log_says_so_too() {
        let library = Obstacle::Library("could not access file \"$libdir/x\"".to_owned());
        let server = Obstacle::OtherServer("could not connect to server \"source\"".to_owned());
        let message = |obstacle: &Obstacle| {
            let said = obstacle.said();
            restore(&format!(
                "error: could not execute query: ERROR:  {said}: x"
            ))
        };
        for obstacle in [&library, &server] {
            let log = std::slice::from_ref(obstacle);
            let refusal = Refusal::of_restore(&message(obstacle), None, log);
            assert!(matches!(refusal, Refusal::Host(_)), "{refusal:?}");
            // The message alone, which a statement may have raised; and the log's of another.
            let refusal = Refusal::of_restore(&message(obstacle), None, &[]);
            assert!(matches!(refusal, Refusal::Backup(_)), "{refusal:?}");
            let other = restore("error: division by zero");
            let refusal = Refusal::of_restore(&other, None, log);
            assert!(matches!(refusal, Refusal::Backup(_)), "{refusal:?}");
        }
        let newer = Some("PostgreSQL 18 is newer than the backup's 15");
        let refusal = Refusal::of_restore(&restore("error: no such operator"), newer, &[]);
        assert!(matches!(&refusal, Refusal::Host(told) if told.starts_with("PostgreSQL 18")));
    }

    #[test]
    fn a_session_that_was_lost_while_it_was_begun_is_a_lost_one() {
        let told = "question \"rows\" was not answered: talking to the PostgreSQL server /tmp/s:5432 \
                    for database \"app\" failed: connection closed";
        assert!(Refusal::Backup(told.to_owned()).is_of_a_lost_session());
        assert!(!Refusal::Backup("it is false".to_owned()).is_of_a_lost_session());
    }

    #[test]
    fn a_server_that_was_killed_says_nothing_of_the_backup_and_one_that_crashed_does() {
        let killed = Mishap::Killed("server process (PID 7)".to_owned());
        let crashed = Mishap::Crashed("server process (PID 8)".to_owned());
        let of = |mishaps: &[Mishap], ended| Refusal::of_mishaps(mishaps, ended);
        assert_eq!(of(&[], false), None);
        let refusal = of(&[crashed.clone(), killed], false);
        assert!(matches!(refusal, Some(Refusal::Host(_))));
        assert!(matches!(of(&[], true), Some(Refusal::Host(_))));
        let refusal = of(&[crashed], false);
        assert!(matches!(refusal, Some(Refusal::Backup(_))));
        let unread = Mishap::Unread("log: gone".to_owned());
        assert!(matches!(of(&[unread], false), Some(Refusal::Host(_))));
    }
}
