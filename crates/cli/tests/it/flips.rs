//! A flipped bit anywhere in the repository is an error that names the object
//! and the offset; never wrong data, never a panic.

use pgkeep_testkit::SeededRandom;
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_keeps_a_restore_from_ending_well() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE t AS SELECT md5(n::text) AS x FROM generate_series(1, 20000) AS n";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let seed = 7;
    let random = SeededRandom::new(seed);
    let repository = site.path("backups");
    let restore = restore(&["--database", "app", "--as", "new"]);
    let databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'new%'";
    for file in site.repository_files() {
        let name = file
            .strip_prefix(&repository)
            .unwrap()
            .display()
            .to_string();
        let whole = std::fs::read(&file).unwrap();
        let flips = if name.contains("/packs/") { 12 } else { 3 };
        for _ in 0..flips {
            let at = usize::try_from(random.below(whole.len() as u64)).unwrap();
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << random.below(8);
            std::fs::write(&file, &flipped).unwrap();
            let ran = site.run(&restore).await;
            // A run's own records are no part of the backup, and a recovery key
            // opens the host's record too: the restore goes on, and the list tells.
            let of_run = name.contains("/runs/");
            let spare = of_run || name.starts_with("keys/");
            let ran = if spare && ran.code() == 0 {
                assert!(!of_run || ran.stderr.contains(&name), "{name}: {ran:?}");
                cluster.psql("postgres", "DROP DATABASE new").await;
                site.run(&["list"]).await.ended(1)
            } else {
                ran.ended(1)
            };
            assert!(
                ran.stderr.contains(&name),
                "seed {seed}, {name} at {at}: {ran:?}"
            );
            assert!(
                ran.stderr.contains("offset"),
                "seed {seed}, {name} at {at}: {ran:?}"
            );
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
            assert_eq!(
                cluster.psql("postgres", databases).await.trim(),
                "0",
                "{name} at {at}"
            );
        }
        std::fs::write(&file, &whole).unwrap();
    }
    site.run(&restore).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_hides_no_other() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let damaged = site.back_up("postgres").await;
    let whole = site.back_up("postgres").await;
    let file = site.path(&format!("backups/main/backups/{damaged}/backup"));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    site.run(&["list"])
        .await
        .ended(1)
        .says(&[&damaged, "offset"]);
    assert_eq!(site.good().await, std::slice::from_ref(&whole));
    // Which database it was of is known from its run.
    let listed = site.list().await;
    let found = listed.iter().find(|b| b["id"] == damaged.as_str()).unwrap();
    assert_eq!(
        (&found["status"], &found["database"]),
        (&"damaged".into(), &"postgres".into())
    );

    let of_postgres = restore(&["--database", "postgres", "--as", "new"]);
    let other = ["backup", "--database", "template1"];
    site.run(&other).await.ended(0);
    let template = restore(&["--database", "template1", "--as", "t"]);
    site.run(&template).await.ended(0);
    let newest = site.path(&format!("backups/main/backups/{whole}/backup"));
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    site.run(&of_postgres)
        .await
        .ended(1)
        .says(&["may be the one", "--backup"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_backup_refers_to_nothing_that_is_damaged() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let fill = "create table t as select md5(n::text) from generate_series(1, 9000) as n";
    cluster.psql("postgres", fill).await;
    let first = site.back_up("postgres").await;
    let pack = site.path(&format!("backups/main/backups/{first}/packs/0"));
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    // No host can open packs, so it is not seen that this one refers to damage.
    let second = site.back_up("postgres").await;
    let ran = site
        .run(&restore(&["--backup", &second, "--as", "new"]))
        .await;
    ran.ended(1).says(&[&first, "packs/0", "--whole"]);
    site.run(&["backup", "--database", "postgres", "--whole"])
        .await
        .ended(0);
    let whole = site.good().await.pop().unwrap();
    let whole = restore(&["--backup", &whole, "--as", "new"]);
    site.run(&whole).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortened_record_is_no_part_of_a_good_backup() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for part in ["manifest", "facts", "index/0"] {
        let site = Site::of(&cluster).await;
        let id = site.back_up("postgres").await;
        let object = site.path(&format!("backups/main/backups/{id}/{part}"));
        let bytes = std::fs::read(&object).unwrap();
        std::fs::write(&object, &bytes[..bytes.len() - 1]).unwrap();
        site.run(&["list"]).await.ended(1).says(&[&id, part]);
        assert!(site.good().await.is_empty(), "{part}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_lost_an_object_is_not_listed_as_good() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for part in ["packs/0", "manifest", "facts", "backup"] {
        let site = Site::of(&cluster).await;
        let older = site.back_up("postgres").await;
        // What has not changed would be in the older one's packs.
        let change = format!("create table \"{part}\" ()");
        cluster.psql("postgres", &change).await;
        let id = site.back_up("postgres").await;
        std::fs::remove_file(site.path(&format!("backups/main/backups/{id}/{part}"))).unwrap();
        site.run(&["list"]).await.ended(1).says(&[&id, part]);
        assert_eq!(site.good().await, [older]);
        // The older one is not taken in its place unasked.
        let newest = restore(&["--database", "postgres", "--to-file", "x"]);
        let ran = site.run(&newest).await;
        ran.ended(1).says(&[&id]);
    }
    cluster.stop().await;
}
