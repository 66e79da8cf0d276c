//! What servers there are: looked for where they usually are.
//!
//! Invariants: each is asked once, and not waited for for long; nothing is changed; no
//! password is in what is told.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use pgkeep_postgres::client::{
    ConnectionParameters, Origin, SOCKET_DIRECTORIES, connect, database_sizes, services,
};
use pgkeep_types::Environment;
use tokio::net::TcpStream;

use super::connection::{pairs, quoted};
use crate::context::Context;
use crate::error::CliError;
use crate::words;

/// How long a server that was found may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many are asked at most.
const MOST: usize = 9;
/// PostgreSQL's own port.
const PORT: u16 = 5432;
/// How many databases are named.
const NAMED: usize = 6;

/// A connection that may lead somewhere.
pub(super) struct Found {
    /// libpq's pairs.
    pub(super) connection: String,
    /// What is there; none where it did not answer in time.
    pub(super) seen: Option<Result<Seen, CliError>>,
}

/// A server that has answered.
pub(super) struct Seen {
    version: String,
    pub(super) major: u32,
    server: String,
    user: String,
    databases: Vec<(String, Option<i64>)>,
}

/// Looks around: those that answer come first.
pub(super) async fn look(context: &Context) -> Vec<Found> {
    let places = places(context).await;
    let all = places.into_iter().map(async |connection| {
        let asked = async { Seen::at(&typed(context, &connection)?).await };
        let seen = tokio::time::timeout(PATIENCE, asked).await.ok();
        Found { connection, seen }
    });
    let mut all = join_all(all).await;
    all.sort_by_key(|found| !matches!(found.seen, Some(Ok(_))));
    all
}

/// Where servers may be, most likely first.
async fn places(context: &Context) -> Vec<String> {
    let environment = &context.environment;
    let mut places: Vec<String> = of_variables(context).into_iter().collect();
    let sockets: Vec<_> = SOCKET_DIRECTORIES
        .into_iter()
        .flat_map(|directory| ports(directory).map(move |port| (directory, port)))
        .collect();
    for (directory, port) in &sockets {
        places.push(format!("host={directory} port={port} dbname=postgres"));
    }
    let has_usual = sockets.iter().any(|(_, port)| *port == PORT);
    if !has_usual && listens(PORT).await {
        places.push(format!("host=localhost port={PORT} dbname=postgres"));
    }
    let names = services(environment).into_iter();
    places.extend(names.map(|name| format!("service={}", quoted(&name))));
    let mut once = Vec::new();
    for place in places {
        if !once.contains(&place) && once.len() < MOST {
            once.push(place);
        }
    }
    once
}

/// What libpq's variables say, written out: cron has none of them.
fn of_variables(context: &Context) -> Option<String> {
    let environment = &context.environment;
    let says = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGSERVICE"];
    if !says.iter().any(|name| environment.variable(name).is_some()) {
        return None;
    }
    let base = base(environment);
    let parsed = ConnectionParameters::parse(base).ok()?;
    let filled = parsed.with_defaults(environment, &context.random).ok()?;
    let counts = |origin: &Origin| matches!(origin, Origin::Variable(_) | Origin::Connection);
    Some(pairs(&filled, counts))
}

/// The database to begin with, where the variables name none.
fn base(environment: &Environment) -> &'static str {
    match ["PGDATABASE", "PGSERVICE"].map(|name| environment.variable(name)) {
        [None, None] => "dbname=postgres",
        _ => "",
    }
}

/// The ports of the sockets in a directory.
fn ports(directory: &str) -> impl Iterator<Item = u16> {
    let entries = std::fs::read_dir(Path::new(directory))
        .into_iter()
        .flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    let ports = names.filter_map(|name| name.to_str()?.strip_prefix(".s.PGSQL.")?.parse().ok());
    let mut ports: Vec<u16> = ports.collect();
    ports.sort_unstable();
    ports.into_iter()
}

async fn listens(port: u16) -> bool {
    let asked = TcpStream::connect(("localhost", port));
    matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)))
}

/// How to connect to what somebody has typed, or could have.
pub(super) fn typed(context: &Context, connection: &str) -> Result<ConnectionParameters, CliError> {
    context.connection_argument("the answer", connection)
}

impl Seen {
    /// Asks the server that the parameters lead to.
    pub(super) async fn at(parameters: &ConnectionParameters) -> Result<Self, CliError> {
        let session = connect(parameters).await?;
        let version = session.server_version();
        // Who may not know the sizes may still back up.
        let databases = database_sizes(&session).await.unwrap_or_default();
        Ok(Self {
            version: version.to_string(),
            major: version.major(),
            server: session.parameters().server(),
            user: parameters.user().to_owned(),
            databases,
        })
    }

    /// The server, its version and who asked it.
    pub(super) fn server(&self) -> String {
        let Self {
            version,
            server,
            user,
            ..
        } = self;
        format!("PostgreSQL {version} at {server}, as user {user:?}")
    }

    /// The databases with their sizes, largest first.
    pub(super) fn databases(&self) -> String {
        let mut databases: Vec<_> = self.databases.iter().collect();
        databases.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let named = databases.iter().take(NAMED).map(|(name, size)| {
            let name = words::printable(name);
            match size.and_then(|size| u64::try_from(size).ok()) {
                Some(size) => format!("{name} ({})", words::size(size)),
                None => name,
            }
        });
        let mut told = named.collect::<Vec<_>>().join(", ");
        if let more @ 1.. = databases.len().saturating_sub(NAMED) {
            told.push_str(&format!(" and {more} more"));
        }
        told
    }
}
