//! Whether as many sessions can be had as a backup takes.
//!
//! Invariant: what is told is what the limits allow, not what happens to be taken just now.

use pgkeep_postgres::client::{Connection, SessionLimits, identifier};

use super::findings::Findings;

/// A dump holds the session that has the snapshot, and `pg_dump`'s.
const OF_A_DUMP: usize = 2;

/// Whether the session's user may have as many as so many dumps at the same time take.
pub(super) async fn of_role(session: &Connection, jobs: usize, findings: &mut Findings) {
    let limits = match SessionLimits::read(session).await {
        Ok(limits) => limits,
        Err(error) => return findings.error("sessions", &error, error.hint()),
    };
    let needed = OF_A_DUMP * jobs;
    let Some(limit) = limits.of_role.filter(|limit| *limit < needed) else {
        return;
    };
    let user = session.parameters().user();
    let fewer = match limit / OF_A_DUMP {
        0 => String::new(),
        fewer => format!(", or dump fewer at the same time: jobs = {fewer}"),
    };
    findings.problem(
        "sessions",
        format_args!(
            "role {user:?} may have {limit} at the same time, and a backup takes {needed}: \
             {OF_A_DUMP} for each of {jobs} at the same time"
        ),
        // One that has just ended may still count.
        &format!(
            "ALTER ROLE {} CONNECTION LIMIT {}{fewer}",
            identifier(user),
            needed + 1
        ),
    );
}

/// Whether the session's user may have as many in its database as a dump of it takes.
pub(super) async fn of_database(session: &Connection, findings: &mut Findings) {
    let limits = match SessionLimits::read(session).await {
        Ok(limits) => limits,
        Err(error) => return findings.error("sessions", &error, error.hint()),
    };
    if let Some(limit) = limits.of_database.filter(|limit| *limit < OF_A_DUMP) {
        let database = session.database();
        findings.problem(
            "sessions",
            format_args!(
                "database {database:?} takes {limit} at the same time, and a dump {OF_A_DUMP}"
            ),
            &format!(
                "ALTER DATABASE {} CONNECTION LIMIT {}, or back up as a superuser, whom it does \
                 not hold",
                identifier(database),
                OF_A_DUMP + 1
            ),
        );
    }
}
