//! Two that make a repository in one place at once.

use std::sync::{Arc, Mutex};

use pgkeep_format::names::{self, KeyObject, key_object};
use pgkeep_format::{HostKey, RecoveryIdentity};
use pgkeep_repository::{NewRepository, Repository, RepositoryError};
use pgkeep_storage::Storage;
use pgkeep_testkit::{MemoryStorage, ScriptedClock, SeededRandom};

use crate::deletion::gate::Gate;
use crate::interleaved::Other;

/// A host that has made a repository, and knows it; or why there is none.
type Made = Result<HostKey, RepositoryError>;

/// Makes one for a host of its own.
async fn make(storage: &dyn Storage, host: u8, sealed: bool) -> Made {
    let mut key = HostKey::generate(format!("db{host}"), &[host; 32]);
    let recovery = [RecoveryIdentity::generate().recipient()];
    let recovery = match sealed {
        true => recovery.as_slice(),
        false => &[],
    };
    let random = SeededRandom::new(u64::from(host));
    let clock = ScriptedClock::at("2026-11-20T03:00:00Z");
    let guest = key.clone();
    let new = NewRepository::draw(recovery, &guest, &random);
    new.create(storage, &clock, &random).await?;
    key.pin(new.trust());
    Ok(key)
}

/// Holds what two were told against what there is, and tells how many made one.
async fn check(memory: &MemoryStorage, made: [Made; 2], order: &str) -> usize {
    let mut winners = 0;
    for made in made {
        match made {
            Ok(host) => {
                winners += 1;
                check_usable(memory, &host, order).await;
            }
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                let is_told = match &error {
                    RepositoryError::Exists { .. } => true,
                    _ => hint.contains("making a repository here"),
                };
                assert!(is_told, "{order}: {error}; {hint}");
            }
        }
    }
    assert!(winners < 2, "{order}");
    if winners == 0 {
        assert_eq!(memory.names(), [], "{order}");
    }
    winners
}

/// The host writes there, and no key is taken away unseen.
async fn check_usable(memory: &MemoryStorage, host: &HostKey, order: &str) {
    let open = async |memory: MemoryStorage| {
        let storage: Arc<dyn Storage> = Arc::new(memory);
        Repository::open(storage, &host.trust).await.unwrap()
    };
    let repository = open(memory.copy()).await;
    let access = repository.write_access(host).err();
    assert!(access.is_none(), "{order}: {}", access.unwrap());
    for name in memory.names() {
        if let Some(KeyObject::Record(_)) = key_object(&name) {
            let without = memory.copy();
            without.replace(&name, None);
            let told = open(without).await.unreadable_keys().join(" ");
            assert!(told.contains(name.as_str()), "{order}: {name}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_creation_and_another_within_it_one_makes_the_repository_wherever_they_meet() {
    for sealed in [true, false] {
        for at in 0.. {
            let memory = MemoryStorage::new();
            let second = Arc::new(Mutex::new(None));
            let (told, within) = (Arc::clone(&second), memory.clone());
            let storage = Other::interleaved(&memory, at, async move {
                let made = make(&within, 2, sealed).await;
                *told.lock().unwrap() = Some(made);
            });
            let first = make(&storage, 1, sealed).await;
            if !storage.hook.was_reached() {
                assert!(at > 20, "{at}");
                break;
            }
            let second = second.lock().unwrap().take().unwrap();
            let made = check(&memory, [first, second], &format!("call {at}")).await;
            assert_eq!(made, 1, "call {at}");
        }
    }
}

#[tokio::test]
async fn in_no_order_of_calls_does_one_creation_spoil_what_another_was_told_is_made() {
    let (mut one, mut none) = (0, 0);
    for seed in 0..400 {
        let random = SeededRandom::new(seed);
        let (overwrites, sealed) = (random.below(2) == 0, random.below(4) == 0);
        let memory = MemoryStorage::new();
        let gate = Gate::new(memory.clone(), overwrites);
        let told = Arc::new(Mutex::new([None, None]));
        let actors = [0, 1].map(|actor| {
            gate.expect(actor);
            let (storage, told) = (gate.storage(actor), Arc::clone(&told));
            tokio::spawn(async move {
                let host = u8::try_from(actor).unwrap() + 1;
                let made = make(storage.as_ref(), host, sealed).await;
                told.lock().unwrap()[actor] = Some(made);
            })
        });
        gate.run(actors.into(), &random, |_| {}).await;
        let made = std::mem::take(&mut *told.lock().unwrap());
        let made = made.map(|made| made.unwrap());
        match check(&memory, made, &format!("seed {seed}")).await {
            0 => none += 1,
            _ => one += 1,
        }
    }
    assert!(one > 200 && none > 0, "{one} and {none} of 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_creation_that_was_killed_anywhere_the_next_one_succeeds_or_says_what_to_remove() {
    let (mut made, mut told) = (0, 0);
    for sealed in [true, false] {
        for call in 0.. {
            let memory = MemoryStorage::new();
            // As if it were killed there: nothing of what it has written is removed again.
            memory.gone_from(call);
            let killed = make(&memory, 1, sealed).await;
            memory.heal();
            if killed.is_ok() {
                assert!(call > 20, "{call}");
                break;
            }
            let left = memory.names();
            match make(&memory, 2, sealed).await {
                Ok(host) => {
                    made += 1;
                    check_usable(&memory, &host, &format!("call {call}")).await;
                    continue;
                }
                // Its answer alone was lost: there is a repository.
                Err(RepositoryError::Exists { .. }) => continue,
                Err(error @ RepositoryError::Remains { .. }) => {
                    told += 1;
                    let words = error.to_string();
                    let keys = left
                        .iter()
                        .filter(|name| name.as_str().starts_with("keys/"));
                    for name in keys {
                        assert!(words.contains(name.as_str()), "call {call}: {words}");
                    }
                    assert!(error.hint().unwrap().contains("remove these objects"));
                    let RepositoryError::Remains { objects, .. } = error else {
                        continue;
                    };
                    for object in objects {
                        memory.replace(&object.parse().unwrap(), None);
                    }
                }
                Err(error) => panic!("call {call}: {error}"),
            }
            let host = make(&memory, 3, sealed).await.unwrap();
            check_usable(&memory, &host, &format!("call {call}")).await;
        }
    }
    assert!(made > 20 && told > 4, "{made} and {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_come_while_a_repository_is_made_are_told_and_left() {
    let memory = MemoryStorage::new();
    let (foreign, other) = (names::key("00").unwrap(), memory.clone());
    let name = foreign.clone();
    let storage = Other::interleaved(&memory, 2, async move {
        other.replace(&name, Some("somebody's".into()));
    });
    let error = make(&storage, 1, true).await.unwrap_err();
    assert!(error.to_string().contains(foreign.as_str()), "{error}");
    assert!(error.hint().unwrap().contains("was cut off"), "{error}");
    assert_eq!(memory.names(), [foreign]);
    // The next one is told what to do, too.
    let error = make(&memory, 1, true).await.unwrap_err();
    assert!(
        error.hint().unwrap().contains("remove these objects"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repository_is_made_over_backups_that_have_lost_theirs() {
    let memory = MemoryStorage::new();
    let id = "20261120T030000Z-7k3m9q2x";
    let left = format!("main/backups/{id}/packs/0").parse().unwrap();
    memory.replace(&left, Some("pack".into()));
    let error = make(&memory, 1, true).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Beheaded { .. }), "{error}");
    assert!(error.hint().unwrap().contains("another place"), "{error}");
    assert_eq!(memory.names(), [left]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_more_than_a_page_of_what_is_somebody_elses_is_listed_first() {
    let memory = MemoryStorage::new();
    let id = "20261120T030000Z-7k3m9q2x";
    let left = format!("main/backups/{id}/packs/0").parse().unwrap();
    memory.replace(&left, Some("pack".into()));
    for number in 0..10 {
        for folder in ["a", "z"] {
            let name = format!("{folder}/{number}").parse().unwrap();
            memory.replace(&name, Some("somebody's".into()));
        }
    }
    let error = make(&memory, 1, true).await.unwrap_err();
    assert!(matches!(error, RepositoryError::Beheaded { .. }), "{error}");
}
