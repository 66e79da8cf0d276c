//! Keys with which nobody could restore, or nobody back up.

use std::fs;

use super::{says, shelf};
use crate::keys::new_key;

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_do_not_agree_are_told_and_a_newest_that_no_key_opens_is_critical() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(1).await;
    let site = &shelf.site;
    let request = new_key(site, &["--role", "recovery", "--output", "second.key"]).await;
    let recipient = request.split(':').nth(3).unwrap();
    let add = [
        "--role",
        "recovery",
        "--name",
        "offsite",
        "--identity",
        "recovery.key",
        "--yes",
    ];
    let add = [&["key", "add", recipient], &add[..]].concat();
    site.run(&add).await.ended(0);
    says(
        shelf.check(&[]).await,
        1,
        &["main: WARNING: this host may not back up: ", recipient],
    );
    site.run(&["key", "trust", "--yes"]).await.ended(0);
    // The one that the newest backup is sealed to goes.
    let trust = ["key", "trust", "--identity", "second.key", "--yes"];
    site.run(&trust).await.ended(0);
    let retire = [
        "key",
        "retire",
        "recovery",
        "--identity",
        "second.key",
        "--yes",
    ];
    site.run(&retire).await.ended(0);
    says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: no key that is in use opens the newest backup of database \"app\"",
            "recovery \"recovery\"",
        ],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_used_is_critical_and_so_is_having_no_recovery_key() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(1).await;
    for (role, words) in [
        ("host", "CRITICAL: of the keys, this counts as nothing"),
        (
            "recovery",
            "CRITICAL: there is no recovery key in use: nobody could restore",
        ),
    ] {
        says(shelf.check(&[]).await, 0, &["main: OK"]);
        let fingerprint = shelf.site.key_of(role).await["fingerprint"].to_string();
        let fingerprint = fingerprint.trim_matches('"');
        let object = shelf.site.path("backups/keys").join(fingerprint);
        let whole = fs::read(&object).unwrap();
        fs::write(&object, &whole[..whole.len() - 1]).unwrap();
        says(
            shelf.check(&[]).await,
            2,
            &[words, "of the keys", fingerprint],
        );
        fs::write(&object, whole).unwrap();
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_retired_is_told() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(1).await;
    let host = shelf.site.key_of("host").await;
    let name = host["name"].as_str().unwrap();
    let retire = ["key", "retire", name, "--identity", "recovery.key", "--yes"];
    shelf.site.run(&retire).await.ended(0);
    says(
        shelf.check(&[]).await,
        1,
        &["main: WARNING: this host may not back up", "retired"],
    );
    cluster.stop().await;
}
