//! What servers there are: looked for where they usually are.
//!
//! Invariants: each is asked once, and not waited for for long; nothing is changed; no
//! password is in what is told.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use pgkeep_postgres::client::{
    ConnectionParameters, ConnectionValue, Origin, SOCKET_DIRECTORIES, connect, database_sizes,
    services,
};
use pgkeep_types::Environment;
use tokio::net::TcpStream;

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
        let seen = tokio::time::timeout(PATIENCE, Seen::at(context, &connection)).await;
        let seen = seen.ok();
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
    let said = filled.in_force().into_iter().filter_map(|said| {
        let ConnectionValue { key, value, origin } = said;
        let counts = matches!(origin, Origin::Variable(_) | Origin::Connection);
        Some((key, value.filter(|_| counts)?))
    });
    let mut said: Vec<_> = said.collect();
    // Where it leads comes first, as people write it.
    let usual = ["service", "host", "hostaddr", "port", "user", "dbname"];
    said.sort_by_key(|(key, _)| {
        usual
            .iter()
            .position(|one| one == key)
            .unwrap_or(usual.len())
    });
    let pairs = said.iter();
    let pairs = pairs.map(|(key, value)| format!("{key}={}", quoted(value)));
    Some(pairs.collect::<Vec<_>>().join(" "))
}

/// The database to begin with, where the variables name none.
fn base(environment: &Environment) -> &'static str {
    match ["PGDATABASE", "PGSERVICE"].map(|name| environment.variable(name)) {
        [None, None] => "dbname=postgres",
        _ => "",
    }
}

/// A value of libpq's pairs, in quotes where it needs them.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
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

impl Seen {
    /// Asks the server that `connection` leads to.
    pub(super) async fn at(context: &Context, connection: &str) -> Result<Self, CliError> {
        let parameters = context.connection_argument("the answer", connection)?;
        let session = connect(&parameters).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_reads_back_from_libpqs_pairs() {
        for value in ["plain", "with blank", "it's", "back\\slash", "", "ü"] {
            let pairs = format!("user={} dbname=x", quoted(value));
            let parsed = ConnectionParameters::parse(&pairs).unwrap();
            let user = parsed.in_force().into_iter().find(|v| v.key == "user");
            assert_eq!(user.unwrap().value.as_deref(), Some(value), "{pairs}");
        }
    }
}
