//! Giving databases other names, also in another's place.
//!
//! Invariant: both have their new names, or both their old ones, also where this
//! program or the server dies: it is one transaction. From its beginning to its end
//! nobody gets into the old one.

use std::convert::Infallible;
use std::time::Duration;

use super::connection::Connection;
use super::create_database::CreateDatabaseError;
use super::query_error::QueryError;
use super::quote::identifier;

/// How long sessions have to end before they are looked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// Ends all sessions of databases `old` and `new`, calls the first `aside`, and calls
/// `new` what it was called. Both sessions are in other databases than these.
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
    admin.batch("BEGIN").await?;
    let swapped = async {
        // The first locks new sessions out of the old one, and both wait for those that are
        // there to end (RenameDatabase and CountOtherDBBackends in src/backend).
        let both = [old, new];
        let renamed = async {
            admin.batch(&rename(old, aside)).await?;
            admin.batch(&rename(new, old)).await
        };
        tokio::select! {
            renamed = renamed => renamed?,
            never = end_sessions(helper, &both) => match never {},
        }
        admin.batch("COMMIT").await
    };
    let swapped = swapped.await;
    if swapped.is_err() {
        // On a session that is gone there is nothing to roll back.
        let _ = admin.batch("ROLLBACK").await;
    }
    swapped
}

/// Ends all sessions of database `name`, and calls it `new_name`. Both sessions are in
/// other databases.
///
/// # Errors
///
/// `Exists` where the name is taken; where the server refuses.
pub async fn rename_database(
    admin: &Connection,
    helper: &Connection,
    name: &str,
    new_name: &str,
) -> Result<(), CreateDatabaseError> {
    let statement = rename(name, new_name);
    let databases = [name];
    let renamed = tokio::select! {
        renamed = admin.batch(&statement) => renamed,
        never = end_sessions(helper, &databases) => match never {},
    };
    let database = new_name.to_owned();
    renamed.map_err(|source| {
        if source.is_of_a_taken_name() {
            return CreateDatabaseError::Exists { database };
        }
        CreateDatabaseError::Property {
            database,
            property: "name",
            source,
        }
    })
}

fn rename(from: &str, to: &str) -> String {
    format!(
        "ALTER DATABASE {} RENAME TO {}",
        identifier(from),
        identifier(to)
    )
}

/// Tells the sessions of databases to end, again and again. One that may not be told
/// is named by who waits for it.
async fn end_sessions(helper: &Connection, databases: &[&str]) -> Infallible {
    loop {
        let sessions = helper
            .query(
                "SELECT pid FROM pg_catalog.pg_stat_activity \
                 WHERE datname::text = ANY ($1) AND pid <> pg_catalog.pg_backend_pid()",
                &[&databases],
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
