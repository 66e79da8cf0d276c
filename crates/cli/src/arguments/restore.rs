//! The arguments of `pgkeep restore`.
//!
//! Invariant: what cannot go together is refused here, but for what depends on the format
//! of a file.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pgkeep_types::ClusterName;

use super::jobs;

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The cluster [default: the only one that is configured]
    pub(crate) cluster: Option<ClusterName>,

    /// Restore the newest good backup of this database
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,

    /// Of the database's backups the newest that was finished before: 2026-11-20, 2026-11-20
    /// 03:00 (local time), or with an offset, as in 2026-11-20T03:00:00Z
    #[arg(long, value_name = "TIME", requires = "database")]
    pub(crate) before: Option<String>,

    /// Restore this backup: its id as 'pgkeep list' shows it, or whole, or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with = "database")]
    pub(crate) backup: Option<String>,

    /// The name of the new database [default: the old one's with the backup's time]
    #[arg(long = "as", value_name = "NAME", conflicts_with = "to_file")]
    pub(crate) new_name: Option<String>,

    /// Restore into another server: a URL or libpq's key=value pairs, without a password. Its
    /// database is only connected to; the new one's name is given with --as
    #[arg(long, value_name = "URL", conflicts_with = "to_file")]
    pub(crate) into: Option<String>,

    /// Make the new database as this user of the same server, who may create databases; it is
    /// filled by the connection's own user
    #[arg(long, value_name = "URL", conflicts_with = "to_file")]
    pub(crate) admin: Option<String>,

    /// Restore this table alone, with its rows, partitions, indexes, constraints, sequences,
    /// triggers, rights and whatever else it needs; [SCHEMA.]NAME; may be repeated
    ///
    /// A view needs the tables that it reads to be named too. Foreign keys to tables that are not
    /// named, and what else needs these, are left out and told.
    #[arg(
        long = "table",
        value_name = "NAME",
        conflicts_with_all = ["replace", "globals"]
    )]
    pub(crate) tables: Vec<String>,

    /// Restore what is in this schema alone; may be repeated, and be given beside --table
    #[arg(
        long = "schema",
        value_name = "NAME",
        conflicts_with_all = ["replace", "globals"]
    )]
    pub(crate) schemas: Vec<String>,

    /// How many sessions fill the database at the same time, 64 at most
    ///
    /// With one the archive is streamed. With more it is first written into scratch space, which
    /// takes as much as the dump (without what indexes take).
    #[arg(
        long,
        value_name = "N",
        default_value = "1",
        value_parser = jobs,
        conflicts_with_all = ["to_file", "globals"]
    )]
    pub(crate) jobs: NonZeroUsize,

    /// The directory for scratch space; nothing is left in it [default: TMPDIR, or /tmp]
    #[arg(long, value_name = "DIRECTORY", requires = "jobs")]
    pub(crate) scratch: Option<PathBuf>,

    /// Bring no owners back: everything belongs to the user who restores
    #[arg(long)]
    pub(crate) no_owner: bool,

    /// Bring no privileges back, neither the database's nor those of what is in it, nor the
    /// settings that single roles have in the database
    #[arg(long)]
    pub(crate) no_privileges: bool,

    /// Bring no tablespaces back: all lies where the server puts new databases
    #[arg(long)]
    pub(crate) no_tablespaces: bool,

    /// Write it into a file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) to_file: Option<PathBuf>,

    /// What is written into the file
    #[arg(
        long,
        value_enum,
        default_value_t = Format::Custom,
        requires = "to_file",
        conflicts_with = "globals"
    )]
    pub(crate) format: Format,

    /// Put the new database, once it is filled and compared, into the place of the one that has
    /// its name; that one is kept as NAME_replaced_TIME [default of --as: the old name]
    #[arg(long, conflicts_with_all = ["to_file", "globals"])]
    pub(crate) replace: bool,

    /// Drop the database that was replaced, once the new one is in its place
    #[arg(long, requires = "replace")]
    pub(crate) drop_replaced: bool,

    /// Do not ask before a database is replaced
    #[arg(long)]
    pub(crate) yes: bool,

    /// Tell what would be done and what is missing, and touch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Make roles that the backup needs and the server lacks from the globals that were kept
    /// with it: with their attributes, passwords, settings and memberships among themselves
    #[arg(long, conflicts_with_all = ["to_file", "globals"])]
    pub(crate) create_roles: bool,

    /// The cluster's globals (roles, memberships, settings, tablespaces), which were kept with the
    /// backup, instead of the database: make the roles and tablespaces that the server lacks and
    /// leave those alone that exist; with --to-file, write all as SQL. Without --database or
    /// --backup they are those of the newest backup that has them
    #[arg(
        long,
        conflicts_with_all = ["new_name", "admin", "no_owner", "no_privileges", "no_tablespaces"]
    )]
    pub(crate) globals: bool,

    /// The file with the recovery key [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// Believe the repository although no key file at hand knows it
    #[arg(long)]
    pub(crate) unpinned: bool,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The archive as pg_dump wrote it; pg_restore takes it
    Custom,
    /// SQL, of all of it or of what --table and --schema name; psql takes it
    Sql,
}
