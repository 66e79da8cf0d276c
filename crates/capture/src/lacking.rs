//! What a dump will lack, of which `pg_dump` says nothing.
//!
//! Invariant: looking reads no table.

use pgkeep_format::records::Selection;
use pgkeep_postgres::client::{
    ExportedSnapshot, QueryError, has_large_objects, hidden_by_policies, hidden_user_mappings,
    unlogged_tables, views_that_policies_keep_empty,
};
use pgkeep_types::counted;

/// Says that a materialized view cannot be filled by a restore as it is.
#[must_use]
pub fn kept_empty(database: &str, view: &str, table: &str) -> String {
    format!(
        "materialized view {view} of database {database:?} reads {table}, whose policies hold for \
         the view's owner too: a restore cannot fill it but with --no-owner, by a superuser or a \
         role with BYPASSRLS"
    )
}

/// Tells what a dump of `selection` of the snapshot's database will lack.
pub(crate) async fn tell(
    snapshot: &ExportedSnapshot,
    selection: &Selection,
    warn: &(dyn Fn(&str) + Sync),
) -> Result<(), QueryError> {
    let session = snapshot.connection();
    let database = session.database();
    if selection.loses_large_objects() && has_large_objects(snapshot).await? {
        warn(&format!(
            "database {database:?} has large objects, and the dump of what was chosen has none of \
             them; --large-objects among the arguments takes them along"
        ));
    }
    if selection.reads_what_policies_show()
        && let tables = hidden_by_policies(session).await?
        && let Some((first, more)) = tables.split_first()
    {
        let others = match more {
            [] => String::new(),
            more => format!(" and {}", more.join(", ")),
        };
        warn(&format!(
            "database {database:?}: policies may hide rows of {first}{others}, and \
             --enable-row-security has the backup made WITHOUT them; leave it out, or give the \
             role BYPASSRLS"
        ));
    }
    if let count @ 1.. = hidden_user_mappings(session).await? {
        warn(&format!(
            "database {database:?} has {} whose options, such as passwords, this role is not \
             shown, if they have any: the backup is without them",
            counted(count, "user mapping")
        ));
    }
    for (view, table) in views_that_policies_keep_empty(session).await? {
        warn(&kept_empty(database, &view, &table));
    }
    if session.is_in_recovery()
        && let tables = unlogged_tables(session).await?
        && let Some(first) = tables.first()
    {
        warn(&format!(
            "database {database:?} has {} ({first} …), of which a standby has no rows: the backup \
             is without them; back the primary up to have them",
            counted(tables.len(), "unlogged table")
        ));
    }
    Ok(())
}
