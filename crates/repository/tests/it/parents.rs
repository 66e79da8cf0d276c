//! A second backup stores what is new, and is complete in itself.

use bytes::Bytes;
use pgkeep_format::cut::{Cutting, PageSize};
use pgkeep_format::records::BackupRecord;
use pgkeep_repository::{Piece, RepositoryError};
use pgkeep_testkit::SeededRandom;

use crate::world::{World, content};

/// What a backup stored, in bytes: its own packs, manifest and records.
fn stored_by(world: &World, record: &BackupRecord) -> usize {
    let folder = format!("main/backups/{}/", record.id);
    let names = world.memory.names();
    let own = names
        .iter()
        .filter(|name| name.as_str().starts_with(&folder));
    own.map(|name| world.memory.object(name).len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_stored_again() {
    for world in [World::sealed().await, World::unencrypted().await] {
        let bytes = content(12_000_000, 5);
        let first = world.back_up(&bytes).await.unwrap();
        let second = world.back_up_on(&first, &bytes).await.unwrap();
        assert!(world.read_back(&second).await.unwrap() == bytes);
        let (all, new) = (stored_by(&world, &first), stored_by(&world, &second));
        assert!(new * 100 < all, "{new} of {all} bytes");
        assert_eq!(second.parent.as_ref(), Some(&first.id));
        assert_eq!(second.raw_bytes, first.raw_bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insertion_costs_what_lies_around_it() {
    let world = World::sealed().await;
    let bytes = content(12_000_000, 6);
    let first = world.back_up(&bytes).await.unwrap();
    let mut longer = bytes.clone();
    longer.splice(5_000_001..5_000_001, content(10_000, 7));
    let second = world.back_up_on(&first, &longer).await.unwrap();
    assert!(world.read_back(&second).await.unwrap() == longer);
    let (all, new) = (stored_by(&world, &first), stored_by(&world, &second));
    assert!(new * 20 < all, "{new} of {all} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backup_of_a_long_line_reads_back_whole() {
    let world = World::sealed().await;
    let random = SeededRandom::new(8);
    let mut bytes = content(3_000_000, 8);
    let mut line = vec![(world.back_up(&bytes).await.unwrap(), bytes.clone())];
    for round in 0..8 {
        let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
        match round % 3 {
            0 => drop(bytes.splice(at..at, content(50_000, round))),
            1 => bytes.truncate(at.max(1_000_000)),
            _ => bytes[at] ^= 1,
        }
        let parent = &line.last().unwrap().0;
        let record = world.back_up_on(parent, &bytes).await.unwrap();
        line.push((record, bytes.clone()));
    }
    for (record, bytes) in &line {
        assert!(
            world.read_back(record).await.unwrap() == *bytes,
            "{}",
            record.id
        );
    }
    let last = &line.last().unwrap().0;
    assert!(last.needs.len() > 2, "it refers to several ancestors");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_cites_is_all_that_it_needs() {
    let world = World::sealed().await;
    let bytes = content(4_000_000, 9);
    let first = world.back_up(&bytes).await.unwrap();
    let second = world.back_up_on(&first, &bytes[..2_000_000]).await.unwrap();
    let third = world
        .back_up_on(&second, &bytes[..2_500_000])
        .await
        .unwrap();
    let cited: Vec<String> = third
        .needs
        .iter()
        .flat_map(|need| {
            let folder = format!("main/backups/{}", need.backup);
            let packs = need.packs.iter().map(|pack| ("packs", pack.number));
            let index = need.index.iter().map(|pack| ("index", pack.number));
            packs
                .chain(index)
                .map(move |(kind, number)| format!("{folder}/{kind}/{number}"))
        })
        .collect();
    for name in world.memory.names() {
        let pack = name.as_str().contains("/packs/") || name.as_str().contains("/index/");
        let others = !name.as_str().contains(third.id.as_str());
        if (pack && !cited.contains(&name.to_string()))
            || (others && name.as_str().contains("/backups/") && !pack)
        {
            world.memory.replace(&name, None);
        }
    }
    assert!(world.read_back(&third).await.unwrap() == bytes[..2_500_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_whose_index_is_gone_is_told_and_not_needed() {
    let world = World::sealed().await;
    let bytes = content(3_000_000, 10);
    let first = world.back_up(&bytes).await.unwrap();
    let index = format!("main/backups/{}/index/0", first.id)
        .parse()
        .unwrap();
    world.memory.replace(&index, None);
    let second = world.back_up_on(&first, &bytes).await.unwrap();
    assert!(world.read_back(&second).await.unwrap() == bytes);
    let refers = second.needs.iter().any(|need| need.backup == first.id);
    assert!(!refers, "{:?}", second.needs);
}

/// A file of pages; `changed` says which pages differ from the usual ones.
fn relation(pages: u64, seed: u64, changed: impl Fn(u64) -> bool) -> Bytes {
    let page = |at: u64| {
        let seed = seed * 1_000_003 + at + if changed(at) { 1 << 40 } else { 0 };
        content(8192, seed)
    };
    (0..pages).flat_map(page).collect::<Vec<u8>>().into()
}

/// Paths in order, and what is in each.
type Tree = Vec<(String, Cutting, Bytes)>;

fn tree(changed: impl Fn(u64, u64) -> bool) -> Tree {
    let pages = Cutting::Pages(PageSize::USUAL);
    let mut tree: Tree = vec![("PG_VERSION".to_owned(), Cutting::Content, "18\n".into())];
    for file in 0..200_u64 {
        let path = format!("base/1/{:05}", 10_000 + file);
        let bytes = relation(file % 4, file, |page| changed(file, page));
        tree.push((path, pages, bytes));
    }
    for file in 200..204_u64 {
        let path = format!("base/5/{:05}", 10_000 + file);
        let bytes = relation(600, file, |page| changed(file, page));
        tree.push((path, pages, bytes));
        let path = format!("base/5/{:05}_fsm", 10_000 + file);
        tree.push((path, Cutting::Content, content(300, file).into()));
    }
    tree.push((
        "global/pg_control".to_owned(),
        Cutting::Content,
        content(8192, 9).into(),
    ));
    tree.sort_by(|a, b| a.0.cmp(&b.0));
    tree
}

async fn assert_reads_back(world: &World, record: &BackupRecord, tree: &Tree) {
    let repository = world.open().await.unwrap();
    let access = repository.read_access(&world.identities).unwrap();
    let backup = repository.open_backup(&access, record).await.unwrap();
    for (path, _, bytes) in tree.iter().step_by(7) {
        let mut reader = backup.read(path).unwrap();
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await.unwrap() {
            read.extend_from_slice(&piece);
        }
        assert!(read == *bytes, "{path}");
    }
    // All of them in one go, in any order.
    let paths: Vec<String> = tree.iter().rev().map(|(path, ..)| path.clone()).collect();
    let mut reader = backup.read_all(paths).unwrap();
    let mut expected = tree.iter().rev();
    let (mut read, mut open) = (Vec::new(), None);
    while let Some(piece) = reader.next().await.unwrap() {
        match piece {
            Piece::File(path) => {
                open = expected.next();
                assert_eq!(open.map(|(expected, ..)| expected), Some(&path));
            }
            Piece::Bytes(bytes) => read.extend_from_slice(&bytes),
            Piece::End => {
                let (path, _, bytes) = open.unwrap();
                assert!(std::mem::take(&mut read) == *bytes, "{path}");
            }
        }
    }
    assert!(expected.next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_files_is_stored_by_its_pages_and_changes_cost_what_they_are() {
    let world = World::sealed().await;
    let before = tree(|_, _| false);
    let first = world.back_up_tree(&before, None).await.unwrap();
    assert_reads_back(&world, &first, &before).await;

    // Every fourteenth page of the large files: 7 %.
    let after = tree(|file, page| file >= 200 && page % 14 == 3);
    let second = world.back_up_tree(&after, Some(&first)).await.unwrap();
    assert_reads_back(&world, &second, &after).await;
    let (all, new) = (stored_by(&world, &first), stored_by(&world, &second));
    assert!(new * 100 < all * 9, "{new} of {all} bytes");

    let third = world.back_up_tree(&after, Some(&second)).await.unwrap();
    assert_reads_back(&world, &third, &after).await;
    let nothing = stored_by(&world, &third);
    assert!(nothing * 100 < all, "{nothing} of {all} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_go_grow_and_shrink() {
    let world = World::sealed().await;
    let pages = Cutting::Pages(PageSize::USUAL);
    let file =
        |path: &str, pages_of: u64| (path.to_owned(), pages, relation(pages_of, 3, |_| false));
    let trees: [Tree; 4] = [
        vec![file("a", 300), file("b", 2), file("c", 100)],
        vec![file("a", 310), file("c", 90), file("d", 5)],
        vec![file("b", 2), file("c", 90)],
        vec![file("0", 1), file("a", 300), file("b", 2), file("c", 91)],
    ];
    let mut parent: Option<BackupRecord> = None;
    for tree in &trees {
        let record = world.back_up_tree(tree, parent.as_ref()).await.unwrap();
        assert_reads_back(&world, &record, tree).await;
        parent = Some(record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_out_of_order_are_refused() {
    let world = World::sealed().await;
    for paths in [["b", "a"], ["a", "a"]] {
        let tree = paths.map(|path| (path.to_owned(), Cutting::Content, Bytes::from("x")));
        let error = world.back_up_tree(&tree, None).await.unwrap_err();
        assert!(matches!(error, RepositoryError::Order { .. }), "{error}");
    }
}
