//! The commands, one file each.
//!
//! Invariant: a command's driver function reads as the story of the command;
//! what it does in PostgreSQL or in a repository is another crate's.

mod backup;
mod check;
mod config;
mod copy;
mod database_name;
mod demo;
mod doctor;
mod init;
mod keeping;
mod key;
mod kit;
mod list;
mod pin;
mod prove;
mod prune;
mod reference;
mod restore;
mod show;
mod verify;

pub(crate) use demo::DemoError;

use pgkeep_types::ClusterName;

use crate::arguments::Command;
use crate::context::Context;
use crate::elsewhere::with_others;
use crate::error::{CliError, Exit};

/// Runs the command that was asked for, until it ends or somebody asks it to. What
/// has to clean up is asked first, and dropped only when asked again.
pub(crate) async fn run(command: &Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Init(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Prove(_)
        | Command::Verify(_)
        | Command::Copy(_)
        | Command::Demo(_) => {
            tokio::select! {
                done = dispatch(command, context) => done,
                () = context.interrupt.insisted() => Err(CliError::Insisted),
            }
        }
        // What has gone is gone, and the next one goes on with the rest.
        Command::Prune(_) => {
            let work = dispatch(command, context);
            context.unless_interrupted("the prune", work).await
        }
        Command::Pin(_) | Command::Unpin(_) => {
            let work = dispatch(command, context);
            context.unless_interrupted("the work on pins", work).await
        }
        Command::Key(_) => {
            let work = dispatch(command, context);
            context
                .unless_interrupted("the work on the keys", work)
                .await
        }
        Command::Check(_) => {
            let work = dispatch(command, context);
            context.unless_interrupted("the check", work).await
        }
        Command::List(_)
        | Command::Show(_)
        | Command::Kit(_)
        | Command::Config
        | Command::Doctor(_)
        | Command::Reference(_) => {
            let work = dispatch(command, context);
            context.unless_interrupted("the listing", work).await
        }
    }
}

async fn dispatch(command: &Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Init(arguments) => init::run(arguments, context).await,
        Command::Backup(arguments) => backup::run(arguments, context).await,
        Command::Check(arguments) => check::run(arguments, context).await,
        Command::Doctor(arguments) => doctor::run(arguments, context).await,
        Command::List(arguments) => {
            let listed = list::run(arguments, context).await;
            or_elsewhere(context, arguments.cluster.as_ref(), listed).await
        }
        Command::Show(arguments) => {
            let shown = show::run(arguments, context).await;
            or_elsewhere(context, arguments.cluster.as_ref(), shown).await
        }
        Command::Restore(arguments) => {
            let restored = restore::run(arguments, context).await;
            or_elsewhere(context, arguments.cluster.as_ref(), restored).await
        }
        Command::Prove(arguments) => prove::run(arguments, context).await,
        Command::Prune(arguments) => prune::run(arguments, context).await,
        Command::Verify(arguments) => verify::run(arguments, context).await,
        Command::Pin(arguments) => pin::pin(arguments, context).await,
        Command::Unpin(arguments) => pin::unpin(arguments, context).await,
        Command::Copy(arguments) => copy::run(arguments, context).await,
        Command::Key(arguments) => key::run(arguments, context).await,
        Command::Kit(arguments) => kit::run(arguments, context).await,
        Command::Config => config::run(context),
        Command::Reference(arguments) => {
            reference::run(arguments, context);
            Ok(Exit::Done)
        }
        Command::Demo(arguments) => demo::run(arguments, context).await,
    }
}

/// Tells which other repository has what one does not give.
async fn or_elsewhere(
    context: &Context,
    named: Option<&ClusterName>,
    came: Result<Exit, CliError>,
) -> Result<Exit, CliError> {
    match came {
        Err(error) => Err(with_others(context, named, error).await),
        done => done,
    }
}
