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
    /// The part before the database is not `user:password@host:port`. It is
    /// not repeated: a password may have been taken for something else.
    #[error(
        "the connection address is not of the form postgres://user:password@host:port/database"
    )]
    BadAddress,
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
    // Stricter than libpq, where a password with an "@" or "/" that is not
    // encoded becomes part of a host, port or database, and is shown as such.
    let port_is_number = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if host.contains('@') || !port_is_number || (credentials.is_none() && rest.contains('@')) {
        return Err(ConnectionStringError::BadAddress);
    }
    parameters.set("host", decode(host, "host")?)?;
    if let Some(port) = port {
        parameters.set("port", port.to_owned())?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parameters::SslMode;
    use super::*;

    fn quoted(value: &str) -> String {
        format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
    }

    fn encoded(value: &str) -> String {
        value.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    fn password(parameters: &ConnectionParameters) -> &str {
        parameters.password().map_or("", |password| password)
    }

    #[test]
    fn an_address_has_user_password_host_port_database_and_more() {
        let parameters =
            parse("postgresql://me:p%40ss@db.internal:6432/app?sslmode=require&connect_timeout=7")
                .unwrap();
        assert_eq!(parameters.user(), "me");
        assert_eq!(password(&parameters), "p@ss");
        assert_eq!(parameters.host(), "db.internal");
        assert_eq!(parameters.port(), 6432);
        assert_eq!(parameters.database(), "app");
        assert_eq!(parameters.ssl_mode(), SslMode::Require);
        assert_eq!(parameters.connect_timeout, Some(7));
        assert_eq!(parameters.describe(), "postgres://me@db.internal:6432/app");
    }

    #[test]
    fn every_part_of_an_address_may_be_left_out() {
        assert_eq!(
            parse("postgres://").unwrap(),
            ConnectionParameters::default()
        );
        let parameters = parse("postgres:///app").unwrap();
        assert_eq!((parameters.database(), &parameters.host), ("app", &None));
        let parameters = parse("postgres://db?user=me&dbname=x").unwrap();
        assert_eq!((parameters.host(), parameters.user()), ("db", "me"));
        assert_eq!(parameters.database(), "x");
        assert_eq!(parse("postgres://me@").unwrap().database(), "me");
    }

    #[test]
    fn a_host_may_be_an_ipv6_address() {
        let parameters = parse("postgres://me@[2001:db8::1]:5433/app").unwrap();
        assert_eq!(
            (parameters.host(), parameters.port()),
            ("2001:db8::1", 5433)
        );
        assert_eq!(
            parameters.describe(),
            "postgres://me@[2001:db8::1]:5433/app"
        );
        let error = parse("postgres://[::1/app").unwrap_err();
        assert_eq!(error, ConnectionStringError::UnclosedBracket);
        for text in [
            "postgres://::1/app",
            "postgres://[]/app",
            "postgres://[::1]x/app",
        ] {
            assert_eq!(parse(text).unwrap_err(), ConnectionStringError::BadAddress);
        }
    }

    #[test]
    fn a_host_may_be_the_directory_of_a_socket() {
        for text in [
            "postgres://me@%2Frun%2Fpg/app",
            "postgres:///app?host=/run/pg&user=me",
            "host=/run/pg user=me dbname=app",
        ] {
            let parameters = parse(text).unwrap();
            let directory = parameters.socket_directory().unwrap();
            assert_eq!(directory, std::path::Path::new("/run/pg"));
            assert_eq!(parameters.describe(), "postgres://me@/run/pg:5432/app");
        }
    }

    #[test]
    fn pairs_may_have_white_space_and_quotes() {
        let parameters =
            parse(r"host = h  port=1 user='a b' password='it\'s \\ ' dbname=x\ y").unwrap();
        assert_eq!(parameters.user(), "a b");
        assert_eq!(password(&parameters), r"it's \ ");
        assert_eq!((parameters.database(), parameters.port()), ("x y", 1));
        assert_eq!(parse("  ").unwrap(), ConnectionParameters::default());
        assert_eq!(parse("host=''").unwrap(), ConnectionParameters::default());
    }

    #[test]
    fn an_unknown_key_is_named() {
        for text in ["hots=x", "postgres://h/d?hots=x"] {
            let error = parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                r#"connection parameter "hots" is not known"#
            );
            assert!(error.hint().unwrap().contains("hostaddr"));
        }
    }

    #[test]
    fn values_that_a_key_does_not_take_are_refused() {
        for text in [
            "port=0",
            "port=65536",
            "port=x",
            "hostaddr=example.org",
            "sslmode=yes",
            "connect_timeout=soon",
            "postgres://h:65536/",
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                matches!(error, ConnectionStringError::BadValue { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn one_connection_is_one_server() {
        for text in [
            "host=a,b",
            "port=1,2",
            "hostaddr=::1,::2",
            "postgres://a,b/d",
            "postgres://a:1,b:2/d",
        ] {
            let error = parse(text).unwrap_err();
            assert!(
                matches!(error, ConnectionStringError::SeveralServers { .. }),
                "{text}"
            );
        }
    }

    #[test]
    fn texts_that_are_cut_off_are_refused() {
        for text in [
            "host",
            "password='abc",
            "postgres://h/d?host",
            "postgres://a%2",
            "postgres://a%zz",
            "postgres://a%00",
            "postgres://%ff",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives_in_quotes(
            database in "[^\0]{1,20}", secret in "[^\0]{1,20}", user in "[^\0]{1,20}"
        ) {
            let text = format!(
                "dbname={} password = {} user={}",
                quoted(&database), quoted(&secret), quoted(&user)
            );
            let parameters = parse(&text).unwrap();
            prop_assert_eq!(parameters.database(), database);
            prop_assert_eq!(password(&parameters), secret);
            prop_assert_eq!(parameters.user(), user);
        }

        #[test]
        fn any_value_survives_in_an_address(
            database in "[^\0]{1,20}", secret in "[^\0]{1,20}", user in "[^\0]{1,20}"
        ) {
            let text = format!(
                "postgres://{}:{}@h/{}",
                encoded(&user), encoded(&secret), encoded(&database)
            );
            let parameters = parse(&text).unwrap();
            prop_assert_eq!(parameters.database(), database);
            prop_assert_eq!(password(&parameters), secret);
            prop_assert_eq!(parameters.user(), user);
        }

        #[test]
        fn no_text_is_a_panic(text in "(postgres://)?\\PC{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_password_is_never_shown_however_it_was_mistyped(
            first in "[a-z]{8}|[0-9]{8}", special in "[@/:?#%'\\\\ \\[&=]", second in "[a-z]{8}"
        ) {
            let secret = format!("{first}{special}{second}");
            for text in [
                format!("postgres://me:{secret}@h:1/d"),
                format!("password={secret}"),
                format!("password='{secret}' user=me"),
            ] {
                let shown = match parse(&text) {
                    Ok(parameters) => format!("{parameters} {parameters:?}"),
                    // A key is named, and after a space or "&" it may be half
                    // of a password that was not quoted.
                    Err(ConnectionStringError::UnknownKey { .. }) => continue,
                    Err(error) => format!("{error} {error:?} {:?}", error.hint()),
                };
                prop_assert!(!shown.contains(&first), "{} from {}", shown, text);
                prop_assert!(!shown.contains(&second), "{} from {}", shown, text);
            }
        }
    }
}
