//! `pgkeep key add`: a key becomes one of the repository's.
//!
//! Invariant: what is added is shown by its fingerprint, and asked about.

use pgkeep_format::{KeyRequest, KeyRole, Recipient};
use pgkeep_repository::UnendedRuns;

use super::{Changed, Owned, meant, owned, retire, role};
use crate::arguments::key::KeyAdd;
use crate::commands::config::recipient;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::terminal;

/// Adds a key.
pub(super) async fn run(arguments: &KeyAdd, context: &Context) -> Result<Exit, CliError> {
    let request = request(arguments, context)?;
    let identity = arguments.owner.identity.as_deref();
    let mut owned = owned(context, &arguments.owner.asked.which, identity).await?;
    let replaced = arguments.replaces.as_deref();
    let replaced = replaced
        .map(|key| meant(&owned.repository, key))
        .transpose()?;
    describe(context, &owned, &request);
    if let Some(old) = &replaced {
        retire::describe(context, old);
    }
    terminal::confirm(context, "Add this key?", arguments.owner.asked.yes).await?;

    owned.repository = owned
        .repository
        .add_key(&owned.access, &request, &context.clock)
        .await?;
    let fingerprint = request.fingerprint();
    context.output.say(format_args!(
        "added {} {}",
        request.role.as_str(),
        fingerprint
    ));
    if let Some(old) = &replaced {
        owned.repository = retire::apply(context, &owned, old, UnendedRuns::WaitedFor).await?;
    }
    advise(context, &owned, &request);
    let retired = replaced.as_ref().map(|old| old.fingerprint.as_str());
    Changed::tell(context, &owned.repository, Some(&fingerprint), retired)?;
    Ok(Exit::Done)
}

/// The request in an argument: itself, in a file, or made of an age recipient.
fn request(arguments: &KeyAdd, context: &Context) -> Result<KeyRequest, CliError> {
    let text = arguments.request.trim();
    if let (Some(role_of), Some(name)) = (arguments.role, &arguments.name) {
        return of_recipient(text, role(role_of), name);
    }
    if let Ok(request) = text.parse() {
        return Ok(request);
    }
    let path = context.path(text.as_ref());
    let unusable = |source| CliError::KeyFile {
        path: path.clone(),
        source,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(unusable),
        Err(_) => Err(CliError::Usage {
            problem: "this is no key request, nor a file that holds one".to_owned(),
            hint: "give the whole line that 'pgkeep key new' has printed; for an age recipient, \
                   --role and --name too"
                .to_owned(),
        }),
    }
}

fn of_recipient(text: &str, role: KeyRole, name: &str) -> Result<KeyRequest, CliError> {
    let usage = |problem: String, hint: &str| CliError::Usage {
        problem,
        hint: hint.to_owned(),
    };
    let recipient: Recipient = text.parse().map_err(|_| {
        usage(
            format!("{} is no age recipient", recipient(text)),
            "one begins with age1; a request of 'pgkeep key new' needs no --role",
        )
    })?;
    if role == KeyRole::Host {
        return Err(usage(
            "a host needs a signing key too".to_owned(),
            "make its key with 'pgkeep key new' on that host",
        ));
    }
    if !KeyRequest::is_name(name) {
        return Err(usage(
            format!("{name:?} cannot be the name of a key"),
            "give 1 to 63 letters, digits, '.', '_' and '-'",
        ));
    }
    Ok(KeyRequest {
        role,
        name: name.to_owned(),
        recipient,
        verifier: None,
    })
}

fn describe(context: &Context, owned: &Owned, request: &KeyRequest) {
    let trust = owned.repository.trust();
    let gives = match request.role {
        KeyRole::Host => "writes backups; everybody believes what it writes",
        KeyRole::Prover => "opens every backup that is made from now on",
        _ => "opens every backup that is made from now on; adds and retires keys",
    };
    context.output.say(format_args!(
        "To the repository in {}\n  id          {}\n  root key    {}\nis added\n  role        {}: \
         {gives}\n  name        {}\n  fingerprint {}\n  recipient   {}",
        owned.repository.location(),
        trust.repository,
        trust.root,
        request.role.as_str(),
        request.name,
        request.fingerprint(),
        request.recipient
    ));
}

fn advise(context: &Context, owned: &Owned, request: &KeyRequest) {
    let output = context.output;
    if request.role == KeyRole::Host {
        return output.say("on that host, next: pgkeep key trust");
    }
    output.say(
        "what was written before stays shut to it; every host refuses to write until it has \
         accepted the key:\n  pgkeep key trust",
    );
    if request.role == KeyRole::Recovery && !owned.settings.encryption.recipients.is_empty() {
        output.say(format_args!(
            "add {} to 'recipients' in [encryption] wherever it is set",
            request.recipient
        ));
    }
}
