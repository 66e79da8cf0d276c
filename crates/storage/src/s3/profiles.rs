//! The files that Amazon's tools share: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Invariants: only static keys and a region are taken; a profile that needs
//! anything else for its credentials is refused by name, not read half.
//!
//! The form is
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>: sections in
//! brackets, `key = value`, comments after `#` or `;` at a line's start; in the
//! configuration a section is called `profile NAME`, but for `default`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use super::credentials::{Credentials, CredentialsError, Secret};

/// What can stand in a profile to make up its credentials, and is not supported.
const UNSUPPORTED: [&str; 7] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

#[derive(Debug)]
pub(super) struct Profile {
    pub(super) keys: Option<Credentials>,
    pub(super) region: Option<String>,
}

/// The credentials' file and the configuration, in this order.
pub(super) fn places(environment: &Environment) -> [PathBuf; 2] {
    let here = environment.working_directory();
    let place = |variable, name| match environment.variable(variable) {
        Some(path) => here.join(Path::new(path)),
        None => {
            let home = environment.home().unwrap_or(Path::new("/"));
            home.join(".aws").join(name)
        }
    };
    [
        place("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        place("AWS_CONFIG_FILE", "config"),
    ]
}

/// The profile of this name, where either file has it.
pub(super) fn read(
    name: &str,
    environment: &Environment,
) -> Result<Option<Profile>, CredentialsError> {
    let [credentials, config] = places(environment);
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", credentials, environment)?;
    let config = file("AWS_CONFIG_FILE", config, environment)?;
    let mut values = section(&config, |section| {
        let named = section.strip_prefix("profile ").map(str::trim);
        named == Some(name) || (name == "default" && section == "default")
    });
    let of_credentials = section(&credentials, |section| section == name);
    match (&mut values, of_credentials) {
        (Some(values), Some(others)) => values.extend(others),
        (values @ None, others) => *values = others,
        (Some(_), None) => {}
    }
    values.map(|values| profile(name, values)).transpose()
}

fn profile(
    name: &str,
    mut values: BTreeMap<String, Zeroizing<String>>,
) -> Result<Profile, CredentialsError> {
    let refused = |key: &str| CredentialsError::Unsupported {
        profile: name.to_owned(),
        key: key.to_owned(),
    };
    let mut take = |key: &str| values.remove(key).map(|value| value.to_string());
    let id = take("aws_access_key_id");
    let secret = take("aws_secret_access_key");
    let token = take("aws_session_token").map(Secret::new);
    let region = take("region");
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(Credentials::Static {
            id,
            secret: Secret::new(secret),
            token,
        }),
        (Some(_), None) => return Err(refused("aws_access_key_id alone")),
        (None, Some(_)) => return Err(refused("aws_secret_access_key alone")),
        (None, None) => None,
    };
    // A role to be taken with the keys is another identity than the keys'.
    let needs = UNSUPPORTED.iter().find(|key| values.contains_key(**key));
    match needs {
        Some(key) => Err(refused(key)),
        None => Ok(Profile { keys, region }),
    }
}

/// A file's text; none where it is not there and nobody named it.
fn file(
    variable: &'static str,
    path: PathBuf,
    environment: &Environment,
) -> Result<Zeroizing<String>, CredentialsError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && environment.variable(variable).is_none() =>
        {
            Ok(Zeroizing::default())
        }
        Err(source) => Err(CredentialsError::Read {
            variable,
            path,
            source,
        }),
    }
}

/// The values of the sections whose name is wanted; none where there is none.
fn section(
    text: &str,
    wanted: impl Fn(&str) -> bool,
) -> Option<BTreeMap<String, Zeroizing<String>>> {
    let mut found: Option<BTreeMap<String, Zeroizing<String>>> = None;
    let mut inside = false;
    for line in text.lines() {
        // What is indented belongs to a value above it, which none of ours has.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            let name = name.split(']').next().unwrap_or(name);
            inside = wanted(name.trim());
            if inside {
                found.get_or_insert_default();
            }
        } else if let Some((key, value)) = line.split_once('=')
            && inside
            && let Some(values) = &mut found
        {
            let value = value.split(" #").next().unwrap_or(value).trim();
            let key = key.trim().to_ascii_lowercase();
            values.insert(key, Zeroizing::new(value.to_owned()));
        }
    }
    found
}
