//! What a key gives access to.
//!
//! Invariants: who has [`WriteAccess`] can write backups and open what the next
//! backup must read, and nothing else; who has [`ReadAccess`] can open backups.
//! Neither can be made without the key.

use pgkeep_format::{
    Encryption, HostKey, Identities, KeyRole, KeySecrets, RepositorySecret, Signer,
};

use crate::open::VouchedKey;
use crate::{Repository, RepositoryError};

/// The right to write backups: a host's.
#[derive(Clone, Debug)]
pub struct WriteAccess {
    pub(crate) signer: Signer,
    pub(crate) secret: RepositorySecret,
    pub(crate) host: String,
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
    /// `NotAWriter` where it does not.
    pub fn write_access(&self, host: &HostKey) -> Result<WriteAccess, RepositoryError> {
        let verifier = Some(host.signer.verifying_key());
        let is_host =
            |key: &&VouchedKey| key.record.role == KeyRole::Host && key.record.verifier == verifier;
        let key = self.keys.iter().find(is_host);
        let key = key.ok_or_else(|| RepositoryError::NotAWriter {
            host: host.name.clone(),
            location: self.location(),
        })?;
        let secrets = match self.encryption() {
            Encryption::Age => {
                let identities = Identities::new(vec![host.identity.clone()]);
                self.secrets(key, Some(&identities))?
            }
            Encryption::None => self.open_secrets()?,
        };
        Ok(WriteAccess {
            signer: host.signer.clone(),
            secret: secrets.secret.clone(),
            host: host.name.clone(),
        })
    }

    /// The right to open backups, for whoever has a recovery key.
    ///
    /// # Errors
    /// `NoIdentity` where none of `identities` is one.
    pub fn read_access(&self, identities: &Identities) -> Result<ReadAccess, RepositoryError> {
        if self.encryption() == Encryption::None {
            return Ok(ReadAccess {
                identities: None,
                secret: self.open_secrets()?.secret.clone(),
            });
        }
        let opens = |key: &&VouchedKey| {
            key.record.role == KeyRole::Recovery
                && key
                    .record
                    .recipient
                    .as_ref()
                    .is_some_and(|r| identities.opens(r))
        };
        let key = self
            .keys
            .iter()
            .find(opens)
            .ok_or_else(|| self.no_identity())?;
        Ok(ReadAccess {
            secret: self.secrets(key, Some(identities))?.secret.clone(),
            identities: Some(identities.clone()),
        })
    }

    pub(crate) fn no_identity(&self) -> RepositoryError {
        let recipients = self.recovery_recipients();
        RepositoryError::NoIdentity {
            location: self.location(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
        }
    }

    fn open_secrets(&self) -> Result<KeySecrets, RepositoryError> {
        let open = self
            .keys
            .iter()
            .find(|key| key.record.role == KeyRole::Open);
        match open {
            Some(key) => self.secrets(key, None),
            None => Err(self.no_identity()),
        }
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
