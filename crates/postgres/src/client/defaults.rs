//! What a connection has where nothing was said: a service, libpq's variables, its
//! defaults, and the password file.
//!
//! Source: "Environment Variables" and "The Password File" in the manual's
//! chapter on libpq, and `conninfo_add_defaults` in
//! src/interfaces/libpq/fe-connect.c.
//!
//! Invariant: what the text of the connection says goes before its service, that
//! before a variable, and that before a default.

use std::path::Path;

use pgkeep_types::{Environment, Random};

use super::connection_string::{ConnectionStringError, named};
use super::keywords::{self, KEYWORDS};
use super::origin::Origin;
use super::parameters::ConnectionParameters;

/// Where packages put a server's socket: Debian's and Red Hat's choice, then
/// PostgreSQL's own (`DEFAULT_PGSOCKET_DIR`).
pub const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl ConnectionParameters {
    /// Fills in what was left out: from the service that is named, from libpq's
    /// variables, then with its defaults, and the password from the password file.
    ///
    /// # Errors
    ///
    /// Where a service is not there, or a line of it or a variable holds a value that
    /// its parameter does not take.
    pub fn with_defaults(
        mut self,
        environment: &Environment,
        random: &dyn Random,
    ) -> Result<Self, ConnectionStringError> {
        for name in ["service", "servicefile"] {
            self.take_variable(name, environment)?;
        }
        self.take_service(environment)?;
        // An address belongs to its host: a variable must not send the connection to
        // another server than the one that was named.
        let is_placed = !self.hosts.is_empty() || !self.addresses.is_empty();
        for keyword in KEYWORDS {
            if !(is_placed && matches!(keyword.name, "host" | "hostaddr")) {
                self.take_variable(keyword.name, environment)?;
            }
        }
        if environment.text("PGREQUIRESSL") == Some("1") && self.ssl_mode.is_none() {
            let origin = Origin::Variable("PGREQUIRESSL");
            self.set("sslmode", "require".to_owned(), origin)?;
        }
        self.check_together()?;

        let user = environment.user().map(str::to_owned);
        self.user = self.user.or(user);
        self.fill_in_hosts();
        if self.password.is_none() {
            self.read_password_files(environment);
        }
        self.find_certificates(environment);
        if self.balanced {
            let mut seed = [0; 8];
            random.fill(&mut seed);
            self.balance_seed = Some(u64::from_ne_bytes(seed));
        }
        Ok(self)
    }

    /// Takes a key's variable, where nobody said anything of the key before.
    fn take_variable(
        &mut self,
        name: &str,
        environment: &Environment,
    ) -> Result<(), ConnectionStringError> {
        let Some(variable) = keywords::find(name).and_then(|keyword| keyword.variable) else {
            return Ok(());
        };
        let Some(value) = environment.variable(variable) else {
            return Ok(());
        };
        if self.said.contains_key(name) {
            return Ok(());
        }
        let Some(value) = value.to_str() else {
            return Err(ConnectionStringError::NotText { variable });
        };
        let origin = Origin::Variable(variable);
        self.set(name, value.to_owned(), origin)
            .map_err(|error| named(error, variable))
    }

    /// Where no host is named, the server of this machine.
    fn fill_in_hosts(&mut self) {
        self.hosts.resize(self.server_count(), String::new());
        for position in 0..self.hosts.len() {
            let has_address = matches!(self.addresses.get(position), Some(Some(_)));
            if self.hosts[position].is_empty() && !has_address {
                self.hosts[position] = default_host(self.port_of(position));
            }
        }
    }

    /// libpq uses these files wherever they are there.
    fn find_certificates(&mut self, environment: &Environment) {
        let Some(directory) = environment.home().map(|home| home.join(".postgresql")) else {
            return;
        };
        let mut found = |key, name| {
            let path = directory.join(name);
            let there = path.exists() && !self.said.contains_key(key);
            there.then(|| {
                let text = path.to_string_lossy().into_owned();
                let said = (Some(text.clone()), Origin::Found(path.clone()));
                self.said.insert(key, said);
                text
            })
        };
        let root = found("sslrootcert", "root.crt");
        let certificate = found("sslcert", "postgresql.crt");
        let key = found("sslkey", "postgresql.key");
        let revoked = directory.join("root.crl");
        self.ssl_root_certificate = self.ssl_root_certificate.take().or(root);
        self.ssl_certificate = self.ssl_certificate.take().or(certificate);
        if self.ssl_certificate.is_some() {
            self.ssl_key = self.ssl_key.take().or(key);
        }
        self.ssl_revocation_list = revoked.exists().then_some(revoked);
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

    /// Always the same.
    struct NoChance;

    impl Random for NoChance {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn environment() -> Environment {
        Environment::new("/").with_user("system")
    }

    #[test]
    fn a_variable_that_cannot_be_honoured_is_refused_and_not_left_out() {
        for (variable, value) in [
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("PGSSLCRL", "/x"),
            ("PGSSLNEGOTIATION", "direct"),
            ("PGGSSENCMODE", "require"),
        ] {
            let environment = environment().with_variable(variable, value);
            let parameters = ConnectionParameters::parse("host=h").unwrap();
            let error = parameters.with_defaults(&environment, &NoChance);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(variable), "{error}");
        }
    }

    fn filled(text: &str, environment: &Environment) -> ConnectionParameters {
        let parameters = ConnectionParameters::parse(text).unwrap();
        parameters.with_defaults(environment, &NoChance).unwrap()
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
        let filled = filled("postgres://me:mine@db:2/app", &environment);
        assert_eq!(filled.describe(), "postgres://me@db:2/app");
        assert_eq!(password(&filled), Some("mine"));
        assert!(filled.addresses.is_empty());
    }

    #[test]
    fn the_connection_goes_before_its_service_and_that_before_a_variable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("services");
        let text = "[app]\nhost=service\nport=2\noptions=-c x=1\n";
        std::fs::write(&file, text).unwrap();
        let environment = environment()
            .with_variable("PGSERVICEFILE", file.as_os_str())
            .with_variable("PGSERVICE", "app")
            .with_variable("PGHOST", "variable")
            .with_variable("PGPORT", "3")
            .with_variable("PGUSER", "variable")
            .with_variable("PGOPTIONS", "-c y=2")
            .with_variable("PGDATABASE", "variable");
        let filled = filled("dbname=connection options=''", &environment);
        assert_eq!(
            filled.describe(),
            "postgres://variable@service:2/connection"
        );
        // What is said to be empty is empty, and not what others say.
        assert_eq!(filled.options, None);
        let origin = |key| filled.said[key].1.to_string();
        assert_eq!(origin("dbname"), "the connection");
        assert_eq!(origin("host"), format!("{}, line 2", file.display()));
        assert_eq!(origin("user"), "PGUSER");
        let told = filled.in_force().into_iter();
        let told: Vec<_> = told.map(|v| (v.key, v.origin.to_string())).collect();
        assert!(
            told.contains(&("sslmode", "default".to_owned())),
            "{told:?}"
        );
    }

    #[test]
    fn the_systems_roots_ask_for_the_name_unless_told_otherwise() {
        let mode = |text| filled(text, &environment()).ssl_mode().as_str();
        assert_eq!(mode("host=h sslrootcert=system"), "verify-full");
        assert_eq!(mode("host=h sslrootcert=system sslmode=require"), "require");
        assert_eq!(mode("host=h"), "prefer");
        let old = environment().with_variable("PGREQUIRESSL", "1");
        assert_eq!(filled("host=h", &old).ssl_mode().as_str(), "require");
    }

    #[test]
    fn each_of_several_servers_has_its_own_line_of_the_password_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".pgpass");
        std::fs::write(&file, "a:1:*:*:first\n10.0.0.9:2:*:*:second\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let environment = environment().with_home(home.path());
        let filled = filled(
            "host=a,,c hostaddr=,10.0.0.9, port=1,2,3 user=me dbname=app",
            &environment,
        );
        let found = filled.servers();
        let found: Vec<_> = found.iter().map(|s| s.password.as_deref()).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found
                .into_iter()
                .map(Option::<&_>::cloned)
                .collect::<Vec<_>>(),
            [text("first"), text("second"), None]
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
            .with_defaults(&environment, &NoChance)
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
