//! What a server has of what a database needs.
//!
//! Invariant: asking changes nothing.

use super::connection::Connection;
use super::query_error::QueryError;

/// Roles of Amazon RDS, Google Cloud SQL and AlloyDB, Azure, Neon and Supabase, whose members
/// create what takes a superuser elsewhere.
const HOSTERS_ROLES: [&str; 6] = [
    "rds_superuser",
    "cloudsqlsuperuser",
    "alloydbsuperuser",
    "azure_pg_admin",
    "neon_superuser",
    "supabase_privileged_role",
];

/// What the session's role may do on its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The role.
    pub role: String,
    /// Everything.
    pub superuser: bool,
    /// Create databases.
    pub create_databases: bool,
    /// Create roles.
    pub create_roles: bool,
}

/// An extension that a server can create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailableExtension {
    /// Its name.
    pub name: String,
    /// The version that is created where none is asked for.
    pub version: String,
    /// Whether none but a superuser creates that.
    pub is_superusers: bool,
}

impl Rights {
    /// Reads what the session's role may do.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn read(session: &Connection) -> Result<Self, QueryError> {
        let row = session
            .query_one(
                "SELECT rolname::text AS role, rolsuper AS superuser, \
                 rolcreatedb AS databases, rolcreaterole AS roles \
                 FROM pg_catalog.pg_roles WHERE rolname = current_user",
                &[],
            )
            .await?;
        let superuser = session.column(&row, "superuser")?;
        Ok(Self {
            role: session.column(&row, "role")?,
            superuser,
            create_databases: superuser || session.column(&row, "databases")?,
            create_roles: superuser || session.column(&row, "roles")?,
        })
    }
}

/// Whether the session's role may make something that belongs to `owner`; not where
/// there is no such role.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn may_give_to(session: &Connection, owner: &str) -> Result<bool, QueryError> {
    // Since 16 a member may be one without the right to be the role.
    let right = match session.server_version().major() {
        ..16 => "MEMBER",
        _ => "SET",
    };
    has_role(session, owner, right).await
}

/// Whether the session's role has the rights of `owner` without being it first, as what
/// belongs to that role is renamed, altered and dropped by; not where there is no such role.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn acts_as(session: &Connection, owner: &str) -> Result<bool, QueryError> {
    has_role(session, owner, "USAGE").await
}

async fn has_role(session: &Connection, role: &str, right: &str) -> Result<bool, QueryError> {
    let rows = session
        .query(
            "SELECT pg_catalog.pg_has_role(oid, $2) AS may FROM pg_catalog.pg_roles \
             WHERE rolname::text = $1",
            &[&role, &right],
        )
        .await?;
    rows.first()
        .map_or(Ok(false), |row| session.column(row, "may"))
}

/// Those of `roles` that `member` is in without having their rights (NOINHERIT), sorted.
/// PostgreSQL's own own nothing.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn roles_not_inherited(
    session: &Connection,
    member: &str,
    roles: &[&str],
) -> Result<Vec<String>, QueryError> {
    let rows = session
        .query(
            "SELECT r.rolname::text AS name FROM pg_catalog.pg_roles r \
             WHERE r.rolname::text = ANY ($2) AND r.rolname !~ '^pg_' \
             AND pg_catalog.pg_has_role($1::text, r.oid, 'MEMBER') \
             AND NOT pg_catalog.pg_has_role($1::text, r.oid, 'USAGE') ORDER BY 1",
            &[&member, &roles],
        )
        .await?;
    rows.iter().map(|row| session.column(row, "name")).collect()
}

/// Whether the session's role, which may create roles and is no superuser, has the rights of
/// those that it creates and can be them.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn is_in_roles_that_it_makes(session: &Connection) -> Result<bool, QueryError> {
    // Since 16 (`createrole_self_grant`).
    let query = "SELECT coalesce(\
         pg_catalog.string_to_array(pg_catalog.replace(pg_catalog.lower(\
         pg_catalog.current_setting('createrole_self_grant', true)), ' ', ''), ',') \
         @> '{set,inherit}', false) AS is_in";
    let row = session.query_one(query, &[]).await?;
    session.column(&row, "is_in")
}

/// The role that a database belongs to; none where there is no such database.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn owner_of(session: &Connection, name: &str) -> Result<Option<String>, QueryError> {
    let rows = session
        .query(
            "SELECT pg_catalog.pg_get_userbyid(datdba)::text AS owner \
             FROM pg_catalog.pg_database WHERE datname::text = $1",
            &[&name],
        )
        .await?;
    rows.first()
        .map(|row| session.column(row, "owner"))
        .transpose()
}

/// Whether there is a tablespace of that name.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn tablespace_exists(session: &Connection, name: &str) -> Result<bool, QueryError> {
    let rows = session
        .query(
            "SELECT FROM pg_catalog.pg_tablespace WHERE spcname::text = $1",
            &[&name],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Whether the server's machine has this directory, as far as the session's role, a
/// superuser, is let see it.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn has_directory(session: &Connection, path: &str) -> Result<bool, QueryError> {
    let row = session
        .query_one(
            "SELECT COALESCE((pg_catalog.pg_stat_file($1, true)).isdir, false) AS is_there",
            &[&path],
        )
        .await?;
    session.column(&row, "is_there")
}

/// Those of `names` that no role has, sorted.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn unknown_roles(
    session: &Connection,
    names: &[&str],
) -> Result<Vec<String>, QueryError> {
    let rows = session
        .query(
            "SELECT DISTINCT w.role FROM pg_catalog.unnest($1::text[]) AS w(role) \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname::text = w.role) \
             ORDER BY 1",
            &[&names],
        )
        .await?;
    rows.iter().map(|row| session.column(row, "role")).collect()
}

/// The extensions that can be created.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn available_extensions(
    session: &Connection,
) -> Result<Vec<AvailableExtension>, QueryError> {
    let rows = session
        .query(
            "SELECT e.name::text AS name, coalesce(e.default_version, '') AS version, \
             coalesce(v.superuser AND NOT v.trusted, false) AS is_superusers \
             FROM pg_catalog.pg_available_extensions e \
             LEFT JOIN pg_catalog.pg_available_extension_versions v \
             ON v.name = e.name AND v.version = e.default_version",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AvailableExtension {
                name: session.column(row, "name")?,
                version: session.column(row, "version")?,
                is_superusers: session.column(row, "is_superusers")?,
            })
        })
        .collect()
}

/// Those of `names` that are no tablespaces, and those in which a role may put nothing.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn unfit_tablespaces(
    session: &Connection,
    role: &str,
    names: &[&str],
) -> Result<[Vec<String>; 2], QueryError> {
    let rows = session
        .query(
            "SELECT DISTINCT w.name, t.oid IS NULL AS is_missing \
             FROM pg_catalog.unnest($1::text[]) AS w(name) \
             LEFT JOIN pg_catalog.pg_tablespace t ON t.spcname::text = w.name \
             WHERE t.oid IS NULL \
             OR NOT pg_catalog.has_tablespace_privilege($2::text, t.oid, 'CREATE') ORDER BY 1",
            &[&names, &role],
        )
        .await?;
    let [mut missing, mut forbidden] = [Vec::new(), Vec::new()];
    for row in &rows {
        let list = match session.column(row, "is_missing")? {
            true => &mut missing,
            false => &mut forbidden,
        };
        list.push(session.column(row, "name")?);
    }
    Ok([missing, forbidden])
}

/// The role of a hoster's that lets `role` do some of what superusers do; none where that is
/// no member of one.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn hosters_role(session: &Connection, role: &str) -> Result<Option<String>, QueryError> {
    let rows = session
        .query(
            "SELECT rolname::text AS name FROM pg_catalog.pg_roles \
             WHERE rolname::text = ANY ($1) AND pg_catalog.pg_has_role($2::text, oid, 'MEMBER') \
             ORDER BY 1 LIMIT 1",
            &[&HOSTERS_ROLES.as_slice(), &role],
        )
        .await?;
    rows.first()
        .map(|row| session.column(row, "name"))
        .transpose()
}

/// Whether the server's operating system knows a locale of the C library.
///
/// # Errors
///
/// Where the server refuses the question or is gone.
pub async fn knows_locale(session: &Connection, name: &str) -> Result<bool, QueryError> {
    // Only a locale that can be set is taken (check_locale in
    // src/backend/utils/adt/pg_locale.c).
    let asked = session
        .query(
            "SELECT pg_catalog.set_config('lc_monetary', $1, true)",
            &[&name],
        )
        .await;
    match asked {
        Ok(_) => Ok(true),
        Err(error) if error.sqlstate() == Some("22023") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the server was built with ICU.
///
/// # Errors
///
/// Where the server refuses or is gone.
pub async fn has_icu(session: &Connection) -> Result<bool, QueryError> {
    let rows = session
        .query(
            // From 16 on one is in every catalog, and has no version where there is no ICU
            // (`unicode` in src/include/catalog/pg_collation.dat).
            "SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i' \
             AND pg_catalog.pg_collation_actual_version(oid) IS NOT NULL LIMIT 1",
            &[],
        )
        .await?;
    Ok(!rows.is_empty())
}
