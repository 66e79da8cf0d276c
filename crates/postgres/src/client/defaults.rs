//! What a connection has where nothing was said: libpq's variables, its
//! defaults, and the password file.
//!
//! Source: "Environment Variables" and "The Password File" in the manual's
//! chapter on libpq.
//!
//! Invariant: what the text of the connection says is never overruled.

use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use super::connection_string::ConnectionStringError;
use super::parameters::ConnectionParameters;
use super::password_file::{self, Answer, Entry};

/// Variables of libpq and the parameters that they are the defaults of.
const VARIABLES: [(&str, &str); 16] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGPASSFILE", "passfile"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGCHANNELBINDING", "channel_binding"),
];

/// Where packages put a server's socket: Debian's and Red Hat's choice, then
/// PostgreSQL's own (`DEFAULT_PGSOCKET_DIR`).
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl ConnectionParameters {
    /// Fills in what was left out: from libpq's variables, then with its
    /// defaults, and the password from the password file.
    ///
    /// # Errors
    ///
    /// Where a variable holds a value that its parameter does not take.
    pub fn with_defaults(
        mut self,
        environment: &Environment,
    ) -> Result<Self, ConnectionStringError> {
        let mut variables = Self::default();
        for (variable, key) in VARIABLES {
            if let Some(value) = environment.text(variable) {
                variables.set(key, value.to_owned()).map_err(|error| {
                    let ConnectionStringError::BadValue { value, wanted, .. } = error else {
                        return error;
                    };
                    ConnectionStringError::BadValue {
                        key: variable.to_owned(),
                        value,
                        wanted,
                    }
                })?;
            }
        }
        self.fill_from(variables);

        let user = environment.user().map(str::to_owned);
        self.user = self.user.or(user);
        if self.host.is_none() && self.host_address.is_none() {
            self.host = Some(default_host(self.port()));
        }
        if self.password.is_none() {
            self.read_password_file(environment);
        }
        Ok(self)
    }

    fn fill_from(&mut self, other: Self) {
        // An address that the text gives belongs to the text's host: a variable
        // must not send the connection elsewhere.
        if self.host.is_none() && self.host_address.is_none() {
            self.host = other.host;
            self.host_address = other.host_address;
        }
        fill(&mut self.port, other.port);
        fill(&mut self.user, other.user);
        fill(&mut self.password, other.password);
        fill(&mut self.database, other.database);
        fill(&mut self.ssl_mode, other.ssl_mode);
        fill(&mut self.ssl_root_certificate, other.ssl_root_certificate);
        fill(&mut self.ssl_certificate, other.ssl_certificate);
        fill(&mut self.ssl_key, other.ssl_key);
        fill(&mut self.connect_timeout, other.connect_timeout);
        fill(&mut self.application_name, other.application_name);
        fill(&mut self.options, other.options);
        fill(&mut self.password_file, other.password_file);
        fill(
            &mut self.target_session_attributes,
            other.target_session_attributes,
        );
        fill(&mut self.channel_binding, other.channel_binding);
    }

    fn read_password_file(&mut self, environment: &Environment) {
        let in_home = || environment.home().map(|home| home.join(".pgpass"));
        let Some(path) = self.password_file.clone().or_else(in_home) else {
            return;
        };
        let path: PathBuf = environment.working_directory().join(path);
        let socket = self.socket_directory();
        // libpq looks the standard socket directory up as "localhost".
        let local = socket.is_some_and(|d| SOCKET_DIRECTORIES.iter().any(|s| Path::new(s) == d));
        let address = self.host_address.map(|address| address.to_string());
        let host = match (&self.host, &address) {
            (None, Some(address)) => address.as_str(),
            _ if local => "localhost",
            _ => self.host(),
        };
        let wanted = Entry {
            host,
            port: self.port(),
            database: self.database(),
            user: self.user(),
        };
        match password_file::look_up(&path, &wanted) {
            Answer::Nothing => {}
            Answer::Ignored => self.ignored_password_file = Some(path),
            Answer::Password(password) => self.password = Some(password),
        }
    }

    /// The password, for the two places that hand it on.
    pub(super) fn password(&self) -> Option<&Zeroizing<String>> {
        self.password.as_ref()
    }
}

fn fill<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

/// The first directory with a socket of that port; with none, where the
/// packages would put it, so that the error says so.
fn default_host(port: u16) -> String {
    let with_socket = SOCKET_DIRECTORIES.into_iter().find(|directory| {
        Path::new(directory)
            .join(format!(".s.PGSQL.{port}"))
            .exists()
    });
    let directory = with_socket.or_else(|| {
        let [packaged, _] = SOCKET_DIRECTORIES;
        Path::new(packaged).is_dir().then_some(packaged)
    });
    directory.unwrap_or("localhost").to_owned()
}
