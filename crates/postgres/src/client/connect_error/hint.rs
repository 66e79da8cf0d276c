//! What to do where there is no connection.
//!
//! Invariant: what is advised can be done by whoever reads it, or by whom it names.

use super::ConnectError;
use crate::client::quote::identifier;

/// The SQLSTATE of a database that takes no sessions (`CheckMyDatabase` in
/// src/backend/utils/init/postinit.c).
const NO_SESSIONS: &str = "55000";

/// What to do where the server has no session left, by its message, which tells whose limit
/// it is (SQLSTATE 53300).
pub(crate) fn too_many_sessions(message: &str) -> &'static str {
    if message.contains("too many connections for database") {
        "a dump takes two sessions at the same time: raise the limit with ALTER DATABASE … \
         CONNECTION LIMIT, close others, or back up as a superuser, whom it does not hold"
    } else if message.contains("too many connections for role") {
        "a dump takes two sessions at the same time: raise the limit with ALTER ROLE … CONNECTION \
         LIMIT, close others, or dump fewer at the same time with 'jobs'"
    } else {
        "close sessions, dump fewer at the same time with 'jobs', or raise the limit that the \
         message names, or max_connections"
    }
}

impl ConnectError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { server, .. } if server.starts_with('/') => {
                "is the server running, and is that its socket directory".to_owned()
            }
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                "is the server running, does it listen on that address (listen_addresses), and \
                 does no firewall stand between"
                    .to_owned()
            }
            Self::NoPassword {
                ignored_password_file: Some(file),
                ..
            } => format!(
                "{} was left aside because others may read it: chmod 0600 it",
                file.display()
            ),
            Self::NoPassword { .. } => {
                "give it in PGPASSWORD, in a password file (~/.pgpass, mode 0600) or in the \
                 connection"
                    .to_owned()
            }
            Self::Authentication { sqlstate, .. } if sqlstate == "28P01" => {
                "the password is wrong, or the user does not exist".to_owned()
            }
            Self::Authentication { .. } => {
                "see the server's pg_hba.conf and log for why".to_owned()
            }
            Self::NoSuchDatabase { .. } => "psql --list shows which there are".to_owned(),
            Self::Forbidden { user, database, .. } => {
                format!("GRANT CONNECT ON DATABASE {database:?} TO {user:?}")
            }
            Self::TooManyConnections { message, .. } => too_many_sessions(message).to_owned(),
            Self::Refused {
                sqlstate,
                message,
                database,
                ..
            } if sqlstate == NO_SESSIONS => match message.contains("invalid database") {
                true => format!(
                    "a DROP DATABASE of it was interrupted, and nothing can be read of it any \
                     more: DROP DATABASE {}",
                    identifier(database)
                ),
                false => format!(
                    "ALTER DATABASE {} ALLOW_CONNECTIONS true",
                    identifier(database)
                ),
            },
            Self::Tls { .. } => {
                "does the server offer TLS (ssl = on), is its certificate signed by sslrootcert, \
                 and does it name the host"
                    .to_owned()
            }
            Self::TlsSetup { source, .. } => return source.hint(),
            Self::NotReady { .. } => "try again when the server is up".to_owned(),
            Self::UnknownHost { .. } => "is the host's name spelt right".to_owned(),
            Self::LoginTrigger { user, database, .. } => format!(
                "let the user turn event triggers off: GRANT SET ON PARAMETER event_triggers TO \
                 {}; or let a superuser disable it: PGOPTIONS='-c event_triggers=off' psql, \
                 in database {database:?}: ALTER EVENT TRIGGER … DISABLE",
                identifier(user)
            ),
            Self::WrongServer { .. } => "see target_session_attrs in the connection".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}
