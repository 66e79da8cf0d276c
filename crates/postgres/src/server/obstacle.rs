//! What a statement ran into that is the host's, as the server's log tells it.
//!
//! Invariant: no statement can have raised it: see [`Entry::is_the_servers_own`].

use super::entry::Entry;

/// What was in a statement's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The host lacks a library, or would have to load it when the server starts.
    Library(String),
    /// Another server was to be asked, and could not be.
    OtherServer(String),
}

/// Where libraries are loaded (src/backend/utils/fmgr/dfmgr.c).
const LOADER: &str = "dfmgr.c";
/// What extensions say that want to be preloaded.
const PRELOADED: &str = "shared_preload_libraries";
/// What is told of an extension's own script is told by the host's files.
const OF_EXTENSION: &str = "CREATE EXTENSION ";
/// Connections that could not be made, and what wrappers of foreign data say of that: 08000,
/// 08001, 08004, 08006, HV000, HV00L, HV00M, HV00N ("PostgreSQL Error Codes" in the manual).
const OF_CONNECTIONS: [&str; 8] = [
    "08000", "08001", "08004", "08006", "HV000", "HV00L", "HV00M", "HV00N",
];

impl Obstacle {
    /// What a log tells of them.
    pub(super) fn all(log: &str) -> Vec<Self> {
        let entries = Entry::all(log).into_iter();
        entries.filter_map(|entry| Self::of(&entry)).collect()
    }

    fn of(entry: &Entry<'_>) -> Option<Self> {
        let said = entry.message.to_owned();
        let is_own = entry.is_the_servers_own();
        if is_own && OF_CONNECTIONS.contains(&entry.code) {
            return Some(Self::OtherServer(said));
        }
        let is_of_script = entry.statement.starts_with(OF_EXTENSION);
        let of_library = entry.file.starts_with(LOADER);
        let wants_loading = [entry.message, entry.hint]
            .iter()
            .any(|text| text.contains(PRELOADED));
        (of_library || wants_loading && (is_own || is_of_script)).then_some(Self::Library(said))
    }

    /// The first line of what the server said.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Library(said) | Self::OtherServer(said) => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAISE: &str = "exec_stmt_raise, pl_exec.c:3911";

    fn told(error: &str, location: &str, statement: &str) -> Vec<Obstacle> {
        let line = "2026-11-20 03:00:00.000 UTC [9] ";
        let log = format!(
            "{line}ERROR:  {error}\n{line}LOCATION:  {location}\n{line}STATEMENT:  {statement}\n"
        );
        Obstacle::all(&log)
    }

    #[test]
    fn what_the_host_lacks_is_told_where_the_server_says_it_itself() {
        let library = |said: &str| vec![Obstacle::Library(said.to_owned())];
        let access = "could not access file \"$libdir/x\": No such file or directory";
        let error = format!("58P01: {access}");
        let place = "internal_load_library, dfmgr.c:208";
        assert_eq!(told(&error, place, "CREATE FUNCTION f()"), library(access));
        let cron = "pg_cron can only be loaded via shared_preload_libraries";
        let error = format!("XX000: {cron}");
        assert_eq!(told(&error, "_PG_init, pg_cron.c:273", ""), library(cron));
        // A script of the extension's, which is a file of the host's.
        let error = format!("P0001: {cron}");
        let create = "CREATE EXTENSION IF NOT EXISTS pg_cron WITH SCHEMA public;";
        assert_eq!(told(&error, RAISE, create), library(cron));
        let server = "could not connect to server \"source\"";
        for code in ["08001", "HV00N"] {
            let told = told(
                &format!("{code}: {server}"),
                "connect_pg_server, connection.c:511",
                "",
            );
            assert_eq!(told, [Obstacle::OtherServer(server.to_owned())]);
        }
    }

    #[test]
    fn what_a_statement_raises_is_no_obstacle() {
        for (error, location) in [
            ("58P01: could not access file \"$libdir/x\"", RAISE),
            ("P0001: only via shared_preload_libraries", RAISE),
            ("08001: could not connect to server \"source\"", RAISE),
            (
                "HV00N: unable to connect",
                "PLy_output, plpy_plpymodule.c:448",
            ),
            // Another session of the same server has raised it.
            (
                "08001: could not connect",
                "dblink_res_error, dblink.c:2800",
            ),
            (
                "HV00N: could not connect",
                "pgfdw_report_error, connection.c:900",
            ),
            // A value that says so.
            (
                "22P02: invalid input syntax for type integer: \"could not access file \"\"",
                "pg_strtoint32_safe, numutils.c:617",
            ),
            // The wrong option of a foreign server.
            (
                "HV00D: invalid option \"x\"",
                "postgres_fdw_validator, option.c:100",
            ),
        ] {
            assert_eq!(told(error, location, "REFRESH MATERIALIZED VIEW v"), []);
        }
    }
}
