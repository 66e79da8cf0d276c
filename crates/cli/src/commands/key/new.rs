//! `pgkeep key new`: a private key here, and a request that can be shown to
//! everybody.
//!
//! Invariant: what is printed holds no secret, and nothing that exists is touched.

use std::path::{Path, PathBuf};

use pgkeep_config::ConfigError;
use pgkeep_format::{HostKey, KeyRequest, RecoveryIdentity, RecoveryKeyFile};
use pgkeep_types::{Clock, Random};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::key::{KeyNew, NewRole};
use crate::context::Context;
use crate::error::{CliError, Exit};
use crate::output::JSON_VERSION;
use crate::{private_file, process};

#[derive(Serialize)]
struct Made<'a> {
    version: u32,
    role: &'static str,
    name: &'a str,
    fingerprint: String,
    request: String,
    file: &'a Path,
}

/// Makes a key.
pub(super) fn run(arguments: &KeyNew, context: &Context) -> Result<Exit, CliError> {
    let name = name(arguments)?;
    let path = path(arguments, context)?;
    let (request, text) = match arguments.role {
        NewRole::Host => host(&name, &path, context)?,
        NewRole::Prover | NewRole::Recovery => reader(arguments.role, &name, context),
    };
    private_file::create(&path, &text)?;

    let output = context.output;
    output.say(format_args!(
        "Made a {} key in {}\nfingerprint {}\n\nWhoever holds a recovery key adds it:\n  \
         pgkeep key add REQUEST --identity recovery.key\nwith this line for REQUEST, and compares \
         the fingerprint:",
        request.role.as_str(),
        path.display(),
        request.fingerprint()
    ));
    output.data(format_args!("{request}\n"));
    let then = match arguments.role {
        NewRole::Host => "pgkeep key trust".to_owned(),
        _ => format!("pgkeep key trust --identity {}", path.display()),
    };
    output.say(format_args!("\nThen, here:\n  {then}"));
    output.json(&Made {
        version: JSON_VERSION,
        role: request.role.as_str(),
        name: &name,
        fingerprint: request.fingerprint(),
        request: request.to_string(),
        file: &path,
    })?;
    Ok(Exit::Done)
}

fn name(arguments: &KeyNew) -> Result<String, CliError> {
    let name = arguments.name.clone().unwrap_or_else(process::host_name);
    if KeyRequest::is_name(&name) {
        return Ok(name);
    }
    Err(CliError::Usage {
        problem: format!("{name:?} cannot be the name of a key"),
        hint: "give --name with 1 to 63 letters, digits, '.', '_' and '-'".to_owned(),
    })
}

fn path(arguments: &KeyNew, context: &Context) -> Result<PathBuf, CliError> {
    if let Some(path) = &arguments.output {
        return Ok(context.path(path));
    }
    let file = match arguments.role {
        NewRole::Host => "host.key",
        NewRole::Prover => "prover.key",
        NewRole::Recovery => "recovery.key",
    };
    let configured = match (arguments.role, context.settings()) {
        (NewRole::Host, Ok(settings)) => settings.encryption.host_key_file,
        (_, Ok(_) | Err(ConfigError::Missing { .. })) => None,
        (_, Err(error)) => return Err(error.into()),
    };
    Ok(configured.unwrap_or_else(|| context.path(Path::new(file))))
}

fn host(
    name: &str,
    path: &Path,
    context: &Context,
) -> Result<(KeyRequest, Zeroizing<String>), CliError> {
    let mut seed = Zeroizing::new([0; 32]);
    context.random.fill(seed.as_mut());
    let key = HostKey::generate(name.to_owned(), &seed);
    let text = key.to_secret_text().map_err(|source| CliError::KeyFile {
        path: path.to_owned(),
        source,
    })?;
    let request = KeyRequest {
        role: super::role(NewRole::Host),
        name: name.to_owned(),
        recipient: key.identity.recipient(),
        verifier: Some(key.signer.verifying_key()),
    };
    Ok((request, text))
}

fn reader(role: NewRole, name: &str, context: &Context) -> (KeyRequest, Zeroizing<String>) {
    let key = RecoveryIdentity::generate();
    let role = super::role(role);
    let today = context.clock.now().strftime("%Y-%m-%d").to_string();
    let text = RecoveryKeyFile::new_secret_text(&key, role, &today);
    let request = KeyRequest {
        role,
        name: name.to_owned(),
        recipient: key.recipient(),
        verifier: None,
    };
    (request, text)
}
