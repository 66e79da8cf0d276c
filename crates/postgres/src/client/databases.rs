//! Which databases a cluster has.
//!
//! Invariant: what PostgreSQL itself has made to copy from is left out, and nothing
//! else: a database that somebody has marked as a template is one like any other.

use super::connection::Connection;
use super::query_error::QueryError;

/// A database of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDatabase {
    /// Its name.
    pub name: String,
    /// The role that owns it.
    pub owner: String,
    /// Whether it takes sessions at all.
    pub allows_connections: bool,
    /// Whether a `DROP DATABASE` of it was interrupted: nobody gets into it any more, and it
    /// can only be dropped (`DATCONNLIMIT_INVALID_DB` in src/include/catalog/pg_database.h).
    pub is_invalid: bool,
}

/// Every database of the session's cluster but `template0` and `template1`, by name.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn databases(session: &Connection) -> Result<Vec<ListedDatabase>, QueryError> {
    let rows = session
        .query(
            "SELECT datname::text AS name, pg_catalog.pg_get_userbyid(datdba)::text AS owner, \
             datallowconn AS allows_connections, datconnlimit = -2 AS is_invalid FROM pg_catalog.pg_database \
             WHERE datname NOT IN ('template0', 'template1') \
             ORDER BY datname COLLATE \"C\"",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(ListedDatabase {
                name: session.column(row, "name")?,
                owner: session.column(row, "owner")?,
                allows_connections: session.column(row, "allows_connections")?,
                is_invalid: session.column(row, "is_invalid")?,
            })
        })
        .collect()
}

/// The size in bytes of each of these databases, as far as the session may know it.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn database_sizes(
    session: &Connection,
) -> Result<Vec<(String, Option<i64>)>, QueryError> {
    let rows = session
        .query(
            "SELECT datname::text AS name, \
             CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') \
             THEN pg_catalog.pg_database_size(oid) END AS size FROM pg_catalog.pg_database \
             WHERE datname NOT IN ('template0', 'template1') \
             ORDER BY datname COLLATE \"C\"",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((session.column(row, "name")?, session.column(row, "size")?)))
        .collect()
}

/// Whether the session may read the hashes of roles' passwords. Managed servers
/// refuse that to all.
///
/// # Errors
///
/// Where the server refuses the question or is gone.
pub async fn may_read_passwords(session: &Connection) -> Result<bool, QueryError> {
    let row = session
        .query_one(
            "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may",
            &[],
        )
        .await?;
    session.column(&row, "may")
}
