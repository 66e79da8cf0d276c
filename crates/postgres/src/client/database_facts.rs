//! What a database is beside its contents.
//!
//! These are the facts that `pg_dump -C` writes and `pg_restore` without `-C`
//! loses (`dumpDatabase` in src/bin/pg_dump/pg_dump.c), and those by which a
//! restore is compared with its source.
//!
//! Invariant: everything is read inside one snapshot, with no more rights than
//! a connection to the database needs.

use pgkeep_types::SystemId;

use super::connection::Connection;
use super::locale::{Locale, LocaleProvider};
use super::objects::{self, Counts};
use super::query_error::QueryError;
use super::snapshot::ExportedSnapshot;
use super::version::ServerVersion;

/// A database's properties.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseFacts {
    /// Its name.
    pub name: String,
    /// The role that owns it.
    pub owner: String,
    /// Its encoding, as PostgreSQL spells it: `UTF8`.
    pub encoding: String,
    /// How it sorts and what it takes for letters.
    pub locale: Locale,
    /// Its default tablespace.
    pub tablespace: String,
    /// How many sessions it takes; -1 for no limit.
    pub connection_limit: i32,
    /// Whether anybody who may create databases may copy it.
    pub is_template: bool,
    /// Whether it takes sessions at all.
    pub allow_connections: bool,
    /// Its comment.
    pub comment: Option<String>,
    /// Its security labels.
    pub security_labels: Vec<SecurityLabel>,
    /// Who may do what with it, in the order of its access list; `None` where
    /// the defaults were never touched.
    pub privileges: Option<Vec<Privilege>>,
    /// Settings for everybody in it, and for single roles in it.
    pub settings: Vec<Setting>,
    /// The roles that its objects belong to or that have rights on them,
    /// sorted: a restore needs them.
    pub roles: Vec<String>,
    /// Its extensions, by name.
    pub extensions: Vec<Extension>,
    /// Its schemas, by name, those of extensions left out; `None` where that is not known.
    pub schemas: Option<Vec<String>>,
    /// The tablespaces beside its default one in which it has tables, indexes or materialized
    /// views; `None` where that is not known.
    pub tablespaces: Option<Vec<String>>,
    /// How many things of each kind it has; a kind of which that is not known is not there.
    pub objects: Counts,
    /// How many of them the user's dump does not have, which may not read them.
    pub not_dumped: Counts,
    /// How many ordinary tables it has, partitions included, partitioned
    /// parents and PostgreSQL's own not.
    pub tables: u64,
    /// The size of its files on the server, in bytes.
    pub size_bytes: u64,
    /// The server that it was read from.
    pub server_version: ServerVersion,
    /// The cluster's identity; `None` where the server does not tell it to this
    /// user.
    pub system_id: Option<SystemId>,
}

/// One label of one provider.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityLabel {
    /// The label's provider.
    pub provider: String,
    /// The label.
    pub label: String,
}

/// One right that one role gave to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Privilege {
    /// Who gave it.
    pub grantor: String,
    /// Who has it; `None` for PUBLIC.
    pub grantee: Option<String>,
    /// `CREATE`, `CONNECT` or `TEMPORARY`.
    pub privilege: String,
    /// Whether it may be handed on.
    pub grantable: bool,
}

/// One setting that sessions in the database start with.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The only role that it is for; `None` for all.
    pub role: Option<String>,
    /// The setting's name.
    pub name: String,
    /// Its value, as `pg_db_role_setting` holds it.
    pub value: String,
}

/// An extension that is created in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The schema of its objects.
    pub schema: String,
}

impl DatabaseFacts {
    /// Reads the facts of the snapshot's database.
    ///
    /// # Errors
    ///
    /// Where the server refuses or is gone.
    pub async fn read(snapshot: &ExportedSnapshot) -> Result<Self, QueryError> {
        let session = snapshot.connection();
        let row = session
            .query_one(&database_query(session.server_version()), &[])
            .await?;
        let size: i64 = session.column(&row, "size")?;
        let tables: i64 = session.column(&row, "tables")?;
        let provider: String = session.column(&row, "provider")?;
        let locale = Locale {
            provider: match provider.as_str() {
                "i" => LocaleProvider::Icu,
                "b" => LocaleProvider::Builtin,
                _ => LocaleProvider::Libc,
            },
            collate: session.column(&row, "collate")?,
            ctype: session.column(&row, "ctype")?,
            locale: session.column(&row, "locale")?,
            icu_rules: session.column(&row, "icu_rules")?,
            collation_version: session.column(&row, "collation_version")?,
        };
        let privileges = if session.column(&row, "has_privileges")? {
            Some(privileges(session).await?)
        } else {
            None
        };
        let objects = objects::counts(session).await?;
        Ok(Self {
            name: session.column(&row, "name")?,
            owner: session.column(&row, "owner")?,
            encoding: session.column(&row, "encoding")?,
            locale,
            tablespace: session.column(&row, "tablespace")?,
            connection_limit: session.column(&row, "connection_limit")?,
            is_template: session.column(&row, "is_template")?,
            allow_connections: session.column(&row, "allow_connections")?,
            comment: session.column(&row, "comment")?,
            security_labels: security_labels(session).await?,
            privileges,
            settings: settings(session).await?,
            roles: roles(session).await?,
            extensions: extensions(session).await?,
            schemas: Some(objects::schemas(session).await?),
            tablespaces: Some(objects::tablespaces(session).await?),
            not_dumped: objects::not_dumped(session, &objects).await?,
            objects,
            tables: tables.unsigned_abs(),
            size_bytes: size.unsigned_abs(),
            server_version: session.server_version(),
            system_id: system_id_within(session).await?,
        })
    }
}

/// The catalogue's columns by version: src/include/catalog/pg_database.h.
fn database_query(version: ServerVersion) -> String {
    let major = version.major();
    let provider = if major >= 15 {
        "d.datlocprovider::text"
    } else {
        "'c'::text"
    };
    let locale = match major {
        17.. => "d.datlocale::text",
        15 | 16 => "d.daticulocale::text",
        _ => "NULL::text",
    };
    let rules = if major >= 16 {
        "d.daticurules::text"
    } else {
        "NULL::text"
    };
    let collation_version = if major >= 15 {
        "d.datcollversion::text"
    } else {
        "NULL::text"
    };
    format!(
        "SELECT d.datname::text AS name, \
         pg_catalog.pg_get_userbyid(d.datdba)::text AS owner, \
         pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding, \
         {provider} AS provider, d.datcollate::text AS collate, d.datctype::text AS ctype, \
         {locale} AS locale, {rules} AS icu_rules, {collation_version} AS collation_version, \
         t.spcname::text AS tablespace, d.datconnlimit AS connection_limit, \
         d.datistemplate AS is_template, d.datallowconn AS allow_connections, \
         d.datacl IS NOT NULL AS has_privileges, \
         pg_catalog.shobj_description(d.oid, 'pg_database') AS comment, \
         pg_catalog.pg_database_size(d.oid) AS size, \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c \
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
          WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
          AND n.nspname <> 'information_schema') AS tables \
         FROM pg_catalog.pg_database d \
         JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
         WHERE d.datname = pg_catalog.current_database()"
    )
}

async fn privileges(session: &Connection) -> Result<Vec<Privilege>, QueryError> {
    let rows = session
        .query(
            "SELECT pg_catalog.pg_get_userbyid(a.grantor)::text AS grantor, \
             CASE WHEN a.grantee <> 0 \
             THEN pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee, \
             a.privilege_type AS privilege, a.is_grantable AS grantable \
             FROM pg_catalog.pg_database d, \
             pg_catalog.aclexplode(d.datacl) WITH ORDINALITY \
             AS a(grantor, grantee, privilege_type, is_grantable, position) \
             WHERE d.datname = pg_catalog.current_database() ORDER BY a.position",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Privilege {
                grantor: session.column(row, "grantor")?,
                grantee: session.column(row, "grantee")?,
                privilege: session.column(row, "privilege")?,
                grantable: session.column(row, "grantable")?,
            })
        })
        .collect()
}

async fn security_labels(session: &Connection) -> Result<Vec<SecurityLabel>, QueryError> {
    let rows = session
        .query(
            "SELECT l.provider, l.label FROM pg_catalog.pg_shseclabel l \
             JOIN pg_catalog.pg_database d ON d.oid = l.objoid \
             WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass \
             AND d.datname = pg_catalog.current_database() ORDER BY l.provider",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SecurityLabel {
                provider: session.column(row, "provider")?,
                label: session.column(row, "label")?,
            })
        })
        .collect()
}

async fn settings(session: &Connection) -> Result<Vec<Setting>, QueryError> {
    let rows = session
        .query(
            "SELECT CASE WHEN s.setrole <> 0 \
             THEN pg_catalog.pg_get_userbyid(s.setrole)::text END AS role, c.setting \
             FROM pg_catalog.pg_db_role_setting s \
             JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, \
             pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(setting, position) \
             WHERE d.datname = pg_catalog.current_database() \
             ORDER BY role NULLS FIRST, c.position",
            &[],
        )
        .await?;
    let mut settings = Vec::with_capacity(rows.len());
    for row in &rows {
        let setting: &str = session.column(row, "setting")?;
        if let Some((name, value)) = setting.split_once('=') {
            settings.push(Setting {
                role: session.column(row, "role")?,
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }
    Ok(settings)
}

/// Roles on which objects depend. The bootstrap superuser (role 10,
/// `BOOTSTRAP_SUPERUSERID` in src/include/catalog/pg_authid.dat) is pinned and
/// so never recorded there: what it owns is looked for.
async fn roles(session: &Connection) -> Result<Vec<String>, QueryError> {
    let owned = |table: &str, owner: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.{table} o WHERE o.{owner} = r.oid \
             AND o.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
             WHERE e.classid = 'pg_catalog.{table}'::pg_catalog.regclass \
             AND e.objid = o.oid AND e.deptype = 'e'))"
        )
    };
    let query = format!(
        "SELECT r.rolname::text AS role FROM pg_catalog.pg_roles r WHERE r.oid IN \
         (SELECT s.refobjid FROM pg_catalog.pg_shdepend s \
          JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
          WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
          AND d.datname = pg_catalog.current_database()) \
         OR r.oid = 10 AND ({} OR {} OR {}) ORDER BY 1",
        owned("pg_class", "relowner"),
        owned("pg_proc", "proowner"),
        owned("pg_namespace", "nspowner"),
    );
    let rows = session.query(&query, &[]).await?;
    rows.iter().map(|row| session.column(row, "role")).collect()
}

async fn extensions(session: &Connection) -> Result<Vec<Extension>, QueryError> {
    let rows = session
        .query(
            "SELECT e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema \
             FROM pg_catalog.pg_extension e \
             JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Extension {
                name: session.column(row, "name")?,
                version: session.column(row, "version")?,
                schema: session.column(row, "schema")?,
            })
        })
        .collect()
}

/// The identity of the session's server; none where it does not tell, as managed ones do
/// not.
///
/// # Errors
/// Where the server cannot be asked.
pub async fn system_id(session: &Connection) -> Result<Option<SystemId>, QueryError> {
    let query = "SELECT system_identifier AS id FROM pg_catalog.pg_control_system()";
    match session.query_one(query, &[]).await {
        Ok(row) => {
            let id: i64 = session.column(&row, "id")?;
            // SQL shows the unsigned number as a signed one.
            Ok(Some(SystemId(id.cast_unsigned())))
        }
        Err(QueryError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`system_id`], in a transaction, which a refusal does not end.
async fn system_id_within(session: &Connection) -> Result<Option<SystemId>, QueryError> {
    session.batch("SAVEPOINT system_id").await?;
    let id = system_id(session).await?;
    let end = match id {
        Some(_) => "RELEASE SAVEPOINT system_id",
        None => "ROLLBACK TO SAVEPOINT system_id",
    };
    session.batch(end).await?;
    Ok(id)
}
