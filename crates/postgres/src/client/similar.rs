//! What may be meant by the name of a schema or table that is not there.
//!
//! Invariant: a guess is a name that is there, in SQL's quotes where it needs them.

use pgkeep_types::nearest;

use super::connection::Connection;
use super::query_error::QueryError;

/// So many names are looked through.
const LOOKED: i64 = 20_000;

/// The schema whose name is nearest to a pattern of `pg_dump`'s that is a name.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn similar_schema(
    session: &Connection,
    pattern: &str,
) -> Result<Option<String>, QueryError> {
    let query = format!(
        "SELECT nspname::text AS name, pg_catalog.quote_ident(nspname) AS quoted \
         FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' \
         AND nspname <> 'information_schema' ORDER BY 1 LIMIT {LOOKED}"
    );
    similar(session, pattern, &query).await
}

/// The table whose name is nearest to such a pattern: with its schema, which may be another
/// one than where it was looked for.
///
/// # Errors
///
/// Likewise.
pub async fn similar_table(
    session: &Connection,
    pattern: &str,
) -> Result<Option<String>, QueryError> {
    let name = match pattern.contains('.') {
        true => "pg_catalog.concat(n.nspname, '.', c.relname)",
        false => "c.relname::text",
    };
    let query = format!(
        "SELECT {name} AS name, pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema' ORDER BY 2 LIMIT {LOOKED}"
    );
    similar(session, pattern, &query).await
}

async fn similar(
    session: &Connection,
    pattern: &str,
    query: &str,
) -> Result<Option<String>, QueryError> {
    if pattern.contains(['*', '?', '|', '[', '(', '+']) {
        return Ok(None);
    }
    let rows = session.query(query, &[]).await?;
    let mut names: Vec<(&str, &str)> = Vec::with_capacity(rows.len());
    for row in &rows {
        names.push((session.column(row, "name")?, session.column(row, "quoted")?));
    }
    let meant = pattern.replace('"', "");
    let found = nearest(&meant, names.iter().map(|(name, _)| *name));
    let found = found.and_then(|found| names.iter().find(|(name, _)| *name == found));
    Ok(found.map(|(_, quoted)| (*quoted).to_owned()))
}
