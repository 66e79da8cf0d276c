//! The commands, one file each.
//!
//! Invariant: a command's driver function reads as the story of the command;
//! what it does in PostgreSQL or in a repository is another crate's.

mod backup;
mod database_name;
mod demo;
mod init;
mod list;
mod reference;
mod restore;
mod show;

pub(crate) use demo::DemoError;

use crate::arguments::Command;
use crate::context::Context;
use crate::error::{CliError, Exit};

/// Runs the command that was asked for, until it ends or somebody asks it to.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Exit, CliError> {
    tokio::select! {
        done = dispatch(command, context) => done,
        () = give_up(command, context) => Err(CliError::Interrupted),
    }
}

async fn dispatch(command: &Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Init(arguments) => init::run(arguments, context).await,
        Command::Backup(arguments) => backup::run(arguments, context).await,
        Command::List(arguments) => list::run(arguments, context).await,
        Command::Show(arguments) => show::run(arguments, context).await,
        Command::Restore(arguments) => restore::run(arguments, context).await,
        Command::Reference(arguments) => {
            reference::run(arguments, context);
            Ok(Exit::Done)
        }
        Command::Demo(arguments) => demo::run(arguments, context).await,
    }
}

/// Waits until the command is to be dropped where it stands. What has to clean up
/// is asked first, and dropped only when asked again.
async fn give_up(command: &Command, context: &Context) {
    match command {
        Command::Init(_) | Command::Backup(_) | Command::Restore(_) | Command::Demo(_) => {
            context.interrupt.insisted().await;
        }
        Command::List(_) | Command::Show(_) | Command::Reference(_) => {
            context.interrupt.requested().await;
        }
    }
}
