//! From libpq's words to the driver's, and libpq's ways of trying.
//!
//! Invariant: what the driver cannot do is refused, never left out.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config;
use tokio_postgres::{Client, Config, NoTls};

use super::connect_error::ConnectError;
use super::parameters::ConnectionParameters;
use super::tls;
use super::tls_choice::{ChannelBinding, SslMode};

/// A client and its connection, which has to be served.
pub(super) type Opened = (Client, Served);

/// A connection that moves bytes when it is polled, and ends with a reason.
pub(super) type Served =
    std::pin::Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static>>;

/// With or without TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    TlsIfOffered,
    Tls,
}

/// In which order libpq tries, by `sslmode`; the second where the first failed
/// for a reason that the second can mend.
fn ways(parameters: &ConnectionParameters) -> &'static [Way] {
    if parameters.socket_directory().is_some() {
        // There is no TLS on a local socket; libpq ignores the mode there.
        return &[Way::Plain];
    }
    match parameters.ssl_mode() {
        SslMode::Disable => &[Way::Plain],
        SslMode::Allow => &[Way::Plain, Way::Tls],
        SslMode::Prefer => &[Way::TlsIfOffered, Way::Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Way::Tls],
    }
}

/// Opens a connection to the one server that the parameters name.
pub(super) async fn open(parameters: &ConnectionParameters) -> Result<Opened, ConnectError> {
    let mut first = None;
    for &way in ways(parameters) {
        match attempt(parameters, way).await {
            Ok(opened) => return Ok(opened),
            Err(error) => {
                let another_may_help = matches!(
                    &error,
                    ConnectError::Tls { .. } | ConnectError::TlsSetup { .. }
                ) || matches!(&error, ConnectError::Authentication { sqlstate, .. }
                    if sqlstate == "28000");
                // The first failure is that of the way that was preferred.
                let error = first.unwrap_or(error);
                if !another_may_help {
                    return Err(error);
                }
                first = Some(error);
            }
        }
    }
    Err(first.unwrap_or_else(|| ConnectError::no_server(parameters)))
}

async fn attempt(parameters: &ConnectionParameters, way: Way) -> Result<Opened, ConnectError> {
    let mut config = configuration(parameters);
    config.ssl_mode(match way {
        Way::Plain => config::SslMode::Disable,
        Way::TlsIfOffered => config::SslMode::Prefer,
        Way::Tls => config::SslMode::Require,
    });
    let error = |error| ConnectError::new(parameters, error);
    if way == Way::Plain {
        let (client, connection) = config.connect(NoTls).await.map_err(error)?;
        return Ok((client, served(connection)));
    }
    let connector = tls::connector(parameters).map_err(|source| ConnectError::TlsSetup {
        server: parameters.server(),
        database: parameters.database().to_owned(),
        source: Box::new(source),
    })?;
    let (client, connection) = config.connect(connector).await.map_err(error)?;
    Ok((client, served(connection)))
}

fn served<S, T>(connection: tokio_postgres::Connection<S, T>) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::pin(connection)
}

fn configuration(parameters: &ConnectionParameters) -> Config {
    let mut config = Config::new();
    config
        .user(parameters.user())
        .dbname(parameters.database())
        .port(parameters.port())
        .application_name(parameters.application_name());
    parameters.keepalive.apply(&mut config);
    let address = parameters.addresses.first().copied().flatten();
    match (parameters.socket_directory(), address) {
        (Some(directory), _) => {
            config.host_path(directory);
        }
        (None, Some(address)) => {
            // The name, where there is one, is what a certificate has to show.
            let name = parameters.hosts.first().filter(|name| !name.is_empty());
            config.host(name.cloned().unwrap_or_else(|| address.to_string()));
            config.hostaddr(address);
        }
        (None, None) => {
            config.host(parameters.host());
        }
    }
    if let Some(password) = parameters.password() {
        config.password(password.as_bytes());
    }
    if let Some(options) = &parameters.options {
        config.options(options);
    }
    config.channel_binding(match parameters.channel_binding {
        None | Some(ChannelBinding::Prefer) => config::ChannelBinding::Prefer,
        Some(ChannelBinding::Disable) => config::ChannelBinding::Disable,
        Some(ChannelBinding::Require) => config::ChannelBinding::Require,
    });
    config
}
