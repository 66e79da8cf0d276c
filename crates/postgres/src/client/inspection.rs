//! Looking at all that a role owns, also where it has taken rights from itself.
//!
//! Invariants: nothing that is done here stays: the transaction is rolled back, whatever
//! becomes of it; only what the session's role could give itself anyway is given.
//!
//! An owner who has revoked its own rights, or forces row-level security on itself, may still
//! dump and restore by another role, and its new database has the same rights.

use super::connection::Connection;
use super::contents::OWN;
use super::query_error::QueryError;
use super::snapshot::ExportedSnapshot;

/// A view of a database in a transaction that is never committed.
#[derive(Debug)]
pub struct Inspection(ExportedSnapshot);

impl Inspection {
    /// Begins it on `connection`.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn open(connection: Connection) -> Result<Self, QueryError> {
        let snapshot = ExportedSnapshot::begin(connection, "READ WRITE").await?;
        Ok(Self(snapshot))
    }

    /// What is seen.
    #[must_use]
    pub fn snapshot(&self) -> &ExportedSnapshot {
        &self.0
    }

    /// From now on the role may read all tables and sequences that are its own; privileges
    /// and policies are not as they are any more.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn see_own(&self) -> Result<(), QueryError> {
        let session = self.0.connection();
        let query = format!(
            "SELECT pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user) \
             AS statement FROM pg_catalog.pg_namespace n \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
             AND pg_catalog.pg_has_role(n.nspowner, 'USAGE') \
             AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
             UNION ALL \
             SELECT pg_catalog.format('GRANT SELECT ON %s %I.%I TO %I', \
             CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, \
             n.nspname, c.relname, current_user) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'S') AND {OWN} \
             AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND NOT CASE c.relkind \
             WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT,USAGE') \
             ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END \
             UNION ALL \
             SELECT pg_catalog.format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', \
             n.nspname, c.relname) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND c.relforcerowsecurity AND {OWN} \
             AND pg_catalog.pg_has_role(c.relowner, 'USAGE') \
             AND pg_catalog.row_security_active(c.oid)"
        );
        for row in &session.query(&query, &[]).await? {
            session.batch(session.column(row, "statement")?).await?;
        }
        Ok(())
    }

    /// Ends it and the session. What became of the session by then does not matter.
    pub async fn close(self) {
        let _ = self.0.connection().batch("ROLLBACK").await;
    }
}
