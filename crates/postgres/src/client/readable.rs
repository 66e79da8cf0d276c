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
    /// How many subscriptions: only a superuser dumps them.
    pub subscriptions: u64,
    /// How many user mappings of foreign servers whose options are not shown, or are none:
    /// the two cannot be told apart.
    pub user_mappings: u64,
}

impl Unreadable {
    /// Asks what the session's user could not dump of its database.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn look(session: &Connection) -> Result<Self, QueryError> {
        let (subscriptions, user_mappings) = of_superusers(session).await?;
        Ok(Self {
            subscriptions,
            user_mappings,
            relations: names(
                session,
                "c.relkind IN ('r', 'p', 'S') AND NOT \
                 (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind \
                 WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') \
                 ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)",
            )
            .await?,
            hidden_by_policies: hidden_by_policies(session).await?,
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

/// How many subscriptions and options of user mappings a dump by this session's user does
/// not have (`getSubscriptions` in src/bin/pg_dump/pg_dump.c; the view `pg_user_mappings`).
async fn of_superusers(session: &Connection) -> Result<(u64, u64), QueryError> {
    let query = "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_subscription \
         WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database \
         WHERE datname = pg_catalog.current_database()) AND NOT is_superuser) AS subscriptions, \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_user_mappings \
         WHERE umoptions IS NULL AND NOT is_superuser) AS user_mappings \
         FROM (SELECT pg_catalog.current_setting('is_superuser') = 'on' AS is_superuser) s";
    let row = session.query_one(query, &[]).await?;
    let subscriptions: i64 = session.column(&row, "subscriptions")?;
    let user_mappings: i64 = session.column(&row, "user_mappings")?;
    Ok((subscriptions.unsigned_abs(), user_mappings.unsigned_abs()))
}

/// How many user mappings of foreign servers a dump by the session's user may have without
/// their options.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn hidden_user_mappings(session: &Connection) -> Result<u64, QueryError> {
    Ok(of_superusers(session).await?.1)
}

/// Unlogged tables, as SQL writes their names, the first hundred: a standby has none of
/// their rows.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn unlogged_tables(session: &Connection) -> Result<Vec<String>, QueryError> {
    names(session, "c.relkind = 'r' AND c.relpersistence = 'u'").await
}

/// Tables of which a policy may hide rows from the session's user, as SQL writes their names;
/// the first hundred.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn hidden_by_policies(session: &Connection) -> Result<Vec<String>, QueryError> {
    names(
        session,
        "c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)",
    )
    .await
}

/// Materialized views that a restore cannot fill, each with a table that it reads, as SQL
/// writes their names, the first hundred: the policies of that table hold for the view's owner
/// too, and `pg_restore` has them refused (`row_security = off`) where it has that owner fill
/// the view. The view's owner there is taken for what it is here.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn views_that_policies_keep_empty(
    session: &Connection,
) -> Result<Vec<(String, String)>, QueryError> {
    let reads = "JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid \
         JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
         AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND d.refobjid <> c.oid";
    // What a view reads it reads as its own owner.
    let query = format!(
        "WITH RECURSIVE reads(view, role, relation) AS (\
           SELECT c.oid, c.relowner, d.refobjid FROM pg_catalog.pg_class c {reads} \
           WHERE c.relkind = 'm' AND c.relispopulated \
         UNION \
           SELECT r.view, c.relowner, d.refobjid FROM reads r \
           JOIN pg_catalog.pg_class c ON c.oid = r.relation AND c.relkind = 'v' {reads}) \
         SELECT pg_catalog.format('%I.%I', vn.nspname, v.relname) AS view, \
         min(pg_catalog.format('%I.%I', tn.nspname, t.relname)) AS table \
         FROM reads r JOIN pg_catalog.pg_class v ON v.oid = r.view \
         JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace \
         JOIN pg_catalog.pg_class t ON t.oid = r.relation AND t.relkind IN ('r', 'p') \
         JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
         JOIN pg_catalog.pg_roles o ON o.oid = r.role \
         WHERE t.relrowsecurity AND NOT o.rolsuper AND NOT o.rolbypassrls \
         AND (t.relforcerowsecurity OR NOT pg_catalog.pg_has_role(r.role, t.relowner, 'USAGE')) \
         GROUP BY 1 ORDER BY 1 LIMIT {TOLD}"
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter()
        .map(|row| Ok((session.column(row, "view")?, session.column(row, "table")?)))
        .collect()
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
