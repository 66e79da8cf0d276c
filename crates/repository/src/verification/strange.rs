//! What lies in a repository and is none of what backups need: signs of life, what is said
//! of backups, what no backup cites, and what is no object of a repository. And what is said
//! of runs, and does not lie there.
//!
//! Invariant: it keeps no backup from being restored, and is only told.

use pgkeep_format::names::{self, Place, RunRecord};
use pgkeep_format::records::{RunAlive, RunDead};
use pgkeep_format::{FormatError, Identities, RecordKind};
use pgkeep_storage::{ObjectMeta, list_all};
use pgkeep_types::ObjectName;

use super::cited::{Account, Cited};
use crate::reads::Reads;
use crate::{Repository, RepositoryError, records};

/// What is strange in a repository.
#[derive(Debug, Default)]
pub struct Strange {
    /// What is no object of a repository.
    pub foreign: Vec<ObjectName>,
    /// Packs and index packs in the folders of committed backups that no backup cites, with
    /// their lengths in bytes.
    pub uncited: Vec<(ObjectName, u64)>,
    /// Outcomes that are not there, of runs that have made a backup and give no sign of life:
    /// each was cut off, or the storage has lost that.
    pub unended: Vec<ObjectName>,
    /// Records that are lost, damaged or somebody else's: those that count by being there,
    /// `begin`, proofs, pins, lifts and tombstones.
    pub records: Vec<(ObjectName, RepositoryError)>,
}

impl Repository {
    /// Looks what is strange in all of the repository; `cited` is of the clusters whose
    /// folders are to be looked at, too, read before.
    ///
    /// # Errors
    /// Where it cannot be listed.
    pub async fn strange(&self, cited: &[Cited]) -> Result<Strange, RepositoryError> {
        let mut strange = Strange::default();
        let mut reads = Reads::new();
        let mut accounts: Vec<Account<'_>> = cited.iter().map(Account::new).collect();
        for object in list_all(self.storage.as_ref(), "").await? {
            let name = &object.name;
            let place = names::place(name);
            if let Some(place) = &place {
                for account in &mut accounts {
                    if account.is_uncited(&object, place) {
                        strange.uncited.push((name.clone(), object.size));
                    }
                }
            }
            match place {
                Some(
                    Place::Alive(..)
                    | Place::Run(_, _, RunRecord::Dead)
                    | Place::Proof(..)
                    | Place::Pin(..)
                    | Place::Lift(..)
                    | Place::Tombstone(..)
                    | Place::SecondTombstone(..),
                ) => {
                    while let Some(read) = reads.before(object.size).await? {
                        strange.records.extend(read);
                    }
                    let repository = self.clone();
                    reads.start(object.size, async move { repository.judged(object).await });
                }
                Some(_) => {}
                None => {
                    let of_keys = name.as_str().starts_with(names::KEYS);
                    let of_repository = of_keys || name.as_str() == names::DESCRIPTOR;
                    if !of_repository && !names::is_probe(name.as_str()) {
                        strange.foreign.push(object.name);
                    }
                }
            }
        }
        while let Some(read) = reads.next().await? {
            strange.records.extend(read);
        }
        for account in accounts {
            for (object, record) in account.lost()? {
                match record {
                    RunRecord::Begin => {
                        let error = self.lost_begin(&object);
                        strange.records.push((object, error));
                    }
                    _ => strange.unended.push(object),
                }
            }
        }
        strange.records.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(strange)
    }

    fn lost_begin(&self, object: &ObjectName) -> RepositoryError {
        RepositoryError::LostBegin {
            object: object.to_string(),
            location: self.location(),
        }
    }

    /// What is wrong with such a record.
    async fn judged(&self, object: ObjectMeta) -> Option<(ObjectName, RepositoryError)> {
        let name = object.name;
        match self.is_right(&name, object.size).await {
            Ok(()) => None,
            Err(RepositoryError::Storage(error)) if error.is_not_found() => None,
            Err(error) if error.is_about_nothing() => None,
            Err(_) if self.is_said_again(&name).await => None,
            Err(error) => Some((name, error)),
        }
    }

    /// Whether it is a tombstone, and a second one says that the backup is deleted.
    async fn is_said_again(&self, name: &ObjectName) -> bool {
        let Some(Place::Tombstone(cluster, id)) = names::place(name) else {
            return false;
        };
        let Ok(second) = names::second_tombstone(&cluster, &id) else {
            return false;
        };
        let (place, none) = (Place::SecondTombstone(cluster, id), Identities::default());
        let said = self.cluster_record(&second, &place, None, &none).await;
        said.is_ok()
    }

    async fn is_right(&self, name: &ObjectName, size: u64) -> Result<(), RepositoryError> {
        let storage = self.storage.as_ref();
        let wrong = |source: FormatError| records::in_object(storage, name, source);
        let in_place = match names::place(name) {
            Some(Place::Alive(cluster, run, number)) => {
                let kind = RecordKind::Alive;
                let sign = self.verified_as_listed(kind, name, Some(size)).await?;
                let sign: RunAlive = sign.clear().map_err(wrong)?;
                sign.cluster == cluster && sign.run == run && sign.number == number
            }
            Some(Place::Run(cluster, run, RunRecord::Dead)) => {
                let kind = RecordKind::Dead;
                let dead = self.verified_as_listed(kind, name, Some(size)).await?;
                let dead: RunDead = dead.clear().map_err(wrong)?;
                dead.cluster == cluster && dead.run == run
            }
            Some(place) => {
                let none = Identities::default();
                self.cluster_record(name, &place, Some(size), &none).await?;
                true
            }
            None => true,
        };
        match in_place {
            true => Ok(()),
            false => Err(records::misplaced(storage, name)),
        }
    }
}
