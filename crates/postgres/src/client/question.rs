//! A question that somebody has written, asked of a database.
//!
//! Invariants: it is one statement, in a transaction that only reads and is never
//! committed, with a time limit that the server keeps and one of our own for a server
//! that does not; of what it answers no more than a few rows are taken.

use std::time::Duration;

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Kind;

use super::connection::Connection;
use super::query_error::QueryError;

/// How many rows are taken of an answer.
const TAKEN: usize = 2;
/// How much longer than the server we wait.
const GRACE: Duration = Duration::from_secs(5);

/// What a database answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The types of its columns.
    pub types: Vec<AnswerType>,
    /// The first rows, two at most, as text; a value is none where it is null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What a column of an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerType {
    /// `boolean`.
    Boolean,
    /// Any type of numbers.
    Number,
    /// A point in time or a date; told in ISO's form, in UTC where it has no offset.
    Time,
    /// Something else, by its name.
    Other(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The server refused it, or is gone.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There was none in time.
    #[error("there was no answer within {} s", .limit.as_secs_f64())]
    TimedOut {
        /// How long it was given.
        limit: Duration,
    },
}

impl QuestionError {
    /// Whether the session was lost: the question is not what is wrong.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Query(QueryError::Ended { .. } | QueryError::Lost { .. })
        )
    }
}

/// Asks `sql`, and waits so long for the answer.
///
/// # Errors
/// Where the server refuses, is gone, or does not answer in time.
pub async fn ask(
    session: &Connection,
    sql: &str,
    limit: Duration,
) -> Result<Answer, QuestionError> {
    let asked = tokio::time::timeout(limit + GRACE, answered(session, sql, limit));
    match asked.await {
        Ok(Ok(answer)) => Ok(answer),
        // `query_canceled`: statement_timeout was over.
        Ok(Err(error)) if error.sqlstate() == Some("57014") => {
            Err(QuestionError::TimedOut { limit })
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(QuestionError::TimedOut { limit }),
    }
}

async fn answered(session: &Connection, sql: &str, limit: Duration) -> Result<Answer, QueryError> {
    let milliseconds = limit.as_millis();
    session
        .batch(&format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}; \
             SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"
        ))
        .await?;
    let answer = in_transaction(session, sql).await;
    // Whatever it was, nothing of it stays.
    let _ = session.batch("ROLLBACK").await;
    answer
}

async fn in_transaction(session: &Connection, sql: &str) -> Result<Answer, QueryError> {
    // More than one statement is refused here (exec_parse_message in
    // src/backend/tcop/postgres.c).
    let types = session.column_types(sql).await?;
    let types: Vec<AnswerType> = types.iter().map(AnswerType::of).collect();
    let sql = sql.trim_end().trim_end_matches(';');
    session
        .batch(&format!("DECLARE answer NO SCROLL CURSOR FOR {sql}"))
        .await?;
    let said = session
        .simple(&format!("FETCH {TAKEN} FROM answer"))
        .await?;
    let rows = said.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = |row: &tokio_postgres::SimpleQueryRow, column| row.get(column).map(str::to_owned);
    let rows = rows.map(|row| (0..row.len()).map(|column| text(&row, column)).collect());
    Ok(Answer {
        types,
        rows: rows.collect(),
    })
}

impl AnswerType {
    fn of(found: &tokio_postgres::types::Type) -> Self {
        use tokio_postgres::types::Type;
        let base = match found.kind() {
            Kind::Domain(base) => base,
            _ => found,
        };
        match *base {
            Type::BOOL => Self::Boolean,
            Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::OID
            | Type::NUMERIC
            | Type::FLOAT4
            | Type::FLOAT8 => Self::Number,
            Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::DATE => Self::Time,
            _ => Self::Other(found.name().to_owned()),
        }
    }
}
