//! The server, the rights of whoever backs up, and PostgreSQL's programs.
//!
//! Invariant: nothing is changed and no table is read.

use std::collections::BTreeSet;

use pgkeep_capture::{CaptureError, Lacking, kept_empty};
use pgkeep_config::{ClusterSettings, Settings};
use pgkeep_format::records::Selection;
use pgkeep_postgres::client::{
    Connection, ConnectionParameters, ExportedSnapshot, QueryError, Unreadable, connect, databases,
    identifier, may_read_passwords, strange_names, views_that_policies_keep_empty,
};
use pgkeep_types::{Clock, ClusterName, Timestamp};

use super::findings::{Findings, State};
use super::sessions;
use crate::commands::backup::databases::Choice;
use crate::context::Context;
use crate::error::CliError;
use crate::words;

/// What the SQL is for that mends missing rights.
const ROLE: &str = "let a superuser run what 'pgkeep doctor --role' prints";
/// What to do about what only a superuser reads.
const SUPERUSER: &str = "only a superuser reads them: back up as one, or keep them elsewhere";
/// Clocks that differ by more are wrong, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// The cluster whose server is looked at.
pub(super) struct LookedAt<'a> {
    pub(super) context: &'a Context,
    pub(super) settings: &'a Settings,
    pub(super) cluster: &'a ClusterName,
    pub(super) of_cluster: &'a ClusterSettings,
    /// What of each database.
    pub(super) selection: &'a Selection,
}

/// Looks at a cluster's server, and tells the names of the databases that a backup would
/// be of now, where they can be listed.
pub(super) async fn look(
    looked_at: &LookedAt<'_>,
    findings: &mut Findings,
) -> Result<Option<BTreeSet<String>>, CliError> {
    let LookedAt {
        context,
        settings,
        cluster,
        of_cluster,
        selection,
    } = *looked_at;
    let parameters = context.connection(cluster, of_cluster)?;
    let session = match connect(&parameters).await {
        Ok(session) => session,
        Err(error) => {
            findings.error("connection", &error, error.hint());
            return Ok(None);
        }
    };
    let version = session.server_version();
    findings.good(
        "connection",
        format_args!(
            "PostgreSQL {version} at {}, as user {:?}",
            session.parameters().server(),
            parameters.user()
        ),
    );
    clock(context, &session, findings).await;
    tools(context, settings, version.major(), findings).await;
    passwords(&session, findings).await;
    let listed = match databases(&session).await {
        Ok(listed) => listed,
        Err(error) => {
            findings.error("databases", &error, error.hint());
            return Ok(None);
        }
    };
    let choice = Choice::new(&of_cluster.dump.databases, listed);
    let jobs = of_cluster.dump.jobs.get().min(choice.here.len());
    sessions::of_role(&session, jobs, findings).await;
    for database in &choice.here {
        let name = &database.name;
        if database.is_invalid {
            invalid(name, findings, State::Problem);
            continue;
        }
        if !database.allows_connections {
            let says = format!("database {name:?} takes no connections and cannot be backed up");
            let mend = "exclude it under 'databases', or ALTER DATABASE … ALLOW_CONNECTIONS true";
            findings.problem("databases", says, mend);
            continue;
        }
        let parameters = context.connection_to(cluster, of_cluster, Some(name))?;
        database_of(&parameters, selection, findings).await;
    }
    for name in &choice.missing {
        let says = format!("database {name:?} is chosen and is not there");
        findings.problem(
            "databases",
            says,
            "look at 'databases' in the configuration",
        );
    }
    for pattern in &choice.unmatched {
        findings.warning(
            "databases",
            format_args!("no database matches {pattern:?}, which is chosen"),
            "look at 'databases' in the configuration",
        );
    }
    for pattern in &choice.idle {
        findings.warning(
            "databases",
            format_args!("no database matches {pattern:?}, which is left out"),
            "look at 'databases' in the configuration",
        );
    }
    for name in &choice.invalid {
        invalid(name, findings, State::Warning);
    }
    for name in &choice.unfinished {
        findings.warning(
            "databases",
            format_args!("database {name:?} is what a restore has left that was cut off"),
            "drop it; it is not backed up unless 'databases' names it",
        );
    }
    let meant: BTreeSet<String> = choice.into_names().into_iter().collect();
    if meant.is_empty() {
        let none = CliError::NoDatabases {
            cluster: cluster.to_string(),
        };
        findings.error("databases", &none, none.hint());
    }
    Ok(Some(meant))
}

/// A database of which a `DROP DATABASE` was interrupted: one that is named is asked for.
fn invalid(name: &str, findings: &mut Findings, state: State) {
    let end = match state {
        State::Problem => "and cannot be backed up",
        State::Good | State::Warning => "and is left out",
    };
    let says = format!(
        "database {name:?} is invalid, since a DROP DATABASE of it was interrupted: nothing can \
         be read of it any more, {end}"
    );
    let mend = format!("DROP DATABASE {}", identifier(name));
    match state {
        State::Problem => findings.problem("databases", says, &mend),
        State::Good | State::Warning => findings.warning("databases", says, &mend),
    }
}

/// The time of a server's clock, in seconds since 1970.
pub(in crate::commands) async fn server_now(session: &Connection) -> Result<i64, QueryError> {
    let asked = "SELECT extract(epoch FROM pg_catalog.clock_timestamp())::pg_catalog.int8 AS now";
    let row = session.query_one(asked, &[]).await?;
    session.column::<i64>(&row, "now")
}

async fn clock(context: &Context, session: &Connection, findings: &mut Findings) {
    match server_now(session).await {
        Ok(there) => tell_clock(
            "clock",
            "the server's",
            there - context.clock.now().as_second(),
            findings,
        ),
        Err(error) => findings.error("clock", &error, error.hint()),
    }
}

/// Tells by how many seconds another clock is ahead of this machine's.
pub(super) fn tell_clock(subject: &'static str, whose: &str, ahead: i64, findings: &mut Findings) {
    let word = if ahead > 0 { "ahead of" } else { "behind" };
    let by = ahead.unsigned_abs();
    if ahead.abs() <= CLOCKS_DIFFER {
        findings.good(subject, format_args!("{whose} agrees with this machine's"));
    } else {
        findings.warning(
            subject,
            format_args!("{whose} is {by} s {word} this machine's"),
            "set both by NTP: backups are ordered and deleted by their times",
        );
    }
}

/// How far a storage's clock is ahead, in seconds.
pub(super) fn ahead(there: Timestamp, here: Timestamp) -> i64 {
    there.as_second() - here.as_second()
}

async fn tools(context: &Context, settings: &Settings, major: u32, findings: &mut Findings) {
    let tools = context.tools(settings).await;
    let choice = match tools.for_server(major) {
        Ok(choice) => choice,
        Err(error) => return findings.error("tools", &error, error.hint()),
    };
    let (version, path) = (choice.tools.version(), choice.tools.path().display());
    if !choice.exact {
        findings.warning(
            "tools",
            format_args!("pg_dump {version} in {path} is newer than the server"),
            &format!(
                "install PostgreSQL {major}'s client programs: what a newer pg_dump writes \
                      may need a newer server to be restored"
            ),
        );
    } else {
        findings.good("tools", format_args!("pg_dump {version} in {path}"));
    }
    for program in ["pg_dumpall", "pg_restore"] {
        if !choice.tools.program(program).exists() {
            findings.problem(
                "tools",
                format_args!("there is no {program} in {path}"),
                "it comes with the same package as pg_dump",
            );
        }
    }
}

async fn passwords(session: &Connection, findings: &mut Findings) {
    match may_read_passwords(session).await {
        Ok(true) => findings.good("globals", "roles can be read with their password hashes"),
        Ok(false) => findings.warning(
            "globals",
            "roles can be read without their password hashes",
            "restored roles need new passwords; a superuser reads hashes, and from PostgreSQL 14 \
             on a role as 'pgkeep doctor --role' makes it, where the hoster lets it",
        ),
        Err(error) => findings.error("globals", &error, error.hint()),
    }
}

/// Looks at a database as a backup of it does.
async fn database_of(
    parameters: &ConnectionParameters,
    selection: &Selection,
    findings: &mut Findings,
) {
    let session = match connect(parameters).await {
        Ok(session) => session,
        Err(error) => return findings.error("rights", &error, error.hint()),
    };
    sessions::of_database(&session, findings).await;
    rights(&session, findings).await;
    content(session, selection, findings).await;
}

/// Whether what is chosen of a database is there.
async fn content(session: Connection, selection: &Selection, findings: &mut Findings) {
    if selection.schemas.is_empty() && selection.tables.is_empty() {
        return;
    }
    let database = session.database().to_owned();
    let looked = async {
        let snapshot = ExportedSnapshot::open(session).await?;
        Lacking::look(&snapshot, selection).await
    };
    let Lacking {
        unmatched,
        is_nothing,
    } = match looked.await {
        Ok(lacking) => lacking,
        Err(error) => return findings.error("dump", &error, error.hint()),
    };
    if is_nothing {
        let refused = CaptureError::NothingChosen {
            database,
            unmatched,
        };
        return findings.error("dump", &refused, refused.hint());
    }
    for unmatched in unmatched {
        findings.warning(
            "dump",
            format_args!("database {database:?} has no {unmatched}"),
            "look at 'schemas' and 'tables' in the configuration",
        );
    }
}

async fn rights(session: &Connection, findings: &mut Findings) {
    let database = session.database();
    if session.fires_login_triggers() {
        findings.warning(
            "rights",
            format_args!(
                "database {database:?}: an event trigger fires on this role's logins, and may \
                 keep it from backing up"
            ),
            ROLE,
        );
    }
    match strange_names(session).await {
        Ok(names) if names.is_empty() => {}
        Ok(names) => {
            let database = database.to_owned();
            let refused = CaptureError::StrangeNames { database, names };
            findings.error("names", &refused, refused.hint());
        }
        Err(error) => findings.error("names", &error, error.hint()),
    }
    match views_that_policies_keep_empty(session).await {
        Ok(views) => {
            for (view, table) in views {
                findings.warning(
                    "restore",
                    kept_empty(database, &view, &table),
                    "let the view belong to a role with BYPASSRLS, or restore so",
                );
            }
        }
        Err(error) => findings.error("restore", &error, error.hint()),
    }
    let found = match Unreadable::look(session).await {
        Ok(found) => found,
        Err(error) => return findings.error("rights", &error, error.hint()),
    };
    if found.is_nothing() {
        let says = format!("all of database {database:?} can be read");
        return findings.good("rights", says);
    }
    if !found.relations.is_empty() {
        let says = format!(
            "database {database:?}: cannot read {}",
            some(&found.relations)
        );
        findings.problem("rights", says, ROLE);
    }
    if !found.hidden_by_policies.is_empty() {
        let says = format!(
            "database {database:?}: policies hide rows of {}: pg_dump fails there, or leaves \
             those rows out where it is given --enable-row-security",
            some(&found.hidden_by_policies)
        );
        findings.problem("rights", says, ROLE);
    }
    if found.large_objects > 0 {
        let says = format!(
            "database {database:?}: cannot read {}",
            words::counted(found.large_objects, "large object")
        );
        findings.problem("rights", says, ROLE);
    }
    if found.subscriptions > 0 {
        let says = format!(
            "database {database:?}: {} will not be in its backups",
            words::counted(found.subscriptions, "subscription")
        );
        findings.warning("rights", says, SUPERUSER);
    }
    if found.user_mappings > 0 {
        let says = format!(
            "database {database:?}: the options, such as passwords, of {} are not shown to this \
             role, if they have any, and will not be in its backups",
            words::counted(found.user_mappings, "user mapping")
        );
        findings.warning("rights", says, SUPERUSER);
    }
}

/// The first names, and how many more there are.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut told = names[..names.len().min(SHOWN)].join(", ");
    if let more @ 1.. = names.len().saturating_sub(SHOWN) {
        told.push_str(&format!(" and {more} more"));
    }
    told
}
