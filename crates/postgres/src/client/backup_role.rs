//! The least privileged role that can read everything a dump needs, as SQL.
//!
//! Source: "Predefined Roles" and "pg_dump" in the manual; `pg_read_all_data` is
//! there since 14, default privileges for large objects since 18.
//!
//! Invariants: the statements may be run again, which is also how objects are taken
//! in that default privileges do not cover; the role can change nothing but its own
//! sessions' settings, and is given no password here: `\password` of psql never shows one.

use std::fmt;

use super::parameters::ConnectionParameters;
use super::quote::{identifier, literal};

/// The statements that make a role for backups. What [`Display`](fmt::Display) writes
/// is a script for psql, to be run by a superuser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupRole {
    role: String,
    /// For the cluster, run in any database.
    pub cluster: Vec<String>,
    /// For each database, run in it.
    pub databases: Vec<(String, Vec<String>)>,
}

impl BackupRole {
    /// The statements for a role of that name on servers of that major version, which
    /// is to dump those databases.
    #[must_use]
    pub fn new(major: u32, role: &str, databases: &[&str]) -> Self {
        let name = identifier(role);
        // It logs in, and sees the rows that policies hide: pg_dump refuses a table
        // of which it would see a part only (row_security = off).
        let mut cluster = vec![
            format!(
                "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles \
                 WHERE rolname = {}) THEN CREATE ROLE {name}; END IF; END $do$",
                literal(role)
            ),
            format!("ALTER ROLE {name} LOGIN BYPASSRLS"),
        ];
        if major >= 14 {
            cluster.push(format!("GRANT pg_read_all_data TO {name}"));
        }
        if major >= 17 {
            // An event trigger on logins could keep it out.
            cluster.push(format!("GRANT SET ON PARAMETER event_triggers TO {name}"));
        }
        for database in databases {
            let database = identifier(database);
            cluster.push(format!("GRANT CONNECT ON DATABASE {database} TO {name}"));
        }
        let databases = databases.iter().map(|&database| {
            // A database may be set to transactions that only read.
            let mut statements = vec!["SET default_transaction_read_only = off".to_owned()];
            if major < 14 {
                statements.push(relations(role));
            }
            statements.push(large_objects(role));
            if major >= 18 {
                statements.push(future(role, &["SELECT ON LARGE OBJECTS"]));
            }
            (database.to_owned(), statements)
        });
        Self {
            role: role.to_owned(),
            cluster,
            databases: databases.collect(),
        }
    }

    /// What such a role cannot see, and a dump by it therefore leaves out; only a
    /// superuser's has it.
    pub const NOT_SEEN: [&str; 2] = [
        "subscriptions of logical replication",
        "the options of user mappings of foreign servers, such as passwords",
    ];
}

/// A loop over the rows of `query`, which runs what `statement` makes of each. Both
/// are SQL; `role` is the name that the statement may use.
fn for_each(query: &str, role: &str, statement: &str) -> String {
    format!(
        "DO $do$ DECLARE role pg_catalog.text := {}; item record; BEGIN \
         FOR item IN {query} LOOP {statement} END LOOP; END $do$",
        literal(role)
    )
}

/// Rights on every large object that there is.
fn large_objects(role: &str) -> String {
    for_each(
        "SELECT oid FROM pg_catalog.pg_largeobject_metadata",
        role,
        "EXECUTE pg_catalog.format('GRANT SELECT ON LARGE OBJECT %s TO %I', item.oid, role);",
    )
}

/// Rights on every schema, table and sequence that there is, and on those to come:
/// what `pg_read_all_data` gives from 14 on.
fn relations(role: &str) -> String {
    let there = for_each(
        "SELECT nspname FROM pg_catalog.pg_namespace \
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
        role,
        "EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', item.nspname, role); \
         EXECUTE pg_catalog.format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', \
         item.nspname, role); \
         EXECUTE pg_catalog.format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', \
         item.nspname, role);",
    );
    let to_come = [
        "USAGE ON SCHEMAS",
        "SELECT ON TABLES",
        "SELECT ON SEQUENCES",
    ];
    format!("{there};\n{}", future(role, &to_come))
}

/// Rights on what anybody makes in this database from now on.
fn future(role: &str, rights: &[&str]) -> String {
    let statements: Vec<String> = rights
        .iter()
        .map(|right| {
            format!(
                "EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I \
                 GRANT {right} TO %I', item.rolname, role);"
            )
        })
        .collect();
    for_each(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'",
        role,
        &statements.join(" "),
    )
}

/// psql's command for going to a database; a bare name with a `=` in it would be a
/// connection string (`appendPsqlMetaConnect` in src/fe_utils/string_utils.c).
fn connect(database: &str) -> String {
    let pair = ConnectionParameters::default()
        .with_database(database)
        .database_pair();
    format!("\\connect -reuse-previous=on {}", identifier(&pair))
}

impl fmt::Display for BackupRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "-- Run by a superuser, in psql; may be run again.")?;
        for left_out in Self::NOT_SEEN {
            writeln!(f, "-- Not in dumps by this role: {left_out}.")?;
        }
        for statement in &self.cluster {
            writeln!(f, "{statement};")?;
        }
        writeln!(
            f,
            "-- Asks for the role's password and sends its hash alone:"
        )?;
        writeln!(f, "-- \\password {}", identifier(&self.role))?;
        for (database, statements) in &self.databases {
            writeln!(f, "{}", connect(database))?;
            for statement in statements {
                writeln!(f, "{statement};")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_what_it_has() {
        let text = |major| BackupRole::new(major, "b", &["d"]).to_string();
        assert!(!text(13).contains("pg_read_all_data"));
        assert!(text(13).contains("SELECT ON ALL TABLES"));
        for major in [14, 17] {
            assert!(text(major).contains("GRANT pg_read_all_data TO \"b\""));
            assert!(!text(major).contains("DEFAULT PRIVILEGES"));
        }
        assert!(text(18).contains("SELECT ON LARGE OBJECTS"));
        let turns_triggers_off = |major| text(major).contains("PARAMETER event_triggers");
        assert!(turns_triggers_off(17) && !turns_triggers_off(16));
    }
}
