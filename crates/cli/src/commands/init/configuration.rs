//! The configuration that `pgkeep init` writes.
//!
//! Invariant: what is written reads back as it was given.

use std::fmt::Write as _;
use std::path::Path;

use pgkeep_config::StorageText;
use pgkeep_format::Recipient;

use super::Plan;
use crate::arguments::Init;

/// The text of a new configuration.
pub(super) fn configuration(plan: &Plan, arguments: &Init, recipients: &[Recipient]) -> String {
    let quoted = |text: &str| toml_string(text);
    let path = |path: &Path| quoted(&path.display().to_string());
    let mut text = String::from("# The configuration of pgkeep.\n");
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "\n[repository.{}]\nurl = {}",
        plan.repository_name,
        match &plan.repository {
            StorageText::Directory(directory) => path(directory),
            StorageText::Url(url) => quoted(url),
        }
    );
    let _ = writeln!(text, "\n[encryption]");
    if plan.encrypted {
        let keys: Vec<String> = recipients.iter().map(|r| quoted(r.as_str())).collect();
        let _ = writeln!(
            text,
            "# Backups are sealed to these keys. The private ones are kept offline."
        );
        let _ = writeln!(text, "recipients = [{}]", keys.join(", "));
    } else {
        let _ = writeln!(text, "mode = \"none\"");
    }
    let _ = writeln!(text, "host_key_file = {}", path(&plan.host_key));
    let _ = writeln!(text, "\n[cluster.{}]", plan.cluster);
    match &arguments.connection {
        Some(connection) => {
            if let Some(variable) = &plan.password_of {
                let _ = writeln!(
                    text,
                    "# The password is not written down: ~/.pgpass or {variable} has it."
                );
            }
            let _ = writeln!(text, "connection = {}", quoted(connection));
        }
        None => {
            let _ = writeln!(
                text,
                "# libpq's variables (PGHOST, PGUSER, …) and ~/.pgpass fill in what is left out.\n\
                 connection = \"postgres:///postgres\""
            );
        }
    }
    let _ = writeln!(
        text,
        "\n# Every backup is kept until this says how many are; 'pgkeep prune' deletes the rest.\n\
         # [cluster.{}.dump]\n{KEEP}",
        plan.cluster
    );
    text
}

/// What may be kept, for whoever takes the sign of a comment away.
const KEEP: &str = "# keep = { daily = 7, weekly = 4, monthly = 12 }";

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_reads_back_from_a_toml_string() {
        for text in ["plain", "a\"b", "back\\slash", "new\nline", "ünï"] {
            let file = format!("x = {}", toml_string(text));
            let read: toml::Table = file.parse().unwrap();
            assert_eq!(read["x"].as_str().unwrap(), text);
        }
    }
}
