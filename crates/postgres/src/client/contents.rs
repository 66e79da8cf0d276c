//! What a database holds: its tables, sequences and views, and how many rows a table has.
//!
//! Invariant: what belongs to an extension is left out: the extension makes it
//! again, and a dump has no more of it than what was added.

use super::connection::Connection;
use super::query_error::QueryError;
use super::quote::identifier;
use super::snapshot::ExportedSnapshot;

/// An ordinary table, partitions included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its object identifier in this database.
    pub oid: u32,
}

/// A sequence, those of identity columns included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// By how much it goes on; negative where it descends.
    pub increment: i64,
    /// Whether it begins again behind its end.
    pub cycles: bool,
    /// The last value that was drawn; `None` where none was, or where the user may
    /// not see it. Sequences follow no snapshot: this is as of when it was read.
    pub last_value: Option<i64>,
}

/// The tables and sequences of a database, in the order of schema and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its ordinary tables.
    pub tables: Vec<Table>,
    /// Its sequences.
    pub sequences: Vec<Sequence>,
}

/// What is read like a table and has no rows that a dump would have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Whether it can be read; not a materialized view that was never filled.
    pub is_filled: bool,
}

/// A kind of such (`relkind` in `pg_class`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelationKind {
    /// A partitioned table: its rows are those of its partitions.
    PartitionedTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
}

impl RelationKind {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PartitionedTable => "partitioned table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
        }
    }
}

/// What of `pg_class` is somebody's own: nothing of PostgreSQL's, of another
/// session's, of an extension's.
pub(super) const OWN: &str = "c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
     AND n.nspname <> 'information_schema' AND NOT EXISTS \
     (SELECT FROM pg_catalog.pg_depend e \
     WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
     AND e.objid = c.oid AND e.deptype = 'e')";

impl Contents {
    /// Reads what the snapshot's database holds.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn read(snapshot: &ExportedSnapshot) -> Result<Self, QueryError> {
        let session = snapshot.connection();
        Ok(Self {
            tables: tables(session).await?,
            sequences: sequences(session).await?,
        })
    }
}

/// Partitioned tables, views and foreign tables of the snapshot's database, by schema and
/// name.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn relations(snapshot: &ExportedSnapshot) -> Result<Vec<Relation>, QueryError> {
    let session = snapshot.connection();
    let query = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name, \
         c.relkind::text AS kind, c.relispopulated AS is_filled \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('p', 'v', 'm', 'f') AND {OWN} \
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter()
        .map(|row| {
            let kind: String = session.column(row, "kind")?;
            Ok(Relation {
                schema: session.column(row, "schema")?,
                name: session.column(row, "name")?,
                kind: match kind.as_str() {
                    "p" => RelationKind::PartitionedTable,
                    "v" => RelationKind::View,
                    "m" => RelationKind::MaterializedView,
                    _ => RelationKind::ForeignTable,
                },
                is_filled: session.column(row, "is_filled")?,
            })
        })
        .collect()
}

/// The partitions that hold rows in the snapshot's database: schema and name of each, and
/// of the partitioned table that is at the root of its tree.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn partition_roots(
    snapshot: &ExportedSnapshot,
) -> Result<Vec<[(String, String); 2]>, QueryError> {
    let session = snapshot.connection();
    let query = "SELECT n.nspname::text AS schema, c.relname::text AS name, \
         s.nspname::text AS root_schema, r.relname::text AS root \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(c.oid) \
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace \
         WHERE c.relispartition AND c.relkind IN ('r', 'f')";
    let rows = session.query(query, &[]).await?;
    let name = |row, [schema, name]: [&str; 2]| {
        Ok((session.column(row, schema)?, session.column(row, name)?))
    };
    rows.iter()
        .map(|row| {
            Ok([
                name(row, ["schema", "name"])?,
                name(row, ["root_schema", "root"])?,
            ])
        })
        .collect()
}

async fn tables(session: &Connection) -> Result<Vec<Table>, QueryError> {
    let query = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name, c.oid \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND {OWN} \
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Table {
                schema: session.column(row, "schema")?,
                name: session.column(row, "name")?,
                oid: session.column(row, "oid")?,
            })
        })
        .collect()
}

/// The value of an unlogged sequence cannot be asked for on a standby, nor that of
/// one that the user may not see (`pg_sequence_last_value` in
/// src/backend/commands/sequence.c).
async fn sequences(session: &Connection) -> Result<Vec<Sequence>, QueryError> {
    let query = format!(
        "SELECT n.nspname::text AS schema, c.relname::text AS name, \
         s.seqincrement AS increment, s.seqcycle AS cycles, \
         CASE WHEN c.relpersistence = 'p' \
         AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT,USAGE') \
         THEN pg_catalog.pg_sequence_last_value(c.oid) END AS last_value \
         FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {OWN} \
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Sequence {
                schema: session.column(row, "schema")?,
                name: session.column(row, "name")?,
                increment: session.column(row, "increment")?,
                cycles: session.column(row, "cycles")?,
                last_value: session.column(row, "last_value")?,
            })
        })
        .collect()
}

/// Whether the database has large objects.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn has_large_objects(snapshot: &ExportedSnapshot) -> Result<bool, QueryError> {
    let session = snapshot.connection();
    let asked = "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) AS has";
    let row = session.query_one(asked, &[]).await?;
    session.column(&row, "has")
}

/// From now on the session fails where a policy would hide rows from it.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn see_all_rows(session: &Connection) -> Result<(), QueryError> {
    session.batch("SET row_security = off").await
}

/// How many rows a table has, those of its children not counted: all of them are
/// looked at.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn count_rows(session: &Connection, schema: &str, name: &str) -> Result<u64, QueryError> {
    let query = format!(
        "SELECT pg_catalog.count(*) AS rows FROM ONLY {}.{}",
        identifier(schema),
        identifier(name)
    );
    let row = session.query_one(&query, &[]).await?;
    let rows: i64 = session.column(&row, "rows")?;
    Ok(rows.unsigned_abs())
}
