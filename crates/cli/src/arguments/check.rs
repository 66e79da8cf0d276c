//! `pgkeep check`, as it is typed.

use std::time::Duration;

use clap::{Args, ValueEnum};
use pgkeep_config::CheckSettings;
use pgkeep_types::ClusterName;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The clusters [default: all that are configured]
    pub(crate) clusters: Vec<ClusterName>,

    /// How it is told: for people, as one line with numbers for Nagios and its kin, or as JSON
    /// [default: human]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Telling>,

    /// For how long the server and each repository are waited for, each time they are asked
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = length)]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) limits: CheckLimits,
}

/// Limits in the place of the configuration's `[cluster.….check]`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits, in the place of those of [cluster.….check]")]
pub(crate) struct CheckLimits {
    /// Warn where a database's newest good backup is older [default: 26h]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) max_age: Option<Duration>,

    /// Critical where it is older than this [default: 50h, or twice the --max-age that is given]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) critical_age: Option<Duration>,

    /// Warn where a database's newest proof is older, or there is none; twice that is critical
    /// [default: max_age in [cluster.….prove]]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) max_proof_age: Option<Duration>,

    /// Warn where a backup goes on for longer [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) max_run: Option<Duration>,

    /// Warn where a database or a table has shrunk by more, against the median of its last good
    /// backups [default: 50%]
    #[arg(long, value_name = "PERCENT", value_parser = part)]
    pub(crate) max_shrink: Option<u32>,

    /// Warn where a database has grown by more [default: 400%]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) max_growth: Option<u32>,

    /// Tables that had fewer rows are not told of [default: 100]
    #[arg(long, value_name = "ROWS")]
    pub(crate) min_rows: Option<u64>,

    /// Warn where a directory's free space does not last for so long, by what was newly stored in
    /// the last 14 days [default: 14d]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) space: Option<Duration>,

    /// Critical where it does not last for so long [default: 3d]
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub(crate) critical_space: Option<Duration>,
}

/// How a check is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Telling {
    /// A sentence for each cluster, and the verdict
    Human,
    /// One line with the verdict and numbers, and what else there is to say below it
    Nagios,
    /// As with --json
    Json,
}

pub(super) fn length(text: &str) -> Result<Duration, String> {
    wanted(CheckSettings::length(text), CheckSettings::LENGTH)
}

fn percent(text: &str) -> Result<u32, String> {
    wanted(CheckSettings::percent(text), CheckSettings::PERCENT)
}

fn part(text: &str) -> Result<u32, String> {
    wanted(
        CheckSettings::part(text),
        "a number of percent below 100, such as 50%",
    )
}

fn wanted<T>(value: Option<T>, wanted: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("wanted is {wanted}"))
}

impl CheckLimits {
    /// The configured limits, but for what the command line says.
    pub(crate) fn over(&self, configured: &CheckSettings) -> CheckSettings {
        let max_age = self.max_age.unwrap_or(configured.max_age);
        let critical_age = match self.max_age {
            None => configured.critical_age,
            Some(given) => CheckSettings::critical_after(given),
        };
        let space = self.space.unwrap_or(configured.space);
        CheckSettings {
            max_age,
            critical_age: self.critical_age.unwrap_or(critical_age),
            max_run: self.max_run.unwrap_or(configured.max_run),
            max_shrink: self.max_shrink.unwrap_or(configured.max_shrink),
            max_growth: self.max_growth.unwrap_or(configured.max_growth),
            min_rows: self.min_rows.unwrap_or(configured.min_rows),
            space,
            critical_space: self
                .critical_space
                .unwrap_or(configured.critical_space.min(space)),
        }
    }
}
