//! How many things of each kind a database holds beside its tables and sequences.
//!
//! Invariants: of each kind only what a dump has and what restoring it makes again, also
//! on a newer server: nothing of PostgreSQL's, of an extension's or of another session's,
//! and nothing that comes along with something else (a range's functions, a partition's
//! clones of its parent's constraints and triggers, what 18 records of NOT NULL).
//!
//! Source: the `get…` functions of src/bin/pg_dump/pg_dump.c.

use std::collections::BTreeMap;

use super::connection::Connection;
use super::contents::OWN;
use super::query_error::QueryError;

/// How many of each kind: the plural of its name in SQL, such as `event triggers`.
pub type Counts = BTreeMap<String, u64>;

/// What subscriptions are called in [`Counts`].
pub const SUBSCRIPTIONS: &str = "subscriptions";

/// What event triggers are called in [`Counts`].
pub const EVENT_TRIGGERS: &str = "event triggers";

/// Relations by `relkind`.
const RELATIONS: [(&str, char); 4] = [
    ("partitioned tables", 'p'),
    ("views", 'v'),
    ("materialized views", 'm'),
    ("foreign tables", 'f'),
];

/// Constraints of tables by `contype`.
const CONSTRAINTS: [(&str, char); 5] = [
    ("check constraints", 'c'),
    ("foreign keys", 'f'),
    ("primary keys", 'p'),
    ("unique constraints", 'u'),
    ("exclusion constraints", 'x'),
];

/// What has a schema of its own: catalog, the schema's column, and what else is asked.
const IN_SCHEMAS: [(&str, &str, &str, &str); 9] = [
    // Constructors of ranges belong to them.
    ("functions", "pg_proc", "pronamespace", NOT_INTERNAL),
    (
        "types",
        "pg_type",
        "typnamespace",
        "o.typtype IN ('b', 'd', 'e', 'p', 'r') AND NOT EXISTS \
         (SELECT FROM pg_catalog.pg_type t WHERE t.typarray = o.oid) \
         OR o.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c \
         WHERE c.oid = o.typrelid AND c.relkind = 'c')",
    ),
    // One that was only named as another's commutator is none yet.
    ("operators", "pg_operator", "oprnamespace", "o.oprcode <> 0"),
    ("operator classes", "pg_opclass", "opcnamespace", "true"),
    ("collations", "pg_collation", "collnamespace", "true"),
    ("conversions", "pg_conversion", "connamespace", "true"),
    (
        "text search configurations",
        "pg_ts_config",
        "cfgnamespace",
        "true",
    ),
    (
        "text search dictionaries",
        "pg_ts_dict",
        "dictnamespace",
        "true",
    ),
    (
        "extended statistics",
        "pg_statistic_ext",
        "stxnamespace",
        "true",
    ),
];

/// What is in no schema.
const IN_NONE: [(&str, &str); 5] = [
    ("casts", "pg_cast"),
    ("foreign-data wrappers", "pg_foreign_data_wrapper"),
    ("foreign servers", "pg_foreign_server"),
    ("publications", "pg_publication"),
    (EVENT_TRIGGERS, "pg_event_trigger"),
];

/// What depends internally on something comes and goes with it.
const NOT_INTERNAL: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend i \
     WHERE i.classid = o.tableoid AND i.objid = o.oid AND i.deptype = 'i')";

/// Not a member of an extension.
const NO_MEMBER: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
     WHERE e.classid = o.tableoid AND e.objid = o.oid AND e.deptype = 'e')";

/// Counts what the session's database holds.
pub(super) async fn counts(session: &Connection) -> Result<Counts, QueryError> {
    let rows = session.query(&query(), &[]).await?;
    let counted = rows.iter().map(|row| {
        let count: i64 = session.column(row, "count")?;
        Ok((session.column(row, "kind")?, count.unsigned_abs()))
    });
    counted.collect()
}

/// How many of what was counted a dump by the session's user does not have: only a superuser dumps subscriptions (`getSubscriptions` in src/bin/pg_dump/pg_dump.c).
pub(super) async fn not_dumped(
    session: &Connection,
    objects: &Counts,
) -> Result<Counts, QueryError> {
    let asked = "SELECT pg_catalog.current_setting('is_superuser') = 'on' AS is_superuser";
    let row = session.query_one(asked, &[]).await?;
    let mut hidden = Counts::new();
    if let Some((kind, count @ 1..)) = objects.get_key_value(SUBSCRIPTIONS)
        && !session.column::<bool>(&row, "is_superuser")?
    {
        hidden.insert(kind.clone(), *count);
    }
    Ok(hidden)
}

/// The schemas that are somebody's own, by name.
pub(super) async fn schemas(session: &Connection) -> Result<Vec<String>, QueryError> {
    let query = format!(
        "SELECT o.nspname::text AS name FROM pg_catalog.pg_namespace o \
         WHERE {} AND {NO_MEMBER} ORDER BY o.nspname COLLATE \"C\"",
        own_schema("o")
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}

/// The tablespaces in which the session's database has something of its own beside its
/// default one, by name.
pub(super) async fn tablespaces(session: &Connection) -> Result<Vec<String>, QueryError> {
    let query = format!(
        "SELECT DISTINCT t.spcname::text AS name FROM pg_catalog.pg_class x \
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid \
         JOIN pg_catalog.pg_class c ON c.oid = COALESCE(i.indrelid, x.oid) \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_tablespace t ON t.oid = x.reltablespace WHERE {OWN} ORDER BY 1"
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}

fn own_schema(alias: &str) -> String {
    format!("{alias}.nspname !~ '^pg_' AND {alias}.nspname <> 'information_schema'")
}

/// One row a kind.
fn query() -> String {
    let schema = own_schema("n");
    // Of relations that are somebody's own.
    let of_relations = |from: &str, relation: &str, condition: &str| {
        format!(
            "{from} JOIN pg_catalog.pg_class c ON c.oid = {relation} \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {OWN} AND {condition}"
        )
    };
    let mut kinds: Vec<(&str, String)> = Vec::new();
    for (kind, relkind) in RELATIONS {
        let of = format!(
            "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {OWN} AND c.relkind = '{relkind}'"
        );
        kinds.push((kind, of));
    }
    // One that could not be built is not dumped; of a partitioned table it has no content.
    let index = of_relations(
        "pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid",
        "i.indrelid",
        "(i.indisvalid OR x.relkind = 'I')",
    );
    kinds.push(("indexes", index));
    let attributes = of_relations(
        "pg_catalog.pg_attribute a",
        "a.attrelid",
        "c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped",
    );
    kinds.push(("columns", attributes));
    for (kind, contype) in CONSTRAINTS {
        let own = format!("o.contype = '{contype}' AND o.conparentid = 0");
        let of = of_relations("pg_catalog.pg_constraint o", "o.conrelid", &own);
        kinds.push((kind, of));
    }
    let of_domains = format!(
        "pg_catalog.pg_constraint k JOIN pg_catalog.pg_type o ON o.oid = k.contypid \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.typnamespace \
         WHERE k.contype = 'c' AND {schema} AND {NO_MEMBER}"
    );
    kinds.push(("constraints of domains", of_domains));
    let own = "NOT o.tgisinternal AND o.tgparentid = 0";
    kinds.push((
        "triggers",
        of_relations("pg_catalog.pg_trigger o", "o.tgrelid", own),
    ));
    let own = "o.rulename <> '_RETURN'";
    kinds.push((
        "rules",
        of_relations("pg_catalog.pg_rewrite o", "o.ev_class", own),
    ));
    kinds.push((
        "policies",
        of_relations("pg_catalog.pg_policy o", "o.polrelid", "true"),
    ));
    for (kind, catalog, column, condition) in IN_SCHEMAS {
        let of = format!(
            "pg_catalog.{catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.{column} \
             WHERE {schema} AND {NO_MEMBER} AND ({condition})"
        );
        kinds.push((kind, of));
    }
    for (kind, catalog) in IN_NONE {
        // Below are those that PostgreSQL itself is made with (FirstNormalObjectId in
        // src/include/access/transam.h).
        let of = format!(
            "pg_catalog.{catalog} o WHERE o.oid >= 16384 AND {NO_MEMBER} AND {NOT_INTERNAL}"
        );
        kinds.push((kind, of));
    }
    let mappings = format!(
        "pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server o ON o.oid = m.srvid \
         WHERE {NO_MEMBER}"
    );
    kinds.push(("user mappings", mappings));
    let subscriptions = "pg_catalog.pg_subscription WHERE subdbid = (SELECT oid \
         FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";
    kinds.push((SUBSCRIPTIONS, subscriptions.to_owned()));
    kinds.push((
        "large objects",
        "pg_catalog.pg_largeobject_metadata".to_owned(),
    ));
    let each = kinds.iter().map(|(kind, of)| {
        format!("SELECT '{kind}' AS kind, pg_catalog.count(*) AS count FROM {of}")
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}
