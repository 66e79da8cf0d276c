//! The command line, as it is typed.
//!
//! Invariants: raw arguments only; what they mean is worked out where they are
//! used. No secret is ever an argument: other users of the machine can read them.

mod check;
pub(crate) mod key;
mod prove;
mod restore;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pgkeep_config::{JOBS_WANTED, parse_jobs};
use pgkeep_types::ClusterName;

pub(crate) use check::{Check, Telling};
pub(crate) use prove::Prove;
pub(crate) use restore::{Format, Restore};

/// PostgreSQL backup that proves it restores.
#[derive(Debug, Parser)]
#[command(name = "pgkeep", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The configuration file [default: pgkeep.toml here, in ~/.config/pgkeep or in /etc/pgkeep]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print JSON on stdout instead of words
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Whether JSON is wanted.
    pub(crate) fn wants_json(&self) -> bool {
        let of_check = |check: &Check| check.format == Some(Telling::Json);
        self.json || matches!(&self.command, Command::Check(check) if of_check(check))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The whole story on a throwaway cluster, in a minute
    Demo(Demo),
    /// Make a repository and its keys, and write the configuration
    Init(Init),
    /// Back up databases
    Backup(Backup),
    /// List backups, and attempts that failed
    List(List),
    /// Tell all that is known of one backup
    Show(Show),
    /// Restore a database beside the old one, or into a file
    Restore(Restore),
    /// Restore backups into throwaway servers, compare and question them, and write it down
    ///
    /// The server that a backup is of is not connected to; the throwaway server, in which the
    /// database's own code runs, reaches no network and no files but its own and the system's
    /// (docs/proof.md). Needs PostgreSQL's server programs of
    /// the same major or a newer one, a recovery key or a prover's, and for the record a host's.
    Prove(Prove),
    /// Is everything fresh? One sentence a cluster and one verdict, for monitoring
    ///
    /// Judged by what the repository holds and the server has, never by what a job has said. The
    /// exit code is 0 where all is well, 1 for a warning, 2 where it is critical and 3 where it
    /// cannot be told, wrong usage included (docs/monitoring.md). Nothing is written, and a key is
    /// only needed to look at rows.
    Check(Check),
    /// Delete backups that no rule keeps, or that are named, and what killed ones have left
    ///
    /// What is kept is said by 'keep' in the configuration; without it all backups are. After a
    /// failure nothing of the same database goes, and the newest good one never does
    /// (docs/retention.md). Safe beside running backups and other prunes. It needs a host's key and the right to delete
    /// objects, and may run on another machine than the backups, whose hosts need no such right.
    /// What a killed backup has left goes a day after its last sign of life.
    Prune(Prune),
    /// Read back what is stored, and verify it
    ///
    /// Needs no recovery key, so the host that makes the backups can do it. What is found is
    /// written down in the repository: a backup of which something is hurt is no longer offered,
    /// until it was found whole again. Killed in the middle it goes on where it was.
    Verify(Verify),
    /// Keep a backup, whatever the rules say
    ///
    /// Until it is unpinned, or its time is over, neither a rule nor 'pgkeep prune --id' deletes it.
    Pin(Pin),
    /// Lift the pins of a backup: the rules decide on it again
    Unpin(Unpin),
    /// Copy backups from one repository to another, and mend there what is hurt
    ///
    /// Both are of one family: 'pgkeep init --like' makes a repository that shares its secret and
    /// its keys with another one. What is there already is not sent again; each object's hash is
    /// verified while it is read.
    Copy(Copy),
    /// Who may read and write: list, make, add and retire keys
    Key(key::Key),
    /// All that a stranger needs to restore, on one page
    Kit(key::Kit),
    /// Show what is in force and where each value came from; secrets are hidden
    Config,
    /// Examine the set-up: connection, rights, programs, repository, keys, clocks, space
    Doctor(Doctor),
    /// Print a page of the reference
    #[command(hide = true)]
    Reference(Reference),
}

impl Command {
    /// The repository that it names, to work with in the place of a cluster's first one.
    pub(crate) fn repository(&self) -> Option<&str> {
        match self {
            Self::List(List { repository, .. })
            | Self::Show(Show { repository, .. })
            | Self::Restore(Restore { repository, .. })
            | Self::Pin(Pin { repository, .. })
            | Self::Unpin(Unpin { repository, .. })
            | Self::Prune(Prune { repository, .. }) => repository.as_deref(),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave the repository, the keys and the configuration where they are, to look around
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Init {
    /// Where the repository will be: a directory, a file:// or an s3:// URL. Without it init asks,
    /// on a terminal, for everything that is not given
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) repository: Option<String>,

    /// Make a repository that backups can be copied to from this one, which is configured: with
    /// the same secret, recovery keys and provers. --repository is then the configured name of
    /// the new one
    #[arg(long, value_name = "NAME")]
    pub(crate) like: Option<String>,

    /// How to connect to the cluster: a URL or libpq's key=value pairs, without a password
    /// [default: PGKEEP_DATABASE_URL, without its password; else libpq's PG* variables when a
    /// backup is made]
    #[arg(long, value_name = "URL")]
    pub(crate) connection: Option<String>,

    /// What the cluster will be called [default: main]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterName>,

    /// Seal to this age recipient instead of making a recovery key here; may be repeated
    #[arg(long = "recipient", value_name = "age1…")]
    pub(crate) recipients: Vec<String>,

    /// Where to write the new recovery key [default: recovery.key beside the configuration; the
    /// key that manages an unencrypted repository: owner.key]
    #[arg(long, value_name = "FILE")]
    pub(crate) recovery_key_file: Option<PathBuf>,

    /// Keep a new recovery key in the repository, under a passphrase that is asked for or in
    /// PGKEEP_PASSPHRASE_FILE, instead of in a file
    #[arg(long)]
    pub(crate) passphrase: bool,

    /// Whether backups are sealed [default: age]
    #[arg(long, value_enum)]
    pub(crate) encryption: Option<Encryption>,

    /// Ask nothing: what is not given has a default, or is an error
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encryption {
    /// With age: whoever has the storage has nothing
    Age,
    /// Not at all: whoever has the storage has the data
    None,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The cluster [default: the only one that is configured]
    pub(crate) cluster: Option<ClusterName>,

    /// What to make
    #[arg(long, value_enum, default_value_t = Kind::Dump)]
    pub(crate) kind: Kind,

    /// The database; may be repeated [default: all of the server's, new ones too, or what the
    /// configuration chooses among them]
    #[arg(long = "database", value_name = "NAME")]
    pub(crate) databases: Vec<String>,

    /// How many databases are dumped at the same time, 64 at most [default: 2, or what the
    /// configuration says]
    ///
    /// Each takes a pg_dump, a session of the server and some 30 MB of memory.
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Store everything anew, and refer to nothing of earlier backups
    ///
    /// For when what they have stored is damaged. Without it this is done now and then, when a
    /// backup would refer to more than 64 others. It is also made where this host's clock is
    /// behind a backup that there is, and says so.
    #[arg(long)]
    pub(crate) whole: bool,

    /// Afterwards delete the backups that no rule keeps, as 'pgkeep prune' does, if all that was
    /// to be backed up was
    ///
    /// What is kept is said by 'keep' in the configuration. After a backup that failed, or failed
    /// in part, nothing is deleted.
    #[arg(long)]
    pub(crate) prune: bool,

    /// Prune even where most backups would go
    #[arg(long, requires = "prune")]
    pub(crate) yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One database, by pg_dump
    Dump,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The cluster [default: all that are configured]
    pub(crate) cluster: Option<ClusterName>,

    /// Tell of each backup whether it stays or goes, by which rule and until when
    ///
    /// It needs no more than the right to read.
    #[arg(long)]
    pub(crate) why: bool,

    /// What would be, were this kept: in the place of the configuration's 'keep'
    #[arg(long, value_name = "POLICY", requires = "why")]
    pub(crate) policy: Option<String>,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The backup: its id as 'pgkeep list' shows it, or whole, or the beginning of it
    pub(crate) backup: String,

    /// The cluster [default: the only one that is configured]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterName>,

    /// The file with the recovery key [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// The cluster [default: the only one that is configured]
    pub(crate) cluster: Option<ClusterName>,

    /// Delete this backup, and no other: its id as 'pgkeep list' shows it, or whole, or the
    /// beginning of it; may be repeated
    #[arg(long = "id", value_name = "ID")]
    pub(crate) ids: Vec<String>,

    /// What is kept, in the place of the configuration's 'keep': such as 'daily=7, weekly=4',
    /// 'last=5' or 'all'. Databases with rules of their own ('keep_for') keep these
    #[arg(long, value_name = "POLICY", conflicts_with = "ids")]
    pub(crate) policy: Option<String>,

    /// Tell of each backup whether it stays or goes and why, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask, not even where most backups would go
    #[arg(long)]
    pub(crate) yes: bool,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The clusters [default: all that are configured]
    pub(crate) clusters: Vec<ClusterName>,

    /// Of one repository only [default: of all that the cluster's backups go to]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,

    /// Read a share, such as 10%, of what was read longest ago: every night, it reads everything
    /// within ten nights [default: everything]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) share: Option<String>,

    /// Go on with a verification of the last 24 hours that was broken off: what it has read, and
    /// found whole then, is not read again
    #[arg(long, conflicts_with = "share")]
    pub(crate) resume: bool,

    /// Read no faster than this a second, such as 50MB
    #[arg(long, value_name = "SIZE")]
    pub(crate) rate: Option<String>,

    /// Begin to read nothing more after this time, such as 2h
    #[arg(long, value_name = "TIME")]
    pub(crate) within: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// The backup: its id as 'pgkeep list' shows it, or whole, or the beginning of it
    pub(crate) backup: String,

    /// Why, for whoever finds it later
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Until when: 2026-12-31 (to the end of that day), 2026-12-31 18:00 (local time) or with an
    /// offset [default: without an end]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,

    /// The cluster [default: the only one that is configured]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterName>,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Unpin {
    /// The backup: its id as 'pgkeep list' shows it, or whole, or the beginning of it
    pub(crate) backup: String,

    /// The cluster [default: the only one that is configured]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterName>,

    /// The repository [default: the first one that the cluster names]
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// A cluster, or a backup: its id as 'pgkeep list' shows it, or whole, or the beginning of it
    /// [default: all of all clusters that are configured]
    pub(crate) what: Vec<String>,

    /// The repository where they are
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,

    /// The repository where they are to be
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,

    /// Copy no faster than this a second, such as 50MB
    #[arg(long, value_name = "SIZE")]
    pub(crate) rate: Option<String>,

    /// Tell what would be copied and mended, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The cluster [default: all that are configured]
    pub(crate) cluster: Option<ClusterName>,

    /// Print the SQL that makes a role of this name, which can read everything that is backed up
    /// and change nothing; for a superuser to run
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "pgkeep")]
    pub(crate) role: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Which page
    #[arg(value_enum)]
    pub(crate) page: Page,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    /// Every command with its options
    Cli,
    /// Every environment variable
    Environment,
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    parse_jobs(text).ok_or_else(|| format!("wanted is {JOBS_WANTED}"))
}
