//! The facts of a connection as variables for PostgreSQL's own programs.
//!
//! Invariant: the programs learn of the connection by these variables alone.
//! Arguments are seen by every user of the machine, and a database's name given
//! as an argument is read as a connection string where it holds a `=`.

use std::fmt;

use zeroize::Zeroizing;

use super::connection::DEFAULT_CONNECT_TIMEOUT;
use super::parameters::ConnectionParameters;
use super::servers::Server;
use super::session_attributes::SessionAttributes;

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
    /// The `PG…` variables with which libpq makes this connection. Where several
    /// servers are named, narrow it to one first (that of a session's own
    /// [`parameters`](super::Connection::parameters)): each can have a password of its
    /// own in the password file, and only the first one's is handed on.
    #[must_use]
    pub fn to_environment(&self) -> Vec<(String, SecretOrPlain)> {
        let timeout = self
            .connect_timeout
            .map_or(DEFAULT_CONNECT_TIMEOUT.as_secs(), u64::from);
        let servers = self.servers();
        let list = |each: &dyn Fn(&Server) -> String| {
            let all: Vec<String> = servers.iter().map(each).collect();
            Some(all.join(",")).filter(|list| list.chars().any(|c| c != ','))
        };
        let text = |text: &str| Some(text.to_owned());
        let plain = [
            ("PGHOST", list(&|s| s.host.clone().unwrap_or_default())),
            (
                "PGHOSTADDR",
                list(&|s| s.address.map(|a| a.to_string()).unwrap_or_default()),
            ),
            ("PGPORT", list(&|s| s.port.to_string())),
            ("PGUSER", text(self.user())),
            ("PGDATABASE", text(self.database())),
            ("PGSSLMODE", text(self.ssl_mode().as_str())),
            ("PGSSLROOTCERT", self.root_certificate_file()),
            ("PGSSLCERT", self.ssl_certificate.clone()),
            ("PGSSLKEY", self.ssl_key.clone()),
            (
                "PGSSLCERTMODE",
                self.ssl_no_certificate.then(|| "disable".to_owned()),
            ),
            ("PGSSLSNI", self.ssl_no_sni.then(|| "0".to_owned())),
            (
                "PGSSLMINPROTOCOLVERSION",
                self.ssl_versions.no_1_2.then(|| "TLSv1.3".to_owned()),
            ),
            (
                "PGSSLMAXPROTOCOLVERSION",
                self.ssl_versions.no_1_3.then(|| "TLSv1.2".to_owned()),
            ),
            // Our own session has none either, and both are to be alike.
            ("PGGSSENCMODE", text("disable")),
            ("PGCONNECT_TIMEOUT", Some(timeout.to_string())),
            ("PGAPPNAME", text(self.application_name())),
            ("PGOPTIONS", self.options.clone()),
            (
                "PGTARGETSESSIONATTRS",
                (self.session_attributes != SessionAttributes::Any)
                    .then(|| self.session_attributes.as_str().to_owned()),
            ),
            (
                "PGLOADBALANCEHOSTS",
                self.balanced.then(|| "random".to_owned()),
            ),
            (
                "PGCHANNELBINDING",
                self.channel_binding
                    .map(|binding| binding.as_str().to_owned()),
            ),
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

impl ConnectionParameters {
    /// The pairs of a connection string for what libpq has no variables for: the
    /// keepalives, and the database, which is needed with them; no secret. Where
    /// nothing of that was said there are none.
    #[must_use]
    pub fn to_pairs(&self) -> Option<String> {
        let pairs = self.keepalive.pairs();
        (!pairs.is_empty()).then(|| format!("{}{pairs}", self.database_pair()))
    }

    /// The database as a pair of a connection string, whatever its name.
    #[must_use]
    pub fn database_pair(&self) -> String {
        let escaped = self.database().replace('\\', r"\\").replace('\'', r"\'");
        format!("dbname='{escaped}'")
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
    fn what_has_no_variable_is_a_pair_and_reads_back() {
        let text = "host=h dbname='it\\'s' keepalives=0 tcp_user_timeout=9000";
        let parameters = ConnectionParameters::parse(text).unwrap();
        let pairs = parameters.to_pairs().unwrap();
        assert_eq!(pairs, r"dbname='it\'s' keepalives=0 tcp_user_timeout=9000");
        assert_eq!(ConnectionParameters::default().to_pairs(), None);
    }

    #[test]
    fn a_connection_that_was_narrowed_leaves_libpq_nothing_to_choose() {
        let text = "host=a,b hostaddr=10.0.0.1,10.0.0.2 port=1,2 user=me \
                    target_session_attrs=standby load_balance_hosts=random";
        let all = ConnectionParameters::parse(text).unwrap();
        let one = all.narrowed_to(&all.servers()[1]);
        let variables = one.to_environment();
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.expose())
        };
        assert_eq!(value("PGHOST"), Some("b"));
        assert_eq!(value("PGHOSTADDR"), Some("10.0.0.2"));
        assert_eq!(value("PGPORT"), Some("2"));
        assert_eq!(value("PGTARGETSESSIONATTRS"), None);
        assert_eq!(value("PGLOADBALANCEHOSTS"), None);
    }

    #[test]
    fn without_a_password_none_is_handed_on() {
        let variables = ConnectionParameters::default().to_environment();
        assert!(variables.iter().all(|(name, _)| name != "PGPASSWORD"));
    }
}
