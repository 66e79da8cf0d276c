//! Every environment variable that pgkeep reads, in one place.
//!
//! Invariant: what is not listed here is not read, but for the `_FILE` of those that
//! hold a value (a file with that value in it), libpq's own `PG*`
//! variables, Amazon's `AWS_*`, the proxies' (docs/storage.md), `PATH` and `TZ`.

use pgkeep_types::Environment;

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
pub(crate) const REPOSITORY: &str = "PGKEEP_REPOSITORY";
pub(crate) const IDENTITY_FILE: &str = "PGKEEP_IDENTITY_FILE";
pub(crate) const HOST_KEY_FILE: &str = "PGKEEP_HOST_KEY_FILE";
pub(crate) const PASSPHRASE: &str = "PGKEEP_PASSPHRASE";
pub(crate) const PASSPHRASE_FILE: &str = "PGKEEP_PASSPHRASE_FILE";
pub(crate) const POSTGRES_BIN: &str = "PGKEEP_POSTGRES_BIN";
pub(crate) const ENCRYPTION_MODE: &str = "PGKEEP_ENCRYPTION_MODE";
pub(crate) const ENCRYPTION_RECIPIENTS: &str = "PGKEEP_ENCRYPTION_RECIPIENTS";

/// The variable of one cluster's key.
pub(crate) fn of_cluster(name: &str, key: &str) -> String {
    format!("PGKEEP_CLUSTER_{}_{key}", in_capitals(name))
}

/// The variable of one repository's key.
pub(crate) fn of_repository(name: &str, key: &str) -> String {
    format!("PGKEEP_REPOSITORY_{}_{key}", in_capitals(name))
}

/// A name as part of a variable's: in capitals, `_` for what is no letter or digit.
fn in_capitals(name: &str) -> String {
    let capitals = name.chars().map(|c| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    });
    capitals.collect()
}

/// Whether the environment says enough to do without a file.
pub(crate) fn describe_a_repository(environment: &Environment) -> bool {
    let file = format!("{REPOSITORY}_FILE");
    [REPOSITORY, &file]
        .iter()
        .any(|name| environment.variable(name).is_some())
}

/// All variables, in the order of the reference.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: CONFIG,
        meaning: "The configuration file; `--config` goes before it.",
    },
    Variable {
        name: DATABASE_URL,
        meaning: "`cluster.main.connection`: a URL or libpq's `key=value` pairs.",
    },
    Variable {
        name: REPOSITORY,
        meaning: "`repository.….url`, of the only one: a directory, a `file://` or an `s3://` URL.",
    },
    Variable {
        name: "PGKEEP_REPOSITORY_<NAME>_URL",
        meaning: "The same of the repository of that name, in capitals and with `_` for `-`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_CONNECTION",
        meaning: "`cluster.<name>.connection`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_REPOSITORIES",
        meaning: "`cluster.<name>.repositories`, with commas or blanks between.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_LOCK_TIMEOUT",
        meaning: "`cluster.<name>.dump.lock_timeout`: for how long a dump waits for a locked table, such as `30s` or `5min`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_JOBS",
        meaning: "`cluster.<name>.dump.jobs`: how many databases are dumped at the same time; 2 where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_RATE_LIMIT",
        meaning: "`cluster.<name>.dump.rate_limit`: how much a second is read from the server, such as `20MB`, of all dumps of a run together.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_DATABASES_INCLUDE",
        meaning: "`cluster.<name>.dump.databases.include`: these alone, with commas or blanks between; `*` and `?` stand for other characters. All, where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_DATABASES_EXCLUDE",
        meaning: "`cluster.<name>.dump.databases.exclude`: but not these.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_SCHEMAS_INCLUDE, …_SCHEMAS_EXCLUDE, …_TABLES_INCLUDE, …_TABLES_EXCLUDE, …_TABLE_DATA_EXCLUDE",
        meaning: "`cluster.<name>.dump.schemas`, `.tables`, `.table_data`: what of each database, by `pg_dump`'s patterns.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_ARGUMENTS",
        meaning: "`cluster.<name>.dump.arguments`: further arguments of `pg_dump`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_KEEP",
        meaning: "`cluster.<name>.dump.keep`: what is kept of the dumps, such as `daily=6, weekly=4, monthly=1`, `last=5` or `all` (docs/retention.md). All, where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_DUMP_KEEP_FOR",
        meaning: "`cluster.<name>.dump.keep_for`: what is kept of some databases instead, such as `app={last=5}, 'tmp_*'={last=1}`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_PROVE_QUERIES",
        meaning: "`cluster.<name>.prove.queries`: what is asked of restored databases, written as behind `queries =` in the file.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_PROVE_MAX_AGE",
        meaning: "`cluster.<name>.prove.max_age`: how old the newest proof may become, such as `24h`.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_PROVE_SCRATCH",
        meaning: "`cluster.<name>.prove.scratch`: the directory in which throwaway servers are made; `TMPDIR` or `/tmp` where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_PROVE_ISOLATION",
        meaning: "`cluster.<name>.prove.isolation`: `namespaces`, which is taken where nothing is said: a throwaway server reaches nothing of this machine; or `none` (docs/proof.md).",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_PROVE_TIMEOUT",
        meaning: "`cluster.<name>.prove.timeout`: how long the proof of one backup may take before it is given up as *not provable here*; `12h` where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_CHECK_MAX_AGE, …_CHECK_CRITICAL_AGE",
        meaning: "`cluster.<name>.check.max_age`, `.critical_age`: from which age of its newest good backup on `pgkeep check` warns of a database, and from which that is critical; `26h` and `50h` where nothing is said, or twice the `max_age` that is.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_CHECK_MAX_RUN",
        meaning: "`cluster.<name>.check.max_run`: for how long a backup may go on; `24h` where nothing is said.",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_CHECK_MAX_SHRINK, …_CHECK_MAX_GROWTH, …_CHECK_MIN_ROWS",
        meaning: "`cluster.<name>.check.max_shrink`, `.max_growth`, `.min_rows`: by how much a database may shrink or grow, and a table shrink, against the median of its last backups (`50%`, `400%`), and how many rows a table has had of which it is told (`100`).",
    },
    Variable {
        name: "PGKEEP_CLUSTER_<NAME>_CHECK_SPACE, …_CHECK_CRITICAL_SPACE",
        meaning: "`cluster.<name>.check.space`, `.critical_space`: for how long the free space of a directory has to last; `14d` and `3d` where nothing is said.",
    },
    Variable {
        name: ENCRYPTION_MODE,
        meaning: "`encryption.mode`: `age` or `none`.",
    },
    Variable {
        name: ENCRYPTION_RECIPIENTS,
        meaning: "`encryption.recipients`, with commas or blanks between.",
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
        meaning: "Directories with PostgreSQL's programs, with `:` between them; searched first. `PGKEEP_POSTGRES_BIN_FILE` names a file that has them.",
    },
];
