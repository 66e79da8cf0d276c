//! `pgkeep key passphrase`: a recovery key in the repository, under a passphrase.
//!
//! Invariant: what a new passphrase does not mend is said.

use pgkeep_format::{RecoveryIdentity, fingerprint};
use serde::Serialize;

use super::owned;
use crate::arguments::key::KeyPassphrase;
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::passphrase;

#[derive(Serialize)]
struct Report {
    version: u32,
    key: String,
    ring: u32,
    /// Objects that still open with an older passphrase.
    left: Vec<String>,
}

/// Sets or changes the passphrase.
pub(super) async fn run(arguments: &KeyPassphrase, context: &Context) -> Result<Exit, CliError> {
    let owned = owned(context, &arguments.which, arguments.identity.as_deref()).await?;
    let keys = owned.repository.keys();
    let print = |key: &RecoveryIdentity| fingerprint(Some(&key.recipient()), None);
    let is_ours = |key: &&RecoveryIdentity| {
        let print = print(key);
        keys.iter()
            .any(|known| known.fingerprint == print && known.retired.is_none())
    };
    let identity = owned.identities.iter().find(is_ours);
    let identity = identity.ok_or_else(|| CliError::Usage {
        problem: "no key at hand is a recovery key of this repository".to_owned(),
        hint: "give its file with --identity FILE".to_owned(),
    })?;
    let had_one = keys
        .iter()
        .any(|key| key.has_passphrase && key.fingerprint == print(identity));
    let file = arguments.new_passphrase_file.as_deref();
    let new = passphrase::another(context, file).await?;
    let done = owned
        .repository
        .wrap_key(&owned.access, identity, &new, &context.clock)
        .await?;
    let output = context.output;
    output.say(format_args!(
        "the address and this passphrase now open every backup that is sealed to key {}",
        print(identity)
    ));
    if had_one {
        output.say(
            "The key itself is the same: whoever has a copy of the repository from before, and \
             the old passphrase, still has it. If the old passphrase is known to others, add \
             another recovery key and retire this one.",
        );
    }
    for name in &done.left {
        output.warning(format_args!(
            "{name} could not be removed and opens with the old passphrase"
        ));
    }
    output.json(&Report {
        version: JSON_VERSION,
        key: print(identity),
        ring: done.repository.key_ring(),
        left: done.left.iter().map(ToString::to_string).collect(),
    })?;
    Ok(Exit::Done)
}
