//! What `pgkeep init` says to do next.
//!
//! Invariant: each command works as it is written, from this directory, and cron's line
//! from any.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_types::ClusterName;

use super::Plan;
use crate::process;
use crate::words::shell_word;

/// When cron makes backups: at three in the night.
const NIGHTLY: &str = "0 3 * * *";

/// The next steps, one a line.
pub(super) fn steps(plan: &Plan, cluster: &ClusterName, is_found: bool) -> String {
    let config = shell_word(&plan.config.display().to_string());
    let with = match is_found {
        true => String::new(),
        false => format!(" --config {config}"),
    };
    let mut text = String::from("\nNext:\n");
    // Writing into a string does not fail.
    if let Some(path) = &plan.recovery_key {
        let path = path.display();
        let _ = writeln!(
            text,
            "  copy {path} to where it is safe, then remove it here"
        );
    }
    for (command, why) in [
        (
            "doctor".to_owned(),
            "is everything there that a backup needs?",
        ),
        (format!("backup {cluster}"), "the first backup"),
        (
            "kit --output kit.txt".to_owned(),
            "all that a stranger needs to restore: print it",
        ),
    ] {
        let command = format!("pgkeep{with} {command}");
        let _ = writeln!(text, "  {command:30}  # {why}");
    }
    if let Some(variable) = &plan.password_of {
        let _ = writeln!(
            text,
            "cron has no {variable}: put the password into ~/.pgpass, mode 0600"
        );
    }
    let program = process::program().ok();
    let program = program.as_deref().unwrap_or(Path::new("pgkeep"));
    let program = shell_word(&program.display().to_string());
    // To cron a percent sign ends the line.
    let line =
        format!("{NIGHTLY}  {program} --config {config} backup {cluster}").replace('%', "\\%");
    let _ = write!(text, "and every night, by 'crontab -e':\n  {line}\n");
    text
}
