//! The arguments of `pgkeep prove`.
//!
//! Invariant: whether a word is a cluster or a backup is worked out where it is used.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgkeep_types::ClusterName;

use super::check::length;

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// A cluster, of which the newest good backup of each database is proved, or a backup: its id
    /// as 'pgkeep list' shows it, or whole, or the beginning of it [default: all clusters that are
    /// configured]
    #[arg(value_name = "CLUSTER|BACKUP")]
    pub(crate) what: Vec<String>,

    /// Of the clusters only this database; may be repeated
    #[arg(long = "database", value_name = "NAME")]
    pub(crate) databases: Vec<String>,

    /// The directory in which throwaway servers are made; the account that they run as (nobody,
    /// where root proves) must be able to pass through it [default: what the configuration says,
    /// TMPDIR, or /tmp]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) scratch: Option<PathBuf>,

    /// The file with a recovery key or a prover's [default: what the configuration says]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// The cluster whose backups are meant [default: all that are configured]
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<ClusterName>,

    /// How long the proof of one backup may take before it is given up [default: what the
    /// configuration says, or 12h]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) timeout: Option<Duration>,

    /// Write a page for auditors, HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Write no proof into the repository: it needs no host's key then
    #[arg(long)]
    pub(crate) no_record: bool,

    /// Let throwaway servers reach what this machine reaches, for hosts that cannot isolate them.
    /// A database's own code runs when it is restored and asked: not to be said where this machine
    /// reaches a server that matters. The proof tells it
    #[arg(long)]
    pub(crate) not_isolated: bool,

    /// Restore also where no key file knows the repository: it may be somebody else's, and would
    /// run what they put into it
    #[arg(long)]
    pub(crate) unpinned: bool,
}
