//! A passphrase, as people type it, and as the age program takes it.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::keys::{new_key, restores};
use crate::site::{PROGRAM, Site, socket_of};
use crate::terminal::typed;

const WORDS: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn the_address_and_a_passphrase_restore_on_a_new_machine() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::empty();
    let socket = socket_of(&cluster);
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        &socket,
        "--passphrase",
    ];
    site.run(&init).await.ended(2).says(&["nobody to ask"]);
    site.set("PGKEEP_PASSPHRASE", "short");
    site.run(&init).await.ended(2).says(&["fewer than 12"]);
    assert!(!site.path("backups").exists() && !site.path("host.key").exists());
    site.set("PGKEEP_PASSPHRASE", WORDS);
    let ran = site.run(&init).await.ended(0);
    assert!(!format!("{ran:?}").contains(WORDS));
    assert!(!site.path("recovery.key").exists());
    site.set("PGKEEP_PASSPHRASE", "");
    let id = site.back_up("postgres").await;

    let mut other = Site::empty();
    other.set("PGKEEP_REPOSITORY", site.path("backups"));
    let restore = ["restore", "main", "--backup", &id, "--to-file", "x"];
    let shut = other.run(&restore).await.ended(1);
    shut.says(&["--unpinned"]);
    std::fs::write(other.path("words"), "not the right words\n").unwrap();
    other.set("PGKEEP_PASSPHRASE_FILE", other.path("words"));
    other
        .run(&restore)
        .await
        .ended(1)
        .says(&["passphrase opens no key"]);
    std::fs::write(other.path("words"), format!("{WORDS}\n")).unwrap();
    restores(&other, &id, &[]).await;

    // Another passphrase, and the old one is none any more.
    std::fs::write(other.path("new"), "an entirely other horse").unwrap();
    let change = ["key", "passphrase", "--new-passphrase-file", "new"];
    let told = other.run(&change).await.ended(0);
    told.says(&["The key itself is the same"]);
    other
        .run(&restore)
        .await
        .ended(1)
        .says(&["passphrase opens no key"]);
    other.set("PGKEEP_PASSPHRASE_FILE", other.path("new"));
    restores(&other, &id, &[]).await;
    site.back_up("postgres").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_typed_unseen_and_twice() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::empty();
    let socket = socket_of(&cluster);
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        &socket,
        "--passphrase",
    ];
    let differs = typed(&site, &[WORDS, "something else"], PROGRAM, &init).await;
    assert!(differs.stdout.contains("not the same"), "{differs:?}");
    assert!(!site.path("backups").exists());
    let made = typed(&site, &[WORDS, WORDS], PROGRAM, &init).await.ended(0);
    assert!(made.stdout.contains("The same again"), "{made:?}");
    assert!(!made.stdout.contains(WORDS), "{made:?}");
    let id = site.back_up("postgres").await;
    let restore = ["restore", "main", "--backup", &id, "--to-file", "x"];
    let restored = typed(&site, &[WORDS], PROGRAM, &restore).await.ended(0);
    assert!(!restored.stdout.contains(WORDS), "{restored:?}");
    // A question that is answered with no changes nothing.
    let request = new_key(&site, &["--name", "db2", "--output", "second.key"]).await;
    let add = ["key", "add", &request];
    let refused = typed(&site, &[WORDS, "n"], PROGRAM, &add).await.ended(1);
    assert!(
        refused.stdout.contains("nothing was changed"),
        "{refused:?}"
    );
    typed(&site, &[WORDS, "y"], PROGRAM, &add).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_program_and_the_passphrase_bring_the_keys_file_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::empty();
    site.set("PGKEEP_PASSPHRASE", WORDS);
    let socket = socket_of(&cluster);
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        &socket,
        "--passphrase",
    ];
    site.run(&init).await.ended(0);
    site.set("PGKEEP_PASSPHRASE", "");
    let id = site.back_up("postgres").await;
    let mut files = site.repository_files().into_iter();
    let wrapped = files.find(|file| file.extension().is_some_and(|end| end == "age"));
    let wrapped = wrapped.unwrap().display().to_string();
    let decrypt = ["--decrypt", "--output", "recovery.key", &wrapped];
    typed(&site, &[WORDS], "age", &decrypt).await.ended(0);
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(site.path("recovery.key"), private).unwrap();
    restores(&site, &id, &["--identity", "recovery.key"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_seen_a_ring_notices_where_it_is_taken_away() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let host = site.path("host.key");
    let seen = || {
        let text = std::fs::read_to_string(&host).unwrap();
        let key: serde_json::Value = serde_json::from_str(&text).unwrap();
        key["trust"][0]["ring"].as_u64().unwrap()
    };
    let passphrase = async || {
        std::fs::write(site.path("words"), format!("{WORDS}\n")).unwrap();
        let set = ["key", "passphrase", "--identity", "recovery.key"];
        let set = [&set[..], &["--new-passphrase-file", "words"]].concat();
        site.run(&set).await.ended(0);
    };
    passphrase().await;
    // What only looks, or may not write the file, notes nothing, and goes on.
    site.run(&["prune", "--dry-run"]).await.ended(0);
    std::fs::set_permissions(&host, PermissionsExt::from_mode(0o400)).unwrap();
    site.back_up("postgres").await;
    assert_eq!(seen(), 1);
    std::fs::set_permissions(&host, PermissionsExt::from_mode(0o600)).unwrap();
    site.back_up("postgres").await;
    assert_eq!(seen(), 2);
    passphrase().await;
    site.run(&["prune"]).await.ended(0);
    assert_eq!(seen(), 3);
    let mode = std::fs::metadata(&host).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    std::fs::remove_file(site.path("backups/keys/ring-3")).unwrap();
    site.run(&["prune"]).await.ended(1).says(&["ring"]);
    let backup = ["backup", "--database", "postgres"];
    site.run(&backup).await.ended(1).says(&["ring"]);
    cluster.stop().await;
}
