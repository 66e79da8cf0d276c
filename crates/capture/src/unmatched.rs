//! What of a database is chosen and is not in it.
//!
//! Invariant: where `pg_dump` would fail for want of anything that was chosen, that is known
//! before it is started.

use std::fmt;

use pgkeep_format::records::Selection;
use pgkeep_postgres::client::{
    ExportedSnapshot, QueryError, similar_schema, similar_table, unmatched_schemas,
    unmatched_tables,
};

/// A pattern that chooses schemas or tables, and of which a database has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    kind: &'static str,
    pattern: String,
    /// The name that may be meant.
    similar: Option<String>,
}

/// What a database lacks of what is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    /// The patterns of which it has nothing.
    pub unmatched: Vec<Unmatched>,
    /// Whether those are all of a kind: then there is nothing to dump, and `pg_dump` fails
    /// (`expand_schema_name_patterns` in src/bin/pg_dump/pg_dump.c).
    pub is_nothing: bool,
}

impl Lacking {
    /// Holds what is chosen against the snapshot's database.
    ///
    /// # Errors
    /// Where the server refuses, as it does where a pattern is no regular expression, or is
    /// gone.
    pub async fn look(
        snapshot: &ExportedSnapshot,
        selection: &Selection,
    ) -> Result<Self, QueryError> {
        let session = snapshot.connection();
        let mut found = Self::default();
        let schemas = unmatched_schemas(snapshot, &selection.schemas).await?;
        let tables = unmatched_tables(snapshot, &selection.tables).await?;
        for (kind, chosen, unmatched) in [
            ("schema", &selection.schemas, schemas),
            ("table", &selection.tables, tables),
        ] {
            found.is_nothing |= !chosen.is_empty() && unmatched.len() == chosen.len();
            for pattern in unmatched {
                let similar = match kind {
                    "schema" => similar_schema(session, &pattern).await?,
                    _ => similar_table(session, &pattern).await?,
                };
                found.unmatched.push(Unmatched {
                    kind,
                    pattern,
                    similar,
                });
            }
        }
        Ok(found)
    }
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            pattern,
            similar,
        } = self;
        write!(f, "{kind} {pattern:?}, which '{kind}s' chooses")?;
        if *kind == "table" && !pattern.contains('.') {
            write!(f, " and which was looked for along the role's search_path")?;
        }
        match similar {
            Some(similar) => write!(f, " (there is {similar})"),
            None => Ok(()),
        }
    }
}
