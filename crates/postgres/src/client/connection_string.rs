//! libpq's two notations of a connection: an address, and `key=value` pairs.
//!
//! Source of the rules: `conninfo_parse` and `conninfo_uri_parse_options` in
//! src/interfaces/libpq/fe-connect.c, and "Connection Strings" in the manual.
//!
//! Invariant: no message repeats the text, since a password may be in it; only
//! keys and the values of keys that hold no secret are named.

mod address;
mod pairs;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::parameters::ConnectionParameters;

const KEYS: [&str; 16] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "application_name",
    "options",
    "passfile",
    "target_session_attrs",
    "channel_binding",
];

/// Why a text describes no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A key that is not known here.
    #[error("connection parameter {key:?} is not known")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key without a value.
    #[error("connection parameter {key:?} has no \"=\" and value after it")]
    NoValue {
        /// The key.
        key: String,
    },
    /// A value that its key does not take.
    #[error("connection parameter {key} is {value:?}; {wanted} is wanted")]
    BadValue {
        /// The key, or the variable.
        key: String,
        /// Its value; never a password.
        value: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// A quote that is never closed.
    #[error("the value of connection parameter {key:?} has an opening quote and no closing one")]
    UnclosedQuote {
        /// The key.
        key: String,
    },
    /// A `%` that no two hexadecimal digits follow, or `%00`, or no UTF-8.
    #[error("the {part} in the connection address has a wrong percent-encoding")]
    BadEncoding {
        /// Which part of the address.
        part: &'static str,
    },
    /// An IPv6 address whose bracket is never closed.
    #[error("the host in the connection address has \"[\" without \"]\"")]
    UnclosedBracket,
    /// The part before the database is not `user:password@host:port`. It is
    /// not repeated: a password may have been taken for something else.
    #[error(
        "the connection address is not of the form postgres://user:password@host:port/database"
    )]
    BadAddress,
    /// A variable of libpq's that says something of the connection that cannot be
    /// done here yet. To leave it out could weaken what the user asked for.
    #[error("the variable {variable} is set, and pgkeep does not know what it asks for yet")]
    UnknownVariable {
        /// The variable.
        variable: &'static str,
    },
    /// Several hosts or ports.
    #[error("connection parameter {key} names several servers; a backup has one source")]
    SeveralServers {
        /// `host`, `hostaddr` or `port`.
        key: &'static str,
    },
}

impl ConnectionStringError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { .. } => Some(format!("known are {}", KEYS.join(", "))),
            Self::BadEncoding { .. } | Self::BadAddress => Some(
                "write special characters of a name or password as % and two hexadecimal digits: \
                 % as %25, @ as %40, / as %2F, : as %3A"
                    .to_owned(),
            ),
            Self::UnknownVariable { .. } => {
                Some("unset it, and say in the connection what it stands for".to_owned())
            }
            Self::SeveralServers { .. } => {
                Some("configure one cluster for each server to be backed up".to_owned())
            }
            _ => None,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<ConnectionParameters, ConnectionStringError> {
    let mut parameters = ConnectionParameters::default();
    let address = ["postgres://", "postgresql://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match address {
        Some(rest) => address::parse(rest, &mut parameters)?,
        None => pairs::parse(text, &mut parameters)?,
    }
    Ok(parameters)
}

impl ConnectionParameters {
    /// Sets one of libpq's parameters; an empty value leaves the default.
    pub(super) fn set(&mut self, key: &str, value: String) -> Result<(), ConnectionStringError> {
        if !KEYS.contains(&key) {
            return Err(ConnectionStringError::UnknownKey {
                key: key.to_owned(),
            });
        }
        if value.is_empty() {
            return Ok(());
        }
        let bad = |value: &str, wanted| ConnectionStringError::BadValue {
            key: key.to_owned(),
            value: value.to_owned(),
            wanted,
        };
        match key {
            "host" => {
                // A comma separates hosts, except in a directory's name that
                // stands alone: libpq splits there too.
                if value.contains(',') {
                    return Err(ConnectionStringError::SeveralServers { key: "host" });
                }
                self.host = Some(value);
            }
            "hostaddr" => {
                if value.contains(',') {
                    return Err(ConnectionStringError::SeveralServers { key: "hostaddr" });
                }
                let address = value.parse();
                self.host_address = Some(address.map_err(|_| bad(&value, "an IP address"))?);
            }
            "port" => {
                if value.contains(',') {
                    return Err(ConnectionStringError::SeveralServers { key: "port" });
                }
                let port = value.trim().parse().ok().filter(|&port: &u16| port > 0);
                self.port = Some(port.ok_or_else(|| bad(&value, "a number from 1 to 65535"))?);
            }
            "user" => self.user = Some(value),
            "password" => self.password = Some(Zeroizing::new(value)),
            "dbname" => self.database = Some(value),
            "sslmode" => {
                let mode = value.parse().map_err(|()| {
                    bad(
                        &value,
                        "disable, allow, prefer, require, verify-ca or verify-full",
                    )
                })?;
                self.ssl_mode = Some(mode);
            }
            "sslrootcert" => self.ssl_root_certificate = Some(value),
            "sslcert" => self.ssl_certificate = Some(value),
            "sslkey" => self.ssl_key = Some(value),
            "connect_timeout" => {
                let seconds: i64 = value
                    .trim()
                    .parse()
                    .map_err(|_| bad(&value, "a number of seconds"))?;
                // libpq waits for ever at zero and below.
                self.connect_timeout = Some(u32::try_from(seconds).unwrap_or(0));
            }
            "application_name" => self.application_name = Some(value),
            "options" => self.options = Some(value),
            "passfile" => self.password_file = Some(PathBuf::from(value)),
            "target_session_attrs" => self.target_session_attributes = Some(value),
            _ => self.channel_binding = Some(value),
        }
        Ok(())
    }
}
