//! Restorable without pgkeep: a page of Python, the `age` and `zstd` programs.

use std::path::{Path, PathBuf};

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;
use tokio::process::Command;

use crate::site::{Ran, Site, socket_of};
use crate::terminal::typed;

pub(crate) const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../scripts/restore-without-pgkeep.py"
);

/// Runs the script in the site's home.
pub(crate) async fn script(site: &Site, arguments: &[&str]) -> Ran {
    let output = Command::new("python3")
        .arg(SCRIPT)
        .args(arguments)
        .current_dir(site.home.path())
        .output()
        .await
        .expect("python3");
    Ran {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_the_key_brings_the_dump_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.load_zoo().await;
    for (more, identity) in [
        (&[][..], &["--identity", "recovery.key"][..]),
        (&["--encryption", "none"], &[]),
    ] {
        let site = Site::with(&socket_of(&cluster), more).await;
        let id = site.back_up("zoo").await;
        let listed = script(&site, &[&["backups", "--list"][..], identity].concat())
            .await
            .ended(0);
        assert!(listed.stdout.contains(&id), "{listed:?}");
        let arguments = ["backups", "--cluster", "main", "--database", "zoo"];
        let output = ["--output", "zoo.dump"];
        script(&site, &[&arguments[..], &output, identity].concat())
            .await
            .ended(0);

        let ours = ["restore", "--backup", &id, "--to-file", "ours.dump"];
        site.run(&[&ours[..], identity].concat()).await.ended(0);
        let read = |name| std::fs::read(site.path(name)).unwrap();
        assert!(read("zoo.dump") == read("ours.dump"));

        let output = ["--globals", "--output", "globals.sql"];
        script(&site, &[&arguments[..], &output, identity].concat())
            .await
            .ended(0);
        let ours = [
            "restore",
            "--backup",
            &id,
            "--globals",
            "--to-file",
            "ours.sql",
        ];
        site.run(&[&ours[..], identity].concat()).await.ended(0);
        let globals = read("globals.sql");
        assert!(globals == read("ours.sql") && globals.starts_with(b"--"));
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_takes_no_backup_that_was_deleted() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let old = site.back_up("postgres").await;
    let deleted = site.back_up("postgres").await;
    let record = site.path(&format!("backups/main/backups/{deleted}/backup"));
    let bytes = std::fs::read(&record).unwrap();
    let prune = ["prune", "--id", &deleted, "--yes"];
    site.run(&prune).await.ended(0);
    // A prune that had got no further than its tombstone.
    std::fs::create_dir_all(record.parent().unwrap()).unwrap();
    std::fs::write(&record, bytes).unwrap();
    let listed = script(&site, &["backups", "--list"]).await.ended(0).stdout;
    assert!(
        listed.contains(&old) && !listed.contains(&deleted),
        "{listed}"
    );
    assert_eq!(site.good().await, [old]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_refuses_what_was_changed() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    for part in ["backup", "manifest", "packs/0"] {
        let file = site.path(&format!("backups/main/backups/{id}/{part}"));
        let whole = std::fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&file, flipped).unwrap();
        let arguments = [
            "backups",
            "--cluster",
            "main",
            "--backup",
            &id,
            "--output",
            "x.dump",
        ];
        let ran = script(
            &site,
            &[&arguments[..], &["--identity", "recovery.key"]].concat(),
        )
        .await;
        assert_ne!(ran.code(), 0, "{part}: {ran:?}");
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
        assert!(!site.path("x.dump").exists());
        std::fs::write(&file, whole).unwrap();
    }
    cluster.stop().await;
}

/// Rows that compress well and of which no two are alike, some 1,000 bytes each.
fn table(name: &str, rows: u32, what: &str) -> String {
    format!(
        "DROP TABLE IF EXISTS {name}; CREATE TABLE {name} AS SELECT n, \
         repeat(md5('{what}' || n), 30) AS filler FROM generate_series(1, {rows}) AS n"
    )
}

/// Makes three dumps, of which the last one refers to both others.
async fn three_dumps(cluster: &Cluster, site: &Site) -> [String; 3] {
    cluster.psql("postgres", "CREATE DATABASE shop").await;
    let changes: [&[(&str, u32)]; 3] = [
        // Long enough for several leaves of the manifest.
        &[("a", 40_000), ("b", 2_000), ("c", 2_000)],
        &[("b", 2_000)],
        &[("c", 2_000)],
    ];
    let mut ids = Vec::new();
    for (dump, tables) in changes.iter().enumerate() {
        for (name, rows) in *tables {
            let what = format!("{dump}{name}");
            cluster.psql("shop", &table(name, *rows, &what)).await;
        }
        ids.push(site.back_up("shop").await);
    }
    ids.try_into().unwrap()
}

/// The objects below `folder` that a backup cites, with the backup that holds them.
async fn cited(site: &Site, id: &str, folder: &str) -> Vec<(String, PathBuf)> {
    let shown = site.run(&["show", id, "--json"]).await.ended(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let needs = shown["backup"]["needs"].as_array().unwrap();
    let of = |need: &Value| {
        let holder = need["backup"].as_str().unwrap().to_owned();
        let packs = need[folder].as_array().cloned().unwrap_or_default();
        packs.into_iter().map(move |pack| {
            let path = format!("main/backups/{holder}/{folder}/{}", pack["number"]);
            (holder.clone(), PathBuf::from(path))
        })
    };
    needs.iter().flat_map(of).collect()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_dump_that_refers_to_two_ancestors_is_brought_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for (more, identity) in [
        (&[][..], &["--identity", "recovery.key"][..]),
        (&["--encryption", "none"], &[]),
    ] {
        let site = Site::with(&socket_of(&cluster), more).await;
        let ids = three_dumps(&cluster, &site).await;
        let packs = cited(&site, &ids[2], "packs").await;
        for id in &ids {
            assert!(packs.iter().any(|(holder, _)| holder == id), "{packs:?}");
        }

        let arguments = ["backups", "--cluster", "main", "--database", "shop"];
        let output = ["--output", "shop.dump"];
        let ran = script(&site, &[&arguments[..], &output, identity].concat())
            .await
            .ended(0)
            .says(&[&ids[2], "every frame and of the whole file"]);
        assert!(!ran.stderr.contains("warning"), "{ran:?}");
        let ours = ["restore", "--backup", &ids[2], "--to-file", "ours.dump"];
        site.run(&[&ours[..], identity].concat()).await.ended(0);
        let read = |name| std::fs::read(site.path(name)).unwrap();
        assert!(read("shop.dump") == read("ours.dump"));

        let before = cluster.pg_dump_c("shop").await;
        cluster.psql("postgres", "DROP DATABASE shop").await;
        let connection = socket_of(&cluster);
        let ran = Command::new(Major::Fifteen.programs().join("pg_restore"))
            .args(["--create", "--exit-on-error", "--dbname", &connection])
            .arg(site.path("shop.dump"))
            .output()
            .await
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        assert!(cluster.pg_dump_c("shop").await == before);
        cluster.psql("postgres", "DROP DATABASE shop").await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_refuses_a_dump_of_which_an_ancestors_pack_was_changed() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let ids = three_dumps(&cluster, &site).await;
    let arguments = ["backups", "--cluster", "main", "--backup", &ids[2]];
    let more = ["--output", "x.dump", "--identity", "recovery.key"];
    let arguments = [&arguments[..], &more].concat();

    let mut packs = cited(&site, &ids[2], "packs").await;
    let own = cited(&site, &ids[2], "index").await.into_iter();
    packs.extend(own.filter(|(holder, _)| *holder == ids[2]));
    assert!(packs.len() > 3);
    for (_, name) in packs {
        let file = site.path("backups").join(&name);
        let name = name.to_str().unwrap();
        let whole = std::fs::read(&file).unwrap();
        flip(&file, whole.len() / 2);
        let flipped = script(&site, &arguments).await.ended(1);
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let cut = script(&site, &arguments).await.ended(1);
        std::fs::remove_file(&file).unwrap();
        let gone = script(&site, &arguments).await.ended(1);
        for ran in [flipped, cut, gone] {
            ran.says(&[name]);
        }
        assert!(!site.path("x.dump").exists());
        std::fs::write(&file, whole).unwrap();
    }
    script(&site, &arguments).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_clear_the_hashes_of_frames_tell_what_was_changed() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    let ids = three_dumps(&cluster, &site).await;
    // In the clear nothing but the hashes of frames tells.
    for (holder, name) in cited(&site, &ids[2], "packs").await {
        let file = site.path("backups").join(&name);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, vec![0; whole.len()]).unwrap();
        let arguments = ["backups", "--cluster", "main", "--backup", &ids[2]];
        script(&site, &[&arguments[..], &["--output", "x.dump"]].concat())
            .await
            .ended(1)
            .says(&[&holder, "the frame has another BLAKE3 hash"]);
        assert!(!site.path("x.dump").exists());
        std::fs::write(&file, whole).unwrap();
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_retired_host_the_script_believes_what_its_end_lists_and_no_more() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let old = site.back_up("postgres").await;
    let later = site.back_up("postgres").await;
    let later_place = site.path(&format!("backups/main/backups/{later}"));
    std::fs::rename(&later_place, site.path("later")).unwrap();
    let host = site.retire_host().await;
    // Whoever has the key writes on.
    std::fs::rename(site.path("later"), later_place).unwrap();

    let restore = async |id: &str, output: &str| {
        let arguments = ["backups", "--cluster", "main", "--backup", id];
        let more = ["--identity", "recovery.key", "--output", output];
        script(&site, &[&arguments[..], &more].concat()).await
    };
    restore(&old, "old.dump").await.ended(0);
    restore(&later, "x.dump")
        .await
        .ended(1)
        .says(&[&later, "was retired"]);
    // That one counts as nothing, and is in nobody's way.
    assert_eq!(site.good().await, std::slice::from_ref(&old));
    let listed = script(&site, &["backups", "--list"]).await.ended(0);
    let listed = listed.says(&[&later, "counts as nothing"]).stdout;
    assert!(listed.contains(&old) && !listed.contains(&later));
    let arguments = ["backups", "--cluster", "main", "--database", "postgres"];
    let more = ["--identity", "recovery.key", "--output", "newest.dump"];
    script(&site, &[&arguments[..], &more].concat())
        .await
        .ended(0)
        .says(&[&old]);
    let end = format!("keys/{host}.retired");
    std::fs::remove_file(site.path("backups").join(&end)).unwrap();
    for id in [&old, &later] {
        restore(id, "x.dump")
            .await
            .ended(1)
            .says(&[&end, "is not there", "was retired"]);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_and_a_passphrase_bring_the_dump_back() {
    const WORDS: &str = "eight wooden spoons in a drawer";
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::empty();
    site.set("PGKEEP_PASSPHRASE", WORDS);
    let socket = socket_of(&cluster);
    let init = ["init", "--repository", "backups", "--passphrase"];
    let connection = ["--connection", &socket];
    site.run(&[&init[..], &connection].concat()).await.ended(0);
    site.set("PGKEEP_PASSPHRASE", "");
    let id = site.back_up("postgres").await;
    let mut files = site.repository_files().into_iter();
    let wrapped = files.find(|file| file.extension().is_some_and(|end| end == "age"));
    let wrapped = wrapped.unwrap().display().to_string();

    let arguments = [SCRIPT, "backups", "--cluster", "main", "--backup", &id];
    let more = ["--identity", &wrapped, "--output", "x.dump"];
    let arguments = [&arguments[..], &more].concat();
    let ran = typed(&site, &["another one"], "python3", &arguments).await;
    assert_ne!(ran.code(), 0, "{ran:?}");
    assert!(!site.path("x.dump").exists());
    typed(&site, &[WORDS], "python3", &arguments).await.ended(0);
    assert!(site.path("x.dump").exists());

    // One that no ring lists may be under a passphrase of long ago.
    let unlisted = wrapped.replace(".1.age", ".9.age");
    std::fs::copy(&wrapped, &unlisted).unwrap();
    let arguments = [SCRIPT, "backups", "--cluster", "main", "--backup", &id];
    let more = ["--identity", &unlisted, "--output", "y.dump"];
    let ran = typed(
        &site,
        &[WORDS],
        "python3",
        &[&arguments[..], &more].concat(),
    )
    .await;
    let refused = ran.ended(1).stdout;
    assert!(
        refused.contains("the newest ring does not list it"),
        "{refused}"
    );
    assert!(!site.path("y.dump").exists());
    cluster.stop().await;
}
