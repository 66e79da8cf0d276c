//! Making a new repository.
//!
//! Invariants: the keys are written before the descriptor, which is written
//! last: a repository that can be opened is whole. What the storage can be
//! relied on for is tried out, not believed.

use bytes::Bytes;
use pgkeep_format::{
    Capabilities, Descriptor, Encryption, Envelope, HostKey, KeyRecord, KeyRole, KeySecrets,
    Recipient, RecordKind, RepositoryId, RepositorySecret, Seal, Signer, Trust, names,
};
use pgkeep_storage::{Storage, StorageErrorKind};
use pgkeep_types::{Clock, ObjectName, Random};

use crate::RepositoryError;
use crate::records;

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
            repository: self.id,
            root: self.root.verifying_key(),
        }
    }

    /// Makes the repository in a storage that has none.
    ///
    /// # Errors
    /// `Exists` where there is one already; what was there is left as it was.
    pub async fn create(
        &self,
        storage: &dyn Storage,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Capabilities, RepositoryError> {
        refuse_existing(storage).await?;
        let capabilities = probe(storage, random).await?;
        for (record, secrets) in self.keys(clock) {
            write_key(storage, self.id, &record, &secrets, &self.root).await?;
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
        storage.put(&name, bytes.into()).await?;
        Ok(capabilities)
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
        let vouching = match self.recovery {
            [] => vec![open()],
            recipients => recipients.iter().map(recovery).collect(),
        };
        let vouching = vouching
            .into_iter()
            .map(|record| (record, KeySecrets::for_recovery(secret.clone(), root)));
        let host = (host, KeySecrets::for_host(secret.clone()));
        vouching.chain([host]).collect()
    }
}

async fn refuse_existing(storage: &dyn Storage) -> Result<(), RepositoryError> {
    match storage.head(&names::descriptor()?).await {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(RepositoryError::Exists {
            location: storage.location(),
        }),
    }
}

/// Tries out what the storage promises, with an object that is removed again.
async fn probe(
    storage: &dyn Storage,
    random: &dyn Random,
) -> Result<Capabilities, RepositoryError> {
    let drawn = u64::from_le_bytes(drawn(random));
    let name: ObjectName = format!("probe-{drawn:016x}").parse()?;
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    storage.put(&name, first.clone()).await?;
    let refused = match storage.put(&name, second).await {
        Ok(()) => false,
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => true,
        Err(error) => return Err(error.into()),
    };
    let kept = storage.get(&name, None).await?;
    storage.delete(&name).await?;
    if refused && kept != first {
        return Err(RepositoryError::Unreliable {
            location: storage.location(),
            what: "a write that was refused changed the object",
        });
    }
    Ok(Capabilities {
        create_only: refused,
    })
}

async fn write_key(
    storage: &dyn Storage,
    repository: RepositoryId,
    record: &KeyRecord,
    secrets: &KeySecrets,
    root: &Signer,
) -> Result<(), RepositoryError> {
    let name = names::key(&record.fingerprint())?;
    let seal = match &record.recipient {
        Some(recipient) => Seal::To(vec![recipient.clone()]),
        None => Seal::Open,
    };
    // In an unencrypted repository a host finds the secret in the open record.
    let plain = match (record.role, &record.recipient) {
        (KeyRole::Host, None) => None,
        _ => Some(secrets.to_bytes().map_err(|source| RepositoryError::Make {
            what: "the key record",
            source,
        })?),
    };
    let envelope = Envelope {
        repository,
        name: &name,
        kind: RecordKind::Key,
    };
    let hidden = plain.as_ref().map(|plain| (plain.as_slice(), &seal));
    records::write(storage, envelope, record, hidden, root).await?;
    Ok(())
}

fn drawn<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}
