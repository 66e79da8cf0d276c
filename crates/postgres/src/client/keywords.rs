//! Every key of a connection that libpq knows, and the variable that is its default.
//!
//! Source: `PQconninfoOptions` in src/interfaces/libpq/fe-connect.c, up to
//! PostgreSQL 19. What a key's value means is in `values`.
//!
//! Invariant: a key that is not listed is one that libpq refuses too.

/// A key and its variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    /// The key in a connection string or a service file.
    pub(super) name: &'static str,
    /// The variable, where there is one that counts here.
    pub(super) variable: Option<&'static str>,
}

const fn key(name: &'static str, variable: &'static str) -> Keyword {
    Keyword {
        name,
        variable: Some(variable),
    }
}

const fn only_key(name: &'static str) -> Keyword {
    Keyword {
        name,
        variable: None,
    }
}

/// All of them, in libpq's order.
pub(super) const KEYWORDS: [Keyword; 52] = [
    key("service", "PGSERVICE"),
    key("servicefile", "PGSERVICEFILE"),
    key("user", "PGUSER"),
    key("password", "PGPASSWORD"),
    key("passfile", "PGPASSFILE"),
    key("channel_binding", "PGCHANNELBINDING"),
    key("connect_timeout", "PGCONNECT_TIMEOUT"),
    key("dbname", "PGDATABASE"),
    key("host", "PGHOST"),
    key("hostaddr", "PGHOSTADDR"),
    key("port", "PGPORT"),
    // Its variable is a shell's wish for psql; sessions here have an encoding of
    // their own.
    only_key("client_encoding"),
    key("options", "PGOPTIONS"),
    key("application_name", "PGAPPNAME"),
    only_key("fallback_application_name"),
    only_key("keepalives"),
    only_key("keepalives_idle"),
    only_key("keepalives_interval"),
    only_key("keepalives_count"),
    only_key("tcp_user_timeout"),
    key("sslmode", "PGSSLMODE"),
    key("sslnegotiation", "PGSSLNEGOTIATION"),
    key("sslcompression", "PGSSLCOMPRESSION"),
    key("sslcert", "PGSSLCERT"),
    key("sslkey", "PGSSLKEY"),
    key("sslcertmode", "PGSSLCERTMODE"),
    only_key("sslpassword"),
    key("sslrootcert", "PGSSLROOTCERT"),
    key("sslcrl", "PGSSLCRL"),
    key("sslcrldir", "PGSSLCRLDIR"),
    key("sslsni", "PGSSLSNI"),
    key("requirepeer", "PGREQUIREPEER"),
    key("require_auth", "PGREQUIREAUTH"),
    key("min_protocol_version", "PGMINPROTOCOLVERSION"),
    key("max_protocol_version", "PGMAXPROTOCOLVERSION"),
    key("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    key("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    key("gssencmode", "PGGSSENCMODE"),
    key("krbsrvname", "PGKRBSRVNAME"),
    key("gsslib", "PGGSSLIB"),
    key("gssdelegation", "PGGSSDELEGATION"),
    only_key("replication"),
    key("target_session_attrs", "PGTARGETSESSIONATTRS"),
    key("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    only_key("scram_client_key"),
    only_key("scram_server_key"),
    only_key("sslkeylogfile"),
    only_key("oauth_issuer"),
    only_key("oauth_client_id"),
    only_key("oauth_client_secret"),
    only_key("oauth_scope"),
    key("oauth_ca_file", "PGOAUTHCAFILE"),
];

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

/// The known key nearest to one that is not known.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    pgkeep_types::nearest(name, KEYWORDS.iter().map(|keyword| keyword.name))
}
