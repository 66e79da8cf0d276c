//! How many sessions a role may have, and a database; and how many are left.
//!
//! Source: `CheckMyDatabase`, `InitializeSessionUserId` and `InitPostgres` in
//! src/backend/utils/init: superusers are held to no limit but `max_connections`.

use super::connection::Connection;
use super::query_error::QueryError;

/// How many sessions the session's user may have; `None` where nothing limits them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionLimits {
    /// Of the user's own, in all databases.
    pub of_role: Option<usize>,
    /// Of everybody but superusers, in the session's database.
    pub of_database: Option<usize>,
}

impl SessionLimits {
    /// Asks for the limits of the session's user and database.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn read(session: &Connection) -> Result<Self, QueryError> {
        let row = session
            .query_one(
                "SELECT r.rolconnlimit AS of_role, d.datconnlimit AS of_database, \
                 r.rolsuper AS is_superuser \
                 FROM pg_catalog.pg_roles r, pg_catalog.pg_database d \
                 WHERE r.rolname = SESSION_USER AND d.datname = pg_catalog.current_database()",
                &[],
            )
            .await?;
        if session.column(&row, "is_superuser")? {
            return Ok(Self::default());
        }
        let limit = |name| -> Result<Option<usize>, QueryError> {
            let limit: i32 = session.column(&row, name)?;
            // -1 is none.
            Ok(usize::try_from(limit).ok())
        };
        Ok(Self {
            of_role: limit("of_role")?,
            of_database: limit("of_database")?,
        })
    }
}

/// How many more sessions `role` can have just now, by the server's limits and its own.
///
/// # Errors
///
/// Where the server refuses or is gone, or there is no such role.
pub async fn sessions_left(session: &Connection, role: &str) -> Result<usize, QueryError> {
    // Who may not see more of a session sees at least whose it is. What is kept for others
    // than superusers is so from 16 on.
    let row = session
        .query_one(
            "SELECT LEAST(s.most - CASE WHEN r.rolsuper THEN 0 ELSE s.kept END - t.taken, \
             CASE WHEN r.rolsuper OR r.rolconnlimit < 0 THEN s.most \
             ELSE r.rolconnlimit - t.own END) AS sessions_left \
             FROM pg_catalog.pg_roles r, \
             (SELECT pg_catalog.current_setting('max_connections')::bigint AS most, \
             pg_catalog.current_setting('superuser_reserved_connections')::bigint \
             + COALESCE(pg_catalog.current_setting('reserved_connections', true), '0')::bigint \
             AS kept) s, \
             LATERAL (SELECT pg_catalog.count(*) AS taken, \
             pg_catalog.count(*) FILTER (WHERE a.usesysid = r.oid) AS own \
             FROM pg_catalog.pg_stat_activity a WHERE a.datid IS NOT NULL \
             AND a.usesysid IS NOT NULL \
             AND COALESCE(a.backend_type, 'client backend') = 'client backend') t \
             WHERE r.rolname = $1",
            &[&role],
        )
        .await?;
    let left: i64 = session.column(&row, "sessions_left")?;
    Ok(usize::try_from(left).unwrap_or(0))
}
