//! `postgres://` addresses with percent-encoding (`conninfo_uri_parse_options`).
//!
//! Invariant: what may be part of a password that was not encoded is refused
//! rather than taken for a host, a port or a database, which messages show.

use zeroize::Zeroizing;

use super::ConnectionStringError;
use crate::client::{ConnectionParameters, keywords};

/// `user:password@host:port/dbname?key=value&…`, each part percent-encoded.
pub(super) fn parse(
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
        if !user.is_empty() {
            parameters.say("user", decode(user, "user")?)?;
        }
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            parameters.say("password", decode(password, "password")?)?;
        }
    }

    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority_end);
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for server in authority.split(',') {
        let (host, port) = split_host(server)?;
        // Stricter than libpq, where a password with an "@" or "/" that is not
        // encoded becomes part of a host, port or database, and is shown as such.
        let port_is_number = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
        if host.contains('@') || !port_is_number || (credentials.is_none() && rest.contains('@')) {
            return Err(ConnectionStringError::BadAddress);
        }
        let host = decode(host, "host")?;
        // A comma that was encoded would be taken for one between two hosts.
        if host.contains(',') {
            return Err(ConnectionStringError::BadAddress);
        }
        hosts.push(host);
        ports.push(port.unwrap_or_default());
    }
    if hosts.len() > 1 || hosts.iter().any(|host| !host.is_empty()) {
        parameters.say("host", hosts.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        parameters.say("port", ports.join(","))?;
    }

    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let database = decode(path.strip_prefix('/').unwrap_or(path), "database")?;
    if !database.is_empty() {
        parameters.say("dbname", database)?;
    }

    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let known = keywords::find(pair).is_some();
            let key = if known { pair } else { "…" }.to_owned();
            return Err(ConnectionStringError::NoValue { key });
        };
        let key = decode(key, "query")?;
        let value = decode(value, "query")?;
        match (key.as_str(), value.as_str()) {
            // JDBC's spelling, which libpq takes too.
            ("ssl", "true") => parameters.say("sslmode", "require".to_owned())?,
            _ => parameters.say(&key, value)?,
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
            return Err(ConnectionStringError::BadAddress);
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(ConnectionStringError::BadAddress),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(ConnectionStringError::BadAddress),
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
