//! Every storage call of a prune is made to fail, in turn and in every way: the next
//! prune finishes, and nothing that is good is hurt.

use std::collections::BTreeSet;
use std::io;

use pgkeep_format::records::BackupRecord;
use pgkeep_testkit::Failure;

use super::{DAY, dump, names, prune};
use crate::world::{World, content, limits};

/// A world with a bit of everything: a backup that others refer to, one to delete, what
/// a failed and a killed one left.
struct Scene {
    world: World,
    content: Vec<u8>,
    doomed: BackupRecord,
    stays: BackupRecord,
}

async fn scene() -> Scene {
    let world = World::unencrypted().await;
    let bytes = content(300_000, 1);
    let doomed = world.back_up(&bytes).await.unwrap();
    let stays = world.back_up_on(&doomed, &bytes).await.unwrap();
    let repository = world.open().await.unwrap();
    let access = repository.write_access(&world.host).unwrap();
    let killed = repository.begin(&access, world.plan(None)).await.unwrap();
    let pack = format!("main/backups/{}/packs/0", killed.planned()[0].id);
    let half = bytes::Bytes::from_static(b"half");
    world.memory.replace(&pack.parse().unwrap(), Some(half));
    let begun = pack.replace("packs/0", "packs/1");
    world.memory.leave_unfinished(&begun.parse().unwrap());
    drop(killed);
    world.storage_clock.advance(DAY * 2);
    // One that fails because it is taken for dead.
    let late = repository.begin(&access, world.plan(None)).await.unwrap();
    world.storage_clock.advance(DAY * 2);
    let dead = format!("main/runs/{}/dead", late.id());
    let any = bytes::Bytes::from_static(b"dead");
    world.memory.replace(&dead.parse().unwrap(), Some(any));
    let late = world.back_up_in_run(late, &dump(b"x"), limits()).await;
    late.unwrap_err();
    Scene {
        world,
        content: bytes,
        doomed,
        stays,
    }
}

/// What stands for an object whose id differs from scene to scene.
fn kinds(names: &BTreeSet<String>) -> Vec<String> {
    let kind = |name: &String| {
        let parts = name.split('/');
        let plain = parts.map(|part| if part.len() == 25 { "*" } else { part });
        plain.collect::<Vec<_>>().join("/")
    };
    let mut kinds: Vec<String> = names.iter().map(kind).collect();
    kinds.sort();
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_that_fails_anywhere_is_finished_by_the_next_one() {
    let undisturbed = scene().await;
    undisturbed.world.memory.heal();
    prune(&undisturbed.world, &[&undisturbed.doomed.id])
        .await
        .unwrap();
    let calls = undisturbed.world.memory.calls().len();
    assert!(calls > 60, "{calls} calls are too few to prove anything");
    let expected = kinds(&names(&undisturbed.world));

    for call in 0..calls {
        for takes_effect in [false, true] {
            let Scene {
                world,
                content,
                doomed,
                stays,
            } = scene().await;
            world.memory.fail(Failure {
                call,
                takes_effect,
                error: io::ErrorKind::ConnectionReset,
            });
            let first = prune(&world, &[&doomed.id]).await;
            world.memory.heal();
            let good: Vec<_> = world.catalogue().await.complete().cloned().collect();
            assert!(good.contains(&stays), "call {call}: {first:?}");
            if good.contains(&doomed) {
                assert!(world.read_back(&doomed).await.unwrap() == content);
            }
            prune(&world, &[&doomed.id]).await.unwrap();
            assert!(world.read_back(&stays).await.unwrap() == content);
            // Nothing is left of the failed one either.
            assert_eq!(kinds(&names(&world)), expected, "call {call}: {first:?}");
            assert!(world.memory.unfinished_objects().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_whose_storage_goes_away_is_finished_by_the_next_one() {
    let undisturbed = scene().await;
    undisturbed.world.memory.heal();
    prune(&undisturbed.world, &[&undisturbed.doomed.id])
        .await
        .unwrap();
    let calls = undisturbed.world.memory.calls().len();
    let expected = kinds(&names(&undisturbed.world));
    for call in 0..calls {
        let Scene {
            world,
            content,
            doomed,
            stays,
        } = scene().await;
        world.memory.gone_from(call);
        let _ = prune(&world, &[&doomed.id]).await;
        world.memory.heal();
        assert!(world.read_back(&stays).await.unwrap() == content);
        prune(&world, &[&doomed.id]).await.unwrap();
        assert!(world.read_back(&stays).await.unwrap() == content);
        assert_eq!(kinds(&names(&world)), expected, "call {call}");
        assert!(world.memory.unfinished_objects().is_empty());
    }
}
