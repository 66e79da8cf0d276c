//! What somebody new to the program gets wrong: each is told with the object, the cause and
//! what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

#[tokio::test]
async fn what_is_no_key_is_told_to_be_none() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    // Readable by all, as most files are: no key is in it that this would matter for.
    fs::write(site.path("notes"), "buy milk\n").unwrap();
    fs::set_permissions(site.path("notes"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(site.path("bytes"), b"\xff\xfe").unwrap();
    let none = ["is no file of a recovery key", "AGE-SECRET-KEY-1", "hint:"];
    for (file, words) in [
        ("pgkeep.toml", &none[..]),
        ("notes", &none),
        ("bytes", &["cannot read", "it is no text"]),
        ("backups", &["cannot read", "a directory"]),
        (
            "nothing",
            &["cannot read", "No such file", "check the path"],
        ),
        ("host.key", &["holds a host's key", "hint:"]),
    ] {
        let of = [
            "restore",
            "--database",
            "app",
            "--to-file",
            "x",
            "--identity",
        ];
        let ran = site.run(&[&of[..], &[file]].concat()).await.ended(1);
        ran.says(words).says(&[file]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_there_is_told_with_its_directory() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    for (file, hint) in [
        ("a/b/c", "a/b is not there: make it first"),
        ("pgkeep.toml/c", "pgkeep.toml is a file"),
    ] {
        for format in ["custom", "sql"] {
            let to = ["--database", "app", "--to-file", file, "--format", format];
            let ran = site.run(&restore(&to)).await.ended(1);
            ran.says(&["cannot write", file, hint]);
        }
    }
    let into = ["--database", "app", "--into", "db.example"];
    site.run(&restore(&into))
        .await
        .ended(2)
        .says(&["--into", "hint: write it as postgres://"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_repository_is_told_by_the_path_that_leads_there_directly() {
    let site = Site::empty();
    fs::create_dir(site.path("here")).unwrap();
    let away = ["init", "--repository", "here/../backups"];
    let ran = site.run(&away).await.ended(0);
    let home = site.home.path().canonicalize().unwrap();
    let told = home.join("backups").display().to_string();
    assert!(ran.stdout.contains(&told), "{ran:#?}");
    assert!(!ran.stdout.contains(".."), "{ran:#?}");
    let configuration = fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    assert!(!configuration.contains(".."), "{configuration}");
    // Nor where the configuration says it otherwise.
    let url = configuration.replace(&told, &format!("{}/here/../backups", home.display()));
    fs::write(site.path("pgkeep.toml"), url).unwrap();
    fs::remove_file(site.path("backups/pgkeep.json")).unwrap();
    let ran = site.run(&["list"]).await.ended(1).says(&[&told]);
    assert!(!ran.stderr.contains(".."), "{ran:#?}");
}

#[tokio::test]
async fn what_is_no_configuration_no_key_and_no_directory_is_told_with_a_way_out() {
    let site = Site::empty();
    let init = ["init", "--repository", "backups"];
    site.run(&init).await.ended(0);
    let retire = ["key", "retire", "nobody", "--identity", "recovery.key"];
    for (arguments, code, words) in [
        (
            &["--config", "nothing.toml", "list"][..],
            1,
            &["nothing.toml", "No such file", "'pgkeep init' writes"][..],
        ),
        (
            &["--config", "backups", "list"],
            1,
            &["a directory", "hint:"],
        ),
        (&retire, 2, &["no key in use", "nobody", "key list"]),
        (
            &["init", "--repository", "recovery.key/x"],
            1,
            &["recovery.key/x", "hint:"],
        ),
        (
            // Healthy keys of another repository are not called left behind.
            &["init", "--repository", "another"],
            1,
            &["host.key exists already", "choose another place"],
        ),
    ] {
        let ran = site.run(arguments).await.ended(code).says(words);
        assert!(!ran.stderr.contains("remove"), "{ran:#?}");
    }
}
