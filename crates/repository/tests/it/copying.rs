//! Copies of one backup by several hosts at the same time.

use std::future::ready;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use pgkeep_format::names::BackupPart;
use pgkeep_format::records::Outcome;
use pgkeep_repository::{Repository, RunPlan};
use pgkeep_storage::Operation;
use pgkeep_testkit::{Call, Hook, Hooked, MemoryStorage, SeededRandom, soak};
use pgkeep_types::{Clock, ObjectName, RunId};

use crate::deletion::gate::Gate;
use crate::deletion::prune;
use crate::family::Family;
use crate::overwriting::Overwriting;
use crate::owner::retire;

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_that_another_host_has_copied_the_backup_meanwhile_leaves_it_as_it_is() {
    let family = Family::new().await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    let first = &family.target.host;
    family.copy(&repository, first, &plan).await.unwrap();
    let error = family.copy(&repository, &family.second, &plan).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("has copied it, or is at it"), "{error}");
    family.check_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_with_what_another_host_has_signed() {
    let family = Family::new().await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    // Its record is lost, and what it cites is there.
    let first = &family.target.host;
    family.copy(&repository, first, &plan).await.unwrap();
    let record = family.part(BackupPart::Backup);
    family.target.memory.replace(&record, None);
    let manifest = family.part(BackupPart::Manifest);
    let before = family.target.memory.object(&manifest);
    family
        .copy(&repository, &family.second, &plan)
        .await
        .unwrap();
    assert_eq!(family.target.memory.object(&manifest), before);
    family.check_good().await;
    // It stays so when the one that has signed it goes.
    let fingerprint = family.target.host.fingerprint();
    retire(&family.target, &fingerprint).await.unwrap();
    family.check_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_no_use_is_replaced_but_not_while_another_run_is_at_it() {
    let family = Family::new().await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    let manifest = family.part(BackupPart::Manifest);
    let litter = Bytes::from_static(b"litter");
    family.target.memory.replace(&manifest, Some(litter));
    let from = family.source.open().await.unwrap();
    let access = repository.write_access(&family.second).unwrap();
    let run = RunPlan {
        id: RunId::new(&family.target.clock, &family.target.random),
        ..family.target.plan(None)
    };
    let begun = repository.begin_copy(&access, &from, run, &plan).await;
    let begun = begun.unwrap();
    let host = &family.target.host;
    let error = family.copy(&repository, host, &plan).await.unwrap_err();
    let told = "of host db2 copies it too, and has not ended";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(&family.target.memory.object(&manifest)[..], b"litter");
    let ended = begun.finish(family.target.clock.now()).await.unwrap();
    assert_eq!(ended, Outcome::Failed);
    family.copy(&repository, host, &plan).await.unwrap();
    family.check_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_put_anew_but_not_while_another_run_is_at_it() {
    let family = Family::new().await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    let host = &family.target.host;
    family.copy(&repository, host, &plan).await.unwrap();
    let record = family.part(BackupPart::Backup);
    flip(&family.target.memory, &record);
    let damaged = family.target.memory.object(&record);
    let plan = family.plan(&repository).await.unwrap();
    let from = family.source.open().await.unwrap();
    let access = repository.write_access(&family.second).unwrap();
    let run = RunPlan {
        id: RunId::new(&family.target.clock, &family.target.random),
        ..family.target.plan(None)
    };
    let begun = repository.begin_copy(&access, &from, run, &plan).await;
    let begun = begun.unwrap();
    let error = family.copy(&repository, host, &plan).await.unwrap_err();
    let told = "of host db2 copies it too, and has not ended";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(family.target.memory.object(&record), damaged);
    begun.finish(family.target.clock.now()).await.unwrap();
    family.copy(&repository, host, &plan).await.unwrap();
    family.check_good().await;
}

/// A storage that, once told to, does not keep what is put into packs.
struct Garbling {
    memory: MemoryStorage,
    garbles: Arc<AtomicBool>,
}

#[async_trait]
impl Hook for Garbling {
    async fn after(&self, call: Call<'_>) {
        let is_pack = call.object.contains("/packs/");
        if call.operation == Operation::Put && is_pack && self.garbles.load(Ordering::Relaxed) {
            flip(&self.memory, &call.object.parse().unwrap());
        }
    }
}

fn flip(memory: &MemoryStorage, name: &ObjectName) {
    let mut bytes = memory.object(name).to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    memory.replace(name, Some(bytes.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_mended_was_read_back() {
    let garbles = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&garbles);
    let family = Family::on(|memory| {
        let garbling = Garbling {
            memory: memory.clone(),
            garbles: hook,
        };
        Arc::new(Hooked::new(memory, garbling))
    });
    let family = family.await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    let host = &family.target.host;
    family.copy(&repository, host, &plan).await.unwrap();
    let catalogue = family.target.catalogue().await;
    let needed = catalogue.needed().unwrap().into_iter();
    let mut packs = needed.filter(|object| object.name.as_str().contains("/packs/"));
    let pack = packs.next().unwrap();
    flip(&family.target.memory, &pack.name);
    let access = repository.write_access(host).unwrap();
    let from = family.source.open().await.unwrap();
    let mend = || repository.mend(&access, &from, &family.record, &pack, |_| ready(()));
    garbles.store(true, Ordering::Relaxed);
    let error = mend().await.unwrap_err().to_string();
    assert!(error.contains("is not what was put"), "{error}");
    garbles.store(false, Ordering::Relaxed);
    mend().await.unwrap();
    family.check_good().await;
}

/// Counts what is deleted of packs.
#[derive(Clone, Default)]
struct DeletedPacks(Arc<AtomicUsize>);

#[async_trait]
impl Hook for DeletedPacks {
    async fn after(&self, call: Call<'_>) {
        if call.operation == Operation::Delete && call.object.contains("/packs/") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_host_has_mended_meanwhile_is_not_deleted() {
    let deleted = DeletedPacks::default();
    let hook = deleted.clone();
    let family = Family::on(|memory| Arc::new(Hooked::new(memory, hook))).await;
    let repository = family.target.open().await.unwrap();
    let plan = family.plan(&repository).await.unwrap();
    let host = &family.target.host;
    family.copy(&repository, host, &plan).await.unwrap();
    let needed = family.target.catalogue().await.needed().unwrap();
    let mut needed = needed.into_iter();
    let pack = needed.find(|object| object.name.as_str().contains("/packs/"));
    let pack = pack.unwrap();
    let whole = family.target.memory.object(&pack.name);
    flip(&family.target.memory, &pack.name);
    let access = repository.write_access(host).unwrap();
    let from = family.source.open().await.unwrap();
    // Its own object was read, and found hurt; the other's is read next.
    let reads = AtomicUsize::new(0);
    let pace = |_| {
        if reads.fetch_add(1, Ordering::Relaxed) == 1 {
            let whole = Some(whole.clone());
            family.target.memory.replace(&pack.name, whole);
        }
        ready(())
    };
    let mended = repository.mend(&access, &from, &family.record, &pack, pace);
    mended.await.unwrap();
    assert_eq!(deleted.0.load(Ordering::Relaxed), 0);
    family.check_good().await;
}

/// Two hosts copy the same backup in one order of calls; one of them may be killed.
async fn play(seed: u64) -> usize {
    let random = SeededRandom::new(seed);
    let overwrites = random.below(3) == 0;
    let family = Family::on(|memory| match overwrites {
        true => Overwriting::over(memory),
        false => Arc::new(memory.clone()),
    });
    let family = Arc::new(family.await);
    if random.below(2) == 0 {
        let litter = Bytes::from_static(b"litter");
        let manifest = family.part(BackupPart::Manifest);
        family.target.memory.replace(&manifest, Some(litter));
    }
    // A pruner stops at it, and takes nobody for dead: so nobody is killed then.
    let is_damaged = random.below(3) == 0;
    if is_damaged {
        let litter = Bytes::from_static(b"litter");
        let record = family.part(BackupPart::Backup);
        family.target.memory.replace(&record, Some(litter));
    }
    let gate = Gate::new(family.target.memory.clone(), overwrites);
    let good = Arc::new(Mutex::new(false));
    let mut actors = Vec::new();
    for actor in 0..2 {
        gate.expect(actor);
        let (family, gate, good) = (Arc::clone(&family), Arc::clone(&gate), Arc::clone(&good));
        actors.push(tokio::spawn(async move {
            let host = match actor {
                0 => &family.target.host,
                _ => &family.second,
            };
            for _ in 0..2 {
                let copied = async {
                    let pins = std::slice::from_ref(&family.target.trust);
                    let target = Repository::open(gate.storage(actor), pins).await?;
                    let plan = family.plan(&target).await?;
                    family.copy(&target, host, &plan).await
                };
                if copied.await.is_ok_and(|copied| !copied.is_empty()) {
                    *good.lock().unwrap() = true;
                }
            }
        }));
    }
    let mut calls = 0;
    gate.run(actors, &random, |gate| {
        calls += 1;
        if random.below(300) == 0 && !is_damaged {
            gate.kill(usize::try_from(random.below(2)).unwrap());
        }
    })
    .await;
    if *good.lock().unwrap() {
        family.check_good().await;
    }
    // Whoever was cut off is taken for dead, and the next copy goes on.
    let day = jiff::SignedDuration::from_hours(24);
    family.target.storage_clock.advance(day * 2);
    if !is_damaged {
        // Where nobody has begun, what was there before is nobody's, and the pruner says so.
        let pruned = prune(&family.target, &[]).await.map(drop);
        let told = format!("{pruned:?}");
        assert!(pruned.is_ok() || told.contains("Unaccounted"), "{told}");
    }
    let target = family.target.open().await.unwrap();
    let plan = family.plan(&target).await.unwrap();
    let host = &family.target.host;
    let copied = family.copy(&target, host, &plan).await;
    assert!(copied.is_ok(), "seed {seed}: {copied:?}");
    family.check_good().await;
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_no_order_of_calls_of_two_who_copy_hurts_a_backup_that_one_was_told_is_good() {
    for seed in soak::rounds("two copies of one backup") {
        let mut calls = 0;
        for more in 0..100 {
            calls += play(seed.wrapping_add(more << 32)).await;
        }
        assert!(calls > 2000, "only {calls} calls");
    }
}
