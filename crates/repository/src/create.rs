//! Making a new repository.
//!
//! Invariants: the keys are written before the descriptor, which is written
//! last: a repository that can be opened is whole. What the storage can be
//! relied on for is tried out, not believed.

use std::sync::Arc;

use bytes::Bytes;
use pgkeep_format::{
    Capabilities, Descriptor, Encryption, Envelope, HostKey, KeyRecord, KeyRole, KeySecrets,
    Recipient, RecordKind, RepositoryId, RepositorySecret, Seal, Signer, Trust, names,
};
use pgkeep_storage::{Storage, StorageErrorKind};
use pgkeep_types::{Clock, ObjectName, Random};

use crate::RepositoryError;
use crate::records;

/// What a new repository is to be.
#[derive(Debug)]
pub struct NewRepository<'a> {
    /// To whom everything is sealed; nobody makes an unencrypted repository.
    pub recovery: &'a [Recipient],
    /// The first host that may write.
    pub host: &'a HostKey,
}

/// A repository that was just made.
#[derive(Clone, Debug)]
pub struct Created {
    /// What to pin: the repository and its root key.
    pub trust: Trust,
    /// What the storage was seen to do.
    pub capabilities: Capabilities,
}

impl NewRepository<'_> {
    /// Makes the repository in an empty storage.
    ///
    /// # Errors
    /// `Exists` where there is one already; what was there is left as it was.
    pub async fn create(
        &self,
        storage: &Arc<dyn Storage>,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Created, RepositoryError> {
        refuse_existing(storage.as_ref()).await?;
        let capabilities = probe(storage.as_ref(), random).await?;

        let root = Signer::from_seed(&drawn(random));
        let secret = RepositorySecret::new(drawn(random));
        let id = RepositoryId::new(drawn(random));
        let encryption = match self.recovery {
            [] => Encryption::None,
            _ => Encryption::Age,
        };
        for (record, secrets) in self.keys(&secret, &root, clock) {
            write_key(storage.as_ref(), id, &record, &secrets, &root).await?;
        }

        let descriptor = Descriptor::new(
            id,
            clock.now(),
            encryption,
            root.verifying_key(),
            capabilities,
        );
        let name = names::descriptor()?;
        let bytes = descriptor
            .to_bytes(&root)
            .map_err(|source| records::in_object(storage.as_ref(), &name, source))?;
        storage.put(&name, bytes.into()).await?;
        Ok(Created {
            trust: Trust {
                repository: id,
                root: root.verifying_key(),
            },
            capabilities,
        })
    }

    fn keys(
        &self,
        secret: &RepositorySecret,
        root: &Signer,
        clock: &dyn Clock,
    ) -> Vec<(KeyRecord, KeySecrets)> {
        let created = clock.now();
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
