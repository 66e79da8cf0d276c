//! `pgkeep key retire`: the end of a key.
//!
//! Invariant: what it cannot undo is said before it is done.

use pgkeep_format::KeyRole;
use pgkeep_repository::{KeyInfo, Repository, UnendedRuns};

use super::{Changed, Owned, meant, owned};
use crate::arguments::key::KeyRetire;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::{terminal, words};

/// Retires a key.
pub(super) async fn run(arguments: &KeyRetire, context: &Context) -> Result<Exit, CliError> {
    let identity = arguments.owner.identity.as_deref();
    let owned = owned(context, &arguments.owner.asked.which, identity).await?;
    let key = meant(&owned.repository, &arguments.key)?;
    describe(context, &key);
    terminal::confirm(context, "Retire this key?", arguments.owner.asked.yes).await?;
    let unended = match arguments.now {
        true => UnendedRuns::GivenUp,
        false => UnendedRuns::WaitedFor,
    };
    let repository = apply(context, &owned, &key, unended).await?;
    Changed::tell(context, &repository, None, Some(&key.fingerprint))?;
    Ok(Exit::Done)
}

/// Says what will be.
pub(super) fn describe(context: &Context, key: &KeyInfo) {
    let means = match key.record.role {
        KeyRole::Host => {
            "what it has written up to now stays good; nothing that it signs after that is \
             believed, and it cannot come back"
        }
        KeyRole::Prover => {
            "nothing more is sealed to it; it still opens what was, and it cannot come back"
        }
        _ => {
            "nothing more is sealed to it; it still opens what was, and it has seen the root key: \
             whoever has stolen it can still add keys. Against that only a new repository helps"
        }
    };
    context.output.say(format_args!(
        "Retired is\n  role        {}\n  name        {}\n  fingerprint {}\n{means}",
        key.record.role.as_str(),
        words::printable(&key.record.name),
        key.fingerprint
    ));
}

/// Retires it, and tells what came of it.
pub(super) async fn apply(
    context: &Context,
    owned: &Owned,
    key: &KeyInfo,
    unended: UnendedRuns,
) -> Result<Repository, CliError> {
    let retired =
        owned
            .repository
            .retire_key(&owned.access, &key.fingerprint, unended, &context.clock);
    let retired = retired.await?;
    let (repository, believed) = (retired.repository, retired.believed);
    let output = context.output;
    for object in retired.unattributed {
        output.warning(format_args!(
            "{object} cannot be read: where this key has signed it, it is not believed any more, \
             should it be brought back"
        ));
    }
    match key.record.role {
        KeyRole::Host => output.say(format_args!(
            "retired host {}; {} of it {} believed\non the other hosts, next, so that nobody can take \
             this back unseen: pgkeep key trust",
            key.fingerprint,
            words::counted(believed, "record"),
            if believed == 1 { "stays" } else { "stay" }
        )),
        role => output.say(format_args!(
            "retired {} {}\nevery host refuses to write until it has accepted this: pgkeep key \
             trust",
            role.as_str(),
            key.fingerprint
        )),
    }
    Ok(repository)
}
