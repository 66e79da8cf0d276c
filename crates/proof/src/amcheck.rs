//! `pg_amcheck` on a restored database.
//!
//! Invariant: it comes last, as it installs an extension there; where it cannot be done,
//! that is said.

use pgkeep_postgres::client::{Connection, QueryError, available_extensions, identifier};
use pgkeep_postgres::tools::{ToolDirectory, Unchecked, check_database, has_amcheck};

const EXTENSION: &str = "amcheck";
/// The first major whose extension `pg_amcheck` can use.
const SINCE: u32 = 14;

/// What came of it.
pub(crate) enum Checked {
    /// Nothing wrong was found.
    Done,
    /// It was not done, since.
    NotDone(String),
    /// Something wrong was found.
    Failed(String),
}

/// Checks the database of a superuser's session.
pub(crate) async fn check(
    tools: &ToolDirectory,
    session: &Connection,
) -> Result<Checked, QueryError> {
    if session.server_version().major() < SINCE {
        let why = format!("not done: pg_amcheck needs PostgreSQL {SINCE} or newer");
        return Ok(Checked::NotDone(why));
    }
    if !has_amcheck(tools) {
        let why = "not done: pg_amcheck is not installed".to_owned();
        return Ok(Checked::NotDone(why));
    }
    let available = available_extensions(session).await?;
    if !available.iter().any(|offered| offered.name == EXTENSION) {
        let why = "not done: the extension amcheck is not installed".to_owned();
        return Ok(Checked::NotDone(why));
    }
    silence(session).await?;
    Ok(match check_database(tools, session.parameters()).await {
        Ok(()) => Checked::Done,
        Err(Unchecked::Corrupt(problem) | Unchecked::Lost(problem)) => Checked::Failed(problem),
        Err(Unchecked::NotDone(why)) => Checked::NotDone(format!("not done: {why}")),
    })
}

/// Keeps the database's event triggers from what `CREATE EXTENSION` does.
async fn silence(session: &Connection) -> Result<(), QueryError> {
    session
        .batch("SET default_transaction_read_only = off")
        .await?;
    let triggers = "SELECT evtname::text AS name FROM pg_catalog.pg_event_trigger";
    for row in session.query(triggers, &[]).await? {
        let name: String = session.column(&row, "name")?;
        let disable = format!("ALTER EVENT TRIGGER {} DISABLE", identifier(&name));
        session.batch(&disable).await?;
    }
    Ok(())
}
