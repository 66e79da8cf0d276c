//! A session with a server.
//!
//! Invariants: the session's `search_path` is empty, `standard_conforming_strings` is on,
//! and no time limit of the server's, the role's or the database's configuration holds
//! (a backup may take hours, and idle while others work); no event trigger on logins has
//! run in it where the user may turn event triggers off, nor does any other one then; the
//! task that serves it ends with the [`Connection`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use super::choose;
use super::connect_error::ConnectError;
use super::driver;
use super::parameters::ConnectionParameters;
use super::query_error::QueryError;
use super::version::ServerVersion;

/// How long a server may take to let us in, where the connection does not say:
/// a backup must fail in time rather than hang.
pub(super) const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What every session begins with. Older servers lack some of the limits.
const BEGIN: &str = "\
    SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
    pg_catalog.pg_is_in_recovery(), \
    pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on', \
    pg_catalog.set_config('search_path', '', false), \
    pg_catalog.set_config('standard_conforming_strings', 'on', false), \
    (SELECT pg_catalog.count(pg_catalog.set_config(name, '0', false)) \
     FROM pg_catalog.pg_settings \
     WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['statement_timeout', 'lock_timeout', \
        'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout']))";

/// Since 17: whether the session's user may turn event triggers off, and whether there is one
/// that fires when somebody logs in.
const EVENT_TRIGGERS: &str = "\
    SELECT pg_catalog.has_parameter_privilege('event_triggers', 'SET') AS may_turn_off, \
    EXISTS (SELECT FROM pg_catalog.pg_event_trigger \
        WHERE evtevent OPERATOR(pg_catalog.=) 'login' \
        AND evtenabled OPERATOR(pg_catalog.<>) 'D') AS fires_on_login";

/// An open session in one database.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    task: JoinHandle<()>,
    end: Arc<Mutex<Option<tokio_postgres::Error>>>,
    parameters: ConnectionParameters,
    version: ServerVersion,
    in_recovery: bool,
    read_only: bool,
    event_triggers: EventTriggers,
}

/// How a session stands to event triggers.
#[derive(Clone, Copy, Debug, Default)]
struct EventTriggers {
    may_turn_off: bool,
    fires_on_login: bool,
}

/// Opens a session with the first server that will do, in libpq's order.
///
/// # Errors
///
/// Where no server can be reached or one does not let the user in; each cause is its
/// own variant of [`ConnectError`].
pub async fn connect(parameters: &ConnectionParameters) -> Result<Connection, ConnectError> {
    choose::connect(parameters).await
}

/// Opens a session with the one server that the parameters name.
pub(super) async fn open(parameters: &ConnectionParameters) -> Result<Connection, ConnectError> {
    let silent = parameters.without_event_triggers();
    match begin(parameters).await {
        // Who may turn it off gets in all the same; else the trigger is the matter.
        Err(kept_out @ ConnectError::LoginTrigger { .. }) => {
            begin(&silent).await.map_err(|_| kept_out)
        }
        Ok(session) if session.could_have_kept_them_off() => Ok(match begin(&silent).await {
            Ok(silent) => silent,
            // A pooler may know no such option.
            Err(_) => session,
        }),
        begun => begun,
    }
}

/// Opens a session and tells it what holds in all of ours.
async fn begin(parameters: &ConnectionParameters) -> Result<Connection, ConnectError> {
    let error = |error| ConnectError::new(parameters, error);
    let (client, mut connection) = driver::open(parameters).await?;
    let end = Arc::new(Mutex::new(None));
    let task = tokio::spawn({
        let end = Arc::clone(&end);
        async move {
            // The driver gives the reason here alone, and then tells every
            // statement no more than that the connection is closed: the reason
            // is put down before the connection is let go.
            if let Err(error) = connection.as_mut().await {
                *lock(&end) = Some(error);
            }
        }
    });
    let row = client.query_one(BEGIN, &[]).await.map_err(error)?;
    let number: i32 = row.try_get(0).map_err(error)?;
    let in_recovery = row.try_get(1).map_err(error)?;
    let read_only = row.try_get(2).map_err(error)?;
    let version = ServerVersion {
        number: number.unsigned_abs(),
    };
    let event_triggers = match version.major() {
        17.. => {
            let row = client.query_one(EVENT_TRIGGERS, &[]).await;
            let row = row.map_err(error)?;
            EventTriggers {
                may_turn_off: row.try_get(0).map_err(error)?,
                fires_on_login: row.try_get(1).map_err(error)?,
            }
        }
        _ => EventTriggers::default(),
    };
    Ok(Connection {
        client,
        task,
        end,
        parameters: parameters.clone(),
        version,
        in_recovery,
        read_only,
        event_triggers,
    })
}

impl Connection {
    /// The rows that a query gives.
    ///
    /// # Errors
    ///
    /// Where the server refuses it or is gone.
    pub async fn query(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, QueryError> {
        let rows = self.client.query(sql, values).await;
        rows.map_err(|error| self.error(error))
    }

    /// The one row that a query gives.
    ///
    /// # Errors
    ///
    /// Where the server refuses it or is gone, or there is not exactly one row.
    pub async fn query_one(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, QueryError> {
        let row = self.client.query_one(sql, values).await;
        row.map_err(|error| self.error(error))
    }

    /// Runs one statement; tells how many rows it touched.
    ///
    /// # Errors
    ///
    /// Where the server refuses it or is gone.
    pub async fn execute(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, QueryError> {
        let count = self.client.execute(sql, values).await;
        count.map_err(|error| self.error(error))
    }

    /// Runs statements without values, by the simple protocol.
    ///
    /// # Errors
    ///
    /// Where the server refuses one, or is gone; those before it have been done.
    pub async fn batch(&self, sql: &str) -> Result<(), QueryError> {
        let done = self.client.batch_execute(sql).await;
        done.map_err(|error| self.error(error))
    }

    /// The types of the columns that one statement gives.
    pub(super) async fn column_types(&self, sql: &str) -> Result<Vec<Type>, QueryError> {
        let prepared = self.client.prepare(sql).await;
        let prepared = prepared.map_err(|error| self.error(error))?;
        Ok(prepared
            .columns()
            .iter()
            .map(|c| c.type_().clone())
            .collect())
    }

    /// What statements without values say, by the simple protocol: as text.
    pub(super) async fn simple(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, QueryError> {
        let said = self.client.simple_query(sql).await;
        said.map_err(|error| self.error(error))
    }

    /// One column of a row that this session gave.
    ///
    /// # Errors
    ///
    /// Where the column is not there or of another type.
    pub fn column<'a, T>(&self, row: &'a Row, name: &str) -> Result<T, QueryError>
    where
        T: tokio_postgres::types::FromSql<'a>,
    {
        row.try_get(name).map_err(|error| self.error(error))
    }

    /// The version that the server told.
    #[must_use]
    pub fn server_version(&self) -> ServerVersion {
        self.version
    }

    /// Whether the server was recovering when the session was opened: a standby.
    #[must_use]
    pub fn is_in_recovery(&self) -> bool {
        self.in_recovery
    }

    /// Whether the session was opened with transactions that only read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// What the session was opened with: of several servers the one that was chosen,
    /// with its address.
    #[must_use]
    pub fn parameters(&self) -> &ConnectionParameters {
        &self.parameters
    }

    /// What further sessions of the same user are opened with on the same server, so that no
    /// event trigger fires in them where the user may see to that: also in a database that
    /// has none yet.
    #[must_use]
    pub fn parameters_without_event_triggers(&self) -> ConnectionParameters {
        match self.event_triggers.may_turn_off && !self.parameters.is_without_event_triggers() {
            true => self.parameters.without_event_triggers(),
            false => self.parameters.clone(),
        }
    }

    /// Whether event triggers fire in every session of this user that is opened in the
    /// session's database, and the user cannot help it.
    #[must_use]
    pub fn fires_login_triggers(&self) -> bool {
        self.event_triggers.fires_on_login && !self.parameters.is_without_event_triggers()
    }

    fn could_have_kept_them_off(&self) -> bool {
        self.fires_login_triggers() && self.event_triggers.may_turn_off
    }

    /// The database of the session.
    #[must_use]
    pub fn database(&self) -> &str {
        self.parameters.database()
    }

    /// Whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    fn error(&self, error: tokio_postgres::Error) -> QueryError {
        let reason = error.is_closed().then(|| lock(&self.end).take()).flatten();
        QueryError::new(self.database(), reason.unwrap_or(error))
    }
}

/// What is inside; a panic elsewhere has not spoilt it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
