//! Real writers, pruners and readers on one storage, under an order of calls that a
//! seed decides; some are killed, some are taken for dead.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use pgkeep_format::Identities;
use pgkeep_format::names::{self, Place};
use pgkeep_format::records::{BackupKind, BackupRecord};
use pgkeep_repository::{Limits, Repository, RepositoryError};
use pgkeep_testkit::{SeededRandom, soak};
use pgkeep_types::BackupId;

use super::gate::Gate;
use super::{DAY, dump, prune, prune_in, terms};
use crate::world::{World, content, limits, main};

const WRITERS: usize = 2;
const PRUNERS: usize = 2;
/// The last of all.
const READER: usize = WRITERS + PRUNERS;

/// What everybody does and what came of it.
struct Play {
    world: World,
    gate: Arc<Gate>,
    seed: u64,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// What was written, whether it became a backup or not.
    contents: BTreeMap<BackupId, Vec<u8>>,
    good: BTreeMap<BackupId, BackupRecord>,
    chosen: BTreeSet<BackupId>,
    /// Backups that could not be read, and why.
    unread: Vec<(BackupId, RepositoryError)>,
    read: usize,
}

impl Play {
    async fn repository(&self, actor: usize) -> Result<Repository, RepositoryError> {
        let pins = std::slice::from_ref(&self.world.trust);
        Repository::open(self.gate.storage(actor), pins).await
    }

    fn random(&self, actor: usize) -> SeededRandom {
        SeededRandom::new(self.seed.wrapping_mul(31).wrapping_add(actor as u64))
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// Backs up twice, on the newest good backup that is there.
    async fn write(&self, actor: usize) -> Result<(), RepositoryError> {
        let random = self.random(actor);
        for _ in 0..2 {
            let repository = self.repository(actor).await?;
            let access = repository.write_access(&self.world.host)?;
            let catalogue = repository
                .catalogue(&main(), &Identities::default())
                .await?;
            let parent = catalogue
                .parent(&access, BackupKind::Dump, "app", None, &BTreeSet::new())
                .backup;
            let plan = self.world.plan(parent);
            let id = plan.backups[0].id.clone();
            // Much that is the same, and something new.
            let bytes = [content(150_000, 1), content(20_000, random.next())].concat();
            self.told().contents.insert(id.clone(), bytes.clone());
            let run = repository.begin(&access, plan).await?;
            let small = Limits {
                workers: NonZeroUsize::MIN,
                pack: 60_000,
                ..limits()
            };
            // A backup that fails keeps nobody from the next one.
            if let Ok(record) = self.world.back_up_in_run(run, &dump(&bytes), small).await {
                self.told().good.insert(id, record);
            }
        }
        Ok(())
    }

    /// Prunes twice; may choose a backup to go.
    async fn prune(&self, actor: usize) -> Result<(), RepositoryError> {
        let random = self.random(actor);
        for _ in 0..2 {
            let repository = self.repository(actor).await?;
            let catalogue = repository
                .catalogue(&main(), &Identities::default())
                .await?;
            let there: Vec<&BackupId> = catalogue.complete().map(|record| &record.id).collect();
            let drawn = usize::try_from(random.below(there.len() as u64 + 1)).unwrap();
            let chosen: Vec<&BackupId> = there.get(drawn).copied().into_iter().collect();
            self.told()
                .chosen
                .extend(chosen.iter().map(|id| (*id).clone()));
            let now = repository.storage_now(&random).await?;
            // It may be refused, or have looked too often.
            let _ = prune_in(&self.world, &repository, terms(now, &chosen)).await;
        }
        Ok(())
    }

    /// Reads twice what is there.
    async fn read(&self, actor: usize) -> Result<(), RepositoryError> {
        let random = self.random(actor);
        for _ in 0..2 {
            let repository = self.repository(actor).await?;
            let catalogue = repository
                .catalogue(&main(), &Identities::default())
                .await?;
            let there: Vec<&BackupRecord> = catalogue.complete().collect();
            if there.is_empty() {
                continue;
            }
            let drawn = usize::try_from(random.below(there.len() as u64)).unwrap();
            let record = there[drawn].clone();
            match self.read_one(&repository, &record).await {
                Ok(bytes) => {
                    let mut told = self.told();
                    assert!(told.contents[&record.id] == bytes, "{}", record.id);
                    told.read += 1;
                }
                Err(error) => self.told().unread.push((record.id, error)),
            }
        }
        Ok(())
    }

    async fn read_one(
        &self,
        repository: &Repository,
        record: &BackupRecord,
    ) -> Result<Vec<u8>, RepositoryError> {
        let access = repository.read_access(&self.world.identities)?;
        let read = async {
            let backup = repository.open_backup(&access, record).await?;
            let mut reader = backup.read("dump")?;
            let mut bytes = Vec::new();
            while let Some(piece) = reader.next().await? {
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes)
        };
        match read.await {
            Err(error) => Err(repository.explain(record, error).await),
            read => read,
        }
    }

    /// What must be so when everybody has ended.
    async fn check(&self) {
        let told = std::mem::take(&mut *self.told());
        let seed = self.seed;
        let catalogue = self.world.catalogue().await;
        let listed: BTreeSet<&BackupId> = catalogue.complete().map(|r| &r.id).collect();
        for (id, record) in &told.good {
            if told.chosen.contains(id) {
                continue;
            }
            assert!(
                listed.contains(id),
                "seed {seed}: {id} is lost: {catalogue:?}"
            );
            let read = self.world.read_back(record).await.unwrap();
            assert!(read == told.contents[id], "seed {seed}: {id}");
        }
        for (id, error) in &told.unread {
            let explained = matches!(error, RepositoryError::Deleted { .. });
            // Killed while it read, or while it asked why it could not.
            let was_killed = self.gate.was_killed(READER);
            let never_good = !told.good.contains_key(id);
            assert!(
                explained || was_killed || never_good,
                "seed {seed}: {id} could not be read, and nothing says why: {error}"
            );
        }
        for _ in 0..4 {
            self.world.storage_clock.advance(DAY * 100);
            prune(&self.world, &[]).await.unwrap();
        }
        for id in told.good.keys().filter(|id| !told.chosen.contains(*id)) {
            let read = self.world.read_back(&told.good[id]).await.unwrap();
            assert!(read == told.contents[id], "seed {seed}: {id}, after all");
        }
        self.check_no_litter().await;
    }

    /// Everything that is left belongs to a backup, or is needed by one.
    async fn check_no_litter(&self) {
        let catalogue = self.world.catalogue().await;
        let whole: Vec<&BackupRecord> = catalogue.complete().collect();
        let needed: BTreeSet<&BackupId> = whole
            .iter()
            .flat_map(|record| record.needs.iter().map(|need| &need.backup))
            .chain(whole.iter().map(|record| &record.id))
            .collect();
        for name in self.world.memory.names() {
            let stays = match names::place(&name) {
                None => !name.as_str().starts_with("probe-"),
                Some(Place::Alive(..)) => false,
                Some(Place::Backup(_, id, _)) => whole.iter().any(|record| record.id == id),
                Some(Place::Pack(_, id, number)) => whole.iter().any(|record| {
                    let mut needs = record.needs.iter().filter(|need| need.backup == id);
                    needs.any(|need| need.packs.iter().any(|pack| pack.number == number))
                }),
                Some(Place::Index(_, id, number)) => whole.iter().any(|record| {
                    let mut needs = record.needs.iter().filter(|need| need.backup == id);
                    needs.any(|need| need.index.iter().any(|pack| pack.number == number))
                }),
                // Runs are few; that theirs go is a rule of its own.
                Some(Place::Run(..) | Place::Verification(..)) => true,
                Some(Place::Proof(_, id, _)) => whole.iter().any(|record| record.id == id),
                Some(Place::Pin(_, id, _) | Place::Lift(_, id, _)) => {
                    whole.iter().any(|record| record.id == id)
                }
                Some(Place::Tombstone(_, id) | Place::SecondTombstone(_, id)) => {
                    needed.contains(&id) || self.is_named(&id)
                }
            };
            assert!(stays, "seed {}: {name} stays for ever", self.seed);
        }
    }
}

impl Play {
    /// Whether the record of a run names the backup.
    fn is_named(&self, id: &BackupId) -> bool {
        let memory = &self.world.memory;
        let runs = memory.names().into_iter();
        let mut runs = runs.filter(|name| name.as_str().contains("/runs/"));
        let id = id.as_str().as_bytes();
        runs.any(|name| {
            memory
                .object(&name)
                .windows(id.len())
                .any(|part| part == id)
        })
    }
}

/// Plays one order of calls.
async fn play(seed: u64) -> usize {
    let random = SeededRandom::new(seed);
    let world = World::unencrypted().await;
    let first = content(170_000, 1);
    let record = world.back_up(&first).await.unwrap();
    let gate = Gate::new(world.memory.clone(), random.below(2) == 0);
    let mut told = Told::default();
    told.contents.insert(record.id.clone(), first);
    told.good.insert(record.id.clone(), record);
    let play = Arc::new(Play {
        world,
        gate: Arc::clone(&gate),
        seed,
        told: Mutex::new(told),
    });
    let all = READER + 1;
    let mut actors = Vec::new();
    for actor in 0..all {
        gate.expect(actor);
        let play = Arc::clone(&play);
        actors.push(tokio::spawn(async move {
            // What fails is looked at when all have ended.
            let _ = match actor {
                0..WRITERS => play.write(actor).await,
                WRITERS..READER => play.prune(actor).await,
                _ => play.read(actor).await,
            };
        }));
    }
    let mut calls = 0;
    gate.run(actors, &random, |gate| {
        calls += 1;
        if random.below(80) == 0 {
            // Everybody who shows no sign of life now seems dead.
            play.world.storage_clock.advance(DAY * 2);
        }
        if random.below(400) == 0 {
            gate.kill(usize::try_from(random.below(all as u64)).unwrap());
        }
    })
    .await;
    play.check().await;
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_no_order_of_calls_loses_anything_of_a_good_backup() {
    for seed in soak::rounds("orders of calls") {
        let mut calls = 0;
        for more in 0..200 {
            calls += play(seed.wrapping_add(more << 32)).await;
        }
        assert!(calls > 50_000, "only {calls} calls");
    }
}
