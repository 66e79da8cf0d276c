//! Patterns of `pg_dump`'s for schemas and tables that match nothing.
//!
//! Invariant: a pattern is read as `pg_dump` reads it: what it would find is found.
//!
//! Source: `patternToSQLRegex` in src/fe_utils/string_utils.c, `expand_schema_name_patterns`
//! and `expand_table_name_patterns` in src/bin/pg_dump/pg_dump.c.

use super::query_error::QueryError;
use super::snapshot::ExportedSnapshot;

/// Those of the patterns that match no schema of the snapshot's database.
///
/// # Errors
///
/// Where the server refuses, as it does where a pattern is no regular expression, or is gone.
pub async fn unmatched_schemas(
    snapshot: &ExportedSnapshot,
    patterns: &[String],
) -> Result<Vec<String>, QueryError> {
    let session = snapshot.connection();
    let mut unmatched = Vec::new();
    for pattern in patterns {
        let parts = expressions(pattern);
        let Some(schema) = parts.last() else { continue };
        let asked = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace \
             WHERE nspname OPERATOR(pg_catalog.~) $1) AS is_there";
        let row = session.query_one(asked, &[schema]).await?;
        if !session.column::<bool>(&row, "is_there")? {
            unmatched.push(pattern.clone());
        }
    }
    Ok(unmatched)
}

/// Those of the patterns that match no table, view, sequence or foreign table of the
/// snapshot's database; without a schema those count that the user's `search_path` finds.
///
/// # Errors
///
/// Likewise.
pub async fn unmatched_tables(
    snapshot: &ExportedSnapshot,
    patterns: &[String],
) -> Result<Vec<String>, QueryError> {
    let session = snapshot.connection();
    let mut unmatched = Vec::new();
    if patterns.is_empty() {
        return Ok(unmatched);
    }
    // As it is in pg_dump's session, and empty again for all that is asked in ours.
    session
        .batch(
            "SELECT pg_catalog.set_config('search_path', reset_val, true) \
             FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'search_path'",
        )
        .await?;
    for pattern in patterns {
        let parts = expressions(pattern);
        let Some((table, schema)) = parts.split_last() else {
            continue;
        };
        let asked = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,S,v,m,f}'::pg_catalog.\"char\"[]) \
             AND c.relname OPERATOR(pg_catalog.~) $1 \
             AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) \
             ELSE n.nspname OPERATOR(pg_catalog.~) $2 END) AS is_there";
        let row = session.query_one(asked, &[table, &schema.last()]).await?;
        if !session.column::<bool>(&row, "is_there")? {
            unmatched.push(pattern.clone());
        }
    }
    session
        .batch("SELECT pg_catalog.set_config('search_path', '', true)")
        .await?;
    Ok(unmatched)
}

/// The regular expression of each of a pattern's names, the last one's last.
fn expressions(pattern: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut is_quoted = false;
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' => is_quoted = !is_quoted,
            '*' if !is_quoted => part.push_str(".*"),
            '?' if !is_quoted => part.push('.'),
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            '$' => part.push_str("\\$"),
            c if is_quoted && "|*+?()[]{}.^\\".contains(c) => part.extend(['\\', c]),
            // Two behind one another are the type of an array.
            '[' if characters.peek() == Some(&']') => part.push_str("\\["),
            c if is_quoted => part.push(c),
            c => part.push(c.to_ascii_lowercase()),
        }
    }
    parts.push(part);
    let whole = parts.into_iter().map(|part| format!("^({part})$"));
    whole.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_pg_dump_reads_them() {
        for (pattern, expected) in [
            ("App", &["^(app)$"][..]),
            ("Ärger", &["^(Ärger)$"]),
            ("\"App\"", &["^(App)$"]),
            ("a*.b?", &["^(a.*)$", "^(b.)$"]),
            ("\"a.b\".c", &["^(a\\.b)$", "^(c)$"]),
            ("\"a\"\"b*\"", &["^(a\"b\\*)$"]),
            ("a$|[bc]d", &["^(a\\$|[bc]d)$"]),
        ] {
            assert_eq!(expressions(pattern), expected, "{pattern}");
        }
    }
}
