//! Why there is no connection.
//!
//! Invariant: every variant names the server, and the database or user where
//! that is the matter; a cause that a person would mend in another way is
//! another variant.

pub(crate) mod hint;

use std::path::PathBuf;
use std::time::Duration;

use super::parameters::ConnectionParameters;
use super::tls::TlsSetupError;

/// What kept a connection from being made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing answers there.
    #[error("cannot reach the PostgreSQL server {server} for database {database:?}")]
    Unreachable {
        /// Host and port, or socket directory and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What the operating system said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Nothing answered in time.
    #[error(
        "the PostgreSQL server {server} did not answer for database {database:?} within {} s",
        .after.as_secs()
    )]
    TimedOut {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// How long it was given.
        after: Duration,
    },
    /// The server wants a password and none was given.
    #[error(
        "the PostgreSQL server {server} wants a password of user {user:?} for database \
         {database:?}, and none was given"
    )]
    NoPassword {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// The user.
        user: String,
        /// A password file that was left aside because others may read it.
        ignored_password_file: Option<PathBuf>,
    },
    /// The server does not accept the user (SQLSTATE class 28).
    #[error(
        "the PostgreSQL server {server} did not let user {user:?} into database {database:?}: \
         {message}"
    )]
    Authentication {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// The user.
        user: String,
        /// PostgreSQL's message.
        message: String,
        /// SQLSTATE: 28P01 for a wrong password.
        sqlstate: String,
    },
    /// The database does not exist (3D000).
    #[error("there is no database {database:?} on the PostgreSQL server {server}")]
    NoSuchDatabase {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
    },
    /// The user may not connect to the database (42501).
    #[error(
        "user {user:?} may not connect to database {database:?} on the PostgreSQL server {server}"
    )]
    Forbidden {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// The user.
        user: String,
    },
    /// No connection is left for this user or database (53300).
    #[error(
        "the PostgreSQL server {server} has no connection left for database {database:?}: {message}"
    )]
    TooManyConnections {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// PostgreSQL's message, which tells whose limit it is.
        message: String,
    },
    /// The server is starting up, shutting down or recovering (57P03).
    #[error(
        "the PostgreSQL server {server} accepts no connection for database {database:?} now: {message}"
    )]
    NotReady {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// The server offers no TLS, or the two sides did not come to terms: a
    /// certificate that is not trusted, for one.
    #[error("TLS with the PostgreSQL server {server} for database {database:?} failed")]
    Tls {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What the driver saw.
        #[source]
        source: tokio_postgres::Error,
    },
    /// TLS cannot be set up on our side.
    #[error("cannot set up TLS for the PostgreSQL server {server}, database {database:?}")]
    TlsSetup {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What is wrong with what was asked for.
        #[source]
        source: Box<TlsSetupError>,
    },
    /// The server's name has no address.
    #[error("cannot find the address of the PostgreSQL server {server} for database {database:?}")]
    UnknownHost {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The server's sessions are not what `target_session_attrs` asks for.
    #[error(
        "the PostgreSQL server {server} is {found} for database {database:?}, and the connection \
         asks for {wanted}"
    )]
    WrongServer {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What it is.
        found: &'static str,
        /// libpq's word for what is asked for.
        wanted: &'static str,
    },
    /// Several servers were tried, and none would do.
    #[error("none of the PostgreSQL servers would do for database {database:?}: {}", all(.failures))]
    NoServer {
        /// The database that was asked for.
        database: String,
        /// What kept each of them, in the order of the attempts.
        failures: Vec<ConnectError>,
    },
    /// An event trigger on logins of the database failed (17 and later).
    #[error(
        "an event trigger on logins keeps user {user:?} out of database {database:?} on the \
         PostgreSQL server {server}: {message} ({context})"
    )]
    LoginTrigger {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// The user.
        user: String,
        /// The trigger's message.
        message: String,
        /// Where it came from, in PostgreSQL's words: the trigger's function.
        context: String,
    },
    /// The server refused for another reason.
    #[error(
        "the PostgreSQL server {server} refused the connection to database {database:?}: {message}"
    )]
    Refused {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// SQLSTATE.
        sqlstate: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// What answers does not speak as a PostgreSQL server does.
    #[error("talking to the PostgreSQL server {server} for database {database:?} failed")]
    Protocol {
        /// Host and port.
        server: String,
        /// The database that was asked for.
        database: String,
        /// What the driver saw.
        #[source]
        source: tokio_postgres::Error,
    },
}

/// What each attempt came to, with its causes.
fn all(failures: &[ConnectError]) -> String {
    let told = failures.iter().map(|failure| {
        let mut words = failure.to_string();
        let mut cause = std::error::Error::source(failure);
        while let Some(error) = cause {
            words.push_str(&format!(": {error}"));
            cause = error.source();
        }
        words
    });
    told.collect::<Vec<_>>().join("; ")
}

impl ConnectError {
    /// What several attempts come to; where there was one, its own error.
    pub(super) fn of(parameters: &ConnectionParameters, mut failures: Vec<Self>) -> Self {
        match failures.pop() {
            Some(only) if failures.is_empty() => only,
            last => {
                failures.extend(last);
                Self::NoServer {
                    database: parameters.database().to_owned(),
                    failures,
                }
            }
        }
    }

    /// Nothing was tried.
    pub(super) fn no_server(parameters: &ConnectionParameters) -> Self {
        Self::of(parameters, Vec::new())
    }

    /// Whether libpq tries the next server after this. One that does not let us in
    /// ends the search: another one would hide that.
    pub(super) fn leads_on(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::UnknownHost { .. }
                | Self::TimedOut { .. }
                | Self::NotReady { .. }
                | Self::WrongServer { .. }
        )
    }

    pub(super) fn new(parameters: &ConnectionParameters, error: tokio_postgres::Error) -> Self {
        let server = parameters.server();
        let database = parameters.database().to_owned();
        let user = parameters.user().to_owned();
        if let Some(refused) = error.as_db_error() {
            let message = refused.message().to_owned();
            let sqlstate = refused.code().code().to_owned();
            // Nothing but a trigger's function runs before a session is there and leaves a
            // context; it may fail with any code.
            if let Some(context) = refused.where_() {
                return Self::LoginTrigger {
                    server,
                    database,
                    user,
                    message,
                    context: context.replace('\n', "; "),
                };
            }
            return match sqlstate.as_str() {
                "3D000" => Self::NoSuchDatabase { server, database },
                "42501" => Self::Forbidden {
                    server,
                    database,
                    user,
                },
                "53300" => Self::TooManyConnections {
                    server,
                    database,
                    message,
                },
                "57P03" => Self::NotReady {
                    server,
                    database,
                    message,
                },
                class if class.starts_with("28") => Self::Authentication {
                    server,
                    database,
                    user,
                    message,
                    sqlstate,
                },
                _ => Self::Refused {
                    server,
                    database,
                    sqlstate,
                    message,
                },
            };
        }
        // The driver does not tell its kinds of error but by their text
        // (tokio-postgres, src/error/mod.rs).
        if error.to_string() == "error performing TLS handshake" {
            return Self::Tls {
                server,
                database,
                source: error,
            };
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = cause {
            if inner.is::<std::io::Error>() {
                return Self::Unreachable {
                    server,
                    database,
                    source: error,
                };
            }
            // As above (src/connect_raw.rs).
            if !parameters.has_password() && inner.to_string() == "password missing" {
                return Self::NoPassword {
                    server,
                    database,
                    user,
                    ignored_password_file: parameters
                        .ignored_password_file()
                        .map(std::path::Path::to_owned),
                };
            }
            cause = inner.source();
        }
        Self::Protocol {
            server,
            database,
            source: error,
        }
    }

    /// Whether the same attempt can succeed later without anybody's doing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoServer { failures, .. } => failures.iter().any(Self::may_pass),
            _ => matches!(
                self,
                Self::Unreachable { .. }
                    | Self::UnknownHost { .. }
                    | Self::TimedOut { .. }
                    | Self::NotReady { .. }
                    | Self::WrongServer { .. }
                    | Self::TooManyConnections { .. }
            ),
        }
    }
}
