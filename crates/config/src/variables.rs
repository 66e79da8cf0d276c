//! Every environment variable that pgkeep reads, in one place.
//!
//! Invariant: what is not listed here is not read, but for libpq's own `PG*`
//! variables, Amazon's `AWS_*`, the proxies' (docs/storage.md), `PATH` and `TZ`.

/// A variable and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it sets.
    pub meaning: &'static str,
}

pub(crate) const CONFIG: &str = "PGKEEP_CONFIG";
pub(crate) const DATABASE_URL: &str = "PGKEEP_DATABASE_URL";
pub(crate) const DATABASE_URL_FILE: &str = "PGKEEP_DATABASE_URL_FILE";
pub(crate) const REPOSITORY: &str = "PGKEEP_REPOSITORY";
pub(crate) const IDENTITY_FILE: &str = "PGKEEP_IDENTITY_FILE";
pub(crate) const HOST_KEY_FILE: &str = "PGKEEP_HOST_KEY_FILE";
pub(crate) const PASSPHRASE: &str = "PGKEEP_PASSPHRASE";
pub(crate) const PASSPHRASE_FILE: &str = "PGKEEP_PASSPHRASE_FILE";
pub(crate) const POSTGRES_BIN: &str = "PGKEEP_POSTGRES_BIN";

/// All variables, in the order of the reference.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: CONFIG,
        meaning: "The configuration file; `--config` goes before it.",
    },
    Variable {
        name: DATABASE_URL,
        meaning: "The connection of the cluster `main`: a URL or libpq's `key=value` pairs.",
    },
    Variable {
        name: DATABASE_URL_FILE,
        meaning: "A file that holds what `PGKEEP_DATABASE_URL` would.",
    },
    Variable {
        name: REPOSITORY,
        meaning: "The repository: a directory, a `file://` or an `s3://` URL.",
    },
    Variable {
        name: IDENTITY_FILE,
        meaning: "The recovery key's file, for reading backups; `--identity` goes before it.",
    },
    Variable {
        name: HOST_KEY_FILE,
        meaning: "The host's key file, for writing backups.",
    },
    Variable {
        name: PASSPHRASE,
        meaning: "The passphrase of a recovery key that is in the repository; an identity file goes before it.",
    },
    Variable {
        name: PASSPHRASE_FILE,
        meaning: "A file that holds what `PGKEEP_PASSPHRASE` would; a line's end after it does not count.",
    },
    Variable {
        name: POSTGRES_BIN,
        meaning: "Directories with PostgreSQL's programs, with `:` between them; searched first.",
    },
];
