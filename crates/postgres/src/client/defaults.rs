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

/// libpq's variables that decide where or how safely one connects, and that are not
/// honoured here.
const UNKNOWN_VARIABLES: [&str; 7] = [
    "PGSERVICE",
    "PGREQUIREAUTH",
    "PGREQUIRESSL",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLCERTMODE",
    "PGSSLNEGOTIATION",
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
        for variable in UNKNOWN_VARIABLES {
            if environment.variable(variable).is_some() {
                return Err(ConnectionStringError::UnknownVariable { variable });
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
        self.find_certificates(environment);
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

    /// libpq uses these files wherever they are there.
    fn find_certificates(&mut self, environment: &Environment) {
        let Some(directory) = environment.home().map(|home| home.join(".postgresql")) else {
            return;
        };
        let existing = |name| {
            let path = directory.join(name);
            path.exists().then(|| path.to_string_lossy().into_owned())
        };
        if self.ssl_root_certificate.is_none() {
            self.ssl_root_certificate = existing("root.crt");
        }
        if self.ssl_certificate.is_none() {
            self.ssl_certificate = existing("postgresql.crt");
        }
        if self.ssl_certificate.is_some() && self.ssl_key.is_none() {
            self.ssl_key = existing("postgresql.key");
        }
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn environment() -> Environment {
        Environment::new("/").with_user("system")
    }

    #[test]
    fn a_variable_that_cannot_be_honoured_is_refused_and_not_left_out() {
        let environment = environment().with_variable("PGREQUIREAUTH", "scram-sha-256");
        let parameters = ConnectionParameters::parse("host=h").unwrap();
        let error = parameters.with_defaults(&environment).unwrap_err();
        assert!(error.to_string().contains("PGREQUIREAUTH"), "{error}");
    }

    fn filled(text: &str, environment: &Environment) -> ConnectionParameters {
        let parameters = ConnectionParameters::parse(text).unwrap();
        parameters.with_defaults(environment).unwrap()
    }

    fn password(parameters: &ConnectionParameters) -> Option<&str> {
        parameters.password().map(|password| password.as_str())
    }

    #[test]
    fn what_the_text_says_is_never_overruled() {
        let environment = environment()
            .with_variable("PGHOST", "other")
            .with_variable("PGHOSTADDR", "10.0.0.1")
            .with_variable("PGPORT", "1")
            .with_variable("PGUSER", "other")
            .with_variable("PGPASSWORD", "other")
            .with_variable("PGDATABASE", "other");
        let text = "postgres://me:mine@db:2/app";
        assert_eq!(
            filled(text, &environment),
            ConnectionParameters::parse(text).unwrap()
        );
    }

    #[test]
    fn variables_fill_what_was_left_out() {
        let environment = environment()
            .with_variable("PGHOST", "db")
            .with_variable("PGPORT", "6000")
            .with_variable("PGUSER", "me")
            .with_variable("PGPASSWORD", "secret")
            .with_variable("PGDATABASE", "app")
            .with_variable("PGSSLMODE", "disable");
        let parameters = filled("", &environment);
        assert_eq!(parameters.describe(), "postgres://me@db:6000/app");
        assert_eq!(parameters.ssl_mode().as_str(), "disable");
        assert_eq!(password(&parameters), Some("secret"));
    }

    #[test]
    fn user_and_database_are_called_like_the_systems_user() {
        let parameters = filled("host=db", &environment());
        assert_eq!(parameters.describe(), "postgres://system@db:5432/system");
    }

    #[test]
    fn a_variable_with_a_wrong_value_is_named() {
        let environment = environment().with_variable("PGPORT", "many");
        let error = ConnectionParameters::default()
            .with_defaults(&environment)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"connection parameter PGPORT is "many"; a number from 1 to 65535 is wanted"#
        );
    }

    #[test]
    fn the_password_comes_from_the_password_file_last() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".pgpass");
        std::fs::write(&file, "db:5432:app:me:from-file\nlocalhost:*:*:*:local\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let environment = environment().with_home(home.path());
        let text = "postgres://me@db/app";
        assert_eq!(password(&filled(text, &environment)), Some("from-file"));
        assert_eq!(
            password(&filled("host=/var/run/postgresql user=me", &environment)),
            Some("local")
        );
        assert_eq!(
            password(&filled("postgres://you@db/app", &environment)),
            None
        );
        let with_variable = environment.clone().with_variable("PGPASSWORD", "variable");
        assert_eq!(password(&filled(text, &with_variable)), Some("variable"));

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let parameters = filled(text, &environment);
        assert_eq!(password(&parameters), None);
        assert_eq!(parameters.ignored_password_file(), Some(file.as_path()));
    }

    #[test]
    fn certificates_in_the_home_directory_are_used() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".postgresql");
        std::fs::create_dir(&directory).unwrap();
        let environment = environment().with_home(home.path());
        let parameters = filled("host=db", &environment);
        assert_eq!(parameters.ssl_root_certificate, None);
        for name in ["root.crt", "postgresql.crt", "postgresql.key"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let path = |name| Some(directory.join(name).to_str().unwrap().to_owned());
        let parameters = filled("host=db", &environment);
        assert_eq!(parameters.ssl_root_certificate, path("root.crt"));
        assert_eq!(parameters.ssl_certificate, path("postgresql.crt"));
        assert_eq!(parameters.ssl_key, path("postgresql.key"));
        let parameters = filled("host=db sslrootcert=other", &environment);
        assert_eq!(parameters.ssl_root_certificate.as_deref(), Some("other"));
    }

    #[test]
    fn the_password_file_may_be_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("passwords");
        std::fs::write(&file, "*:*:*:*:named\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let named = environment().with_variable("PGPASSFILE", file.as_os_str());
        assert_eq!(password(&filled("host=db", &named)), Some("named"));
        let text = format!("host=db passfile={}", file.display());
        assert_eq!(password(&filled(&text, &environment())), Some("named"));
    }
}
