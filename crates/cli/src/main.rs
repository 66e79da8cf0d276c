//! The program `pgkeep`: arguments in, words and exit codes out.
//!
//! Invariants: this crate is the only one that looks at the process (its
//! environment, home directory, clock, signals) and the only one that prints.
//! stdout is data, stderr is talk. Every failure becomes words and an exit code
//! in one place, `error`.

mod arguments;
mod commands;
mod context;
mod elsewhere;
mod error;
mod fold;
mod instant;
mod interrupt;
mod keys;
mod live;
mod output;
mod passphrase;
mod private_file;
mod process;
mod server_password;
mod storage;
mod terminal;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => return told(&refused),
    };
    let output = Output::new(arguments.wants_json());
    let is_check = matches!(arguments.command, Command::Check(_));
    let exit = |exit: Exit| match is_check {
        true => exit.of_check(),
        false => exit,
    };
    match run(&arguments, &output) {
        // What was asked for was printed in part: nobody may take it for all.
        Ok(_) if output::data_was_lost() => {
            output.failure(&CliError::Process {
                what: "write to stdout",
                source: std::io::ErrorKind::WriteZero.into(),
            });
            exit(Exit::Failed).into()
        }
        Ok(code) => code.into(),
        Err(error) => {
            output.failure(&error);
            exit(error.exit_code()).into()
        }
    }
}

/// Tells what was asked for, such as help, or what is wrong with the arguments.
fn told(refused: &clap::Error) -> ExitCode {
    let exit = match refused.use_stderr() {
        true => Exit::Usage,
        false => Exit::Done,
    };
    // Nobody reads any more: there is nobody to tell.
    drop(refused.print());
    match process::command_word().as_deref() {
        Some("check") => exit.of_check().into(),
        _ => exit.into(),
    }
}

fn run(arguments: &Arguments, output: &Output) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| CliError::Process {
            what: "start the runtime",
            source,
        })?;
    let done = runtime.block_on(async {
        let context = Context::new(arguments, output)?;
        commands::run(&arguments.command, &context).await
    });
    // What was given up gets a moment to remove what it had begun.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    done
}
