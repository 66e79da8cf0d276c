//! `pgkeep key`: who may read and write.
//!
//! Invariants: whoever changes the keys is shown what will be, by fingerprint, and
//! asked. What a change can no longer mend (a key that opens what is old) is said.

mod add;
mod list;
mod new;
mod passphrase;
mod retire;
mod trust;

use std::path::Path;

use pgkeep_config::Settings;
use pgkeep_format::{Identities, KeyRole};
use pgkeep_repository::{KeyInfo, OwnerAccess, Repository};
use serde::Serialize;

use crate::arguments::key::{Key, KeyCommand, KeyRepair, NewRole, Which};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::unlock;
use crate::output::JSON_VERSION;
use crate::terminal;

/// Does what was asked for.
pub(crate) async fn run(arguments: &Key, context: &Context) -> Result<Exit, CliError> {
    match &arguments.command {
        KeyCommand::List(arguments) => list::run(arguments, context).await,
        KeyCommand::New(arguments) => new::run(arguments, context),
        KeyCommand::Add(arguments) => add::run(arguments, context).await,
        KeyCommand::Retire(arguments) => retire::run(arguments, context).await,
        KeyCommand::Trust(arguments) => trust::run(arguments, context).await,
        KeyCommand::Passphrase(arguments) => passphrase::run(arguments, context).await,
        KeyCommand::Repair(arguments) => repair(arguments, context).await,
    }
}

/// What a change of the keys comes to.
#[derive(Serialize)]
struct Changed<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<&'a str>,
    /// The number of the key ring by which it is so.
    ring: u32,
}

impl<'a> Changed<'a> {
    fn tell(
        context: &Context,
        repository: &Repository,
        added: Option<&'a str>,
        retired: Option<&'a str>,
    ) -> Result<(), CliError> {
        context.output.json(&Self {
            version: JSON_VERSION,
            added,
            retired,
            ring: repository.key_ring(),
        })
    }
}

/// A repository whose keys may be changed.
struct Owned {
    settings: Settings,
    repository: Repository,
    access: OwnerAccess,
    identities: Identities,
}

/// Opens the repository that is meant for a change of its keys.
async fn owned(
    context: &Context,
    which: &Which,
    identity: Option<&Path>,
) -> Result<Owned, CliError> {
    let settings = context.settings()?;
    let mut keys = context.keys(&settings, identity)?;
    let name = context.repository_name(&settings, which.repository.as_deref())?;
    let repository = context
        .open_repository(&settings, name, &keys.pins())
        .await?;
    let repository = unlock(context, repository, &mut keys, true).await?;
    if !repository.is_pinned() {
        context.output.warning(format_args!(
            "no key file at hand knows the repository in {}: whoever can write there may have \
             made it",
            repository.location()
        ));
    }
    let identities = keys.recovery();
    let access = repository.owner_access(&identities)?;
    Ok(Owned {
        settings,
        repository,
        access,
        identities,
    })
}

/// The key in use that somebody means: by its fingerprint, the beginning of it, or
/// its name.
fn meant(repository: &Repository, text: &str) -> Result<KeyInfo, CliError> {
    const SHORTEST: usize = 4;
    let begins = |key: &KeyInfo| text.len() >= SHORTEST && key.fingerprint.starts_with(text);
    let keys = repository.keys();
    let fitting: Vec<&KeyInfo> = keys
        .iter()
        .filter(|key| key.retired.is_none() && (key.record.name == text || begins(key)))
        .collect();
    match fitting.as_slice() {
        [key] => Ok((*key).clone()),
        found => Err(CliError::Usage {
            problem: match found.len() {
                0 => format!("no key in use is meant by {text:?}"),
                more => format!("{more} keys in use are meant by {text:?}"),
            },
            hint: "'pgkeep key list' shows them; name one by its fingerprint".to_owned(),
        }),
    }
}

fn role(role: NewRole) -> KeyRole {
    match role {
        NewRole::Host => KeyRole::Host,
        NewRole::Prover => KeyRole::Prover,
        NewRole::Recovery => KeyRole::Recovery,
    }
}

/// Gives up what was lost of the keys.
async fn repair(arguments: &KeyRepair, context: &Context) -> Result<Exit, CliError> {
    let owner = &arguments.owner;
    let owned = owned(context, &owner.asked.which, owner.identity.as_deref()).await?;
    let problems = owned.repository.unreadable_keys();
    if problems.is_empty() {
        context.output.say("all keys are there and can be used");
        return Changed::tell(context, &owned.repository, None, None).map(|()| Exit::Done);
    }
    for problem in problems {
        context.output.say(format_args!("  {problem}"));
    }
    context.output.say(
        "What is missing here and lies in another copy is better brought back from there.\n\
         What a lost host key has signed is believed no more until the same key is added again;\n\
         a key whose end was lost is in use again until it is retired again.",
    );
    terminal::confirm(context, "Give it up?", owner.asked.yes).await?;
    let clock = &context.clock;
    let mended = owned.repository.repair_keys(&owned.access, clock).await?;
    for problem in mended.unreadable_keys() {
        context
            .output
            .warning(format_args!("this has to be removed by hand: {problem}"));
    }
    Changed::tell(context, &mended, None, None)?;
    Ok(Exit::Done)
}
