//! What a key gives access to.
//!
//! Invariants: who has [`WriteAccess`] can write backups and open what the next
//! backup must read, and nothing else; who has [`ReadAccess`] can open backups.
//! Neither can be made without the key.

use pgkeep_format::records::BackupRecord;
use pgkeep_format::{
    Encryption, FormatError, HostKey, Identities, KeyRole, KeySecrets, Recipient, RepositorySecret,
    Signer,
};

use crate::keys::VouchedKey;
use crate::{Repository, RepositoryError};

/// The right to write backups: a host's.
#[derive(Clone, Debug)]
pub struct WriteAccess {
    pub(crate) signer: Signer,
    pub(crate) secret: RepositorySecret,
    pub(crate) host: String,
    pub(crate) recipient: Recipient,
    /// Open what this host wrote.
    pub(crate) identities: Identities,
}

/// The right to open backups: a recovery key's, or a prover's.
#[derive(Clone, Debug)]
pub struct ReadAccess {
    /// None in an unencrypted repository.
    pub(crate) identities: Option<Identities>,
    pub(crate) secret: RepositorySecret,
}

impl Repository {
    /// Refuses a repository of which something below `keys/` is lost or cannot be used: to
    /// whom a backup is to be sealed, and who may write, is not certain then.
    ///
    /// # Errors
    /// `UnreadableKeys`, with each of them.
    pub fn check_keys(&self) -> Result<(), RepositoryError> {
        self.check_changeable()
    }

    /// The right to write, for a host that the repository vouches for and that
    /// knows whom it seals to.
    ///
    /// # Errors
    /// `NotAWriter`, `Retired`, `Ending` where the repository does not vouch for it,
    /// `NotTrusted`, `Recipients` or `UnreadableKeys` where it is not certain to
    /// whom a backup would be sealed.
    pub fn write_access(&self, host: &HostKey) -> Result<WriteAccess, RepositoryError> {
        self.check_changeable()?;
        let verifier = Some(host.signer.verifying_key());
        let mut own = self
            .keys
            .hosts()
            .filter(|key| key.record.verifier == verifier);
        let (host_name, location) = (host.name.clone(), self.location());
        let key = match (own.clone().find(|key| key.retirement.is_none()), own.next()) {
            (Some(key), _) => key,
            (None, Some(retired)) => {
                return Err(RepositoryError::Retired {
                    host: host_name,
                    location,
                    retired: retired.retirement.as_ref().map(|end| end.retired),
                });
            }
            (None, None) => {
                return Err(RepositoryError::NotAWriter {
                    host: host_name,
                    location,
                });
            }
        };
        if self.keys.ending.contains(&key.record.fingerprint()) {
            return Err(RepositoryError::Ending {
                host: host_name,
                location,
            });
        }
        self.check_recipients(host)?;
        let identities = Identities::new(vec![host.identity.clone()]);
        let secrets = self.secrets(key, Some(&identities))?;
        Ok(WriteAccess {
            signer: host.signer.clone(),
            secret: secrets.secret.clone(),
            host: host_name,
            recipient: host.identity.recipient(),
            identities: Identities::new(vec![host.identity.clone()]),
        })
    }

    /// Holds the keys that a backup would be sealed to against those that the host
    /// has pinned.
    fn check_recipients(&self, host: &HostKey) -> Result<(), RepositoryError> {
        let pinned = host.trust_in(self.id());
        let Some((pinned, recovery)) = pinned.and_then(|p| Some((p, p.recipients.as_ref()?)))
        else {
            return Err(RepositoryError::NotTrusted {
                host: host.name.clone(),
                location: self.location(),
            });
        };
        let mut changed = Vec::new();
        compare(
            "recovery",
            recovery,
            &self.recovery_recipients(),
            &mut changed,
        );
        compare(
            "prover",
            &pinned.provers,
            &self.prover_recipients(),
            &mut changed,
        );
        if changed.is_empty() {
            return Ok(());
        }
        Err(RepositoryError::Recipients {
            location: self.location(),
            host: host.name.clone(),
            changed,
        })
    }

    /// The right to open backups, for whoever has a recovery key or a prover's.
    ///
    /// # Errors
    /// `NoIdentity` where none of `identities` is one.
    pub fn read_access(&self, identities: &Identities) -> Result<ReadAccess, RepositoryError> {
        if self.encryption() == Encryption::None {
            return Ok(ReadAccess {
                identities: None,
                secret: self.any_secrets(identities)?.secret.clone(),
            });
        }
        // A host's key opens its own record too, and no pack.
        let of_hosts = identities
            .iter()
            .filter(|key| !self.is_hosts(&key.recipient()));
        let readers = Identities::new(of_hosts.cloned().collect());
        Ok(ReadAccess {
            secret: self.any_secrets(&readers)?.secret.clone(),
            identities: Some(readers),
        })
    }

    /// The right to open `record`'s backup: where no key at hand opens any, the error names
    /// those that open this one, which may be retired.
    ///
    /// # Errors
    /// `NoIdentity` where none of `identities` is a reader's.
    pub fn read_access_to(
        &self,
        record: &BackupRecord,
        identities: &Identities,
    ) -> Result<ReadAccess, RepositoryError> {
        self.read_access(identities).map_err(|error| match error {
            RepositoryError::NoIdentity { .. } => self.no_identity_for(record),
            error => error,
        })
    }

    fn is_hosts(&self, recipient: &Recipient) -> bool {
        self.keys.vouched.iter().any(|key| {
            key.record.role == KeyRole::Host && key.record.recipient.as_ref() == Some(recipient)
        })
    }

    /// Why none of `identities` opens a backup: one may be of a key that came
    /// later, or that was retired before.
    pub(crate) fn shut(&self, record: &BackupRecord, identities: &Identities) -> RepositoryError {
        let ours = identities.iter().find_map(|identity| {
            let recipient = Some(identity.recipient());
            let mut keys = self.keys.vouched.iter();
            keys.find(|key| key.record.recipient == recipient && key.record.role != KeyRole::Host)
        });
        let Some(key) = ours else {
            return self.no_identity_for(record);
        };
        let retired = key.retirement.as_ref().map(|end| end.retired);
        // What it is sealed to was settled when its run began; and clocks may be wrong.
        let came_later = key.record.created > record.started;
        let why = match retired.filter(|_| !came_later) {
            Some(retired) => format!("that key was retired on {}", retired.strftime("%Y-%m-%d")),
            None => format!(
                "that key was added on {}, and opens what was written since",
                key.record.created.strftime("%Y-%m-%d")
            ),
        };
        RepositoryError::SealedToOthers {
            backup: record.id.clone(),
            key: format!("{} {:?}", key.record.role.as_str(), key.record.name),
            why,
            readers: record.sealed_to.iter().map(|key| self.told(key)).collect(),
        }
    }

    /// A key, by its fingerprint, as people know it.
    pub(crate) fn told(&self, fingerprint: &str) -> String {
        let mut keys = self.keys.vouched.iter();
        let Some(key) = keys.find(|key| key.record.fingerprint() == fingerprint) else {
            return format!("key {fingerprint}");
        };
        let (role, name) = (key.record.role.as_str(), &key.record.name);
        match &key.record.recipient {
            Some(recipient) => format!("{role} {name:?} ({recipient})"),
            None => format!("{role} {name:?} ({fingerprint})"),
        }
    }

    /// That no key at hand opens a backup, with those that it is sealed to.
    fn no_identity_for(&self, record: &BackupRecord) -> RepositoryError {
        let is_read_by = |key: &&VouchedKey| {
            let of_reader = key.record.role == KeyRole::Recovery;
            of_reader && record.sealed_to.contains(&key.record.fingerprint())
        };
        let keys = self.keys.vouched.iter().filter(is_read_by);
        let told = keys.filter_map(|key| {
            let recipient = key.record.recipient.as_ref()?;
            let end = key.retirement.as_ref().map_or("", |_| " (retired)");
            Some(format!("{recipient}{end}"))
        });
        let recipients: Vec<String> = told.collect();
        if recipients.is_empty() {
            return self.no_identity();
        }
        RepositoryError::NoIdentity {
            location: self.location(),
            recipients,
            passphrase: record
                .sealed_to
                .iter()
                .any(|key| self.wrapped_key(key).is_some()),
        }
    }

    pub(crate) fn no_identity(&self) -> RepositoryError {
        let recipients = self.recovery_recipients();
        RepositoryError::NoIdentity {
            location: self.location(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
            passphrase: self.has_passphrase(),
        }
    }

    /// The secrets in the first key record that opens.
    fn any_secrets(&self, identities: &Identities) -> Result<KeySecrets, RepositoryError> {
        let mut failed = self.no_identity();
        for key in &self.keys.vouched {
            match self.secrets(key, Some(identities)) {
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

    /// What a key record holds, sealed as FORMAT.md's table of roles says.
    pub(crate) fn secrets(
        &self,
        key: &VouchedKey,
        identities: Option<&Identities>,
    ) -> Result<KeySecrets, RepositoryError> {
        let is_sealed = self.encryption() == Encryption::Age || key.record.role == KeyRole::Owner;
        let plain = key.sealed.hidden(identities.filter(|_| is_sealed));
        plain
            .and_then(|plain| KeySecrets::from_bytes(&plain))
            .map_err(|source| RepositoryError::Object {
                object: key.object.clone(),
                location: self.location(),
                source,
            })
    }
}

/// Adds to `changed` what was added to `pinned` and what is gone from there.
fn compare(role: &str, pinned: &[Recipient], found: &[Recipient], changed: &mut Vec<String>) {
    let only = |these: &[Recipient], others: &[Recipient]| -> Vec<Recipient> {
        let these = these.iter().filter(|key| !others.contains(key));
        these.cloned().collect()
    };
    changed.extend(
        only(found, pinned)
            .iter()
            .map(|key| format!("new {role} key {key}")),
    );
    changed.extend(
        only(pinned, found)
            .iter()
            .map(|key| format!("{role} key {key} is gone")),
    );
}
