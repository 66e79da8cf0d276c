//! Where the keys to a bucket come from.
//!
//! Invariants: only what was handed in as an [`Environment`] is looked at; a
//! source that is there and cannot be used is an error, never passed over; a
//! secret is never printed.
//!
//! The order and the variables' names are those of Amazon's own tools:
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use super::profiles::{self, Profile};

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// One half of a pair is missing.
    #[error("{given} is set, and {missing} is not")]
    Half {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file that was named cannot be read.
    #[error("cannot read {}, which {variable} names", .path.display())]
    Read {
        /// The variable that names it, or the place by convention.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A variable's value is no text.
    #[error("{name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
    /// A profile that was named is nowhere.
    #[error("there is no profile '{profile}' in {}", list(.looked))]
    NoProfile {
        /// The profile.
        profile: String,
        /// The files that were looked into.
        looked: Vec<PathBuf>,
    },
    /// A profile needs what is not supported.
    #[error("the profile '{profile}' has '{key}', which is not supported")]
    Unsupported {
        /// The profile.
        profile: String,
        /// What it needs.
        key: String,
    },
    /// The container's credentials come in a way that is not supported.
    #[error("AWS_CONTAINER_CREDENTIALS_FULL_URI is set without {missing}")]
    Container {
        /// What would have to be set.
        missing: &'static str,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let texts: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    texts.join(" or ")
}

impl CredentialsError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { .. } => Some(
                "pgkeep takes a profile's static keys; have another tool write temporary ones, \
                 or use web identity, a container's role or an instance's"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, to be used and not to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The keys to a bucket, or who gives them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Keys that stay.
    Static {
        /// The key's id.
        id: String,
        /// The key.
        secret: Secret,
        /// The token of a session.
        token: Option<Secret>,
    },
    /// A role for who shows a token: `AssumeRoleWithWebIdentity`.
    WebIdentity {
        /// The file with the token.
        token_file: PathBuf,
        /// The role.
        role: String,
        /// What the session is called.
        session: Option<String>,
        /// The service that gives the role, where it is not Amazon's.
        endpoint: Option<String>,
    },
    /// The role of an ECS task.
    Task {
        /// Where the service has it.
        relative_uri: String,
    },
    /// The role of an EKS pod.
    Pod {
        /// Where the service has it.
        uri: String,
        /// The file with the token to show.
        token_file: PathBuf,
    },
    /// The role of an EC2 instance.
    Instance {
        /// The metadata service, where it is not at its usual address.
        endpoint: Option<String>,
    },
}

/// What the surroundings say besides the address.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) credentials: Credentials,
    /// The profile's region.
    pub(super) region: Option<String>,
}

/// Looks for credentials: the profile that the address names; else the
/// environment, the profile of `AWS_PROFILE` or `default`, web identity, a
/// container's role, an instance's role.
pub(super) fn find(
    named: Option<&str>,
    environment: &Environment,
) -> Result<Found, CredentialsError> {
    let found = |credentials| Found {
        credentials,
        region: None,
    };
    if named.is_none()
        && let Some(credentials) = of_environment(environment)?
    {
        return Ok(found(credentials));
    }
    let of_variable = text(environment, "AWS_PROFILE")?;
    let profile = named.or(of_variable.as_deref());
    let profiles = profiles::read(profile.unwrap_or("default"), environment)?;
    match (&profiles, profile) {
        (None, Some(profile)) => {
            return Err(CredentialsError::NoProfile {
                profile: profile.to_owned(),
                looked: profiles::places(environment).into_iter().collect(),
            });
        }
        (Some(Profile { keys: Some(_), .. }), _) | (_, None) => {}
        (Some(_), Some(profile)) => {
            return Err(CredentialsError::Unsupported {
                profile: profile.to_owned(),
                key: "no aws_access_key_id".to_owned(),
            });
        }
    }
    let (keys, region) = profiles.map_or((None, None), |profile| (profile.keys, profile.region));
    let credentials = match keys {
        Some(keys) => keys,
        None => of_role(environment)?,
    };
    Ok(Found {
        credentials,
        region,
    })
}

fn of_environment(environment: &Environment) -> Result<Option<Credentials>, CredentialsError> {
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const KEY: &str = "AWS_SECRET_ACCESS_KEY";
    let id = text_or_file(environment, ID, "AWS_ACCESS_KEY_ID_FILE")?;
    let secret = text_or_file(environment, KEY, "AWS_SECRET_ACCESS_KEY_FILE")?;
    let token = text_or_file(environment, "AWS_SESSION_TOKEN", "AWS_SESSION_TOKEN_FILE")?;
    let half = |given, missing| Err(CredentialsError::Half { given, missing });
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(_), None) => half(ID, KEY),
        (None, Some(_)) => half(KEY, ID),
        (Some(id), Some(secret)) => Ok(Some(Credentials::Static {
            id,
            secret: Secret::new(secret),
            token: token.map(Secret::new),
        })),
    }
}

fn of_role(environment: &Environment) -> Result<Credentials, CredentialsError> {
    const TOKEN: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    const ROLE: &str = "AWS_ROLE_ARN";
    if let Some(token) = environment.variable(TOKEN) {
        let role = text(environment, ROLE)?.ok_or(CredentialsError::Half {
            given: TOKEN,
            missing: ROLE,
        })?;
        return Ok(Credentials::WebIdentity {
            token_file: environment.working_directory().join(Path::new(token)),
            role,
            session: text(environment, "AWS_ROLE_SESSION_NAME")?,
            endpoint: text(environment, "AWS_ENDPOINT_URL_STS")?,
        });
    }
    if let Some(relative_uri) = text(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")? {
        return Ok(Credentials::Task { relative_uri });
    }
    if let Some(uri) = text(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI")? {
        const FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
        let token = environment.variable(FILE);
        let token = token.ok_or(CredentialsError::Container { missing: FILE })?;
        return Ok(Credentials::Pod {
            uri,
            token_file: environment.working_directory().join(Path::new(token)),
        });
    }
    Ok(Credentials::Instance {
        endpoint: text(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT")?,
    })
}

/// A variable that has to be text.
pub(super) fn text(
    environment: &Environment,
    name: &'static str,
) -> Result<Option<String>, CredentialsError> {
    match environment.variable(name) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(CredentialsError::NotText { name }),
        },
    }
}

/// A variable, or the content of the file that another one names.
fn text_or_file(
    environment: &Environment,
    name: &'static str,
    file: &'static str,
) -> Result<Option<String>, CredentialsError> {
    if let Some(text) = text(environment, name)? {
        return Ok(Some(text));
    }
    let Some(path) = environment.variable(file) else {
        return Ok(None);
    };
    let path = environment.working_directory().join(Path::new(path));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(source) => Err(CredentialsError::Read {
            variable: file,
            path,
            source,
        }),
    }
}
