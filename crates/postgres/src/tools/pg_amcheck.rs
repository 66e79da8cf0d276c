//! Running `pg_amcheck`.
//!
//! Source: src/bin/pg_amcheck/pg_amcheck.c: what it found and what kept a query from an
//! answer are both on standard output, behind a line that names the table or index, and both
//! end it with 2; with `--verbose` an error has its SQLSTATE.
//!
//! Invariants: nothing wrong was found where it ended with 0, and nowhere else; an error is
//! corruption only where the server says so by its class.

use super::child::{command, connection_string};
use super::find::ToolDirectory;
use crate::client::ConnectionParameters;

const NAME: &str = "pg_amcheck";
/// How many lines of what it found are told.
const TOLD: usize = 10;

/// The class of the server's own faults: data or an index that is corrupted, and whatever
/// must not be.
const FAULTS: &str = "XX";

/// What is said where the server went away.
const LOST: [&str; 3] = [
    "server closed the connection unexpectedly",
    "terminating connection because of crash",
    "could not connect to server",
];

/// Why nobody can say that nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchecked {
    /// It found this.
    Corrupt(String),
    /// The server went away under it.
    Lost(String),
    /// It could not look.
    NotDone(String),
}

/// Whether the directory has it.
#[must_use]
pub fn has_amcheck(tools: &ToolDirectory) -> bool {
    tools.program(NAME).is_file()
}

/// Checks the tables and indexes of the connection's database; it installs the extension
/// there that it needs. Killed when it is dropped.
///
/// # Errors
/// Where it found something, or could not look.
pub async fn check_database(
    tools: &ToolDirectory,
    connection: &ConnectionParameters,
) -> Result<(), Unchecked> {
    let connection = &connection.unlimited();
    let mut command = command(tools, NAME, connection);
    command
        .args(["--no-password", "--install-missing", "--verbose"])
        .arg(connection_string(connection))
        .stdout(std::process::Stdio::piped());
    let ended = command.output().await;
    let ended = ended.map_err(|error| Unchecked::NotDone(format!("cannot run {NAME}: {error}")))?;
    if ended.status.success() {
        return Ok(());
    }
    let found = String::from_utf8_lossy(&ended.stdout);
    let errors = String::from_utf8_lossy(&ended.stderr);
    Err(unchecked(&found, &errors))
}

/// What is to be made of what it wrote to standard output and standard error.
fn unchecked(found: &str, errors: &str) -> Unchecked {
    let (mut corrupt, mut kept) = (Vec::new(), None);
    let mut of = "";
    let mut is_told = true;
    for line in found.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim();
        if !line.starts_with(' ') {
            (of, is_told) = (text, false);
        } else if !is_told {
            // Behind an error's first line stand its details.
            is_told = true;
            match state(text) {
                Some(state) if !state.starts_with(FAULTS) => {
                    kept.get_or_insert_with(|| format!("{of} {text}"));
                }
                _ => corrupt.push(format!("{of} {text}")),
            }
        }
    }
    if !corrupt.is_empty() {
        corrupt.truncate(TOLD);
        return Unchecked::Corrupt(format!("{NAME} says: {}", corrupt.join(" / ")));
    }
    let own = format!("{NAME}: error: ");
    let mut own = errors.lines().filter_map(|line| line.strip_prefix(&own));
    let why = kept.or_else(|| own.next().map(str::to_owned));
    let last = || errors.lines().last().map(str::to_owned);
    let why = why.or_else(last).unwrap_or_default();
    let is_lost = LOST
        .iter()
        .any(|words| [found, errors].iter().any(|said| said.contains(words)));
    let told = format!("{NAME} says: {why}");
    match is_lost {
        true => Unchecked::Lost(told),
        false => Unchecked::NotDone(told),
    }
}

/// The SQLSTATE of an error of the server's.
fn state(text: &str) -> Option<&str> {
    let errors = ["ERROR:  ", "FATAL:  ", "PANIC:  "];
    let behind = errors.iter().find_map(|begin| text.strip_prefix(begin))?;
    behind.split_once(": ").map(|(state, _)| state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_corruption_and_what_kept_it_from_looking_is_not() {
        for (found, is_corrupt) in [
            (
                "heap table \"d.s.t\", block 1, offset 2:\n    xmin 3 precedes\n",
                true,
            ),
            (
                "heap table \"d.s.t\":\n    toast value 7 is missing\n",
                true,
            ),
            (
                "btree index \"d.s.i\":\n    ERROR:  XX002: item order\n    DETAIL:  x\n",
                true,
            ),
            (
                "btree index \"d.s.i\":\n    ERROR:  57014: canceling statement\n    \
                 LOCATION:  ProcessInterrupts, postgres.c:1\n",
                false,
            ),
            (
                "heap table \"d.s.t\":\n    ERROR:  57014: canceling statement\n\
                 heap table \"d.s.u\", block 1:\n    item 3\n",
                true,
            ),
            ("", false),
        ] {
            let told = unchecked(found, "pg_amcheck: error: query failed\n");
            assert_eq!(
                matches!(told, Unchecked::Corrupt(_)),
                is_corrupt,
                "{told:?}"
            );
        }
        let told = unchecked("", "pg_amcheck: x\npg_amcheck: error: no\ndetail\n");
        assert_eq!(told, Unchecked::NotDone("pg_amcheck says: no".to_owned()));
        let told = unchecked(
            "",
            "pg_amcheck: error: server closed the connection unexpectedly
",
        );
        assert!(matches!(told, Unchecked::Lost(_)), "{told:?}");
    }
}
