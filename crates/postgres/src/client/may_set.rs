//! Which settings of a database a session's role may not make.
//!
//! Invariant: asking changes nothing.
//!
//! Sources: `validate_option_array_item` in src/backend/utils/misc/guc.c, `AlterRoleSet` in
//! src/backend/commands/user.c.

use super::connection::Connection;
use super::query_error::QueryError;

/// Those of `names` that the session's role may not set, sorted: a superuser's, and such as
/// the server does not know, which may be an extension's.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn forbidden_settings(
    session: &Connection,
    names: &[&str],
) -> Result<Vec<String>, QueryError> {
    // Rights on single settings came with 15.
    let granted = match session.server_version().major() {
        ..15 => "false",
        _ => "pg_catalog.has_parameter_privilege(w.name, 'SET')",
    };
    // The view has neither of the two, nor what a superuser alone may see.
    let query = format!(
        "SELECT DISTINCT w.name FROM pg_catalog.unnest($1::text[]) AS w(name) \
         LEFT JOIN pg_catalog.pg_settings s ON lower(s.name) = lower(w.name) \
         WHERE pg_catalog.current_setting('is_superuser') <> 'on' \
         AND lower(w.name) NOT IN ('role', 'session_authorization') \
         AND (s.name IS NULL OR s.context LIKE 'superuser%') AND NOT {granted} ORDER BY 1"
    );
    let rows = session.query(&query, &[&names]).await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}

/// Those of `roles` for which the session's role may make no settings, sorted; such as do not
/// exist are none of them.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn roles_out_of_reach(
    session: &Connection,
    roles: &[&str],
) -> Result<Vec<String>, QueryError> {
    // Since 16 who may create roles changes those alone that are its own to give.
    let is_its_own = match session.server_version().major() {
        ..16 => "true",
        _ => "pg_catalog.pg_has_role(r.oid, 'USAGE WITH ADMIN OPTION')",
    };
    let query = format!(
        "SELECT r.rolname::text AS name FROM pg_catalog.pg_roles r, pg_catalog.pg_roles me \
         WHERE me.rolname = current_user AND NOT me.rolsuper AND r.rolname::text = ANY ($1) \
         AND (r.rolsuper OR r.oid <> me.oid AND NOT (me.rolcreaterole AND {is_its_own})) \
         ORDER BY 1"
    );
    let rows = session.query(&query, &[&roles]).await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}
