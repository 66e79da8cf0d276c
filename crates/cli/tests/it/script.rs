//! Restorable without pgkeep: a page of Python, the `age` and `zstd` programs.

use std::path::Path;

use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::process::Command;

use crate::site::{Ran, Site};

async fn script(site: &Site, arguments: &[&str]) -> Ran {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/restore-without-pgkeep.py");
    let output = Command::new("python3")
        .arg(script)
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
        let site = Site::with(&crate::site::socket_of(&cluster), more).await;
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
