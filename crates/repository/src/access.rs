//! What a key gives access to.
//!
//! Invariants: who has [`WriteAccess`] can write backups and open what the next
//! backup must read, and nothing else; who has [`ReadAccess`] can open backups.
//! Neither can be made without the key.

use pgkeep_format::{
    Encryption, FormatError, HostKey, Identities, KeyRole, KeySecrets, Recipient, RepositorySecret,
    Signer,
};

use crate::open::VouchedKey;
use crate::{Repository, RepositoryError};

/// The right to write backups: a host's.
#[derive(Clone, Debug)]
pub struct WriteAccess {
    pub(crate) signer: Signer,
    pub(crate) secret: RepositorySecret,
    pub(crate) host: String,
    pub(crate) recipient: Recipient,
}

/// The right to open backups: a recovery key's.
#[derive(Clone, Debug)]
pub struct ReadAccess {
    /// None in an unencrypted repository.
    pub(crate) identities: Option<Identities>,
    pub(crate) secret: RepositorySecret,
}

impl Repository {
    /// The right to write, for a host that the repository vouches for.
    ///
    /// # Errors
    /// `NotAWriter` where it does not, `UnreadableKeys` or `Recipients` where it is
    /// not certain to whom a backup would be sealed.
    pub fn write_access(&self, host: &HostKey) -> Result<WriteAccess, RepositoryError> {
        if !self.keys.unreadable.is_empty() {
            return Err(RepositoryError::UnreadableKeys {
                location: self.location(),
                keys: self.keys.unreadable.clone(),
            });
        }
        self.check_recipients(host)?;
        let verifier = Some(host.signer.verifying_key());
        let is_host =
            |key: &&VouchedKey| key.record.role == KeyRole::Host && key.record.verifier == verifier;
        let key = self.keys.vouched.iter().find(is_host);
        let key = key.ok_or_else(|| RepositoryError::NotAWriter {
            host: host.name.clone(),
            location: self.location(),
        })?;
        let secrets = match self.encryption() {
            Encryption::Age => {
                let identities = Identities::new(vec![host.identity.clone()]);
                self.secrets(key, Some(&identities))?
            }
            Encryption::None => self.secrets(key, None)?,
        };
        Ok(WriteAccess {
            signer: host.signer.clone(),
            secret: secrets.secret.clone(),
            host: host.name.clone(),
            recipient: host.identity.recipient(),
        })
    }

    /// Holds the recovery keys against those that the host has pinned.
    fn check_recipients(&self, host: &HostKey) -> Result<(), RepositoryError> {
        let pinned = host
            .trust_in(self.id())
            .and_then(|trust| trust.recipients.as_ref());
        let sorted = |mut recipients: Vec<Recipient>| {
            recipients.sort();
            recipients
        };
        match pinned {
            Some(known) if sorted(known.clone()) != sorted(self.recovery_recipients()) => {
                Err(RepositoryError::Recipients {
                    location: self.location(),
                    host: host.name.clone(),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The right to open backups, for whoever has a recovery key.
    ///
    /// # Errors
    /// `NoIdentity` where none of `identities` is one.
    pub fn read_access(&self, identities: &Identities) -> Result<ReadAccess, RepositoryError> {
        if self.encryption() == Encryption::None {
            return Ok(ReadAccess {
                identities: None,
                secret: self.any_secrets(None)?.secret.clone(),
            });
        }
        // A host's key opens its own record too, and no pack.
        let of_hosts = identities
            .iter()
            .filter(|key| !self.is_hosts(&key.recipient()));
        let recovery = Identities::new(of_hosts.cloned().collect());
        Ok(ReadAccess {
            secret: self.any_secrets(Some(&recovery))?.secret.clone(),
            identities: Some(recovery),
        })
    }

    fn is_hosts(&self, recipient: &Recipient) -> bool {
        self.keys.vouched.iter().any(|key| {
            key.record.role == KeyRole::Host && key.record.recipient.as_ref() == Some(recipient)
        })
    }

    pub(crate) fn no_identity(&self) -> RepositoryError {
        let recipients = self.recovery_recipients();
        RepositoryError::NoIdentity {
            location: self.location(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        }
    }

    /// The secrets in the first key record that opens: every recovery key opens
    /// each of them.
    fn any_secrets(&self, identities: Option<&Identities>) -> Result<KeySecrets, RepositoryError> {
        let mut failed = self.no_identity();
        for key in &self.keys.vouched {
            match self.secrets(key, identities) {
                Ok(secrets) => return Ok(secrets),
                Err(RepositoryError::Object {
                    source: FormatError::NoIdentity,
                    ..
                }) => {}
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn secrets(
        &self,
        key: &VouchedKey,
        identities: Option<&Identities>,
    ) -> Result<KeySecrets, RepositoryError> {
        let plain = key.sealed.hidden(identities);
        plain
            .and_then(|plain| KeySecrets::from_bytes(&plain))
            .map_err(|source| RepositoryError::Object {
                object: key.object.clone(),
                location: self.location(),
                source,
            })
    }
}
