//! Running `pg_amcheck`.
//!
//! Invariant: nothing wrong was found where it ended with 0, and nowhere else.

use super::child::{command, connection_string};
use super::find::ToolDirectory;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_amcheck";
/// How many lines of what it found are told.
const TOLD: usize = 10;

/// Whether the directory has it.
#[must_use]
pub fn has_amcheck(tools: &ToolDirectory) -> bool {
    tools.program(NAME).is_file()
}

/// Checks the tables and indexes of the connection's database; it installs the extension
/// there that it needs. Killed when it is dropped.
///
/// # Errors
/// What it found, or why it could not look, in words.
pub async fn check_database(
    tools: &ToolDirectory,
    connection: &ConnectionParameters,
) -> Result<(), String> {
    let mut command = command(tools, NAME, connection);
    command
        .args(["--no-password", "--install-missing"])
        .arg(connection_string(connection))
        .stdout(std::process::Stdio::piped());
    let ended = command.output().await;
    let ended = ended.map_err(|error| format!("cannot run {NAME}: {error}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.take(TOLD).collect();
    Err(format!("{NAME} says: {}", lines.join(" / ")))
}
