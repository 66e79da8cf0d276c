//! The questions of `pgkeep init`.
//!
//! Invariants: they are asked only on a terminal, and only for what no argument has
//! said; nothing is made before the last one is answered with a yes, and whoever stops
//! at any of them finds all as it was; a password is never asked for, since it would
//! come to stand in the configuration.

use std::path::{Path, PathBuf};

use pgkeep_config::{Origin, storage_text};
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::Tools;
use pgkeep_storage::StorageAddress;
use pgkeep_types::ClusterName;

use super::around::{self, Found, Seen};
use super::connection::Known;
use crate::arguments::{Encryption, Init};
use crate::context::Context;
use crate::error::{CliError, sentence};
use crate::storage;
use crate::terminal::{self, ask_line, ask_yes};

/// What a repository's directory has in it.
const DESCRIPTOR: &str = "pgkeep.json";

/// Whether anything is to be asked: where nobody has said where the repository is to be,
/// the one thing that has no default, somebody sits at a terminal.
pub(super) fn is_wanted(arguments: &Init, context: &Context) -> bool {
    let named = ["PGKEEP_REPOSITORY", "PGKEEP_REPOSITORY_FILE"];
    let said = named
        .iter()
        .any(|name| context.environment.variable(name).is_some());
    arguments.repository.is_none() && !said && !arguments.yes && terminal::is_there()
}

/// Asks for what the arguments do not say; `config` is the file that will be written.
pub(super) async fn fill_in(
    arguments: &Init,
    context: &Context,
    config: &Path,
    known: Option<&Known>,
) -> Result<Init, CliError> {
    let asked = ask_all(arguments, context, config, known).await;
    asked.map_err(|error| match error {
        CliError::Interrupted { .. } => CliError::InitInterrupted {
            left: "nothing was made".to_owned(),
        },
        error => error,
    })
}

async fn ask_all(
    arguments: &Init,
    context: &Context,
    config: &Path,
    known: Option<&Known>,
) -> Result<Init, CliError> {
    let beside = config.parent().unwrap_or(config);
    for path in [config.to_owned(), beside.join("host.key")] {
        if path.symlink_metadata().is_ok() {
            return Err(CliError::Exists { path });
        }
    }
    context.output.say(
        "Enter takes what stands in brackets; Ctrl-C ends this, and nothing is made before the \
         last question.\n",
    );
    let mut filled = arguments.clone();
    filled.connection = Some(connection(arguments, context, known).await?);
    let cluster = match &arguments.cluster {
        Some(cluster) => cluster.clone(),
        None => cluster(context).await?,
    };
    let place = repository(context).await?;
    keys(&mut filled, context, beside).await?;
    show(&filled, context, &cluster, &place, config);
    filled.cluster = Some(cluster);
    filled.repository = Some(place);
    if ask_yes(context, "Make all this?", true).await? {
        Ok(filled)
    } else {
        Err(CliError::Declined)
    }
}

/// A connection that leads to a server, or that somebody wants all the same.
async fn connection(
    arguments: &Init,
    context: &Context,
    known: Option<&Known>,
) -> Result<String, CliError> {
    let output = context.output;
    let tools = context.unconfigured_tools().await?;
    tell_tools(context, &tools);
    if let Some(known) = known {
        output.say(format_args!("{} says where the server is.", known.variable));
        if is_wanted_there(context, &tools, &known.parameters).await? {
            return Ok(known.written.clone());
        }
    }
    let mut given = arguments.connection.clone();
    let found = match &given {
        Some(_) => Vec::new(),
        None => {
            output.say("Looking for servers …");
            let found = async { Ok(around::look(context).await) };
            let found = context.unless_interrupted("init", found).await?;
            tell_found(context, &found);
            found
        }
    };
    loop {
        let connection = match given.take() {
            Some(given) => given,
            None => choose(context, &found).await?,
        };
        if ConnectionParameters::parse(&connection).is_ok_and(|parsed| parsed.has_password()) {
            output.say(
                "A password does not belong into the configuration: put it into ~/.pgpass, mode \
                 0600, where it is found, and leave it out here.",
            );
            continue;
        }
        match around::typed(context, &connection) {
            Ok(parameters) => {
                if is_wanted_there(context, &tools, &parameters).await? {
                    return Ok(connection);
                }
            }
            // What cannot be read would make a configuration that cannot be either.
            Err(error) => output.failure(&error),
        }
    }
}

/// Whether a server answers there, or somebody goes on with it all the same.
async fn is_wanted_there(
    context: &Context,
    tools: &Tools,
    parameters: &ConnectionParameters,
) -> Result<bool, CliError> {
    let output = context.output;
    let seen = async { Ok(Seen::at(parameters).await) };
    match context.unless_interrupted("init", seen).await? {
        Ok(seen) => {
            output.say(seen.server());
            output.say(output.folded_talk(&format!("  {}", seen.databases()), 2));
            fitting(context, tools, seen.major);
            output.say("");
            Ok(true)
        }
        Err(error) => {
            output.failure(&error);
            let question = "Go on with it all the same, and mend that later?";
            ask_yes(context, question, false).await
        }
    }
}

fn tell_tools(context: &Context, tools: &Tools) {
    let mut versions: Vec<_> = tools.all().iter().collect();
    versions.sort_by_key(|tools| tools.major());
    let versions: Vec<_> = versions.iter().map(|tools| tools.version()).collect();
    match versions.as_slice() {
        [] => context
            .output
            .warning("this machine has no pg_dump; install PostgreSQL's client programs"),
        some => {
            let told = some.join(", ");
            context
                .output
                .say(format_args!("pg_dump on this machine: {told}"));
        }
    }
}

/// Whether there are programs for a server.
fn fitting(context: &Context, tools: &Tools, major: u32) {
    match tools.for_server(major) {
        Ok(choice) if choice.exact => {}
        Ok(choice) => context.output.warning(format_args!(
            "this machine has no pg_dump {major}: {} will be used, and what it writes may need a \
             server as new as that",
            choice.tools.version()
        )),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("; {hint}"));
            let hint = hint.unwrap_or_default();
            context
                .output
                .warning(format_args!("{}{hint}", sentence(&error)));
        }
    }
}

fn tell_found(context: &Context, found: &[Found]) {
    let output = context.output;
    if found.is_empty() {
        output.say("None was found.");
    }
    let set = |line: String| output.say(output.folded_talk(&line, 5));
    for (number, Found { connection, seen }) in (1..).zip(found) {
        output.say(format_args!("  {number}  {connection}"));
        match seen {
            Some(Ok(seen)) => {
                set(format!("     {}", seen.server()));
                set(format!("     {}", seen.databases()));
            }
            Some(Err(error)) => set(format!("     {}", sentence(error))),
            None => output.say("     no answer yet"),
        }
    }
}

async fn choose(context: &Context, found: &[Found]) -> Result<String, CliError> {
    let (question, default) = match found {
        [] => ("Connection, as a URL or libpq's key=value pairs", None),
        _ => (
            "Connection: a number, a URL or libpq's key=value pairs",
            Some("1"),
        ),
    };
    loop {
        let answer = ask_line(context, question, default).await?;
        match answer.parse::<usize>() {
            Ok(number) => match number.checked_sub(1).and_then(|at| found.get(at)) {
                Some(found) => return Ok(found.connection.clone()),
                None => context.output.say("There is none of that number."),
            },
            Err(_) if answer.is_empty() => context.output.say(
                "A server has to be named: such as postgres://USER@HOST:5432/postgres, or \
                 host=/var/run/postgresql dbname=postgres for one of this machine.",
            ),
            Err(_) => return Ok(answer),
        }
    }
}

async fn cluster(context: &Context) -> Result<ClusterName, CliError> {
    let question = "What is this cluster to be called?";
    loop {
        let answer = ask_line(context, question, Some("main")).await?;
        match answer.parse() {
            Ok(name) => return Ok(name),
            Err(error) => context.output.say(format_args!("{error}")),
        }
    }
}

/// Where the repository will be.
async fn repository(context: &Context) -> Result<String, CliError> {
    let environment = &context.environment;
    let home = environment
        .home()
        .unwrap_or(environment.working_directory());
    let default = home.join("backups").display().to_string();
    context.output.say(
        "\nThe repository is a directory, best on another disk than the database's, or \
         s3://BUCKET/PREFIX.",
    );
    loop {
        let answer = ask_line(context, "Where is it to be?", Some(&default)).await?;
        // What a shell would have done.
        let answer = match answer.strip_prefix("~/") {
            Some(below) => home.join(below).display().to_string(),
            None => answer,
        };
        let here = environment.working_directory();
        let read = storage_text("local", &answer, here).map_err(CliError::from);
        match read.and_then(|text| storage::address("local", &text, &Origin::Default)) {
            Ok(StorageAddress::Directory(path)) if path.join(DESCRIPTOR).exists() => context
                .output
                .say(format_args!("There is a repository in {answer} already.")),
            Ok(_) => return Ok(answer),
            Err(error) => context.output.failure(&error),
        }
    }
}

/// Whether it is sealed, and who keeps the key.
async fn keys(filled: &mut Init, context: &Context, beside: &Path) -> Result<(), CliError> {
    let keyed = filled.passphrase || !filled.recipients.is_empty();
    if filled.encryption.is_none() && !keyed && filled.recovery_key_file.is_none() {
        let question = "\nEncrypt backups, so that whoever has the storage has nothing?";
        let encrypted = ask_yes(context, question, true).await?;
        filled.encryption = Some(match encrypted {
            true => Encryption::Age,
            false => Encryption::None,
        });
    }
    let sealed = filled.encryption != Some(Encryption::None);
    if sealed && !keyed && filled.recovery_key_file.is_none() {
        context.output.say(
            "The recovery key reads every backup, and without it nobody can restore. It goes into \
             a file that you move off this machine, or into the repository, under a passphrase.",
        );
        filled.passphrase = loop {
            let answer = ask_line(context, "file or passphrase?", Some("file")).await?;
            match answer.as_str() {
                "f" | "file" => break false,
                "p" | "passphrase" => break true,
                _ => {}
            }
        };
        if !filled.passphrase {
            filled.recovery_key_file = Some(key_file(context, beside).await?);
        }
    }
    Ok(())
}

async fn key_file(context: &Context, beside: &Path) -> Result<PathBuf, CliError> {
    let default = beside.join("recovery.key").display().to_string();
    loop {
        let answer = ask_line(context, "Which file?", Some(&default)).await?;
        let path = context.path(Path::new(&answer));
        let directory = path.parent().is_some_and(Path::is_dir);
        match path.symlink_metadata() {
            Ok(_) => context
                .output
                .say(format_args!("{} exists already.", path.display())),
            Err(_) if !directory => context
                .output
                .say(format_args!("{} is in no directory.", path.display())),
            Err(_) => return Ok(path),
        }
    }
}

fn show(filled: &Init, context: &Context, cluster: &ClusterName, place: &str, config: &Path) {
    let sealed = match filled.encryption {
        Some(Encryption::None) => "NOT encrypted",
        _ => "encrypted",
    };
    let beside = |name| config.with_file_name(name).display().to_string();
    let mut lines = vec![
        ("configuration", config.display().to_string()),
        ("cluster", cluster.to_string()),
        ("connection", filled.connection.clone().unwrap_or_default()),
        ("repository", format!("{place}, {sealed}")),
        ("host key", beside("host.key")),
    ];
    if let Some(path) = &filled.recovery_key_file {
        let path = context.path(path);
        lines.push(("recovery key", path.display().to_string()));
    }
    let is_open = filled.encryption == Some(Encryption::None);
    if is_open && filled.recovery_key_file.is_none() {
        lines.push(("owner's key", beside("owner.key")));
    }
    if filled.passphrase {
        let says = "in the repository, under a passphrase that is asked for next";
        lines.push(("recovery key", says.to_owned()));
    }
    context.output.say("\nThis will be made:");
    for (what, which) in lines {
        context.output.say(format_args!("  {what:14} {which}"));
    }
}
