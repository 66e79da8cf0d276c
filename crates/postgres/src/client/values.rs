//! What the value of each key means.
//!
//! Source: "Parameter Key Words" in the manual's chapter on libpq, and
//! `connectOptions2` in src/interfaces/libpq/fe-connect.c.
//!
//! Invariant: a key of libpq's that asks for something that cannot be done here is
//! refused; what asks for what is done anyway is accepted.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::connection_string::ConnectionStringError;
use super::keywords;
use super::origin::Origin;
use super::parameters::ConnectionParameters;
use super::session_attributes::SessionAttributes;
use super::tls_choice::{ChannelBinding, SslMode};

type Result<T> = std::result::Result<T, ConnectionStringError>;

impl ConnectionParameters {
    /// Sets one of libpq's parameters. An empty value is libpq's default, where the
    /// key takes any text, and goes before what others say of it.
    pub(super) fn set(&mut self, key: &str, value: String, origin: Origin) -> Result<()> {
        let Some(keyword) = keywords::find(key) else {
            return Err(ConnectionStringError::UnknownKey {
                key: key.to_owned(),
            });
        };
        let given = Given {
            key: keyword.name,
            value: Zeroizing::new(value),
        };
        self.take(&given)?;
        let shown = (keyword.name != "password").then(|| given.value.to_string());
        self.said.insert(keyword.name, (shown, origin));
        Ok(())
    }

    fn take(&mut self, given: &Given) -> Result<()> {
        match given.key {
            "service" => self.service = given.text(),
            "servicefile" => self.service_file = given.text().map(PathBuf::from),
            "host" => {
                let hosts = given.list();
                if hosts.iter().any(|host| host.starts_with('@')) {
                    return Err(given.not_done("sockets in the abstract name space"));
                }
                self.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            }
            "hostaddr" => {
                let addresses = given.list().into_iter().map(|text| match text {
                    "" => Ok(None),
                    text => text
                        .parse()
                        .map(Some)
                        .map_err(|_| given.bad("an IP address")),
                });
                self.addresses = addresses.collect::<Result<_>>()?;
            }
            "port" => {
                let ports = given.list().into_iter().map(|text| match text.trim() {
                    "" => Ok(None),
                    text => match text.parse() {
                        Ok(port @ 1..) => Ok(Some(port)),
                        _ => Err(given.bad("a number from 1 to 65535")),
                    },
                });
                self.ports = ports.collect::<Result<_>>()?;
            }
            "user" => self.user = given.text(),
            "password" => self.password = given.text().map(Zeroizing::new),
            "passfile" => self.password_file = given.text().map(PathBuf::from),
            "dbname" => self.database = given.text(),
            "options" => self.options = given.text(),
            "application_name" => self.application_name = given.text(),
            "fallback_application_name" => self.fallback_application_name = given.text(),
            "connect_timeout" => {
                // libpq waits for ever at zero and below.
                self.connect_timeout = Some(given.not_negative("a number of seconds")?);
            }
            "target_session_attrs" => {
                let wanted = "any, read-write, read-only, primary, standby or prefer-standby";
                let all = SessionAttributes::ALL;
                self.session_attributes = given.one_of(all, SessionAttributes::as_str, wanted)?;
            }
            "load_balance_hosts" => {
                let word = |on| if on { "random" } else { "disable" };
                self.balanced = given.one_of([false, true], word, "disable or random")?;
            }
            "channel_binding" => {
                let wanted = "disable, prefer or require";
                let binding = given.one_of(ChannelBinding::ALL, ChannelBinding::as_str, wanted)?;
                self.channel_binding = Some(binding);
            }
            "keepalives" => {
                self.keepalive.off = given.not_negative("0 or 1")? == 0;
            }
            "keepalives_idle" => self.keepalive.idle = given.more_than_zero("seconds")?,
            "keepalives_interval" => self.keepalive.interval = given.more_than_zero("seconds")?,
            "keepalives_count" => self.keepalive.count = given.more_than_zero("a count")?,
            "tcp_user_timeout" => {
                self.keepalive.user_timeout = given.more_than_zero("milliseconds")?;
            }
            _ => return self.take_security(given),
        }
        Ok(())
    }

    /// The keys of TLS, authentication and the protocol.
    fn take_security(&mut self, given: &Given) -> Result<()> {
        match given.key {
            "sslmode" => {
                let wanted = "disable, allow, prefer, require, verify-ca or verify-full";
                let mode = given.one_of(SslMode::ALL, SslMode::as_str, wanted)?;
                self.ssl_mode = Some(mode);
            }
            "sslrootcert" => self.ssl_root_certificate = given.text(),
            "sslcert" => self.ssl_certificate = given.text(),
            "sslkey" => self.ssl_key = given.text(),
            "sslcertmode" => match given.as_str() {
                "disable" => self.ssl_no_certificate = true,
                "allow" => self.ssl_no_certificate = false,
                "require" => return Err(given.not_done("to insist on being asked for one")),
                _ => return Err(given.bad("disable, allow or require")),
            },
            "sslsni" => self.ssl_no_sni = !given.one_or_zero()?,
            "ssl_min_protocol_version" => match given.as_str() {
                // Nothing older than 1.2 is spoken here.
                "" | "TLSv1" | "TLSv1.1" | "TLSv1.2" => self.ssl_versions.no_1_2 = false,
                "TLSv1.3" => self.ssl_versions.no_1_2 = true,
                _ => return Err(given.bad("TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3")),
            },
            "ssl_max_protocol_version" => match given.as_str() {
                "" | "TLSv1.3" => self.ssl_versions.no_1_3 = false,
                "TLSv1.2" => self.ssl_versions.no_1_3 = true,
                "TLSv1" | "TLSv1.1" => return Err(given.not_done("TLS older than 1.2")),
                _ => return Err(given.bad("TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3")),
            },
            // Each of these has a value that asks for what is done here anyway.
            "client_encoding" => {
                let utf8 = ["UTF8", "UTF-8", "UNICODE"];
                let is_utf8 = utf8
                    .iter()
                    .any(|name| given.as_str().eq_ignore_ascii_case(name));
                given.only(is_utf8, "an encoding other than UTF8")?;
            }
            "sslnegotiation" => {
                given.only(given.as_str() == "postgres", "TLS without asking first")?;
            }
            "sslcompression" => given.only(!given.one_or_zero()?, "compression by TLS")?,
            "gssencmode" => {
                let fits = ["disable", "prefer"].contains(&given.as_str());
                given.only(fits, "encryption by GSSAPI")?;
            }
            "gssdelegation" => given.only(!given.one_or_zero()?, "GSSAPI")?,
            "replication" => {
                let off = ["", "0", "off", "no", "false"].contains(&given.as_str());
                given.only(off, "a replication connection")?;
            }
            "min_protocol_version" => {
                given.only(
                    ["", "3.0"].contains(&given.as_str()),
                    "a protocol after 3.0",
                )?;
            }
            "max_protocol_version" => {
                let fits = ["", "3.0", "3.2", "latest"].contains(&given.as_str());
                given.only(fits, "that protocol")?;
            }
            key => given.only(given.as_str().is_empty(), not_done_here(key))?,
        }
        Ok(())
    }
}

impl SslMode {
    const ALL: [Self; 6] = [
        Self::Disable,
        Self::Allow,
        Self::Prefer,
        Self::Require,
        Self::VerifyCa,
        Self::VerifyFull,
    ];
}

/// What keys ask for that nothing here does.
fn not_done_here(key: &str) -> &'static str {
    match key {
        "sslcrl" | "sslcrldir" => "a look at which certificates were revoked",
        "sslpassword" => "an encrypted key",
        "sslkeylogfile" => "TLS keys in a file",
        "requirepeer" => "a look at who runs the server",
        "require_auth" => "certain ways of authentication alone",
        "scram_client_key" | "scram_server_key" => "SCRAM keys in place of a password",
        "krbsrvname" | "gsslib" => "GSSAPI",
        _ => "OAuth",
    }
}

/// A key and the value that it was given.
struct Given {
    key: &'static str,
    value: Zeroizing<String>,
}

impl Given {
    fn as_str(&self) -> &str {
        &self.value
    }

    /// The value, where there is one.
    fn text(&self) -> Option<String> {
        (!self.value.is_empty()).then(|| self.value.to_string())
    }

    /// The parts between commas; none in nothing.
    fn list(&self) -> Vec<&str> {
        if self.value.is_empty() {
            return Vec::new();
        }
        self.value.split(',').collect()
    }

    fn one_of<T: Copy, const N: usize>(
        &self,
        all: [T; N],
        word: impl Fn(T) -> &'static str,
        wanted: &'static str,
    ) -> Result<T> {
        let found = all.into_iter().find(|one| word(*one) == self.as_str());
        found.ok_or_else(|| self.bad(wanted))
    }

    fn one_or_zero(&self) -> Result<bool> {
        match self.as_str() {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(self.bad("0 or 1")),
        }
    }

    /// A whole number; what is below zero counts as zero.
    fn not_negative(&self, wanted: &'static str) -> Result<u32> {
        let number: i32 = self.as_str().trim().parse().map_err(|_| self.bad(wanted))?;
        Ok(u32::try_from(number).unwrap_or(0))
    }

    /// A whole number; zero and below stand for the system's default.
    fn more_than_zero(&self, wanted: &'static str) -> Result<Option<u32>> {
        let number = self.not_negative(wanted)?;
        Ok((number > 0).then_some(number))
    }

    /// Refuses what asks for more than is done.
    fn only(&self, done: bool, what: &'static str) -> Result<()> {
        if done {
            Ok(())
        } else {
            Err(self.not_done(what))
        }
    }

    fn not_done(&self, what: &'static str) -> ConnectionStringError {
        ConnectionStringError::NotDone {
            key: self.key.to_owned(),
            what,
        }
    }

    fn bad(&self, wanted: &'static str) -> ConnectionStringError {
        ConnectionStringError::BadValue {
            key: self.key.to_owned(),
            value: self.value.to_string(),
            wanted,
        }
    }
}
