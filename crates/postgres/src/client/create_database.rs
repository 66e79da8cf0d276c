//! Making a database with the properties of another one.
//!
//! Invariants: nothing is made where something that it needs is missing; what
//! [`apply_properties`] refuses leaves it without any. What would keep the contents
//! from being restored (a connection limit, a ban on connections) comes last, by
//! [`finish`].

use super::connection::Connection;
use super::database_facts::DatabaseFacts;
use super::locale::LocaleProvider;
use super::offer::{tablespace_exists, unknown_roles};
use super::privileges;
use super::query_error::QueryError;
use super::quote::{identifier, literal};
use super::settings::value_as_sql;
use super::version::ServerVersion;

/// Why a database was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateDatabaseError {
    /// A database of that name is there.
    #[error("database {database:?} exists already")]
    Exists {
        /// The name that was wanted.
        database: String,
    },
    /// Roles that the database needs do not exist.
    #[error("database {database:?} needs roles that do not exist here: {}", .roles.join(", "))]
    MissingRoles {
        /// The name that was wanted.
        database: String,
        /// The roles.
        roles: Vec<String>,
    },
    /// The tablespace does not exist.
    #[error("database {database:?} needs tablespace {tablespace:?}, which does not exist here")]
    MissingTablespace {
        /// The name that was wanted.
        database: String,
        /// The tablespace.
        tablespace: String,
    },
    /// The server is too old for the database's locale provider.
    #[error(
        "database {database:?} sorts by the locale provider {}, which PostgreSQL {server} does \
         not know",
        .provider.as_str()
    )]
    UnknownLocaleProvider {
        /// The name that was wanted.
        database: String,
        /// What it sorts by.
        provider: LocaleProvider,
        /// The version of the server that was to hold it.
        server: ServerVersion,
    },
    /// The server refused to make it.
    #[error("cannot create database {database:?}")]
    Create {
        /// The name that was wanted.
        database: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// The server refused one of its properties.
    #[error("cannot set the {property} of database {database:?}")]
    Property {
        /// The database.
        database: String,
        /// Which property.
        property: &'static str,
        /// What the server said.
        #[source]
        source: QueryError,
    },
    /// The server did not say what there is.
    #[error("cannot look for what database {database:?} needs")]
    Look {
        /// The name that was wanted.
        database: String,
        /// What the server said.
        #[source]
        source: QueryError,
    },
}

impl CreateDatabaseError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("choose another name, or drop it first".to_owned()),
            Self::MissingRoles { roles, .. } => {
                let statements: Vec<_> = roles
                    .iter()
                    .map(|role| format!("CREATE ROLE {};", identifier(role)))
                    .collect();
                Some(format!(
                    "restore the globals first, or: {}",
                    statements.join(" ")
                ))
            }
            Self::MissingTablespace { .. } => Some("create it with CREATE TABLESPACE".to_owned()),
            Self::UnknownLocaleProvider { .. } => {
                Some("restore into a server of the same or a newer version".to_owned())
            }
            Self::Create { database, source } if source.is_of_the_session() => Some(format!(
                "look into the server's log for why it ended; it may be there all the same, and \
                 empty: DROP DATABASE IF EXISTS {};",
                identifier(database)
            )),
            Self::Create { source, .. }
            | Self::Property { source, .. }
            | Self::Look { source, .. } => source.hint(),
        }
    }
}

/// Makes an empty database called `new_name` with the owner, encoding, locale and tablespace
/// in `facts`; [`apply_properties`] gives it the others.
///
/// `admin` is a session in another database, of a role that may create
/// databases and act as the roles in `facts`.
///
/// # Errors
///
/// Where the name is taken, something it needs is missing, or the server
/// refuses; nothing is made then.
pub async fn create_database(
    admin: &Connection,
    new_name: &str,
    facts: &DatabaseFacts,
) -> Result<(), CreateDatabaseError> {
    let database = || new_name.to_owned();
    let look = |source| CreateDatabaseError::Look {
        database: database(),
        source,
    };
    if database_exists(admin, new_name).await.map_err(look)? {
        return Err(CreateDatabaseError::Exists {
            database: database(),
        });
    }
    let roles = unknown_roles(admin, &needed_roles(facts))
        .await
        .map_err(look)?;
    if !roles.is_empty() {
        return Err(CreateDatabaseError::MissingRoles {
            database: database(),
            roles,
        });
    }
    if !tablespace_exists(admin, &facts.tablespace)
        .await
        .map_err(look)?
    {
        return Err(CreateDatabaseError::MissingTablespace {
            database: database(),
            tablespace: facts.tablespace.clone(),
        });
    }
    let statement = create_statement(admin.server_version(), new_name, facts)?;
    admin.batch(&statement).await.map_err(|source| {
        // Another session may have made it since it was looked for.
        if source.is_of_a_taken_name() {
            return CreateDatabaseError::Exists {
                database: database(),
            };
        }
        CreateDatabaseError::Create {
            database: database(),
            source,
        }
    })
}

fn create_statement(
    server: ServerVersion,
    new_name: &str,
    facts: &DatabaseFacts,
) -> Result<String, CreateDatabaseError> {
    let locale = &facts.locale;
    if server.major() < locale.provider.since() {
        return Err(CreateDatabaseError::UnknownLocaleProvider {
            database: new_name.to_owned(),
            provider: locale.provider,
            server,
        });
    }
    let mut statement = format!(
        "CREATE DATABASE {} WITH TEMPLATE = template0 OWNER = {} ENCODING = {} \
         LC_COLLATE = {} LC_CTYPE = {}",
        identifier(new_name),
        identifier(&facts.owner),
        literal(&facts.encoding),
        literal(&locale.collate),
        literal(&locale.ctype),
    );
    // To name even the default one takes a right that few roles have.
    if facts.tablespace != "pg_default" {
        statement += &format!(" TABLESPACE = {}", identifier(&facts.tablespace));
    }
    if server.major() >= 15 {
        statement += &format!(" LOCALE_PROVIDER = {}", locale.provider.as_str());
    }
    if let Some(name) = &locale.locale {
        match locale.provider {
            LocaleProvider::Libc => {}
            LocaleProvider::Icu => statement += &format!(" ICU_LOCALE = {}", literal(name)),
            LocaleProvider::Builtin => {
                statement += &format!(" BUILTIN_LOCALE = {}", literal(name));
            }
        }
    }
    if let Some(rules) = &locale.icu_rules {
        statement += &format!(" ICU_RULES = {}", literal(rules));
    }
    Ok(statement)
}

/// Gives the database `name` the comment, labels, settings and privileges in
/// `facts`, all or none.
///
/// # Errors
///
/// Where the server refuses one of them.
pub async fn apply_properties(
    admin: &Connection,
    name: &str,
    facts: &DatabaseFacts,
) -> Result<(), CreateDatabaseError> {
    let applied = apply_in_transaction(admin, name, facts).await;
    if applied.is_err() {
        // On a session that is gone there is nothing to roll back.
        let _ = admin.batch("ROLLBACK").await;
    }
    applied
}

async fn apply_in_transaction(
    admin: &Connection,
    name: &str,
    facts: &DatabaseFacts,
) -> Result<(), CreateDatabaseError> {
    let step = async |property, sql: String| {
        let done = admin.batch(&sql).await;
        done.map_err(|source| CreateDatabaseError::Property {
            database: name.to_owned(),
            property,
            source,
        })
    };
    let database = identifier(name);
    step("properties", "BEGIN".to_owned()).await?;
    if let Some(comment) = &facts.comment {
        let sql = format!("COMMENT ON DATABASE {database} IS {}", literal(comment));
        step("comment", sql).await?;
    }
    for label in &facts.security_labels {
        let sql = format!(
            "SECURITY LABEL FOR {} ON DATABASE {database} IS {}",
            identifier(&label.provider),
            literal(&label.label)
        );
        step("security labels", sql).await?;
    }
    for setting in &facts.settings {
        let target = match &setting.role {
            Some(role) => format!("ROLE {} IN DATABASE {database}", identifier(role)),
            None => format!("DATABASE {database}"),
        };
        let sql = format!(
            "ALTER {target} SET {} TO {}",
            identifier(&setting.name),
            value_as_sql(&setting.name, &setting.value)
        );
        step("settings", sql).await?;
    }
    for grant in facts
        .privileges
        .iter()
        .flat_map(|privileges| privileges::statements(name, &facts.owner, privileges))
    {
        if let Some(role) = &grant.as_role {
            step("privileges", format!("SET LOCAL ROLE {}", identifier(role))).await?;
        }
        step("privileges", grant.sql).await?;
        if grant.as_role.is_some() {
            step("privileges", "SET LOCAL ROLE NONE".to_owned()).await?;
        }
    }
    step("properties", "COMMIT".to_owned()).await
}

/// Gives the database `name` what would have kept it from being filled: its
/// connection limit, and whether it is a template and takes connections.
///
/// # Errors
///
/// Where the server refuses.
pub async fn finish(
    admin: &Connection,
    name: &str,
    facts: &DatabaseFacts,
) -> Result<(), CreateDatabaseError> {
    let mut options = String::new();
    if facts.connection_limit != -1 {
        options += &format!(" CONNECTION LIMIT {}", facts.connection_limit);
    }
    if facts.is_template {
        options += " IS_TEMPLATE true";
    }
    if !facts.allow_connections {
        options += " ALLOW_CONNECTIONS false";
    }
    if options.is_empty() {
        return Ok(());
    }
    let statement = format!("ALTER DATABASE {} WITH{options}", identifier(name));
    let done = admin.batch(&statement).await;
    done.map_err(|source| CreateDatabaseError::Property {
        database: name.to_owned(),
        property: "limits",
        source,
    })
}

/// Drops the database `name`, a template too, and ends the sessions in it; one that is
/// not there is no error.
///
/// # Errors
///
/// Where the server refuses.
pub async fn drop_database(admin: &Connection, name: &str) -> Result<(), QueryError> {
    let template = "SELECT FROM pg_catalog.pg_database WHERE datname::text = $1 AND datistemplate";
    if !admin.query(template, &[&name]).await?.is_empty() {
        let statement = format!("ALTER DATABASE {} IS_TEMPLATE false", identifier(name));
        admin.batch(&statement).await?;
    }
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", identifier(name));
    admin.batch(&statement).await
}

/// Whether there is a database of that name.
///
/// # Errors
///
/// Where the server refuses.
pub async fn database_exists(admin: &Connection, name: &str) -> Result<bool, QueryError> {
    let rows = admin
        .query(
            "SELECT FROM pg_catalog.pg_database WHERE datname::text = $1",
            &[&name],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// The roles that the database and its contents need, sorted.
#[must_use]
pub fn needed_roles(facts: &DatabaseFacts) -> Vec<&str> {
    let mut wanted: Vec<&str> = vec![&facts.owner];
    wanted.extend(facts.roles.iter().map(String::as_str));
    for privilege in facts.privileges.iter().flatten() {
        wanted.push(&privilege.grantor);
        wanted.extend(privilege.grantee.as_deref());
    }
    wanted.extend(facts.settings.iter().filter_map(|s| s.role.as_deref()));
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
