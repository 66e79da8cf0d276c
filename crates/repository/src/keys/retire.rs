//! Retiring keys.
//!
//! Invariants: what a retired host has signed up to then is listed, by name and
//! hash, and stays believed; nothing else of it is. The last recovery key is
//! never retired.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgkeep_format::names::{self, Place};
use pgkeep_format::{Hash, KeyRole, RecordKind, Retirement, VerifyingKey, signed_by};
use pgkeep_storage::list_all;
use pgkeep_types::{Clock, ObjectName};
use tokio::task::JoinSet;

use super::OwnerAccess;
use crate::records::{self, Draft};
use crate::{Repository, RepositoryError};

/// How many objects are read at once.
const PARALLEL: usize = 8;

impl Repository {
    /// Retires the key with this fingerprint, and tells the repository as it is
    /// then, and of how many records it is still believed.
    ///
    /// # Errors
    /// `NoSuchKey` where there is none that is in use, `LastKey` where nobody would
    /// be left.
    pub async fn retire_key(
        &self,
        owner: &OwnerAccess,
        fingerprint: &str,
        clock: &dyn Clock,
    ) -> Result<(Self, usize), RepositoryError> {
        self.check_changeable()?;
        let keys = self.keys.vouched.iter();
        let mut in_use = keys.filter(|key| key.retirement.is_none());
        let key = in_use
            .find(|key| key.record.fingerprint() == fingerprint)
            .ok_or_else(|| RepositoryError::NoSuchKey {
                fingerprint: fingerprint.to_owned(),
                location: self.location(),
            })?;
        let role = key.record.role;
        let others = self.keys.in_use(role).count().saturating_sub(1);
        let is_last = others == 0 && !matches!(role, KeyRole::Host | KeyRole::Prover);
        if is_last || role == KeyRole::Open {
            return Err(RepositoryError::LastKey {
                role: role.as_str(),
                location: self.location(),
            });
        }
        let records = match key.record.verifier {
            Some(verifier) => self.all_signed_by(verifier).await?,
            None => BTreeMap::new(),
        };
        let count = records.len();
        let name = names::retirement(fingerprint)?;
        let draft = Draft {
            repository: self.id(),
            name: &name,
            kind: RecordKind::Retirement,
            clear: Retirement {
                key: fingerprint.to_owned(),
                retired: clock.now(),
                records,
            },
            hidden: None,
        };
        let (hash, _) = draft.write(self.storage.as_ref(), &owner.root).await?;
        let changed = self.write_ring(owner, clock, |objects| {
            objects.insert(name.clone(), hash);
        });
        Ok((changed.await?, count))
    }

    /// Every record that this key has signed, by its hash.
    async fn all_signed_by(
        &self,
        verifier: VerifyingKey,
    ) -> Result<BTreeMap<ObjectName, Hash>, RepositoryError> {
        let mut signed = BTreeMap::new();
        let mut reading = JoinSet::new();
        for object in list_all(self.storage.as_ref(), "").await? {
            let is_record = names::place(&object.name)
                .is_some_and(|place| !matches!(place, Place::Pack(..) | Place::Index(..)));
            if !is_record {
                continue;
            }
            if reading.len() >= PARALLEL {
                collect(&mut signed, reading.join_next().await)?;
            }
            let (storage, id, name) = (Arc::clone(&self.storage), self.id(), object.name);
            reading.spawn(async move {
                let bytes = storage.get(&name, None).await?;
                let of = name.clone();
                let writer = records::blocking(move || signed_by(id, &of, &bytes)).await?;
                let own = writer.filter(|(writer, _)| *writer == verifier);
                Ok(own.map(|(_, hash)| (name, hash)))
            });
        }
        while let Some(read) = reading.join_next().await {
            collect(&mut signed, Some(read))?;
        }
        Ok(signed)
    }
}

type Read = Result<Option<(ObjectName, Hash)>, RepositoryError>;

fn collect(
    signed: &mut BTreeMap<ObjectName, Hash>,
    read: Option<Result<Read, tokio::task::JoinError>>,
) -> Result<(), RepositoryError> {
    if let Some(read) = read {
        signed.extend(read.map_err(|_| RepositoryError::GivenUp)??);
    }
    Ok(())
}
