//! Retiring keys.
//!
//! Invariants: what a retired host has signed up to then is listed, by name and
//! hash, and stays believed; nothing else of it is. That it is about to be retired is
//! written before what it has signed is looked for, so that a run either finds that, or
//! is found. What cannot be read, and may be its own, keeps its key from being retired: it
//! would never be believed again. A host is at rest when it is retired, unless its key was stolen; what it has
//! written all the same is told. The last recovery key is never retired.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::names::{self, BackupPart, Place, RunRecord};
use pgkeep_format::{
    Attribution, Ending, FormatError, Hash, KeyRole, RecordKind, Retirement, VerifyingKey,
};
use pgkeep_storage::{ObjectMeta, StorageErrorKind, list_all};
use pgkeep_types::{Clock, ClusterName, ObjectName, RunId};

use super::{KeysError, OwnerAccess};
use crate::reads::Reads;
use crate::records::{self, Draft};
use crate::{Repository, RepositoryError};

/// How many bytes of an object are held at once: whoever can write to the storage can put a
/// gigabyte into a manifest's place.
const PIECE: u64 = 4 << 20;

/// What becomes of a run of the host that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnendedRuns {
    /// It is waited for: the key is not retired before.
    WaitedFor,
    /// It comes to nothing: for a key that was stolen, whose thief could have one go
    /// on for ever.
    GivenUp,
}

/// A key that was retired.
#[derive(Debug)]
pub struct Retired {
    /// The repository as it is then.
    pub repository: Repository,
    /// How many records it is still believed.
    pub believed: usize,
    /// Objects that cannot be read: where they are its own, they are not believed any
    /// more, should they come back.
    pub unattributed: Vec<ObjectName>,
}

/// What a host has signed.
#[derive(Default)]
struct SignedRecords {
    /// Each, by its hash.
    own: BTreeMap<ObjectName, Hash>,
    /// What lies in a record's place, and of which nobody can tell who has signed it.
    unattributed: Vec<ObjectName>,
}

impl Repository {
    /// Retires the key with this fingerprint.
    ///
    /// # Errors
    /// `NoSuchKey` where there is none that is in use, `LastKey` where nobody would
    /// be left, `StillRuns` where a run of the host has not ended and is waited for,
    /// `Unattributed` where it is, and there are records that cannot be read.
    /// `WrittenMeanwhile` where the host wrote while it was retired: then the key is
    /// retired, and no run has called that a good backup.
    pub async fn retire_key(
        &self,
        owner: &OwnerAccess,
        fingerprint: &str,
        unended: UnendedRuns,
        clock: &dyn Clock,
    ) -> Result<Retired, RepositoryError> {
        self.check_changeable()?;
        let keys = self.keys.vouched.iter();
        let mut in_use = keys.filter(|key| key.retirement.is_none());
        let key = in_use
            .find(|key| key.record.fingerprint() == fingerprint)
            .ok_or_else(|| {
                RepositoryError::Keys(KeysError::NoSuchKey {
                    fingerprint: fingerprint.to_owned(),
                    location: self.location(),
                })
            })?;
        let role = key.record.role;
        let others = self.keys.in_use(role).count().saturating_sub(1);
        let is_last = others == 0 && !matches!(role, KeyRole::Host | KeyRole::Prover);
        if is_last || role == KeyRole::Open {
            return Err(RepositoryError::Keys(KeysError::LastKey {
                role: role.as_str(),
                location: self.location(),
            }));
        }
        let verifier = key.record.verifier;
        let signed = match verifier {
            Some(verifier) => {
                if unended == UnendedRuns::WaitedFor {
                    self.check_at_rest(verifier).await?;
                }
                self.announce(owner, fingerprint, clock).await?;
                match unended {
                    UnendedRuns::WaitedFor => self.all_of_ended_runs(verifier).await?,
                    UnendedRuns::GivenUp => self.signed_besides(&BTreeSet::new(), verifier).await?,
                }
            }
            None => SignedRecords::default(),
        };
        let (records, unattributed) = (signed.own, signed.unattributed);
        let known: BTreeSet<ObjectName> = records.keys().cloned().collect();
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
        let written = draft.write(self.storage.as_ref(), &owner.root).await;
        let (hash, _) = written.map_err(|error| match error {
            RepositoryError::Object {
                source: FormatError::TooLong { .. },
                ..
            } => RepositoryError::Keys(KeysError::TooManySigned {
                fingerprint: fingerprint.to_owned(),
                count,
                location: self.location(),
            }),
            error => error,
        })?;
        let changed = self.write_ring(owner, clock, |objects| {
            objects.insert(name.clone(), hash);
        });
        let changed = changed.await?;
        if let Some(verifier) = verifier {
            let late = self.signed_besides(&known, verifier).await?;
            if let Some(object) = late.own.into_keys().next() {
                return Err(RepositoryError::Keys(KeysError::WrittenMeanwhile {
                    object: object.to_string(),
                    location: self.location(),
                }));
            }
        }
        Ok(Retired {
            repository: changed,
            believed: count,
            unattributed,
        })
    }

    /// Writes down that the key is about to be retired. From then on no run that is made
    /// with it ends well that had not committed before.
    async fn announce(
        &self,
        owner: &OwnerAccess,
        fingerprint: &str,
        clock: &dyn Clock,
    ) -> Result<(), RepositoryError> {
        let name = names::ending(fingerprint)?;
        let draft = Draft {
            repository: self.id(),
            name: &name,
            kind: RecordKind::Ending,
            clear: Ending {
                key: fingerprint.to_owned(),
                since: clock.now(),
            },
            hidden: None,
        };
        match draft.write(self.storage.as_ref(), &owner.root).await {
            // Somebody began to, and did not come to the end.
            Err(RepositoryError::Storage(error))
                if error.kind == StorageErrorKind::AlreadyExists =>
            {
                Ok(())
            }
            written => written.map(|_| ()),
        }
    }

    /// Refuses where a run of the host has not ended, or a record cannot be read, before
    /// anything is written.
    async fn check_at_rest(&self, verifier: VerifyingKey) -> Result<(), RepositoryError> {
        let listed = list_all(self.storage.as_ref(), "").await?;
        let there: BTreeSet<ObjectName> = listed.into_iter().map(|object| object.name).collect();
        let signed = self.signed_besides(&BTreeSet::new(), verifier).await?;
        self.check_attributed(&signed)?;
        self.check_none_unended(&signed.own.into_keys().collect(), &there, false)
    }

    fn check_attributed(&self, signed: &SignedRecords) -> Result<(), RepositoryError> {
        if signed.unattributed.is_empty() {
            return Ok(());
        }
        let objects = signed.unattributed.iter();
        Err(RepositoryError::Keys(KeysError::Unattributed {
            objects: objects.map(ToString::to_string).collect(),
            location: self.location(),
        }))
    }

    /// Refuses where the `begin` of a run is among `signed` and no end of it is `there`.
    fn check_none_unended(
        &self,
        signed: &BTreeSet<ObjectName>,
        there: &BTreeSet<ObjectName>,
        announced: bool,
    ) -> Result<(), RepositoryError> {
        match unended(signed, there)?.into_values().next() {
            None => Ok(()),
            Some((cluster, run)) => Err(RepositoryError::Keys(KeysError::StillRuns {
                run,
                cluster,
                location: self.location(),
                announced,
            })),
        }
    }

    /// Every record that this key has signed, by its hash.
    async fn all_of_ended_runs(
        &self,
        verifier: VerifyingKey,
    ) -> Result<SignedRecords, RepositoryError> {
        // Listed before the records are: of what has ended by then nothing is missed.
        let before = list_all(self.storage.as_ref(), "").await?;
        let before: BTreeSet<ObjectName> = before.into_iter().map(|o| o.name).collect();
        let signed = self.signed_besides(&BTreeSet::new(), verifier).await?;
        self.check_attributed(&signed)?;
        self.check_none_unended(&signed.own.keys().cloned().collect(), &before, true)?;
        Ok(signed)
    }

    /// Every record but the `known` ones that this key has signed, and what may be one.
    async fn signed_besides(
        &self,
        known: &BTreeSet<ObjectName>,
        verifier: VerifyingKey,
    ) -> Result<SignedRecords, RepositoryError> {
        let mut signed = SignedRecords::default();
        let mut reads = Reads::new();
        for object in list_all(self.storage.as_ref(), "").await? {
            let Some(kind) = names::place(&object.name).and_then(|place| kind(&place)) else {
                continue;
            };
            if known.contains(&object.name) {
                continue;
            }
            if object.size > kind.limit() {
                signed.unattributed.push(object.name);
                continue;
            }
            let held = object.size.min(PIECE);
            while let Some(read) = reads.before(held).await? {
                signed.take(read?);
            }
            let repository = self.clone();
            reads.start(held, async move {
                let writer = repository.writer_of(&object, verifier).await?;
                Ok::<_, RepositoryError>((object.name, writer))
            });
        }
        while let Some(read) = reads.next().await? {
            signed.take(read?);
        }
        signed.unattributed.sort();
        Ok(signed)
    }

    /// Who has signed what was listed in a record's place.
    async fn writer_of(
        &self,
        object: &ObjectMeta,
        verifier: VerifyingKey,
    ) -> Result<Writer, RepositoryError> {
        let name = &object.name;
        let Some(mut attribution) = Attribution::of(object.size) else {
            return Ok(Writer::Unknown);
        };
        let mut at = 0;
        while at < object.size {
            let end = object.size.min(at.saturating_add(PIECE));
            // A byte more than there should be: then it is another one than was listed.
            let most = end.saturating_add(u64::from(end == object.size));
            let bytes = match self.storage.get(name, Some(at..most)).await {
                Ok(bytes) if bytes.len() as u64 == end - at => bytes,
                Ok(_) => return Ok(Writer::Unknown),
                // Somebody prunes.
                Err(error) if error.is_not_found() => return Ok(Writer::Another),
                Err(error) => return Err(error.into()),
            };
            let taken = records::blocking(move || {
                let may_be_one = attribution.update(&bytes);
                may_be_one.then_some(attribution)
            });
            match taken.await? {
                Some(taken) => attribution = taken,
                None => return Ok(Writer::Unknown),
            }
            at = end;
        }
        Ok(match attribution.finish(self.id(), name) {
            Some((writer, hash)) if writer == verifier => Writer::Own(hash),
            Some(_) => Writer::Another,
            None => Writer::Unknown,
        })
    }
}

/// Those of `names` that are the `begin` of a run of which no end is `there`.
fn unended(
    names: &BTreeSet<ObjectName>,
    there: &BTreeSet<ObjectName>,
) -> Result<BTreeMap<ObjectName, (ClusterName, RunId)>, RepositoryError> {
    let mut unended = BTreeMap::new();
    for name in names {
        let Some(Place::Run(cluster, run, RunRecord::Begin)) = names::place(name) else {
            continue;
        };
        let outcome = names::run(&cluster, &run, RunRecord::Outcome)?;
        let dead = names::run(&cluster, &run, RunRecord::Dead)?;
        if !there.contains(&outcome) && !there.contains(&dead) {
            unended.insert(name.clone(), (cluster, run));
        }
    }
    Ok(unended)
}

/// The kind of the record that is there, where the end of a key lists such: no pack, and
/// no mere sign of life, of which it counts that it is there.
fn kind(place: &Place) -> Option<RecordKind> {
    Some(match place {
        Place::Run(_, _, RunRecord::Begin) => RecordKind::Begin,
        Place::Run(_, _, RunRecord::Outcome) => RecordKind::Outcome,
        Place::Run(_, _, RunRecord::Dead) => RecordKind::Dead,
        Place::Tombstone(..) | Place::SecondTombstone(..) => RecordKind::Tombstone,
        Place::Proof(..) => RecordKind::Proof,
        Place::Verification(..) => RecordKind::Verification,
        Place::Pin(..) => RecordKind::Pin,
        Place::Lift(..) => RecordKind::Lift,
        Place::Backup(_, _, BackupPart::Backup) => RecordKind::Backup,
        Place::Backup(_, _, BackupPart::Manifest) => RecordKind::Manifest,
        Place::Backup(_, _, BackupPart::Facts) => RecordKind::Facts,
        Place::Pack(..) | Place::Index(..) | Place::Alive(..) => return None,
    })
}

/// Who has signed an object.
enum Writer {
    Own(Hash),
    Another,
    /// It is no whole record.
    Unknown,
}

impl SignedRecords {
    fn take(&mut self, (name, writer): (ObjectName, Writer)) {
        match writer {
            Writer::Own(hash) => drop(self.own.insert(name, hash)),
            Writer::Unknown => self.unattributed.push(name),
            Writer::Another => {}
        }
    }
}
