//! `pgkeep key list`: who may read and write.
//!
//! Invariant: needs no key.

use pgkeep_format::{Recipient, VerifyingKey};
use pgkeep_repository::KeyInfo;
use pgkeep_types::Timestamp;
use serde::Serialize;

use crate::arguments::key::KeyList;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::words::{self, Align};

#[derive(Serialize)]
struct Listing {
    version: u32,
    repository: String,
    id: String,
    root: VerifyingKey,
    ring: u32,
    keys: Vec<KeyLine>,
}

#[derive(Serialize)]
struct KeyLine {
    fingerprint: String,
    role: &'static str,
    name: String,
    recipient: Option<Recipient>,
    verifier: Option<VerifyingKey>,
    since: Timestamp,
    /// It is being retired.
    ending: bool,
    retired: Option<Timestamp>,
    passphrase: bool,
}

/// Lists.
pub(super) async fn run(arguments: &KeyList, context: &Context) -> Result<Exit, CliError> {
    let settings = context.settings()?;
    let keys = context.keys(&settings, None)?;
    let name = context.repository_name(&settings, arguments.which.repository.as_deref())?;
    let repository = context
        .open_repository(&settings, name, &keys.pins())
        .await?;
    let found = repository.keys();
    context.output.data(table(&found));
    let trust = repository.trust();
    context.output.json(&Listing {
        version: JSON_VERSION,
        repository: repository.location(),
        id: trust.repository.to_string(),
        root: trust.root,
        ring: trust.ring,
        keys: found.into_iter().map(line).collect(),
    })?;
    let mut exit = Exit::Done;
    for problem in repository.unreadable_keys() {
        context
            .output
            .failure(&CliError::UnreadableKey(problem.clone()));
        exit = Exit::Failed;
    }
    Ok(exit)
}

fn line(key: KeyInfo) -> KeyLine {
    KeyLine {
        fingerprint: key.fingerprint,
        role: key.record.role.as_str(),
        name: key.record.name,
        recipient: key.record.recipient,
        verifier: key.record.verifier,
        since: key.record.created,
        ending: key.is_ending,
        retired: key.retired,
        passphrase: key.has_passphrase,
    }
}

fn table(keys: &[KeyInfo]) -> String {
    const HEADINGS: [(&str, Align); 5] = [
        ("ROLE", Align::Left),
        ("NAME", Align::Left),
        ("FINGERPRINT", Align::Left),
        ("SINCE", Align::Left),
        ("STATE", Align::Left),
    ];
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let state = match (key.retired, key.has_passphrase) {
                (Some(retired), _) => format!("retired {}", words::day(retired)),
                (None, _) if key.is_ending => "being retired".to_owned(),
                (None, true) => "in use, passphrase".to_owned(),
                (None, false) => "in use".to_owned(),
            };
            vec![
                key.record.role.as_str().to_owned(),
                words::printable(&key.record.name),
                key.fingerprint.chars().take(16).collect(),
                words::day(key.record.created),
                state,
            ]
        })
        .collect();
    words::table(&HEADINGS, &rows)
}
