//! Names that are not in UTF-8.
//!
//! Invariant: looking never fails for what a name is.
//!
//! A server converts names to a session's encoding but where the database's is SQL_ASCII:
//! there they are whatever bytes somebody gave, and it refuses to hand out those that are
//! not in UTF-8 (`pg_server_to_any` in src/backend/utils/mb/mbutils.c).

use super::connection::Connection;
use super::contents::OWN;
use super::query_error::QueryError;

/// Schemas, tables and sequences of the session's database whose names cannot be told in UTF-8,
/// in words, with what is no ASCII as `\xe4`.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn strange_names(session: &Connection) -> Result<Vec<String>, QueryError> {
    let encoding = session
        .query_one(
            "SELECT pg_catalog.current_setting('server_encoding') AS name",
            &[],
        )
        .await?;
    if session.column::<&str>(&encoding, "name")? != "SQL_ASCII" {
        return Ok(Vec::new());
    }
    let bytes = |name: &str| {
        format!("pg_catalog.encode(pg_catalog.convert_to({name}::text, 'SQL_ASCII'), 'hex')")
    };
    let query = format!(
        "SELECT 'schema' AS kind, NULL AS schema, {} AS name FROM pg_catalog.pg_namespace n \
         WHERE n.nspname !~ '^pg_' UNION ALL SELECT \
         CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'r' THEN 'table' ELSE 'relation' END, \
         {}, {} FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND {OWN}",
        bytes("n.nspname"),
        bytes("n.nspname"),
        bytes("c.relname")
    );
    let mut strange = Vec::new();
    for row in &session.query(&query, &[]).await? {
        let kind: &str = session.column(row, "kind")?;
        let schema: Option<&str> = session.column(row, "schema")?;
        let name = unhex(session.column(row, "name")?);
        let schema = schema.map(unhex);
        // One in a schema that is named anyway is not told again.
        let is_fine = |name: &[u8]| std::str::from_utf8(name).is_ok();
        if !is_fine(&name) && schema.as_deref().is_none_or(is_fine) {
            let schema = schema.map(|schema| format!("{}.", schema.escape_ascii()));
            strange.push(format!(
                "{kind} {}{}",
                schema.unwrap_or_default(),
                name.escape_ascii()
            ));
        }
    }
    strange.sort();
    Ok(strange)
}

/// The bytes that PostgreSQL has written as digits.
fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let value = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    pairs.filter_map(value).collect()
}
