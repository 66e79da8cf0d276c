//! What a repository holds of a cluster: its backups, and the attempts that
//! came to nothing.
//!
//! Invariants: a backup is listed as good only by its own `backup` record; a run
//! without an outcome is never taken for anything but unfinished. A record that
//! cannot be read hides no other: it is an entry of its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::records::{
    BackupRecord, Outcome, PlannedBackup, RunBegin, RunErrors, RunOutcome,
};
use pgkeep_format::{Encryption, FormatError, Identities, RecordKind, Verified};
use pgkeep_storage::list_all;
use pgkeep_types::{BackupId, ClusterName, ObjectName, RunId};
use tokio::task::JoinSet;

use crate::{Repository, RepositoryError, records};

/// How many records are read at once.
const PARALLEL: usize = 32;

/// A cluster's backups and attempts, oldest first.
#[derive(Debug)]
pub struct Catalogue {
    /// The cluster.
    pub cluster: ClusterName,
    /// What there is.
    pub entries: Vec<Entry>,
}

/// Something that was begun.
#[derive(Debug)]
pub enum Entry {
    /// A backup that was committed.
    Complete(Box<BackupRecord>),
    /// A backup that failed, or whose run has no outcome.
    Attempt(Attempt),
    /// A record that is there and cannot be read.
    Unreadable(Unreadable),
}

/// A backup that was begun and not committed.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The id that it had.
    pub id: BackupId,
    /// The run.
    pub begin: RunBegin,
    /// The database.
    pub database: String,
    /// How the run ended; none where nothing was recorded.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A record that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The object's name.
    pub object: ObjectName,
    /// The backup, where it is a backup's record.
    pub id: Option<BackupId>,
    /// The backup's database, where its run's begin tells it.
    pub database: Option<String>,
    /// Why not.
    pub error: RepositoryError,
}

impl Catalogue {
    /// The backups that were committed and can be read, oldest first.
    pub fn complete(&self) -> impl DoubleEndedIterator<Item = &BackupRecord> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Complete(record) => Some(record.as_ref()),
            Entry::Attempt(_) | Entry::Unreadable(_) => None,
        })
    }

    /// Records that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &Unreadable> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Unreadable(unreadable) => Some(unreadable),
            Entry::Complete(_) | Entry::Attempt(_) => None,
        })
    }
}

enum Record {
    Backup(Box<BackupRecord>),
    Begin(RunBegin),
    Outcome(RunOutcome, RunErrors),
}

impl Repository {
    /// Lists what there is of `cluster`. Needs no key; why backups failed is told
    /// where one of `identities` opens it.
    ///
    /// # Errors
    /// Where the storage cannot be listed. What cannot be read is an entry.
    pub async fn catalogue(
        &self,
        cluster: &ClusterName,
        identities: &Identities,
    ) -> Result<Catalogue, RepositoryError> {
        let storage = self.storage.as_ref();
        let mut objects = list_all(storage, &names::backups(cluster)).await?;
        objects.extend(list_all(storage, &names::runs(cluster)).await?);
        let sizes: BTreeMap<ObjectName, u64> = objects
            .iter()
            .map(|object| (object.name.clone(), object.size))
            .collect();
        let wanted = objects.into_iter().filter_map(|object| {
            let place = names::place(&object.name)?;
            let is_record = !matches!(
                place,
                Place::Pack(..)
                    | Place::Index(..)
                    | Place::Backup(_, _, BackupPart::Manifest | BackupPart::Facts)
            );
            is_record.then_some((object.name, place))
        });

        let mut found = Found::default();
        let mut reading = JoinSet::new();
        for (name, place) in wanted {
            if reading.len() >= PARALLEL {
                found.take(reading.join_next().await)?;
            }
            let (repository, identities) = (self.clone(), identities.clone());
            reading.spawn(async move {
                let record = repository.record(&name, &place, &identities).await;
                (name, place, record)
            });
        }
        while let Some(read) = reading.join_next().await {
            found.take(Some(read))?;
        }
        found.check_cited(&sizes, &self.location())?;
        found.into_catalogue(cluster, &self.location())
    }

    /// The names of all clusters of which the repository holds anything.
    ///
    /// # Errors
    /// Where the storage cannot be listed.
    pub async fn clusters(&self) -> Result<Vec<ClusterName>, RepositoryError> {
        let objects = list_all(self.storage.as_ref(), "").await?;
        let clusters: BTreeSet<ClusterName> = objects
            .iter()
            .filter_map(|object| names::place(&object.name))
            .map(|place| match place {
                Place::Run(cluster, ..)
                | Place::Backup(cluster, ..)
                | Place::Pack(cluster, ..)
                | Place::Index(cluster, ..) => cluster,
            })
            .collect();
        Ok(clusters.into_iter().collect())
    }

    async fn record(
        &self,
        name: &ObjectName,
        place: &Place,
        identities: &Identities,
    ) -> Result<Record, RepositoryError> {
        let storage = self.storage.as_ref();
        let wrong = |source| records::in_object(storage, name, source);
        let (record, in_place) = match place {
            Place::Run(cluster, run, RunRecord::Begin) => {
                let read = self.verified(RecordKind::Begin, name).await?;
                let begin: RunBegin = read.clear().map_err(wrong)?;
                let in_place = begin.cluster == *cluster && begin.run == *run;
                (Record::Begin(begin), in_place)
            }
            Place::Run(_, run, RunRecord::Outcome) => {
                let read = self.verified(RecordKind::Outcome, name).await?;
                let outcome: RunOutcome = read.clear().map_err(wrong)?;
                let errors = self.errors(&read, identities).map_err(wrong)?;
                let in_place = outcome.run == *run;
                (Record::Outcome(outcome, errors), in_place)
            }
            Place::Backup(cluster, id, _)
            | Place::Pack(cluster, id, _)
            | Place::Index(cluster, id, _) => {
                let read = self.verified(RecordKind::Backup, name).await?;
                let backup: BackupRecord = read.clear().map_err(wrong)?;
                let in_place = backup.cluster == *cluster && backup.id == *id;
                (Record::Backup(Box::new(backup)), in_place)
            }
        };
        if in_place {
            Ok(record)
        } else {
            Err(records::misplaced(storage, name))
        }
    }

    /// Why backups failed; nothing where no key at hand opens it.
    fn errors(&self, read: &Verified, identities: &Identities) -> Result<RunErrors, FormatError> {
        let sealed = self.encryption() == Encryption::Age;
        match read.hidden(sealed.then_some(identities)) {
            Ok(plain) => RunErrors::from_json(&plain),
            Err(FormatError::NoIdentity) => Ok(RunErrors::default()),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn verified(
        &self,
        kind: RecordKind,
        name: &ObjectName,
    ) -> Result<Verified, RepositoryError> {
        records::read(
            self.storage.as_ref(),
            self.id(),
            kind,
            name,
            &self.writers(),
        )
        .await
    }
}

type Read = (ObjectName, Place, Result<Record, RepositoryError>);

#[derive(Default)]
struct Found {
    backups: Vec<BackupRecord>,
    begins: Vec<RunBegin>,
    outcomes: BTreeMap<RunId, (RunOutcome, RunErrors)>,
    unreadable: Vec<Unreadable>,
}

impl Found {
    fn take(
        &mut self,
        read: Option<Result<Read, tokio::task::JoinError>>,
    ) -> Result<(), RepositoryError> {
        let Some(read) = read else { return Ok(()) };
        // A record whose reading has died is missing: nothing is told then.
        let (object, place, record) = read.map_err(|_| RepositoryError::GivenUp)?;
        match record {
            Ok(Record::Backup(record)) => self.backups.push(*record),
            Ok(Record::Begin(begin)) => self.begins.push(begin),
            Ok(Record::Outcome(outcome, errors)) => {
                self.outcomes.insert(outcome.run.clone(), (outcome, errors));
            }
            Err(error) => {
                let id = match place {
                    Place::Backup(_, id, _) | Place::Pack(_, id, _) | Place::Index(_, id, _) => {
                        Some(id)
                    }
                    Place::Run(..) => None,
                };
                self.unreadable.push(Unreadable {
                    object,
                    id,
                    database: None,
                    error,
                });
            }
        }
        Ok(())
    }

    fn into_catalogue(
        self,
        cluster: &ClusterName,
        location: &str,
    ) -> Result<Catalogue, RepositoryError> {
        let committed: BTreeSet<&BackupId> = self.backups.iter().map(|b| &b.id).collect();
        let unreadable: BTreeSet<&BackupId> = self
            .unreadable
            .iter()
            .filter_map(|u| u.id.as_ref())
            .collect();
        let mut entries = Vec::new();
        for begin in &self.begins {
            let outcome = self.outcomes.get(&begin.run);
            for planned in &begin.backups {
                if committed.contains(&planned.id) || unreadable.contains(&planned.id) {
                    continue;
                }
                if outcome.is_some_and(|(outcome, _)| outcome.made(&planned.id)) {
                    let lost = lost(cluster, planned, location)?;
                    entries.push(Entry::Unreadable(lost));
                    continue;
                }
                entries.push(Entry::Attempt(Attempt {
                    id: planned.id.clone(),
                    begin: begin.clone(),
                    database: planned.database.clone(),
                    outcome: outcome.map(|_| Outcome::Failed),
                    error: outcome.and_then(|(_, errors)| errors.errors.get(&planned.id).cloned()),
                }));
            }
        }
        let database = |id: Option<&BackupId>| {
            let mut planned = self.begins.iter().flat_map(|begin| &begin.backups);
            let planned = planned.find(|planned| Some(&planned.id) == id)?;
            Some(planned.database.clone())
        };
        entries.extend(self.unreadable.into_iter().map(|mut unreadable| {
            unreadable.database = database(unreadable.id.as_ref());
            Entry::Unreadable(unreadable)
        }));
        let backups = self.backups.into_iter();
        entries.extend(backups.map(|record| Entry::Complete(Box::new(record))));
        entries.sort_by(|a, b| a.order().cmp(&b.order()));
        Ok(Catalogue {
            cluster: cluster.clone(),
            entries,
        })
    }
}

impl Found {
    /// Takes backups whose objects the listing does not show as they are cited out
    /// of the good ones.
    fn check_cited(
        &mut self,
        sizes: &BTreeMap<ObjectName, u64>,
        location: &str,
    ) -> Result<(), RepositoryError> {
        for backup in std::mem::take(&mut self.backups) {
            match missing(&backup, sizes)? {
                None => self.backups.push(backup),
                Some((object, problem)) => self.unreadable.push(Unreadable {
                    error: RepositoryError::Lost {
                        object: object.to_string(),
                        location: location.to_owned(),
                        problem,
                    },
                    object,
                    id: Some(backup.id),
                    database: Some(backup.database),
                }),
            }
        }
        Ok(())
    }
}

/// The first object that a backup cites and that is not listed as it is cited.
fn missing(
    backup: &BackupRecord,
    sizes: &BTreeMap<ObjectName, u64>,
) -> Result<Option<(ObjectName, String)>, RepositoryError> {
    for part in [BackupPart::Manifest, BackupPart::Facts] {
        let name = names::backup(&backup.cluster, &backup.id, part)?;
        if !sizes.contains_key(&name) {
            return Ok(Some((name, "it is not there".to_owned())));
        }
    }
    for need in &backup.needs {
        let packs = need.packs.iter().map(|pack| {
            let name = names::pack(&backup.cluster, &need.backup, pack.number);
            (name, pack)
        });
        let index = need.index.iter().map(|pack| {
            let name = names::index(&backup.cluster, &need.backup, pack.number);
            (name, pack)
        });
        for (name, pack) in packs.chain(index) {
            let name = name?;
            let problem = match sizes.get(&name) {
                Some(found) if *found == pack.length => continue,
                Some(found) => format!(
                    "damaged at offset {}: {found} bytes where {} should be",
                    pack.length.min(*found),
                    pack.length
                ),
                None => "it is not there".to_owned(),
            };
            return Ok(Some((name, problem)));
        }
    }
    Ok(None)
}

/// A backup of which a run says that it was committed, and that is not there.
fn lost(
    cluster: &ClusterName,
    planned: &PlannedBackup,
    location: &str,
) -> Result<Unreadable, RepositoryError> {
    let object = names::backup(cluster, &planned.id, BackupPart::Backup)?;
    Ok(Unreadable {
        error: RepositoryError::Lost {
            object: object.to_string(),
            location: location.to_owned(),
            problem: "it is not there, though its run says that it was committed".to_owned(),
        },
        object,
        id: Some(planned.id.clone()),
        database: Some(planned.database.clone()),
    })
}

impl Entry {
    /// Oldest first. Ids tell the second only; what can be read tells more.
    fn order(&self) -> (Timestamp, &str) {
        match self {
            Self::Complete(record) => (record.started, record.id.as_str()),
            Self::Attempt(attempt) => (attempt.begin.started, attempt.id.as_str()),
            Self::Unreadable(unreadable) => {
                let time = unreadable.id.as_ref().map(BackupId::time);
                (time.unwrap_or_default(), unreadable.object.as_str())
            }
        }
    }
}
