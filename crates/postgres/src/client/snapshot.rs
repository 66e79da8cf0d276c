//! One view of a database that several sessions share.
//!
//! Invariant: the snapshot can be imported for as long as the value lives; the
//! session that exported it does nothing but read, but for what is rolled back
//! ([`Inspection`](super::Inspection)).

use super::connection::Connection;
use super::query_error::QueryError;

/// A transaction whose snapshot other sessions can take over
/// (`pg_export_snapshot`).
#[derive(Debug)]
pub struct ExportedSnapshot {
    connection: Connection,
    id: String,
}

impl ExportedSnapshot {
    /// Begins the transaction on `connection` and exports its snapshot.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn open(connection: Connection) -> Result<Self, QueryError> {
        Self::begin(connection, "READ ONLY").await
    }

    /// Likewise, with that access mode.
    pub(super) async fn begin(connection: Connection, mode: &str) -> Result<Self, QueryError> {
        let begin = format!("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}");
        connection.batch(&begin).await?;
        let row = connection
            .query_one("SELECT pg_catalog.pg_export_snapshot() AS id", &[])
            .await?;
        let id = connection.column(&row, "id")?;
        Ok(Self { connection, id })
    }

    /// The name to import it by, for `pg_dump --snapshot`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The session inside of the transaction.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Ends the transaction and the session.
    ///
    /// # Errors
    ///
    /// Where the session had ended before: what was read under the snapshot
    /// after that moment was not read under it.
    pub async fn close(self) -> Result<(), QueryError> {
        self.connection.batch("COMMIT").await
    }
}
