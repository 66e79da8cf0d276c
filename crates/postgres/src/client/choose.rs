//! Which of several servers a session is opened with.
//!
//! Source: `PQconnectPoll` in src/interfaces/libpq/fe-connect.c, and "Specifying
//! Multiple Hosts" in the manual.
//!
//! Invariants: servers and the addresses of each are tried one after the other, each
//! for the whole of `connect_timeout`; a server that was reached and does not let us
//! in ends the search.

use std::time::Duration;

use tokio::net::lookup_host;

use super::connect_error::ConnectError;
use super::connection::{Connection, DEFAULT_CONNECT_TIMEOUT, open};
use super::parameters::ConnectionParameters;
use super::servers::{Server, shuffle};
use super::session_attributes::SessionAttributes;

/// libpq's "wait for ever".
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Opens a session with the first server that will do.
pub(super) async fn connect(parameters: &ConnectionParameters) -> Result<Connection, ConnectError> {
    let limit = match parameters.connect_timeout {
        None => DEFAULT_CONNECT_TIMEOUT,
        Some(0) => FOR_EVER,
        Some(seconds) => Duration::from_secs(seconds.into()),
    };
    let mut seed = parameters.balance_seed.unwrap_or_default();
    let mut servers = parameters.servers();
    if parameters.balanced {
        shuffle(&mut servers, &mut seed);
    }
    let mut failures = Vec::new();
    for &wanted in parameters.session_attributes.rounds() {
        // What the last round came to says why there is no session.
        failures.clear();
        for server in &servers {
            let mut candidates = match addresses(parameters, server, limit).await {
                Ok(candidates) => candidates,
                Err(error) => {
                    failures.push(error);
                    continue;
                }
            };
            if parameters.balanced {
                shuffle(&mut candidates, &mut seed);
            }
            for candidate in &candidates {
                match attempt(candidate, wanted, limit).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) if error.leads_on() => failures.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Err(ConnectError::of(parameters, failures))
}

/// The connection to each address of a server.
async fn addresses(
    parameters: &ConnectionParameters,
    server: &Server,
    limit: Duration,
) -> Result<Vec<ConnectionParameters>, ConnectError> {
    let one = parameters.narrowed_to(server);
    if server.address.is_some() || one.socket_directory().is_some() {
        return Ok(vec![one]);
    }
    let found = tokio::time::timeout(limit, lookup_host((one.host(), one.port()))).await;
    let found = found.map_err(|_| timed_out(&one, limit))?;
    let found = found.map_err(|source| ConnectError::UnknownHost {
        server: one.server(),
        database: one.database().to_owned(),
        source,
    })?;
    let with_address = found.map(|address| {
        one.narrowed_to(&Server {
            host: Some(one.host().to_owned()),
            address: Some(address.ip()),
            ..server.clone()
        })
    });
    Ok(with_address.collect())
}

async fn attempt(
    parameters: &ConnectionParameters,
    wanted: SessionAttributes,
    limit: Duration,
) -> Result<Connection, ConnectError> {
    let opened = tokio::time::timeout(limit, open(parameters)).await;
    let connection = opened.map_err(|_| timed_out(parameters, limit))??;
    let (in_recovery, read_only) = (connection.is_in_recovery(), connection.is_read_only());
    if wanted.fits(in_recovery, read_only) {
        return Ok(connection);
    }
    Err(ConnectError::WrongServer {
        server: parameters.server(),
        database: parameters.database().to_owned(),
        found: match (in_recovery, read_only) {
            (true, _) => "a standby",
            (false, true) => "a primary with read-only sessions",
            (false, false) => "a primary",
        },
        wanted: wanted.as_str(),
    })
}

fn timed_out(parameters: &ConnectionParameters, after: Duration) -> ConnectError {
    ConnectError::TimedOut {
        server: parameters.server(),
        database: parameters.database().to_owned(),
        after,
    }
}
