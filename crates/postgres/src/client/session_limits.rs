//! How many sessions a role may have, and a database.
//!
//! Source: `CheckMyDatabase` and `InitializeSessionUserId` in
//! src/backend/utils/init: superusers are held to neither limit.

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
