//! What to do where there is no connection.
//!
//! Invariant: what is advised can be done by whoever reads it, or by whom it names.

use super::ConnectError;
use crate::client::quote::identifier;

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
            Self::TooManyConnections { .. } => {
                "raise the limit that the message names, or close sessions".to_owned()
            }
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
