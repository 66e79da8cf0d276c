//! `pgkeep config`: what is in force, and where each value came from.
//!
//! Invariant: no secret is shown: a connection by its parts without the password, an
//! address only once it was found to hold none.

use std::path::Path;

use pgkeep_config::{InForce, Origin, Settings, Shown, StorageText};
use pgkeep_format::Recipient;
use pgkeep_postgres::client;
use pgkeep_types::ClusterName;
use serde::Serialize;

use crate::commands::backup::selection;
use crate::context::{Context, unconfigured};
use crate::error::{CliError, Exit};
use crate::fold::fold;
use crate::output::JSON_VERSION;
use crate::storage;
use crate::words::{self, Align};

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    file: Option<&'a Path>,
    values: &'a [Line],
    unread_variables: &'a [String],
}

/// A key with what may be seen of its value.
#[derive(Serialize)]
struct Line {
    key: String,
    value: Value,
    /// Whether there is a value that is not shown.
    hidden: bool,
    origin: From,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Nothing,
    Text(String),
    List(Vec<String>),
}

/// Where a value came from.
#[derive(Serialize)]
struct From {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip)]
    words: String,
}

/// Shows it; what cannot be used is told at the end and is a failure.
pub(crate) fn run(context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let mut problems = Vec::new();
    let mut lines = Vec::new();
    for entry in &settings.in_force {
        lines.extend(shown(context, &settings, entry, &mut problems));
    }
    if settings.clusters.is_empty() {
        // Commands that are given any cluster's name connect by libpq's variables.
        let nobody: ClusterName = "main".parse().map_err(|_| CliError::Usage {
            problem: "there is no cluster".to_owned(),
            hint: "add a [cluster.main] with a connection".to_owned(),
        })?;
        lines.extend(parts(context, &settings, &nobody, &mut problems));
    }
    problems.extend(recipients(&settings));
    for (name, cluster) in &settings.clusters {
        problems.extend(selection(name, &cluster.dump.content).err());
    }
    tell(context, &settings, &lines);
    for name in &settings.unread_variables {
        context.output.warning(format_args!(
            "the variable {name} is set, and nothing reads it"
        ));
    }
    context.output.json(&Report {
        version: JSON_VERSION,
        file: settings.file.as_deref(),
        values: &lines,
        unread_variables: &settings.unread_variables,
    })?;
    for problem in &problems {
        context.output.failure(problem);
    }
    Ok(match problems.as_slice() {
        [] => Exit::Done,
        _ => Exit::Failed,
    })
}

/// Recipients that are none.
fn recipients(settings: &Settings) -> Vec<CliError> {
    let all = settings.encryption.recipients.iter();
    let wrong = all.filter(|text| text.parse::<Recipient>().is_err());
    let place = settings.origin_of("encryption.recipients").place();
    let told = wrong.map(|text| CliError::Disagrees {
        problem: format!("{place}{} is no age recipient", recipient(text)),
        hint: "one begins with age1; 'age-keygen' prints it".to_owned(),
    });
    told.collect()
}

/// What was given for a recipient; a key that opens backups is not repeated.
pub(crate) fn recipient(given: &str) -> String {
    match given.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
        true => "a private key".to_owned(),
        false => format!("{given:?}"),
    }
}

/// What is shown of an entry; a connection is shown part by part.
fn shown(
    context: &Context,
    settings: &Settings,
    entry: &InForce,
    problems: &mut Vec<CliError>,
) -> Vec<Line> {
    let line = |value, hidden| Line {
        key: entry.key.clone(),
        value,
        hidden,
        origin: origin(&entry.origin),
    };
    match &entry.value {
        Shown::Nothing => vec![line(Value::Nothing, false)],
        Shown::Text(text) => vec![line(Value::Text(text.clone()), false)],
        Shown::List(list) => vec![line(Value::List(list.clone()), false)],
        Shown::Secret => vec![line(Value::Nothing, true)],
        Shown::Address(name) => {
            let repository = settings.repositories.get(name);
            let address =
                repository.map(|found| storage::address(name, &found.storage, &found.origin));
            vec![match address {
                Some(Ok(_)) => line(Value::Text(raw(settings, name)), false),
                Some(Err(problem)) => {
                    problems.push(problem);
                    line(Value::Nothing, true)
                }
                None => line(Value::Nothing, false),
            }]
        }
        Shown::Connection(name) => {
            let Ok(cluster) = name.parse::<ClusterName>() else {
                return Vec::new();
            };
            let hidden = settings.clusters.get(&cluster);
            let hidden = hidden.is_some_and(|found| !found.connection.expose().is_empty());
            let mut lines = parts(context, settings, &cluster, problems);
            // What can be seen of the text itself are its parts.
            lines.insert(0, line(Value::Nothing, hidden));
            lines
        }
    }
}

/// An address as it was given: one that could be read holds no secret.
fn raw(settings: &Settings, name: &str) -> String {
    match settings.repositories.get(name).map(|found| &found.storage) {
        Some(StorageText::Url(url)) => url.clone(),
        Some(StorageText::Directory(path)) => path.display().to_string(),
        None => String::new(),
    }
}

/// The parts of a cluster's connection, with what fills in what it leaves out.
fn parts(
    context: &Context,
    settings: &Settings,
    cluster: &ClusterName,
    problems: &mut Vec<CliError>,
) -> Vec<Line> {
    let configured = settings.clusters.get(cluster).cloned();
    let configured = configured.unwrap_or_else(|| unconfigured(settings));
    let connection = match context.connection(cluster, &configured) {
        Ok(connection) => connection,
        Err(problem) => {
            problems.push(problem);
            return Vec::new();
        }
    };
    let in_force = connection.in_force().into_iter().map(|part| Line {
        key: format!("cluster.{cluster}.connection.{}", part.key),
        hidden: part.value.is_none(),
        value: part.value.map_or(Value::Nothing, Value::Text),
        origin: origin_of_part(&part.origin),
    });
    in_force.collect()
}

/// A value that is longer (a key, an address) does not push all others apart.
const WIDEST: usize = 40;

fn tell(context: &Context, settings: &Settings, lines: &[Line]) {
    let headings = [
        ("KEY", Align::Left),
        ("VALUE", Align::Left),
        ("FROM", Align::Left),
    ];
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let value = match (&line.value, line.hidden) {
                (_, true) => "(hidden)".to_owned(),
                (Value::Nothing, _) => "-".to_owned(),
                (Value::Text(text), _) => text.clone(),
                (Value::List(list), _) => list.join(", "),
            };
            let cells = [line.key.as_str(), &value, &line.origin.words];
            cells.map(words::printable).to_vec()
        })
        .collect();
    let file = match &settings.file {
        Some(file) => format!("Configuration: {}\n\n", file.display()),
        None => "Configuration: no file; the environment says enough\n\n".to_owned(),
    };
    let table = words::table_of(&headings, &rows, WIDEST);
    let table = match context.output.columns() {
        None => table,
        Some(columns) => narrow(&table, &rows, columns),
    };
    context.output.data(file + &table);
}

/// The table on a terminal: what goes on stands below the values, and where even that has no
/// room, value and place stand below the key.
fn narrow(table: &str, rows: &[Vec<String>], columns: usize) -> String {
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default();
    let indent = heading.find("VALUE").unwrap_or_default();
    let mut told = fold(heading, columns, indent) + "\n";
    for (line, row) in lines.zip(rows) {
        let folded = fold(line, columns, indent);
        let fits = folded.lines().all(|line| line.chars().count() <= columns);
        match fits {
            true => told.push_str(&folded),
            false => {
                let below = row.iter().skip(1).map(|cell| format!("    {cell}"));
                let below = below.map(|cell| fold(&cell, columns, 4));
                let key = row.iter().take(1).cloned();
                told.push_str(&key.chain(below).collect::<Vec<_>>().join("\n"));
            }
        }
        told.push('\n');
    }
    told
}

fn origin(origin: &Origin) -> From {
    let words = origin.to_string();
    match origin {
        Origin::Default => from("default", words),
        Origin::File { path, line, column } => From {
            path: Some(path.display().to_string()),
            line: Some(*line),
            column: Some(*column),
            ..from("file", words)
        },
        Origin::Variable { name } => From {
            name: Some(name.clone()),
            ..from("variable", words)
        },
        Origin::VariableFile { name, path } => From {
            name: Some(name.clone()),
            path: Some(path.display().to_string()),
            ..from("variable_file", words)
        },
    }
}

fn origin_of_part(origin: &client::Origin) -> From {
    let words = origin.to_string();
    match origin {
        client::Origin::Default => from("default", words),
        client::Origin::Connection => from("connection", words),
        client::Origin::Service { file, line } => From {
            path: Some(file.display().to_string()),
            line: Some(*line),
            ..from("service", words)
        },
        client::Origin::Variable(name) => From {
            name: Some((*name).to_owned()),
            ..from("variable", words)
        },
        client::Origin::PasswordFile(path) => From {
            path: Some(path.display().to_string()),
            ..from("password_file", words)
        },
        client::Origin::Found(path) => From {
            path: Some(path.display().to_string()),
            ..from("found", words)
        },
    }
}

fn from(kind: &'static str, words: String) -> From {
    From {
        kind,
        name: None,
        path: None,
        line: None,
        column: None,
        words,
    }
}
