//! `pgkeep key trust`: a host knows its repository, and whom it seals to.
//!
//! Invariants: nothing is accepted that was not shown; a repository that is known
//! is accepted under its own root key alone.

use std::path::Path;

use pgkeep_format::{HostKey, Recipient, RecoveryKeyFile, Trust};
use pgkeep_repository::{KeyInfo, Repository};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::key::KeyTrust;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::{host_key, identity_text, recovery_keys};
use crate::output::JSON_VERSION;
use crate::{private_file, terminal, words};

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    repository: String,
    root: String,
    ring: u32,
    recipients: &'a [Recipient],
    provers: &'a [Recipient],
    file: &'a Path,
}

/// Shows, asks, and pins.
pub(super) async fn run(arguments: &KeyTrust, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let name = context.repository_name(&settings, arguments.asked.which.repository.as_deref())?;
    let repository = context.open_repository(&settings, name, &[]).await?;
    for problem in repository.unreadable_keys() {
        context.output.warning(problem);
    }
    let path = match &arguments.identity {
        Some(path) => {
            let path = context.path(path);
            trust_in_identity(&path, &repository, arguments, context).await?;
            path
        }
        None => {
            let path = settings.encryption.host_key_file.clone();
            let path = path.ok_or(CliError::NoHostKey)?;
            trust_of_host(&path, &repository, arguments, context).await?;
            path
        }
    };
    let trust = repository.trust();
    context.output.json(&Report {
        version: JSON_VERSION,
        repository: trust.repository.to_string(),
        root: trust.root.to_string(),
        ring: trust.ring,
        recipients: trust.recipients.as_deref().unwrap_or_default(),
        provers: &trust.provers,
        file: &path,
    })?;
    Ok(Exit::Done)
}

async fn trust_of_host(
    path: &Path,
    repository: &Repository,
    arguments: &KeyTrust,
    context: &Context,
) -> Result<(), CliError> {
    let mut host = host_key(path)?;
    let found = repository.trust();
    let known = host.trust_in(found.repository).cloned();
    // The same root key as before, or no repository that was known.
    let pins: Vec<Trust> = known.iter().cloned().collect();
    let repository = repository.clone().held_against(&pins)?;
    if let Some(known) = &known
        && known.ring > found.ring
    {
        return Err(CliError::Disagrees {
            problem: format!(
                "this host has seen key ring {} of the repository in {}, and the newest there is {}",
                known.ring,
                repository.location(),
                found.ring
            ),
            hint: "somebody may have taken back what was changed of the keys; bring keys/ back \
                   from another copy"
                .to_owned(),
        });
    }
    if known.as_ref() == Some(&found) {
        context.output.say("this host knows all of it already");
        return Ok(());
    }
    show(context, &repository, known.as_ref());
    warn(context, &host, &repository, known.is_none());
    terminal::confirm(
        context,
        "Trust this repository and seal to these keys?",
        arguments.asked.yes,
    )
    .await?;
    host.pin(found);
    let text = host.to_secret_text().map_err(|source| CliError::KeyFile {
        path: path.to_owned(),
        source,
    })?;
    private_file::replace(path, &text)?;
    context
        .output
        .say(format_args!("{} knows it now", path.display()));
    Ok(())
}

async fn trust_in_identity(
    path: &Path,
    repository: &Repository,
    arguments: &KeyTrust,
    context: &Context,
) -> Result<(), CliError> {
    let text = identity_text(path)?;
    let file = recovery_keys(path, &text)?;
    let found = repository.trust();
    let known = file
        .trust
        .iter()
        .filter(|trust| trust.repository == found.repository);
    let known: Vec<Trust> = known.cloned().collect();
    let repository = repository.clone().held_against(&known)?;
    if !known.is_empty() {
        context.output.say("the file knows this repository already");
        return Ok(());
    }
    show(context, &repository, None);
    terminal::confirm(context, "Trust this repository?", arguments.asked.yes).await?;
    let line = RecoveryKeyFile::trust_line(&found);
    let text = Zeroizing::new(format!("{line}\n{}", text.as_str()));
    private_file::replace(path, &text)?;
    context
        .output
        .say(format_args!("{} knows it now", path.display()));
    Ok(())
}

fn show(context: &Context, repository: &Repository, known: Option<&Trust>) {
    let trust = repository.trust();
    let output = context.output;
    output.say(format_args!(
        "The repository in {}\n  id        {}\n  root key  {}\n  key ring  {}\nCompare id and root \
         key with what 'pgkeep key list --json' says elsewhere, or with the kit.",
        repository.location(),
        trust.repository,
        trust.root,
        trust.ring
    ));
    let before = known.map(|known| {
        let recovery = known.recipients.iter().flatten();
        recovery.chain(&known.provers).cloned().collect::<Vec<_>>()
    });
    let now = trust.recipients.iter().flatten().chain(&trust.provers);
    let now: Vec<&Recipient> = now.collect();
    if !now.is_empty() {
        output.say("Backups are sealed to");
    }
    let keys = repository.keys();
    for recipient in &now {
        let key = keys
            .iter()
            .find(|key| key.record.recipient.as_ref() == Some(*recipient));
        let is_new = before
            .as_ref()
            .is_some_and(|before| !before.contains(recipient));
        output.say(format_args!(
            "  {}{}",
            described(key, recipient),
            if is_new { "   NEW" } else { "" }
        ));
    }
    let gone = before.iter().flatten().filter(|key| !now.contains(key));
    for recipient in gone {
        output.say(format_args!("  {recipient}   NO LONGER"));
    }
}

fn described(key: Option<&KeyInfo>, recipient: &Recipient) -> String {
    match key {
        Some(key) => format!(
            "{:<9} {:<12} {recipient}",
            key.record.role.as_str(),
            words::printable(&key.record.name)
        ),
        None => recipient.to_string(),
    }
}

/// Says what else there is to know before trusting.
fn warn(context: &Context, host: &HostKey, repository: &Repository, is_new: bool) {
    if is_new && !host.trust.is_empty() {
        context.output.warning(
            "this host knows another repository, and not this one: whoever can write to the \
             storage may have replaced it",
        );
    }
    let own = host.fingerprint();
    let mut keys = repository.keys().into_iter();
    let is_writer = keys.any(|key| key.fingerprint == own && key.retired.is_none());
    if !is_writer {
        context.output.warning(format_args!(
            "this host may not write there yet: its key {own} was not added, or was retired"
        ));
    }
}
