//! The server that a restore goes to: who makes the database there, and who fills it.
//!
//! Invariants: both are on the same server, and stay on it where the connection names
//! several; event triggers of a restored database do not fire while it is filled and compared,
//! where who fills it may see to that.

use std::error::Error;

use pgkeep_postgres::client::{
    self, Attached, ConnectError, Connection, ConnectionParameters, DatabaseFacts, QueryError,
    connect,
};

use crate::{DumpRestore, RestoreError};

/// Databases that every cluster has, to connect to when the one that the
/// connection names is gone.
const ALWAYS_THERE: [&str; 2] = ["postgres", "template1"];

/// A server that a database is made on.
pub(crate) struct Server {
    /// Who makes the database.
    pub(crate) admin: Connection,
    /// The role of who makes it.
    pub(crate) maker: String,
    /// Who fills it.
    pub(crate) connection: ConnectionParameters,
    /// The role of who fills it.
    pub(crate) user: String,
    /// Whether that is a superuser.
    pub(crate) is_superuser: bool,
}

impl Server {
    /// Connects both.
    ///
    /// # Errors
    /// Where one is not let in, or they are not on one server.
    pub(crate) async fn connect(restore: &DumpRestore<'_>) -> Result<Self, RestoreError> {
        let database = restore.name;
        let look = |source| RestoreError::Look {
            database: database.to_owned(),
            source,
        };
        let failed = |source| RestoreError::Connect {
            database: database.to_owned(),
            source,
        };
        let admin = connect_beside(restore.admin, database)
            .await
            .map_err(failed)?;
        let Identity {
            started,
            role: maker,
            is_superuser,
        } = Identity::of(&admin).await.map_err(look)?;
        if restore.admin == restore.connection {
            return Ok(Self {
                connection: admin.parameters_without_event_triggers(),
                admin,
                user: maker.clone(),
                maker,
                is_superuser,
            });
        }
        let filler = connect_beside(restore.connection, database)
            .await
            .map_err(failed)?;
        let by = Identity::of(&filler).await.map_err(look)?;
        if started != by.started {
            return Err(RestoreError::TwoServers {
                connection: filler.parameters().server(),
                admin: admin.parameters().server(),
            });
        }
        Ok(Self {
            connection: filler.parameters_without_event_triggers(),
            admin,
            maker,
            user: by.role,
            is_superuser: by.is_superuser,
        })
    }

    /// With what `draft` is filled. Its event triggers come before the last of its contents
    /// (`PRIO_REFRESH_MATVIEW` in src/bin/pg_dump/pg_dump_sort.c), and before 17 nothing else
    /// keeps them from seeing that.
    pub(crate) fn filling(&self, draft: &str, facts: &DatabaseFacts) -> ConnectionParameters {
        let target = self.connection.with_database(draft);
        let is_old = self.admin.server_version().major() < 17;
        let triggers = facts.objects.get(client::EVENT_TRIGGERS).copied();
        match is_old && self.is_superuser && triggers.unwrap_or_default() > 0 {
            true => target.as_replica(),
            false => target,
        }
    }

    /// Drops the unfinished database `draft`. The session may have died with the
    /// restore, so it is done in a new one.
    pub(crate) async fn undo(&self, draft: &str, failure: RestoreError) -> RestoreError {
        let leftover = |failure, problem: &dyn Error, attached: Attached| RestoreError::Leftover {
            database: draft.to_owned(),
            problem: problem.to_string(),
            way: attached.way_to_drop(draft),
            failure: Box::new(failure),
        };
        let admin = match connect_beside(self.admin.parameters(), draft).await {
            Ok(admin) => admin,
            Err(error) => return leftover(failure, &error, Attached::default()),
        };
        match self.drop(&admin, draft).await {
            Ok(()) => failure,
            Err((error, attached)) => leftover(failure, &error, attached),
        }
    }

    /// Drops the language that every new database has and the old one had not. Where the
    /// roles may not, comparing tells that it is there.
    pub(crate) async fn drop_plpgsql(&self, draft: &str) {
        self.run_in(draft, "DROP EXTENSION IF EXISTS plpgsql").await;
    }

    /// Likewise the schema.
    pub(crate) async fn drop_public(&self, draft: &str) {
        self.run_in(draft, "DROP SCHEMA IF EXISTS public").await;
    }

    /// Makes a schema for what is restored into it. Where the role may not, `pg_restore`
    /// tells that it is not there.
    pub(crate) async fn make_schema(&self, draft: &str, schema: &str) {
        let statement = format!("CREATE SCHEMA {}", client::identifier(schema));
        if let Ok(session) = connect(&self.connection.with_database(draft)).await {
            let _ = session.batch(&statement).await;
        }
    }

    /// Runs a statement as one role after the other, whether they may or not.
    async fn run_in(&self, draft: &str, statement: &str) {
        for parameters in [self.admin.parameters(), &self.connection] {
            if let Ok(session) = connect(&parameters.with_database(draft)).await {
                let _ = session.batch(statement).await;
            }
        }
    }

    /// Drops a database with its subscriptions, whose slots stay. Where that cannot be it is
    /// told what holds on to it.
    pub(crate) async fn drop(
        &self,
        admin: &Connection,
        database: &str,
    ) -> Result<(), (QueryError, Attached)> {
        // What cannot be looked for is told by the server when it refuses to drop it.
        let attached = Attached::read(admin, database).await.unwrap_or_default();
        if !attached.subscriptions.is_empty() {
            for parameters in [admin.parameters(), &self.connection] {
                let session = connect(&parameters.with_database(database)).await;
                if let Ok(session) = session
                    && client::drop_subscriptions(&session).await.is_ok()
                {
                    break;
                }
            }
        }
        let dropped = client::drop_database(admin, database).await;
        dropped.map_err(|error| (error, attached))
    }
}

/// Who a session is, and where.
struct Identity {
    /// When the server was started, which no other one was in the same microsecond.
    started: String,
    role: String,
    is_superuser: bool,
}

impl Identity {
    async fn of(session: &Connection) -> Result<Self, QueryError> {
        let asked = "SELECT pg_catalog.pg_postmaster_start_time()::text AS started, \
             current_user::text AS role, \
             pg_catalog.current_setting('is_superuser') = 'on' AS is_superuser";
        let row = session.query_one(asked, &[]).await?;
        Ok(Self {
            started: session.column(&row, "started")?,
            role: session.column(&row, "role")?,
            is_superuser: session.column(&row, "is_superuser")?,
        })
    }
}

/// A session for making something: in the connection's own database, or where that is
/// gone, in one that is always there.
pub(crate) async fn connect_somewhere(
    parameters: &ConnectionParameters,
) -> Result<Connection, ConnectError> {
    connect_beside(parameters, "").await
}

/// Likewise, and never in `database`, in whose way the session would be.
pub(crate) async fn connect_beside(
    parameters: &ConnectionParameters,
    database: &str,
) -> Result<Connection, ConnectError> {
    let parameters = parameters.writable();
    let own = parameters.database().to_owned();
    let others = [own.as_str(), ALWAYS_THERE[0], ALWAYS_THERE[1]];
    let mut last = None;
    for other in others.into_iter().filter(|other| *other != database) {
        match connect(&parameters.with_database(other)).await {
            Err(error @ ConnectError::NoSuchDatabase { .. }) => last = Some(error),
            other => return other,
        }
    }
    match last {
        Some(error) => Err(error),
        None => connect(&parameters).await,
    }
}
