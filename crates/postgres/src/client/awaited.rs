//! What `pg_dump` waits for: its sessions have a name of their own (`tools::child`).

use super::connection::Connection;
use super::query_error::QueryError;

/// Which table the `pg_dump` waits for that this session's user has started beside it:
/// schema and table. It answers inside of a transaction, too.
///
/// # Errors
/// Where the server refuses or is gone.
pub async fn awaited_table(
    connection: &Connection,
) -> Result<Option<(String, String)>, QueryError> {
    // What it says of other sessions it would else say as it first saw them.
    connection
        .query("SELECT pg_catalog.pg_stat_clear_snapshot()", &[])
        .await?;
    let rows = connection
        .query(
            "SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name \
             FROM pg_catalog.pg_locks l \
             JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             JOIN pg_catalog.pg_class c ON c.oid = l.relation \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT l.granted AND l.locktype = 'relation' AND l.mode = 'AccessShareLock' \
             AND a.datname = pg_catalog.current_database() AND a.usename = session_user \
             AND a.application_name = \
             pg_catalog.current_setting('application_name') || ' pg_dump' LIMIT 1",
            &[],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let schema = connection.column(row, "schema")?;
    Ok(Some((schema, connection.column(row, "name")?)))
}
