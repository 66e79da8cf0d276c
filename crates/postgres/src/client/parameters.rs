//! Where a server is and who connects to it.
//!
//! Invariants: the password is wiped when its last copy is dropped, and neither
//! `Debug` nor any message shows it. Hosts, addresses and ports are lists of equal
//! length, or empty, or (ports) one for all: who makes a value has checked it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use zeroize::Zeroizing;

use super::connection_string::ConnectionStringError;
use super::keepalive::Keepalive;
use super::keywords::{KEYWORDS, Keyword};
use super::origin::{ConnectionValue, Origin};
use super::servers::Server;
use super::session_attributes::SessionAttributes;
use super::tls_choice::{ChannelBinding, SslMode, TlsVersions};

/// Since 17: `EventTriggerOnLogin` in src/backend/commands/event_trigger.c asks it, and
/// so does every other event.
const NO_EVENT_TRIGGERS: &str = "-c event_triggers=off";

/// Everything that is said about a connection, in libpq's words.
///
/// A part that was left out has libpq's default once
/// [`with_defaults`](Self::with_defaults) has filled it in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectionParameters {
    /// As they are listed; an empty one stands for the default.
    pub(super) hosts: Vec<String>,
    pub(super) addresses: Vec<Option<IpAddr>>,
    pub(super) ports: Vec<Option<u16>>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    /// What the password file has for each server.
    pub(super) file_passwords: Vec<Option<Zeroizing<String>>>,
    pub(super) database: Option<String>,
    pub(super) service: Option<String>,
    pub(super) service_file: Option<PathBuf>,
    pub(super) ssl_mode: Option<SslMode>,
    pub(super) ssl_root_certificate: Option<String>,
    /// A list of revoked certificates that libpq would find and use.
    pub(super) ssl_revocation_list: Option<PathBuf>,
    pub(super) ssl_certificate: Option<String>,
    pub(super) ssl_key: Option<String>,
    pub(super) ssl_no_certificate: bool,
    pub(super) ssl_no_sni: bool,
    pub(super) ssl_versions: TlsVersions,
    pub(super) connect_timeout: Option<u32>,
    pub(super) application_name: Option<String>,
    pub(super) fallback_application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) session_attributes: SessionAttributes,
    pub(super) balanced: bool,
    pub(super) balance_seed: Option<u64>,
    pub(super) channel_binding: Option<ChannelBinding>,
    pub(super) keepalive: Keepalive,
    pub(super) ignored_password_file: Option<PathBuf>,
    /// What was said of each key, and where; of a password only where. A key that
    /// nobody said anything of is not there.
    pub(super) said: BTreeMap<&'static str, (Option<String>, Origin)>,
}

impl ConnectionParameters {
    /// Reads a `postgres://` or `postgresql://` address, or libpq's
    /// `key=value` pairs.
    ///
    /// # Errors
    ///
    /// Where the text is neither, or a key or value is not known.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        super::connection_string::parse(text)
    }

    /// One user and database of a server that is reached without TLS: a
    /// throwaway of this machine.
    pub(crate) fn to_server(host: String, port: u16, user: &str, database: &str) -> Self {
        Self {
            hosts: vec![host],
            ports: vec![Some(port)],
            user: Some(user.to_owned()),
            database: Some(database.to_owned()),
            ssl_mode: Some(SslMode::Disable),
            ..Self::default()
        }
    }

    /// The database; where none is named, the one called like the user.
    #[must_use]
    pub fn database(&self) -> &str {
        self.database.as_deref().unwrap_or_else(|| self.user())
    }

    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self {
            database: Some(database.to_owned()),
            ..self.clone()
        }
    }

    /// The same, with a password.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        Self {
            password: Some(Zeroizing::new(password.to_owned())),
            ..self.clone()
        }
    }

    /// The same, as another user; the password is left behind.
    #[must_use]
    pub fn with_user(&self, user: &str) -> Self {
        Self {
            user: Some(user.to_owned()),
            password: None,
            file_passwords: Vec::new(),
            ..self.clone()
        }
    }

    /// The same, for sessions that write: a database may be set to read-only
    /// transactions, and a restore fills it all the same.
    #[must_use]
    pub fn writable(&self) -> Self {
        self.with_options("-c default_transaction_read_only=off")
    }

    /// The same, for sessions of PostgreSQL 14 and newer that write and take their time,
    /// whatever the database's and the role's settings are, and speak English.
    #[must_use]
    pub(crate) fn unlimited(&self) -> Self {
        self.writable().with_options(
            "-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 \
             -c idle_in_transaction_session_timeout=0 -c search_path= -c lc_messages=C",
        )
    }

    /// The same, with sessions that read an archive's text as it was written,
    /// whatever the database's own settings say. `pg_restore` sets what `pg_dump`
    /// knows of; these two decide what `NULL` means, in an array and beside `=`.
    #[must_use]
    pub fn literal_minded(&self) -> Self {
        self.with_options("-c array_nulls=on -c transform_null_equals=off")
    }

    /// The same, for sessions in which no event trigger fires. Servers before 17 and users
    /// without the right to set that parameter are refused with it.
    #[must_use]
    pub(super) fn without_event_triggers(&self) -> Self {
        self.with_options(NO_EVENT_TRIGGERS)
    }

    /// The same, for sessions of a superuser in which triggers, event triggers and rules do
    /// not fire but for those that are to fire always or in replicas
    /// (`session_replication_role`). Foreign keys are checked as they are made all the same.
    #[must_use]
    pub fn as_replica(&self) -> Self {
        self.with_options("-c session_replication_role=replica")
    }

    /// Whether sessions are asked for in which no event trigger fires.
    pub(super) fn is_without_event_triggers(&self) -> bool {
        let options = self.options.as_deref();
        options.is_some_and(|options| options.contains(NO_EVENT_TRIGGERS))
    }

    /// The same, with further options of the server's; the last one of a name counts.
    fn with_options(&self, more: &str) -> Self {
        let options = match &self.options {
            Some(options) => format!("{options} {more}"),
            None => more.to_owned(),
        };
        Self {
            options: Some(options),
            ..self.clone()
        }
    }

    /// The same, with sessions that load no library on their own, whatever the database's
    /// or the role's settings say, that speak English, and of whose errors the server's log
    /// has all. For a superuser.
    #[must_use]
    pub fn without_libraries(&self) -> Self {
        let mut options = self.options.clone().unwrap_or_default();
        options.push_str(
            " -c session_preload_libraries= -c local_preload_libraries= -c lc_messages=C \
             -c log_error_verbosity=verbose -c log_min_error_statement=error",
        );
        Self {
            options: Some(options.trim_start().to_owned()),
            ..self.clone()
        }
    }

    /// The same, with sessions that begin as the server's, the database's and the role's
    /// settings say.
    #[must_use]
    pub fn without_options(&self) -> Self {
        Self {
            options: None,
            ..self.clone()
        }
    }

    /// The user; `postgres` where nothing names one.
    #[must_use]
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("postgres")
    }

    /// The host's name or address, or the directory of its socket; of several the
    /// first.
    #[must_use]
    pub fn host(&self) -> &str {
        let first = self.hosts.first().map(String::as_str);
        first.filter(|host| !host.is_empty()).unwrap_or("localhost")
    }

    /// The directory of the server's socket, where it is reached by one; of several
    /// servers the first one's.
    #[must_use]
    pub fn socket_directory(&self) -> Option<&Path> {
        let address = self.addresses.first().copied().flatten();
        let host = self.hosts.first().map_or("", String::as_str);
        // libpq takes an absolute path for a directory (is_unixsock_path in
        // src/include/libpq/pqcomm.h).
        (address.is_none() && host.starts_with('/')).then(|| Path::new(host))
    }

    /// The TCP port, or the number in the socket's name; of several servers the
    /// first one's.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port_of(0)
    }

    /// Every key that has a value, in libpq's order, with those that always have one;
    /// a password without its value.
    #[must_use]
    pub fn in_force(&self) -> Vec<ConnectionValue> {
        let always = |key| match key {
            "user" => Some(self.user().to_owned()),
            "dbname" => Some(self.database().to_owned()),
            "host" if !self.hosts.is_empty() => Some(self.hosts.join(",")),
            "port" => Some(self.port().to_string()),
            "sslmode" => Some(self.ssl_mode().as_str().to_owned()),
            _ => None,
        };
        let of = |keyword: &Keyword| {
            let key = keyword.name;
            let (value, origin) = match self.said.get(key) {
                Some((value, origin)) => (value.clone(), origin.clone()),
                None => (Some(always(key)?), Origin::Default),
            };
            Some(ConnectionValue { key, value, origin })
        };
        KEYWORDS.iter().filter_map(of).collect()
    }

    /// Whether there is a password to offer.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.password.is_some() || self.file_passwords.iter().any(Option::is_some)
    }

    /// How much of TLS is asked for.
    #[must_use]
    pub fn ssl_mode(&self) -> SslMode {
        // What the operating system trusts is half the internet: libpq looks at the
        // name then, unless it is told otherwise.
        let default = match self.ssl_root_certificate.as_deref() {
            Some(super::tls::SYSTEM) => SslMode::VerifyFull,
            _ => SslMode::Prefer,
        };
        self.ssl_mode.unwrap_or(default)
    }

    /// The password file that was left aside because others than its owner may
    /// read it, as libpq does.
    #[must_use]
    pub fn ignored_password_file(&self) -> Option<&Path> {
        self.ignored_password_file.as_deref()
    }

    /// What sessions call themselves, for `pg_stat_activity`.
    #[must_use]
    pub fn application_name(&self) -> &str {
        let named = self.application_name.as_deref();
        named
            .or(self.fallback_application_name.as_deref())
            .unwrap_or("pgkeep")
    }

    /// The server, for people: `db.internal:5432` or `/run/postgresql:5432`; with its
    /// address where that was given too; several with commas between.
    #[must_use]
    pub fn server(&self) -> String {
        let servers = self.servers();
        let told: Vec<String> = servers.iter().map(ToString::to_string).collect();
        told.join(", ")
    }

    /// The connection, for people: `postgres://backup@db.internal:5432/app`.
    /// Never holds the password.
    #[must_use]
    pub fn describe(&self) -> String {
        let servers: Vec<String> = self.servers().iter().map(Server::host_and_port).collect();
        format!(
            "postgres://{}@{}/{}",
            self.user(),
            servers.join(","),
            self.database()
        )
    }
}

impl FromStr for ConnectionParameters {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ConnectionParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl fmt::Debug for ConnectionParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionParameters")
            .field("connection", &self.describe())
            .field("has_password", &self.has_password())
            .field("ssl_mode", &self.ssl_mode())
            .finish_non_exhaustive()
    }
}
