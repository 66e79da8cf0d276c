//! libpq's two notations of a connection: an address, and `key=value` pairs.
//!
//! Source of the rules: `conninfo_parse` and `conninfo_uri_parse_options` in
//! src/interfaces/libpq/fe-connect.c, and "Connection Strings" in the manual.
//!
//! Invariant: no message repeats the text, since a password may be in it; only
//! keys and the values of keys that hold no secret are named.

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
    /// Text between the host and the port, or an empty bracket.
    #[error("the host in the connection address is not well-formed")]
    BadHost,
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
            Self::BadEncoding { .. } => Some(
                "write a literal % as %25, and other special characters as % and two hexadecimal \
                 digits"
                    .to_owned(),
            ),
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
        Some(rest) => parse_address(rest, &mut parameters)?,
        None => parse_pairs(text, &mut parameters)?,
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

/// `key = value key='quoted value'`: white space around `=`, `\` escapes a
/// character inside and outside of quotes.
fn parse_pairs(
    text: &str,
    parameters: &mut ConnectionParameters,
) -> Result<(), ConnectionStringError> {
    let mut characters = text.chars().peekable();
    loop {
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        if characters.peek().is_none() {
            return Ok(());
        }
        let mut key = String::new();
        while let Some(c) = characters.next_if(|&c| c != '=' && !c.is_ascii_whitespace()) {
            key.push(c);
        }
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        if characters.next_if_eq(&'=').is_none() {
            // A text without any "=" may be a mistyped address or a password:
            // it is not repeated.
            let known = KEYS.contains(&key.as_str());
            let key = if known { key } else { "…".to_owned() };
            return Err(ConnectionStringError::NoValue { key });
        }
        while characters.next_if(char::is_ascii_whitespace).is_some() {}
        let mut value = Zeroizing::new(String::new());
        if characters.next_if_eq(&'\'').is_some() {
            loop {
                match characters.next() {
                    None => return Err(ConnectionStringError::UnclosedQuote { key }),
                    Some('\'') => break,
                    Some('\\') => value.extend(characters.next()),
                    Some(c) => value.push(c),
                }
            }
        } else {
            while let Some(c) = characters.next_if(|c| !c.is_ascii_whitespace()) {
                match c {
                    '\\' => value.extend(characters.next()),
                    c => value.push(c),
                }
            }
        }
        parameters.set(&key, std::mem::take(&mut *value))?;
    }
}

/// `user:password@host:port/dbname?key=value&…`, each part percent-encoded.
fn parse_address(
    rest: &str,
    parameters: &mut ConnectionParameters,
) -> Result<(), ConnectionStringError> {
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    // libpq takes the first "@" before any "/" or "?" for the end of the user.
    let (credentials, rest) = match rest[..authority_end].split_once('@') {
        Some((credentials, _)) => (Some(credentials), &rest[credentials.len() + 1..]),
        None => (None, rest),
    };
    if let Some(credentials) = credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        parameters.set("user", decode(user, "user")?)?;
        if let Some(password) = password {
            parameters.set("password", decode(password, "password")?)?;
        }
    }

    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority_end);
    if authority.contains(',') {
        return Err(ConnectionStringError::SeveralServers { key: "host" });
    }
    let (host, port) = split_host(authority)?;
    parameters.set("host", decode(host, "host")?)?;
    if let Some(port) = port {
        parameters.set("port", decode(port, "port")?)?;
    }

    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    parameters.set(
        "dbname",
        decode(path.strip_prefix('/').unwrap_or(path), "database")?,
    )?;

    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let known = KEYS.contains(&pair);
            let key = if known { pair } else { "…" }.to_owned();
            return Err(ConnectionStringError::NoValue { key });
        };
        let key = decode(key, "query")?;
        let value = decode(value, "query")?;
        match (key.as_str(), value.as_str()) {
            // JDBC's spelling, which libpq takes too.
            ("ssl", "true") => parameters.set("sslmode", "require".to_owned())?,
            _ => parameters.set(&key, value)?,
        }
    }
    Ok(())
}

fn split_host(authority: &str) -> Result<(&str, Option<&str>), ConnectionStringError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or(ConnectionStringError::UnclosedBracket)?;
        if host.is_empty() {
            return Err(ConnectionStringError::BadHost);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(ConnectionStringError::BadHost),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(ConnectionStringError::BadHost),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

/// Percent-decoding as libpq does it: "+" stands for itself, NUL is refused.
fn decode(text: &str, part: &'static str) -> Result<String, ConnectionStringError> {
    let error = || ConnectionStringError::BadEncoding { part };
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(bytes.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let high = digit().ok_or_else(error)?;
        let low = digit().ok_or_else(error)?;
        match high * 16 + low {
            0 => return Err(error()),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(std::mem::take(&mut *decoded)).map_err(|_| error())
}
