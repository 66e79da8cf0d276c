//! The facts of a connection as variables for PostgreSQL's own programs.
//!
//! Invariant: the programs learn of the connection by these variables alone.
//! Arguments are seen by every user of the machine, and a database's name given
//! as an argument is read as a connection string where it holds a `=`.

use std::fmt;

use zeroize::Zeroizing;

use super::connection::DEFAULT_CONNECT_TIMEOUT;
use super::parameters::ConnectionParameters;

/// The value of a variable, which may be a password.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretOrPlain {
    /// May be shown.
    Plain(String),
    /// Must never be shown.
    Secret(Zeroizing<String>),
}

impl SecretOrPlain {
    /// The value itself, to hand to a child program.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(text) => text,
        }
    }
}

impl fmt::Debug for SecretOrPlain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "{text:?}"),
            Self::Secret(_) => f.write_str("(secret)"),
        }
    }
}

impl ConnectionParameters {
    /// The `PG…` variables with which libpq makes this connection.
    #[must_use]
    pub fn to_environment(&self) -> Vec<(String, SecretOrPlain)> {
        let timeout = self
            .connect_timeout
            .map_or(DEFAULT_CONNECT_TIMEOUT.as_secs(), u64::from);
        let application = self.application_name.as_deref().unwrap_or("pgkeep");
        let plain = [
            ("PGHOST", self.host.clone()),
            (
                "PGHOSTADDR",
                self.host_address.map(|address| address.to_string()),
            ),
            ("PGPORT", Some(self.port().to_string())),
            ("PGUSER", Some(self.user().to_owned())),
            ("PGDATABASE", Some(self.database().to_owned())),
            ("PGSSLMODE", Some(self.ssl_mode().as_str().to_owned())),
            ("PGSSLROOTCERT", self.ssl_root_certificate.clone()),
            ("PGSSLCERT", self.ssl_certificate.clone()),
            ("PGSSLKEY", self.ssl_key.clone()),
            ("PGCONNECT_TIMEOUT", Some(timeout.to_string())),
            ("PGAPPNAME", Some(application.to_owned())),
            ("PGOPTIONS", self.options.clone()),
            (
                "PGTARGETSESSIONATTRS",
                self.target_session_attributes.clone(),
            ),
            ("PGCHANNELBINDING", self.channel_binding.clone()),
        ];
        let mut variables: Vec<_> = plain
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), SecretOrPlain::Plain(value?))))
            .collect();
        if let Some(password) = self.password() {
            let password = SecretOrPlain::Secret(password.clone());
            variables.push(("PGPASSWORD".to_owned(), password));
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_learn_of_everything_and_only_the_password_is_secret() {
        let text = "postgres://me:secret@db:6000/a%3Db?sslmode=verify-full&options=-c%20x%3D1";
        let variables = ConnectionParameters::parse(text).unwrap().to_environment();
        let value = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| known == name).unwrap();
            value.clone()
        };
        for (name, expected) in [
            ("PGHOST", "db"),
            ("PGPORT", "6000"),
            ("PGUSER", "me"),
            ("PGDATABASE", "a=b"),
            ("PGSSLMODE", "verify-full"),
            ("PGOPTIONS", "-c x=1"),
            ("PGAPPNAME", "pgkeep"),
            ("PGCONNECT_TIMEOUT", "30"),
        ] {
            assert_eq!(value(name), SecretOrPlain::Plain(expected.to_owned()));
        }
        assert!(matches!(value("PGPASSWORD"), SecretOrPlain::Secret(_)));
        assert!(!format!("{variables:?}").contains("secret\""));
    }

    #[test]
    fn without_a_password_none_is_handed_on() {
        let variables = ConnectionParameters::default().to_environment();
        assert!(variables.iter().all(|(name, _)| name != "PGPASSWORD"));
    }
}
