//! The connection of a new configuration, where a variable has it.
//!
//! Invariant: a password is neither written down nor shown; what is written down leads to
//! the same server without it.

use pgkeep_config::connection_in;
use pgkeep_postgres::client::{ConnectionParameters, ConnectionValue, Origin};

use crate::arguments::Init;
use crate::context::Context;
use crate::error::CliError;

/// What a variable says of the cluster's server.
pub(super) struct Known {
    /// The variable, or the one that names its file.
    pub(super) variable: String,
    /// All of it but a password, as libpq takes it.
    pub(super) written: String,
    /// Whether there was a password in it.
    pub(super) has_password: bool,
    /// How to connect there.
    pub(super) parameters: ConnectionParameters,
}

impl Known {
    /// Has it written down, unless another one was given; the variable that has its password,
    /// where it has one.
    pub(super) fn write_into(self, filled: &mut Init) -> Option<String> {
        let written = filled.connection.get_or_insert(self.written.clone());
        let is_known = *written == self.written;
        (self.has_password && is_known).then_some(self.variable)
    }
}

/// The connection that the environment has, where no argument gives one.
pub(super) fn known(arguments: &Init, context: &Context) -> Result<Option<Known>, CliError> {
    if arguments.connection.is_some() {
        return Ok(None);
    }
    let cluster = arguments.cluster.clone().unwrap_or_default();
    let Some(text) = connection_in(&context.environment, &cluster)? else {
        return Ok(None);
    };
    let failed = |source| CliError::Connection {
        origin: text.origin().clone(),
        cluster: cluster.to_string(),
        source,
    };
    let parsed = ConnectionParameters::parse(text.expose()).map_err(failed)?;
    let has_password = parsed.has_password();
    let written = match has_password {
        true => pairs(&parsed, |origin| matches!(origin, Origin::Connection)),
        false => text.expose().to_owned(),
    };
    Ok(Some(Known {
        variable: text.origin().to_string(),
        written,
        has_password,
        parameters: parsed
            .with_defaults(&context.environment, &context.random)
            .map_err(failed)?,
    }))
}

/// What is in force of `counts`, as libpq's pairs, but for a password.
pub(super) fn pairs(filled: &ConnectionParameters, counts: impl Fn(&Origin) -> bool) -> String {
    let said = filled.in_force().into_iter().filter_map(|said| {
        let ConnectionValue { key, value, origin } = said;
        Some((key, value.filter(|_| counts(&origin))?))
    });
    let mut said: Vec<_> = said.collect();
    // Where it leads comes first, as people write it.
    let usual = ["service", "host", "hostaddr", "port", "user", "dbname"];
    said.sort_by_key(|(key, _)| {
        usual
            .iter()
            .position(|one| one == key)
            .unwrap_or(usual.len())
    });
    let pairs = said.iter();
    let pairs = pairs.map(|(key, value)| format!("{key}={}", quoted(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// A value of libpq's pairs, in quotes where it needs them.
pub(super) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.:_-,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_reads_back_from_libpqs_pairs() {
        for value in ["plain", "with blank", "it's", "back\\slash", "", "ü"] {
            let pairs = format!("user={} dbname=x", quoted(value));
            let parsed = ConnectionParameters::parse(&pairs).unwrap();
            let user = parsed.in_force().into_iter().find(|v| v.key == "user");
            assert_eq!(user.unwrap().value.as_deref(), Some(value), "{pairs}");
        }
    }

    #[test]
    fn what_is_written_down_leads_to_the_same_server_without_the_password() {
        let url = "postgres://me:hunter2@one:5433,two:5434/my%20app?sslmode=require";
        let written = pairs(&ConnectionParameters::parse(url).unwrap(), |origin| {
            matches!(origin, Origin::Connection)
        });
        let told = "host=one,two port=5433,5434 user=me dbname='my app' sslmode=require";
        assert_eq!(written, told);
    }
}
