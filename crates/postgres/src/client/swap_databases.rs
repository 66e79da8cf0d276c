//! Putting one database into another's place.
//!
//! Invariant: both have their new names, or both their old ones, also where this
//! program or the server dies: it is one transaction. From its beginning to its end
//! nobody gets into the old one.

use std::convert::Infallible;
use std::time::Duration;

use super::connection::Connection;
use super::query_error::QueryError;
use super::quote::identifier;

/// How long sessions have to end before they are looked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// Ends all sessions of database `old`, calls it `aside`, and calls `new` what it was
/// called. Both sessions are in other databases than these.
///
/// # Errors
///
/// Where the server refuses: a session could not be ended within five seconds, or a
/// name is taken. Then nothing was renamed; the sessions have ended.
pub async fn swap_databases(
    admin: &Connection,
    helper: &Connection,
    old: &str,
    aside: &str,
    new: &str,
) -> Result<(), QueryError> {
    let rename = |from: &str, to: &str| {
        format!(
            "ALTER DATABASE {} RENAME TO {}",
            identifier(from),
            identifier(to)
        )
    };
    admin.batch("BEGIN").await?;
    let swapped = async {
        // It locks new sessions out, and then waits for those that are there to end
        // (RenameDatabase and CountOtherDBBackends in src/backend).
        let set_aside = rename(old, aside);
        tokio::select! {
            renamed = admin.batch(&set_aside) => renamed?,
            never = end_sessions(helper, old) => match never {},
        }
        admin.batch(&rename(new, old)).await?;
        admin.batch("COMMIT").await
    };
    let swapped = swapped.await;
    if swapped.is_err() {
        // On a session that is gone there is nothing to roll back.
        let _ = admin.batch("ROLLBACK").await;
    }
    swapped
}

/// Tells the sessions of a database to end, again and again. One that may not be told
/// is named by who waits for it.
async fn end_sessions(helper: &Connection, database: &str) -> Infallible {
    loop {
        let sessions = helper
            .query(
                "SELECT pid FROM pg_catalog.pg_stat_activity \
                 WHERE datname::text = $1 AND pid <> pg_catalog.pg_backend_pid()",
                &[&database],
            )
            .await;
        for row in sessions.unwrap_or_default() {
            if let Ok(pid) = helper.column::<i32>(&row, "pid") {
                let end = format!("SELECT pg_catalog.pg_terminate_backend({pid})");
                let _ = helper.batch(&end).await;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
