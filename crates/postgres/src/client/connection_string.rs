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

use pgkeep_types::counted;

use super::keywords;
use super::origin::Origin;
use super::parameters::ConnectionParameters;

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
    /// A value that asks for something that cannot be done here. To leave it out
    /// could weaken what the user asked for.
    #[error("connection parameter {key} asks for {what}, which pgkeep does not do")]
    NotDone {
        /// The key, or the variable.
        key: String,
        /// What it asks for.
        what: &'static str,
    },
    /// Lists that belong together and differ in length.
    #[error(
        "the connection has {}, and {what} has {}",
        counted(*.hosts, "host"),
        counted(*.count, "value")
    )]
    Lists {
        /// The key of the list.
        what: &'static str,
        /// How many values it has.
        count: usize,
        /// How many hosts.
        hosts: usize,
    },
    /// A variable's value is no text.
    #[error("{variable} is not UTF-8")]
    NotText {
        /// The variable.
        variable: &'static str,
    },
    /// A service that is in none of the files.
    #[error("service {service:?} is not in {}", paths(.looked))]
    NoService {
        /// The service.
        service: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// A service file cannot be read.
    #[error("the service file {} cannot be read: {problem}", .path.display())]
    ServiceFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        problem: String,
    },
    /// A line of a service file is wrong.
    #[error("{}, line {line}: {problem}", .path.display())]
    ServiceLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Box<ConnectionStringError>,
    },
    /// A service that refers to another one.
    #[error("a service cannot name a service")]
    NestedService,
}

fn paths(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    match paths.as_slice() {
        [] => "any file: there is none".to_owned(),
        _ => paths.join(" or "),
    }
}

impl ConnectionStringError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { key } => Some(match keywords::nearest(key) {
                Some(name) => format!("did you mean '{name}'"),
                None => "the keys are those of libpq".to_owned(),
            }),
            Self::BadEncoding { .. } | Self::BadAddress => Some(
                "write special characters of a name or password as % and two hexadecimal digits: \
                 % as %25, @ as %40, / as %2F, : as %3A"
                    .to_owned(),
            ),
            Self::NotDone { key, .. } if key == "sslpassword" => {
                Some("an encrypted key cannot be used: remove its passphrase".to_owned())
            }
            Self::NotDone { .. } => Some("leave it out, where you can do without".to_owned()),
            Self::Lists { .. } => Some(
                "give one for each host, with commas between; one port may stand for all"
                    .to_owned(),
            ),
            Self::NoService { .. } => Some(
                "services are in ~/.pg_service.conf, in the file that PGSERVICEFILE names, or in \
                 pg_service.conf where PGSYSCONFDIR says"
                    .to_owned(),
            ),
            Self::ServiceLine { problem, .. } => problem.hint(),
            _ => None,
        }
    }
}

/// Gives an error the place of the value that it is about.
pub(super) fn named(error: ConnectionStringError, name: &str) -> ConnectionStringError {
    let key = name.to_owned();
    match error {
        ConnectionStringError::BadValue { value, wanted, .. } => {
            ConnectionStringError::BadValue { key, value, wanted }
        }
        ConnectionStringError::NotDone { what, .. } => ConnectionStringError::NotDone { key, what },
        error => error,
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
    parameters.check_together()?;
    Ok(parameters)
}

impl ConnectionParameters {
    /// Sets what the text itself says.
    fn say(&mut self, key: &str, value: String) -> Result<(), ConnectionStringError> {
        self.set(key, value, Origin::Connection)
    }
}
