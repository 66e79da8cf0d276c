//! Every storage call of a backup is made to fail, in turn and in every way.

use std::io;

use pgkeep_format::records::BackupKind;
use pgkeep_repository::Entry;
use pgkeep_storage::Operation;
use pgkeep_testkit::Failure;

use crate::world::{World, content};

/// How many calls a backup of this content makes.
async fn calls_of_a_backup(bytes: &[u8]) -> usize {
    let world = World::sealed().await;
    world.memory.heal();
    world.back_up(bytes).await.unwrap();
    world.memory.calls().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_with_a_parent_survives_no_failed_call_unnoticed() {
    let before = content(2_500_000, 15);
    let after = [&before[..2_000_000], &content(300_000, 16)].concat();
    let world = World::sealed().await;
    let parent = world.back_up(&before).await.unwrap();
    world.memory.heal();
    world.back_up_on(&parent, &after).await.unwrap();
    let calls = world.memory.calls().len();
    for call in 0..calls {
        for takes_effect in [false, true] {
            world.memory.fail(Failure {
                call,
                takes_effect,
                error: io::ErrorKind::ConnectionReset,
            });
            let made = world.back_up_on(&parent, &after).await;
            let failed_call = world.memory.calls().get(call).cloned();
            world.memory.heal();
            match made {
                // An answer that was lost and asked for again, or a parent that was
                // done without.
                Ok(record) => assert!(world.read_back(&record).await.unwrap() == after),
                Err(failure) => {
                    let (_, object) = failed_call.expect("a call failed");
                    assert!(failure.to_string().contains(&object), "{failure}");
                }
            }
            assert!(world.read_back(&parent).await.unwrap() == before);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_survives_no_failed_call_unnoticed() {
    let bytes = content(2_500_000, 5);
    let calls = calls_of_a_backup(&bytes).await;
    assert!(calls > 20, "{calls} calls are too few to prove anything");
    for call in 0..calls {
        for takes_effect in [false, true] {
            for error in [io::ErrorKind::StorageFull, io::ErrorKind::ConnectionReset] {
                let world = World::sealed().await;
                world.memory.fail(Failure {
                    call,
                    takes_effect,
                    error,
                });
                let made = world.back_up(&bytes).await;
                let failed_call = world.memory.calls().get(call).cloned();
                world.memory.heal();

                let catalogue = world.catalogue().await;
                let good: Vec<_> = catalogue.complete().cloned().collect();
                match made {
                    // An answer that was lost and asked for again.
                    Ok(record) => {
                        assert_eq!(good, std::slice::from_ref(&record));
                        assert!(world.read_back(&record).await.unwrap() == bytes);
                    }
                    Err(failure) => {
                        // The run's own outcome comes after the commit; before
                        // it, nothing good may be listed.
                        let after_commit = failed_call
                            .as_ref()
                            .is_some_and(|(_, object)| object.ends_with("/outcome"));
                        assert!(
                            good.is_empty() || after_commit,
                            "{failed_call:?}: {failure}"
                        );
                        let (_, object) = failed_call.expect("a call failed");
                        assert!(failure.to_string().contains(&object), "{failure}");
                    }
                }

                let next = world.back_up(&bytes).await.expect("the next backup works");
                assert!(world.read_back(&next).await.unwrap() == bytes);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_goes_away_leaves_a_whole_backup_or_none() {
    let bytes = content(2_500_000, 6);
    let calls = calls_of_a_backup(&bytes).await;
    for call in 0..calls - 1 {
        let world = World::sealed().await;
        world.memory.gone_from(call);
        world.back_up(&bytes).await.unwrap_err();
        let committed = world.memory.calls()[..call].iter().any(is_commit);
        world.memory.heal();
        let catalogue = world.catalogue().await;
        if committed {
            // Nobody could say so, but it is there.
            let record = catalogue.complete().next().unwrap();
            assert!(world.read_back(record).await.unwrap() == bytes);
            let access = world
                .open()
                .await
                .unwrap()
                .write_access(&world.host)
                .unwrap();
            let chosen = catalogue.parent(
                &access,
                BackupKind::Dump,
                "app",
                None,
                &std::collections::BTreeSet::new(),
            );
            assert!(chosen.backup.is_none());
            continue;
        }
        assert_eq!(catalogue.complete().count(), 0, "call {call}");
        for entry in &catalogue.entries {
            assert!(matches!(entry, Entry::Attempt(attempt) if attempt.outcome.is_none()));
        }
    }
}

fn is_commit((operation, object): &(Operation, String)) -> bool {
    *operation == Operation::Put && object.ends_with("/backup")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_survives_no_failed_call_unnoticed() {
    let bytes = content(2_500_000, 8);
    let world = World::sealed().await;
    let record = world.back_up(&bytes).await.unwrap();
    world.memory.heal();
    world.read_back(&record).await.unwrap();
    let calls = world.memory.calls();
    assert!(
        calls
            .iter()
            .filter(|(operation, _)| *operation == Operation::Get)
            .count()
            > 3
    );
    for call in 0..calls.len() {
        world.memory.fail(Failure {
            call,
            takes_effect: false,
            error: io::ErrorKind::ConnectionReset,
        });
        let read = world.read_back(&record).await;
        // Several are on their way at once, in any order.
        let (_, object) = &world.memory.calls()[call];
        match read {
            // One key record is enough to open; the host's own is needed to believe.
            // What is fetched ahead is asked for again when it is wanted.
            Ok(read) => {
                let spare = object.starts_with("keys/") || object.contains("/index/");
                assert!(spare && read == bytes, "{object}");
            }
            Err(error) => {
                let told = error.to_string().contains(object);
                assert!(told || object.starts_with("keys/"), "{error}: {object}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_a_commit() {
    let bytes = content(1000, 9);
    let world = World::sealed().await;
    world.memory.heal();
    world.back_up(&bytes).await.unwrap();
    let call = world.memory.calls().iter().position(is_commit).unwrap();
    world.memory.fail(Failure {
        call,
        takes_effect: true,
        error: io::ErrorKind::TimedOut,
    });
    let record = world.back_up(&bytes).await.unwrap();
    assert!(world.read_back(&record).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backup_record_is_written_after_all_that_it_cites() {
    let world = World::sealed().await;
    world.memory.heal();
    world.back_up(&content(2_500_000, 4)).await.unwrap();
    let written: Vec<String> = world
        .memory
        .calls()
        .into_iter()
        .filter(|(operation, _)| matches!(operation, Operation::Put | Operation::Upload))
        .map(|(_, object)| object)
        .collect();
    let first = |end: &str| written.iter().position(|o| o.ends_with(end)).unwrap();
    let last_pack = written.iter().rposition(|o| o.contains("/packs/")).unwrap();
    assert_eq!(first("/begin"), 0);
    assert!(last_pack < first("/manifest"));
    assert!(first("/manifest") < first("/facts"));
    assert!(first("/facts") < first("/backup"));
    assert_eq!(first("/outcome"), written.len() - 1);
}
