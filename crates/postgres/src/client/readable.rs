//! What of a database the session's user could not dump.
//!
//! Invariant: every table, sequence and large object that `pg_dump` would read is
//! looked at; that one cannot be read is found out without reading it.

use super::connection::Connection;
use super::contents::OWN;
use super::query_error::QueryError;

/// So many names are told.
const TOLD: i64 = 100;

/// What could not be dumped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// Tables and sequences without the right to read them, as SQL writes their names;
    /// the first hundred.
    pub relations: Vec<String>,
    /// Tables of which a policy would hide rows; the first hundred.
    pub hidden_by_policies: Vec<String>,
    /// How many large objects without the right to read them.
    pub large_objects: u64,
}

impl Unreadable {
    /// Asks what the session's user could not dump of its database.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn look(session: &Connection) -> Result<Self, QueryError> {
        Ok(Self {
            relations: names(
                session,
                "c.relkind IN ('r', 'p', 'S') AND NOT \
                 (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind \
                 WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') \
                 ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)",
            )
            .await?,
            hidden_by_policies: names(
                session,
                "c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)",
            )
            .await?,
            large_objects: large_objects(session).await?,
        })
    }

    /// Whether all can be dumped.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

async fn names(session: &Connection, condition: &str) -> Result<Vec<String>, QueryError> {
    let query = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {OWN} AND {condition} ORDER BY 1 LIMIT {TOLD}"
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}

/// By the access list: there is no function for that before 18.
async fn large_objects(session: &Connection) -> Result<u64, QueryError> {
    let row = session
        .query_one(
            "SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_largeobject_metadata m \
             WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') \
             AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a \
             WHERE a.privilege_type = 'SELECT' \
             AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))",
            &[],
        )
        .await?;
    let count: i64 = session.column(&row, "count")?;
    Ok(count.unsigned_abs())
}
