//! Making a new repository.
//!
//! Invariants: the keys are written before the descriptor, which is written
//! last: a repository that can be opened is whole. What the storage can be
//! relied on for is tried out, not believed.

use pgkeep_format::{
    Capabilities, Descriptor, Encryption, HostKey, KeyRecord, KeyRole, KeySecrets, Recipient,
    RecordKind, RepositoryId, RepositorySecret, Seal, Signer, Trust, names,
};
use pgkeep_storage::{Storage, list_all};
use pgkeep_types::{Clock, Random};

use crate::RepositoryError;
use crate::probe::probe;
use crate::records::{self, Draft};

/// A repository that is about to be made.
#[derive(Debug)]
pub struct NewRepository<'a> {
    /// To whom everything is sealed; nobody makes an unencrypted repository.
    recovery: &'a [Recipient],
    /// The first host that may write.
    host: &'a HostKey,
    id: RepositoryId,
    root: Signer,
    secret: RepositorySecret,
}

impl<'a> NewRepository<'a> {
    /// Draws the identity and the keys of a repository for `host`, sealed to
    /// `recovery`; unencrypted where that is empty. Nothing is written.
    #[must_use]
    pub fn draw(recovery: &'a [Recipient], host: &'a HostKey, random: &dyn Random) -> Self {
        Self {
            recovery,
            host,
            id: RepositoryId::new(drawn(random)),
            root: Signer::from_seed(&drawn(random)),
            secret: RepositorySecret::new(drawn(random)),
        }
    }

    /// What whoever knows the repository pins: it and its root key.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            recipients: Some(self.recovery.to_vec()),
            ..Trust::in_root(self.id, self.root.verifying_key())
        }
    }

    /// Makes the repository in a storage that has none.
    ///
    /// # Errors
    /// `Exists` where there is one already, `Remains` where there are keys of one;
    /// what was there is left as it was.
    pub async fn create(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Capabilities, RepositoryError> {
        refuse_existing(storage).await?;
        let capabilities = probe(storage, random).await?;
        let keys = self.keys(clock);
        let made = self.write_all(storage, &keys, clock, capabilities).await;
        if made.is_err() {
            // Keys without a descriptor would be in the way of the next attempt.
            // Where there is a descriptor after all, they are needed.
            self.remove_keys(storage, &keys).await;
        }
        made.map(|()| capabilities)
    }

    async fn write_all(
        &self,
        storage: &dyn Storage,
        keys: &[(KeyRecord, KeySecrets)],
        clock: &dyn Clock,
        capabilities: Capabilities,
    ) -> Result<(), RepositoryError> {
        for (record, secrets) in keys {
            self.write_key(storage, record, secrets).await?;
        }

        let encryption = match self.recovery {
            [] => Encryption::None,
            _ => Encryption::Age,
        };
        let root = self.root.verifying_key();
        let descriptor = Descriptor::new(self.id, clock.now(), encryption, root, capabilities);
        let name = names::descriptor()?;
        let bytes = descriptor
            .to_bytes(&self.root)
            .map_err(|source| records::in_object(storage, &name, source))?;
        Ok(storage.put(&name, bytes.into()).await?)
    }

    /// Removes what was written of the keys, unless the descriptor is there or
    /// might be.
    async fn remove_keys(&self, storage: &dyn Storage, keys: &[(KeyRecord, KeySecrets)]) {
        let Ok(descriptor) = names::descriptor() else {
            return;
        };
        let there = storage.head(&descriptor).await;
        if !there.is_err_and(|error| error.is_not_found()) {
            return;
        }
        for (record, _) in keys {
            if let Ok(name) = names::key(&record.fingerprint()) {
                // Best effort: what stays is told when it is tried again.
                let _ = storage.delete(&name).await;
            }
        }
    }

    fn keys(&self, clock: &dyn Clock) -> Vec<(KeyRecord, KeySecrets)> {
        let created = clock.now();
        let (secret, root) = (&self.secret, &self.root);
        let recovery = |recipient: &Recipient| KeyRecord {
            role: KeyRole::Recovery,
            name: "recovery".to_owned(),
            recipient: Some(recipient.clone()),
            verifier: None,
            created,
        };
        let open = || KeyRecord {
            role: KeyRole::Open,
            name: "unencrypted".to_owned(),
            recipient: None,
            verifier: None,
            created,
        };
        let host = KeyRecord {
            role: KeyRole::Host,
            name: self.host.name.clone(),
            recipient: (!self.recovery.is_empty()).then(|| self.host.identity.recipient()),
            verifier: Some(self.host.signer.verifying_key()),
            created,
        };
        let to_write = || KeySecrets::to_write(secret.clone());
        let mut keys = vec![(host, to_write())];
        if self.recovery.is_empty() {
            // Whoever reads the storage reads this: the root's seed is in none.
            keys.push((open(), to_write()));
        }
        keys.extend(self.recovery.iter().map(|recipient| {
            let secrets = KeySecrets::to_vouch(secret.clone(), root);
            (recovery(recipient), secrets)
        }));
        keys
    }

    async fn write_key(
        &self,
        storage: &dyn Storage,
        record: &KeyRecord,
        secrets: &KeySecrets,
    ) -> Result<(), RepositoryError> {
        let name = names::key(&record.fingerprint())?;
        let seal = match &record.recipient {
            Some(recipient) => {
                let mut recipients = self.recovery.to_vec();
                recipients.push(recipient.clone());
                recipients.sort();
                recipients.dedup();
                Seal::To(recipients)
            }
            None => Seal::Open,
        };
        let plain = secrets.to_bytes().map_err(|source| RepositoryError::Make {
            what: "the key record",
            source,
        })?;
        let draft = Draft {
            repository: self.id,
            name: &name,
            kind: RecordKind::Key,
            clear: record.clone(),
            hidden: Some((plain, seal)),
        };
        draft.write(storage, &self.root).await?;
        Ok(())
    }
}

async fn refuse_existing(storage: &dyn Storage) -> Result<(), RepositoryError> {
    let location = || storage.location();
    match storage.head(&names::descriptor()?).await {
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            return Err(RepositoryError::Exists {
                location: location(),
            });
        }
    }
    // Keys without a descriptor are those of a creation that was cut off: under
    // another root they would be strangers.
    match list_all(storage, names::KEYS).await {
        Ok(keys) if keys.is_empty() => Ok(()),
        Ok(_) => Err(RepositoryError::Remains {
            location: location(),
        }),
        // A directory that does not exist yet has no keys.
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn drawn<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
