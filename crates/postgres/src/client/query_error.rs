//! Why a question to a server was not answered.
//!
//! Invariant: every variant names the database; no parameter of a query and no value of a
//! row is repeated.

use std::error::Error as _;

use tokio_postgres::error::{DbError, Severity};

use crate::row_values::without_values;

/// What went wrong with a statement on an open connection.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The server refused the statement.
    #[error("the server refused in database {database:?}: {}", .refusal.message)]
    Refused {
        /// The database of the session.
        database: String,
        /// What the server said.
        refusal: Box<Refusal>,
    },
    /// The server ended the session: it is being shut down, has crashed, or
    /// somebody told it to.
    #[error("the server ended the session in database {database:?}: {}", .refusal.message)]
    Ended {
        /// The database of the session.
        database: String,
        /// What the server said.
        refusal: Box<Refusal>,
    },
    /// The connection ended before there was an answer.
    #[error("lost the connection to database {database:?}")]
    Lost {
        /// The database of the session.
        database: String,
        /// What the driver saw.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The answer is not what was asked for.
    #[error("database {database:?} gave an answer that cannot be read")]
    Unreadable {
        /// The database of the session.
        database: String,
        /// What the driver saw.
        #[source]
        source: tokio_postgres::Error,
    },
}

/// An error as PostgreSQL reports it ("Error and Notice Message Fields" in the
/// manual).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE, such as 42501.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// The detail, where there is one.
    pub detail: Option<String>,
    /// The hint, where there is one.
    pub hint: Option<String>,
}

impl Refusal {
    fn of(refused: &DbError) -> Self {
        let sqlstate = refused.code().code();
        let message = refused.message();
        let detail = refused.detail().map(str::to_owned);
        Self {
            sqlstate: sqlstate.to_owned(),
            message: match is_of_values(sqlstate) {
                true => without_values(message).unwrap_or_else(|| message.to_owned()),
                false => message.to_owned(),
            },
            detail: detail.filter(|_| !is_of_rows(sqlstate)),
            hint: refused.hint().map(str::to_owned),
        }
    }
}

/// Whether the message of such an error may repeat a value ("Data Exception" in the manual's
/// appendix of error codes). A parameter's value that is refused is none of a row's.
fn is_of_values(sqlstate: &str) -> bool {
    sqlstate.starts_with("22") && sqlstate != "22023"
}

/// Whether its detail may: so may that of a constraint that is violated, and what functions
/// say.
fn is_of_rows(sqlstate: &str) -> bool {
    is_of_values(sqlstate) || sqlstate.starts_with("23") || sqlstate.starts_with("P0")
}

impl QueryError {
    pub(super) fn new(database: &str, error: tokio_postgres::Error) -> Self {
        let database = database.to_owned();
        if let Some(refused) = error.as_db_error() {
            let refusal = Refusal::of(refused);
            let refusal = Box::new(refusal);
            let fatal = refused.parsed_severity() == Some(Severity::Fatal);
            return if fatal || refusal.sqlstate.starts_with("57P0") {
                Self::Ended { database, refusal }
            } else {
                Self::Refused { database, refusal }
            };
        }
        let io = |e: &(dyn std::error::Error + 'static)| e.is::<std::io::Error>();
        if error.is_closed() || error.source().is_some_and(io) {
            return Self::Lost {
                database,
                source: error,
            };
        }
        Self::Unreadable {
            database,
            source: error,
        }
    }

    /// PostgreSQL's SQLSTATE, where the server answered at all.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } | Self::Ended { refusal, .. } => Some(&refusal.sqlstate),
            _ => None,
        }
    }

    /// Whether the session is gone, so that nothing tells whether the statement was carried out.
    #[must_use]
    pub fn is_of_the_session(&self) -> bool {
        matches!(self, Self::Ended { .. } | Self::Lost { .. })
    }

    /// Whether a database of that name is there. Of two that make one at the same time, the
    /// second is only refused by the catalog's index.
    pub(super) fn is_of_a_taken_name(&self) -> bool {
        matches!(self.sqlstate(), Some("42P04" | "23505"))
    }

    /// What to do about it: PostgreSQL's own hint, or its detail.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { refusal, .. } | Self::Ended { refusal, .. } => {
                let Refusal { hint, detail, .. } = refusal.as_ref();
                hint.clone().or_else(|| detail.clone())
            }
            Self::Lost { .. } => Some("look into the server's log for why it ended".to_owned()),
            Self::Unreadable { .. } => None,
        }
    }
}
