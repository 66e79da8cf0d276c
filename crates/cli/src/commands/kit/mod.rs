//! `pgkeep kit`: all that a stranger needs to restore, on one page of text.
//!
//! Invariants: the page holds no secret unless that was asked for by name, never
//! one of a storage; then it goes into a file or to people, not into JSON.

mod page;
mod place;
mod steps;

use std::collections::BTreeSet;
use std::path::Path;

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Encryption, Identities, RecoveryKeyFile, fingerprint};
use pgkeep_repository::Repository;
use pgkeep_types::Clock;
use serde::Serialize;
use zeroize::Zeroizing;

use self::page::Page;
use self::place::Place;
use crate::arguments::key::Kit;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::keys::{KeysAtHand, unlock};
use crate::output::JSON_VERSION;
use crate::private_file;

#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    file: Option<&'a Path>,
    /// None where it holds a private key.
    page: Option<&'a str>,
}

/// Makes the page.
pub(crate) async fn run(arguments: &Kit, context: &Context) -> Result<Exit, CliError> {
    let file = arguments.output.as_ref().map(|file| context.path(file));
    let settings = context.settings()?;
    let mut keys = context.keys(&settings, arguments.identity.as_deref())?;
    let name = context.repository_name(&settings, arguments.which.repository.as_deref())?;
    let repository = context
        .open_repository(&settings, name, &keys.pins())
        .await?;
    if !repository.is_pinned() {
        context.output.warning(
            "no key file at hand knows this repository: whoever can write there may have made it",
        );
    }
    let repository = match arguments.include_identity {
        true => unlock(context, repository, &mut keys, true).await?,
        false => repository,
    };
    let identity = arguments
        .include_identity
        .then(|| identity(context, &repository, &keys))
        .transpose()?;
    let (newest, whole) = newest(context, &repository).await?;
    let place = Place::of(&settings, name, context);
    let page = Page {
        repository: &repository,
        place: &place,
        newest: &newest,
        notes: &arguments.notes,
        identity: identity.as_ref().map(|text| text.as_str()),
        file: file.as_deref(),
        now: context.clock.now(),
    };
    let text = page.text();
    match &file {
        Some(file) => {
            private_file::create(file, &text)?;
            context.output.data(format_args!("{}\n", file.display()));
        }
        None => context.output.data(text.as_str()),
    }
    if identity.is_some() {
        context.output.warning(
            "the page holds the private key: whoever has it can read every backup; keep it as you \
             would keep the key",
        );
    }
    context.output.json(&Report {
        version: JSON_VERSION,
        file: file.as_deref(),
        page: identity.is_none().then_some(text.as_str()),
    })?;
    Ok(if whole { Exit::Done } else { Exit::Partial })
}

/// The files of the keys at hand that open this repository.
fn identity(
    context: &Context,
    repository: &Repository,
    keys: &KeysAtHand,
) -> Result<Zeroizing<String>, CliError> {
    let known = repository.keys();
    let today = context.clock.now().strftime("%Y-%m-%d").to_string();
    let mut text = Zeroizing::new(String::new());
    for key in keys.recovery().iter() {
        let print = fingerprint(Some(&key.recipient()), None);
        if known.iter().any(|known| known.fingerprint == print) {
            let file = RecoveryKeyFile::to_secret_text(key, &repository.trust(), &today);
            text.push_str(&file);
        }
    }
    if text.is_empty() {
        return Err(CliError::Usage {
            problem: "no recovery key of this repository is at hand to be put in".to_owned(),
            hint: "give its file with --identity FILE".to_owned(),
        });
    }
    Ok(text)
}

/// The newest backup of each database of each cluster, or those that may be it; and
/// whether all of it could be read and told.
async fn newest(
    context: &Context,
    repository: &Repository,
) -> Result<(Vec<BackupRecord>, bool), CliError> {
    let mut found = Vec::new();
    let problems = repository.unreadable_keys();
    for problem in problems {
        context.output.warning(problem);
    }
    let mut whole = problems.is_empty();
    let no_keys = Identities::default();
    for cluster in repository.clusters().await? {
        let catalogue = repository.catalogue(&cluster, &no_keys).await?;
        for unreadable in catalogue.unreadable() {
            context.output.warning(&unreadable.error);
            whole = false;
        }
        let now = context.clock.now();
        let databases: BTreeSet<&str> = catalogue
            .complete()
            .map(|backup| backup.database.as_str())
            .collect();
        for database in databases {
            // All that may be it are on the page.
            if let Err(error) = pgkeep_restore::newest(&catalogue, database, None, now) {
                context
                    .output
                    .warning(format_args!("database {database:?}: {error}"));
                whole = false;
            }
            found.extend(catalogue.candidates(database, now).into_iter().cloned());
        }
    }
    if repository.encryption() == Encryption::Age && found.is_empty() {
        context
            .output
            .warning("there is no backup in it yet: make the kit again when there is");
    }
    Ok((found, whole))
}
