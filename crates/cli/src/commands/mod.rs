//! The commands, one file each.
//!
//! Invariant: a command's driver function reads as the story of the command;
//! what it does in PostgreSQL or in a repository is another crate's.

mod backup;
mod init;
mod list;
mod reference;
mod restore;
mod show;

use crate::arguments::Command;
use crate::context::Context;
use crate::error::{CliError, Exit};

/// Runs the command that was asked for.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Exit, CliError> {
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
        Command::Demo(_) => Ok(Exit::Done),
    }
}
