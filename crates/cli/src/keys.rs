//! The private keys that are at hand: the host's, and a recovery key's.
//!
//! Invariants: a key that others can read is refused; for reading, a host
//! key that is gone is only missed (the machine that had it may be what was
//! lost), for writing it is insisted on.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pgkeep_config::{Origin, Settings};
use pgkeep_format::{FormatError, HostKey, Identities, RecoveryKeyFile, Trust};
use pgkeep_repository::Repository;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{CliError, sentence};
use crate::output::Output;
use crate::{passphrase, private_file};

/// Private keys, read once.
pub(crate) struct KeysAtHand {
    host: Host,
    recovery: RecoveryKeyFile,
}

enum Host {
    There(Box<HostKey>),
    NotConfigured,
    /// Configured, and cannot be had.
    Gone(CliError),
}

impl KeysAtHand {
    /// Reads the key files that are named.
    pub(crate) fn read(
        host: Option<(&Path, Origin)>,
        identity: Option<&Path>,
        output: Output,
    ) -> Result<Self, CliError> {
        let host = match host {
            None => Host::NotConfigured,
            Some((path, origin)) => match read_private(path)? {
                Ok(text) => Host::There(Box::new(parse_host(path, &text)?)),
                Err(source) => {
                    let path = path.to_owned();
                    let gone = CliError::HostKeyFile {
                        origin,
                        path,
                        source,
                    };
                    output.warning(sentence(&gone));
                    Host::Gone(gone)
                }
            },
        };
        let recovery = match identity {
            None => RecoveryKeyFile::default(),
            Some(path) => {
                let text = identity_text(path)?;
                recovery_keys(path, &text)?
            }
        };
        Ok(Self { host, recovery })
    }

    /// Whether a recovery key's file is at hand, or a prover's.
    pub(crate) fn has_recovery(&self) -> bool {
        !self.recovery.identities.is_empty()
    }

    /// What these keys' files know of repositories.
    pub(crate) fn pins(&self) -> Vec<Trust> {
        let mut pins = self.recovery.trust.clone();
        if let Host::There(host) = &self.host {
            pins.extend(host.trust.iter().cloned());
        }
        pins
    }

    /// The host's key; for writing there has to be one.
    pub(crate) fn into_host(self) -> Result<HostKey, CliError> {
        match self.host {
            Host::There(host) => Ok(*host),
            Host::NotConfigured => Err(CliError::NoHostKey),
            Host::Gone(gone) => Err(gone),
        }
    }

    /// The recovery keys.
    pub(crate) fn recovery(&self) -> Identities {
        Identities::new(self.recovery.identities.clone())
    }

    /// Every key that opens anything.
    pub(crate) fn all(&self) -> Identities {
        let mut all = self.recovery();
        if let Host::There(host) = &self.host {
            all.push(host.identity.clone());
        }
        all
    }
}

/// Brings back a recovery key that is in the repository under a passphrase, where no
/// other is at hand and somebody knows the passphrase; `ask` for it where the
/// environment does not have it. The repository is then held against what the key
/// knows of it.
pub(crate) async fn unlock(
    context: &Context,
    repository: Repository,
    keys: &mut KeysAtHand,
    ask: bool,
) -> Result<Repository, CliError> {
    if keys.has_recovery() || !repository.has_passphrase() {
        return Ok(repository);
    }
    let Some(passphrase) = passphrase::known(context, ask).await? else {
        return Ok(repository);
    };
    let file = repository.unwrap_key(&passphrase).await?;
    let repository = repository.held_against(&file.trust)?;
    keys.recovery = file;
    Ok(repository)
}

/// Notes in the host's key file the newest key ring that this host has seen, so that it
/// notices where that is taken away. What cannot be noted now is noted another time.
pub(crate) fn note_ring(settings: &Settings, repository: &Repository) {
    let Some(path) = &settings.encryption.host_key_file else {
        return;
    };
    let _ = private_file::amend(path, |text| {
        let mut host = HostKey::from_secret_text(text).ok()?;
        // A newer pgkeep may have written more than this one knows of.
        let is_known = host.to_secret_text().is_ok_and(|known| *known == *text);
        let is_newer = host.note_ring(repository.id(), repository.key_ring());
        (is_known && is_newer).then(|| host.to_secret_text().ok())?
    });
}

/// The host key in a file.
pub(crate) fn host_key(path: &Path) -> Result<HostKey, CliError> {
    let text = read_private(path)?.map_err(|source| cannot_read(path, source))?;
    parse_host(path, &text)
}

/// The text of a file with recovery keys.
pub(crate) fn identity_text(path: &Path) -> Result<Zeroizing<String>, CliError> {
    read_private(path)?.map_err(|source| cannot_read(path, source))
}

/// The recovery keys, or a prover's, in the text of a file.
pub(crate) fn recovery_keys(path: &Path, text: &str) -> Result<RecoveryKeyFile, CliError> {
    RecoveryKeyFile::from_secret_text(text).map_err(|source| {
        match HostKey::from_secret_text(text) {
            Ok(_) => CliError::HostsKey {
                path: path.to_owned(),
            },
            Err(_) => CliError::NoIdentityFile {
                path: path.to_owned(),
                source,
            },
        }
    })
}

fn parse_host(path: &Path, text: &str) -> Result<HostKey, CliError> {
    HostKey::from_secret_text(text).map_err(|source| unusable(path, source))
}

/// Reads a file that holds a private key; the inner error where it is not there or
/// not for us.
fn read_private(path: &Path) -> Result<io::Result<Zeroizing<String>>, CliError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            use io::ErrorKind::{NotFound, PermissionDenied};
            return match error.kind() {
                NotFound | PermissionDenied => Ok(Err(error)),
                _ => Err(cannot_read(path, error)),
            };
        }
    };
    // Of the file that was opened, not of what the name may mean by now.
    let meta = file
        .metadata()
        .map_err(|source| cannot_read(path, source))?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)
        .map_err(|source| cannot_read(path, source))?;
    // What is no key at all is told to be none, whoever can read it.
    let is_key = || {
        RecoveryKeyFile::from_secret_text(&text).is_ok() || HostKey::from_secret_text(&text).is_ok()
    };
    if meta.permissions().mode() & 0o077 != 0 && is_key() {
        return Err(CliError::Exposed {
            path: path.to_owned(),
        });
    }
    Ok(Ok(text))
}

fn cannot_read(path: &Path, source: io::Error) -> CliError {
    CliError::File {
        what: "read",
        path: path.to_owned(),
        source,
    }
}

fn unusable(path: &Path, source: FormatError) -> CliError {
    CliError::KeyFile {
        path: path.to_owned(),
        source,
    }
}
