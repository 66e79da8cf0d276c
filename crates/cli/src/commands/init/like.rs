//! `pgkeep init --like`: a second repository of a family.
//!
//! Invariants: it has a root key of its own, and the secret, the recovery keys and the provers
//! of the first, so that packs of the one are packs of the other; this host's key file pins it
//! once it is there. Nothing that exists is touched.

use pgkeep_format::{HostKey, RecoveryKeyFile};
use pgkeep_repository::NewRepository;
use serde::Serialize;

use super::making;
use super::place::refuse_occupied;
use crate::arguments::Init;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::host_key;
use crate::output::JSON_VERSION;
use crate::private_file::{self, Drafts};
use crate::storage;

#[derive(Serialize)]
struct Report {
    version: u32,
    repository: String,
    id: String,
    /// What the files of recovery keys and provers have to have, to know it.
    trust: String,
}

pub(super) async fn run(arguments: &Init, context: &Context, like: &str) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let usage = |problem: String, hint: String| CliError::Usage { problem, hint };
    let name = arguments.repository.as_deref().unwrap_or_default();
    let configured = settings.repositories.get(name).ok_or_else(|| {
        usage(
            format!("repository {name:?} is not configured"),
            "add a [repository.NAME] with a url, and give NAME with --repository".to_owned(),
        )
    })?;
    if name == like {
        return Err(usage(
            format!("repository {name:?} is named twice"),
            "name the one that is there with --like".to_owned(),
        ));
    }
    refuse_occupied(&configured.storage)?;
    let keys = context.keys(&settings, None)?;
    let pins = keys.pins();
    let first = context.open_repository(&settings, like, &pins);
    let first = context.unless_interrupted("init", first).await?;
    let access = context.write_access(&settings, &first, keys)?;
    let path = settings
        .encryption
        .host_key_file
        .clone()
        .ok_or(CliError::NoHostKey)?;
    let host = host_key(&path)?;
    let recovery = first.recovery_recipients();
    let new = NewRepository::draw(&recovery, &host, &context.random).like(&first, &access);
    let target = storage::open(
        name,
        &configured.storage,
        &configured.origin,
        &context.environment,
        context.output,
    )?;
    let trust = new.trust();
    let line = RecoveryKeyFile::trust_line(&trust);
    let made = format!(
        "the repository is made, and nothing knows it yet: 'pgkeep key trust' tells this host, \
         and the files of recovery keys and provers want this line: {line}"
    );
    making::make(&new, &target, Drafts::default(), &made, context).await?;
    let pinned = private_file::amend(&path, |text| {
        let mut host = HostKey::from_secret_text(text).ok()?;
        host.pin(trust.clone());
        host.to_secret_text().ok()
    });
    let knows = host_key(&path).is_ok_and(|host| host.trust_in(trust.repository).is_some());
    if pinned.is_err() || !knows {
        context.output.warning(format_args!(
            "{} could not be told of it: 'pgkeep key trust' does that",
            path.display()
        ));
    }
    let location = target.location();
    context.output.data(format_args!(
        "Made a repository in {location}, like {like:?}: backups of the one can be copied to the \
         other.\n\nAdd this line to the file of each recovery key and prover, by which a restore \
         knows it:\n  {line}\n"
    ));
    context.output.json(&Report {
        version: JSON_VERSION,
        repository: location,
        id: trust.repository.to_string(),
        trust: line,
    })?;
    Ok(Exit::Done)
}
