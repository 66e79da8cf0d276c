//! Reading back what is stored.
//!
//! Invariants: an object is called whole or hurt by what was read of it alone; what could
//! not be read for want of an answer is neither. A finding is taken back only where it was
//! known before its object was read; where that is hurt again, by one that takes its place.
//! What somebody deletes meanwhile is not missing.
//! What is held at once is bounded: [`AT_ONCE`] objects, two pieces of each.

mod choose;
mod notes;
mod one;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pgkeep_format::Hash;
use pgkeep_format::records::{Finding, FindingId, Problem};
use pgkeep_repository::{
    Catalogue, Condition, Needed, Pace, Repository, RepositoryError, WriteAccess,
};
use pgkeep_types::{Clock, ObjectName, Random, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::choose::{Amount, Share};
use self::choose::{Queue, Turn, turns};
use self::notes::Notes;

/// How many objects are read at once.
const AT_ONCE: usize = 8;
/// A verification that has not ended can be gone on with, where its last record is no older.
const GONE_ON_WITH: Duration = Duration::from_hours(24);

/// A verification of a cluster's backups.
#[derive(Clone, Copy)]
pub struct Verify<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// What there is of the cluster; read just before.
    pub catalogue: &'a Catalogue,
    /// The right to write down what is found; without it nothing is.
    pub access: Option<&'a WriteAccess>,
    /// How much is read.
    pub amount: Amount,
    /// Whether what [`Verify::unended`] has read is not read again.
    pub resumes: bool,
    /// How fast at most.
    pub pace: Option<&'a Arc<Pace>>,
    /// How long at most.
    pub within: Option<Duration>,
    /// How far it is.
    pub progress: &'a Arc<VerifyProgress>,
    /// The host's clock.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub random: &'a dyn Random,
    /// The version of pgkeep.
    pub pgkeep: &'a str,
}

/// How far a verification is.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    /// Bytes that were read.
    pub bytes: AtomicU64,
    /// Objects that were read.
    pub objects: AtomicU64,
    /// Bytes that are to be read.
    pub all_bytes: AtomicU64,
}

/// What a verification has found.
#[derive(Debug, Default)]
pub struct Verified {
    /// Objects that were read, and their bytes.
    pub read: (usize, u64),
    /// All that backups need.
    pub all: (usize, u64),
    /// What the verification had read before that is gone on with.
    pub before: Option<ReadBefore>,
    /// What was to be read and was not: time was up, or somebody asked to stop.
    pub left: (usize, u64),
    /// What was read and is hurt.
    pub hurt: Vec<Found>,
    /// What had been found hurt and is whole again.
    pub mended: Vec<ObjectName>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Why what was found could not be written down.
    pub not_written: Option<RepositoryError>,
}

/// What a verification that has not ended has read, and found whole then.
#[derive(Clone, Copy, Debug)]
pub struct ReadBefore {
    /// How many objects.
    pub objects: usize,
    /// How many bytes.
    pub bytes: u64,
    /// When the first of that was written down, by the clock of the host that had read it.
    pub since: Timestamp,
    /// When the last of it was.
    pub until: Timestamp,
    round: u64,
}

/// An object that is hurt.
#[derive(Debug)]
pub struct Found {
    /// The object, and what is wrong with it.
    pub finding: Finding,
    /// Whose bytes it has, where they are another one's.
    pub instead: Option<ObjectName>,
    /// Whether that was known before.
    pub was_known: bool,
}

/// An object that could not be read.
#[derive(Debug)]
pub struct Unread {
    /// The object.
    pub object: ObjectName,
    /// Why not.
    pub error: RepositoryError,
}

impl Verified {
    /// Takes down that an object was not read to its end: somebody asked to stop, or the
    /// reading itself broke down.
    fn not_read(&mut self, object: ObjectName, length: u64, was_stopped: bool) {
        if was_stopped {
            self.left = (self.left.0 + 1, self.left.1 + length);
        } else {
            let error = RepositoryError::GivenUp;
            self.unread.push(Unread { object, error });
        }
    }
}

impl Verify<'_> {
    /// Reads back what there is, until all is read, the time is up, or `stop` comes.
    ///
    /// # Errors
    /// Where it cannot be told what there is to read. All else is told of each object.
    pub async fn run(
        &self,
        mut stop: Pin<&mut (dyn Future<Output = ()> + Send)>,
    ) -> Result<Verified, RepositoryError> {
        let needed = self.catalogue.needed()?;
        let mut verdict = Verified {
            all: sum(&needed),
            ..Verified::default()
        };
        let by_hash = by_hash(&needed);
        let mut turns = turns(self.catalogue, needed);
        let round = match self.unended_of(&turns).filter(|_| self.resumes) {
            Some(before) => {
                turns.retain(|turn| self.is_read_in(before.round, turn).is_none());
                verdict.before = Some(before);
                before.round
            }
            None => self.catalogue.read_back().newest_round() + 1,
        };
        let mut waiting = Queue::new(turns, self.amount);
        let (_, bytes) = waiting.left();
        self.progress.all_bytes.store(bytes, Ordering::Relaxed);

        let deadline = self.within.map(|within| Instant::now() + within);
        let mut notes = Notes::new(round);
        let mut reading = JoinSet::new();
        let mut under_way = HashMap::new();
        let mut stopped = false;
        loop {
            stopped |= deadline.is_some_and(|deadline| Instant::now() >= deadline);
            while !stopped
                && reading.len() < AT_ONCE
                && let Some(object) = waiting.next()
            {
                let of = (object.name.clone(), object.length);
                under_way.insert(reading.spawn(self.read(object)).id(), of);
            }
            let ended = tokio::select! {
                ended = reading.join_next_with_id() => ended,
                () = stop.as_mut(), if !stopped => {
                    stopped = true;
                    reading.abort_all();
                    continue;
                }
                // What is large and slow keeps nothing else from being written down.
                () = tokio::time::sleep_until(notes.due()), if notes.has_some() => {
                    notes.write(self, None).await;
                    continue;
                }
            };
            let (object, condition) = match ended {
                None => break,
                Some(Ok((_, read))) => read,
                Some(Err(ended)) => {
                    if let Some((object, length)) = under_way.remove(&ended.id()) {
                        verdict.not_read(object, length, ended.is_cancelled());
                    }
                    continue;
                }
            };
            match &condition {
                Ok(_) => waiting.has_answered(),
                Err(_) => {
                    let said = self.catalogue.read_back();
                    let mut open = said.open_of(&object.name, object.blake3);
                    waiting.is_silent(object.length, open.next().is_some());
                    let (_, left) = waiting.left();
                    let bytes = self.progress.bytes.load(Ordering::Relaxed);
                    self.progress
                        .all_bytes
                        .fetch_max(bytes.saturating_add(left), Ordering::Relaxed);
                }
            }
            self.take(object, condition, &by_hash, &mut notes, &mut verdict)
                .await;
            notes.write(self, None).await;
        }
        let (objects, bytes) = waiting.left();
        verdict.left = (verdict.left.0 + objects, verdict.left.1 + bytes);
        notes.write(self, Some(verdict.left.0 == 0)).await;
        verdict.not_written = notes.failed;
        Ok(verdict)
    }

    /// What a verification of late has read that has not ended: it was broken off, or still
    /// goes on. None where it has read nothing.
    ///
    /// # Errors
    /// Never in practice: ids are plain names.
    pub fn unended(&self) -> Result<Option<ReadBefore>, RepositoryError> {
        let needed = self.catalogue.needed()?;
        Ok(self.unended_of(&turns(self.catalogue, needed)))
    }

    fn unended_of(&self, turns: &[Turn]) -> Option<ReadBefore> {
        let (round, last) = self.catalogue.read_back().unended_round()?;
        let now = self.catalogue.newest_instant().max(self.clock.now());
        if now.duration_since(last).unsigned_abs() >= GONE_ON_WITH {
            return None;
        }
        let mut before: Option<ReadBefore> = None;
        for turn in turns {
            let Some(written) = self.is_read_in(round, turn) else {
                continue;
            };
            let before = before.get_or_insert(ReadBefore {
                objects: 0,
                bytes: 0,
                since: written,
                until: written,
                round,
            });
            before.objects += 1;
            before.bytes += turn.object.length;
            before.since = before.since.min(written);
            before.until = before.until.max(written);
        }
        before
    }

    /// When it was written down that an object was read in a round, and was whole; none
    /// where something was said since that puts it in doubt.
    fn is_read_in(&self, round: u64, turn: &Turn) -> Option<Timestamp> {
        let said = self.catalogue.read_back();
        let (name, hash) = (&turn.object.name, turn.object.blake3);
        let whole = said.whole(name, hash)?;
        // What a record that cannot be read may have said anew is read again.
        let is_sure = whole.round == round && !turn.is_hurt && said.is_told_since(name, hash);
        is_sure.then_some(whole.written)
    }

    fn read(
        &self,
        object: Needed,
    ) -> impl Future<Output = (Needed, Result<Condition, RepositoryError>)> + Send + 'static {
        let repository = self.repository.clone();
        let (pace, progress) = (self.pace.cloned(), Arc::clone(self.progress));
        async move {
            let read = repository.read_back(&object, |bytes| {
                let pace = pace.clone();
                progress.bytes.fetch_add(bytes, Ordering::Relaxed);
                async move {
                    if let Some(pace) = pace {
                        pace.take(usize::try_from(bytes).unwrap_or(usize::MAX))
                            .await;
                    }
                }
            });
            let read = read.await;
            progress.objects.fetch_add(1, Ordering::Relaxed);
            (object, read)
        }
    }

    /// Takes down what came of one object.
    async fn take(
        &self,
        object: Needed,
        condition: Result<Condition, RepositoryError>,
        by_hash: &BTreeMap<Hash, ObjectName>,
        notes: &mut Notes,
        verdict: &mut Verified,
    ) {
        let said = self.catalogue.read_back();
        let open: Vec<FindingId> = said
            .open_of(&object.name, object.blake3)
            .map(|(id, _)| id.clone())
            .collect();
        let (problem, found, hash) = match condition {
            Ok(Condition::Whole) => {
                if !open.is_empty() {
                    verdict.mended.push(object.name.clone());
                }
                notes.mended(open);
                notes.whole(&object);
                verdict.read.0 += 1;
                verdict.read.1 += object.length;
                return;
            }
            Ok(Condition::Hurt {
                problem,
                found,
                hash,
            }) => (problem, found, hash),
            Err(error) => {
                let object = object.name;
                verdict.unread.push(Unread { object, error });
                return;
            }
        };
        match self.was_deleted(&object).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                let object = object.name;
                verdict.unread.push(Unread { object, error });
                return;
            }
        }
        verdict.read.0 += 1;
        verdict.read.1 += object.length;
        let instead = hash.and_then(|hash| by_hash.get(&hash)).cloned();
        let finding = Finding {
            problem: match instead {
                Some(_) => Problem::Foreign,
                None => problem,
            },
            object: object.name,
            blake3: object.blake3,
            length: object.length,
            found,
        };
        let was_known = !open.is_empty();
        // Also where it was known: somebody may have found it whole since.
        notes.hurt(finding.clone(), open);
        verdict.hurt.push(Found {
            finding,
            instead,
            was_known,
        });
    }

    /// Whether all backups that needed the object were deleted meanwhile.
    async fn was_deleted(&self, object: &Needed) -> Result<bool, RepositoryError> {
        for id in &object.by {
            let cluster = &self.catalogue.cluster;
            if !self.repository.is_gone(cluster, id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whose bytes have which hash.
fn by_hash(needed: &[Needed]) -> BTreeMap<Hash, ObjectName> {
    let all = needed.iter();
    all.map(|object| (object.blake3, object.name.clone()))
        .collect()
}

fn sum(objects: &[Needed]) -> (usize, u64) {
    (
        objects.len(),
        objects.iter().map(|object| object.length).sum(),
    )
}
