//! `pgkeep verify`: what is hurt is found, named, and offered no more until it is mended.

use std::path::PathBuf;
use std::time::Duration;

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::S3s;
use serde_json::Value;

use crate::buckets::site_with;
use crate::site::{Ran, Site, restore, socket_of};

/// A cluster with a database that makes a pack of its own in each backup.
pub(crate) async fn cluster() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    grow(&cluster, "a").await;
    cluster
}

async fn grow(cluster: &Cluster, table: &str) {
    let fill = format!(
        "CREATE TABLE {table} AS SELECT n, md5(n::text || '{table}') AS noise \
         FROM generate_series(1, 30000) AS n"
    );
    cluster.psql("app", &fill).await;
}

/// A site with two backups, of which the second refers to the first.
pub(crate) async fn with_two(cluster: &Cluster) -> (Site, String, String) {
    let site = Site::of(cluster).await;
    let first = site.back_up("app").await;
    grow(cluster, "b").await;
    let second = site.back_up("app").await;
    (site, first, second)
}

pub(crate) fn object(site: &Site, id: &str, part: &str) -> PathBuf {
    site.path(&format!("backups/main/backups/{id}/{part}"))
}

pub(crate) fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

pub(crate) async fn verify(site: &Site, more: &[&str]) -> Ran {
    site.run(&[&["verify"], more].concat()).await
}

pub(crate) fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_is_told_so_without_a_recovery_key() {
    let cluster = cluster().await;
    let (site, ..) = with_two(&cluster).await;
    std::fs::remove_file(site.path("recovery.key")).unwrap();
    let ran = verify(&site, &[]).await.ended(0);
    let told = "cluster main in repository \"local\": 8 objects of 8, all whole";
    assert!(ran.stdout.contains(told), "{ran:#?}");
    assert!(
        ran.stderr.contains("START verify of cluster main"),
        "{ran:#?}"
    );
    let ran = verify(&site, &["--json"]).await.ended(0);
    let listed = site.list().await;
    assert!(
        listed.iter().all(|backup| backup["level"] == "intact"),
        "{listed:#?}"
    );
    let report = report(&ran);
    assert_eq!(report["version"], 1);
    assert_eq!(report["clusters"][0]["objects"], 8);
    cluster.stop().await;
}

/// What a sabotage did, and the words for it.
const WAYS: [(&str, &str, &str); 6] = [
    ("missing", "packs/0", "it is not there"),
    ("truncated", "packs/0", "it is cut off: "),
    ("longer", "index/0", "it is too long: "),
    (
        "altered",
        "packs/0",
        "it has the right length, and other bytes than were written",
    ),
    (
        "altered",
        "index/0",
        "it has the right length, and other bytes than were written",
    ),
    (
        "altered",
        "manifest",
        "it has the right length, and other bytes than were written",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hurt_is_named_and_offered_no_more_until_it_is_whole_again() {
    let cluster = cluster().await;
    let (site, first, second) = with_two(&cluster).await;
    for (way, part, words) in WAYS {
        let path = object(&site, &second, part);
        let whole = std::fs::read(&path).unwrap();
        match way {
            "missing" => std::fs::remove_file(&path).unwrap(),
            "truncated" => std::fs::write(&path, &whole[..whole.len() / 2]).unwrap(),
            "longer" => std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap(),
            _ => flip(&path),
        }
        let name = format!("main/backups/{second}/{part}");
        let ran = verify(&site, &[]).await.ended(1);
        assert!(ran.stdout.contains(&format!("{name}: {words}")), "{ran:#?}");
        let hurt = format!("backup {second} of database app is hurt, and not offered: {name} in ");
        assert!(ran.stdout.contains(&hurt), "{ran:#?}");
        let left = format!("database app: 1 good backup left; the newest is {first} of ");
        assert!(ran.stdout.contains(&left), "{ran:#?}");
        let found = &report(&verify(&site, &["--json"]).await.ended(1))["clusters"][0];
        assert_eq!(found["hurt"][0]["problem"], way, "{found:#}");
        assert_eq!(found["hurt"][0]["known"], true, "{found:#}");

        assert_eq!(site.good().await, std::slice::from_ref(&first));
        site.run(&["list"]).await.ended(1).says(&[&name]);
        let newest = restore(&["--database", "app", "--to-file", "x"]);
        site.run(&newest).await.ended(1).says(&[&second, part]);

        std::fs::write(&path, &whole).unwrap();
        // That the object is back is not believed before it was read.
        assert_eq!(
            site.good().await,
            std::slice::from_ref(&first),
            "{way} {part}"
        );
        let ran = verify(&site, &[]).await.ended(0);
        let mended = format!("{name}: it is whole again");
        assert!(ran.stdout.contains(&mended), "{ran:#?}");
        assert_eq!(site.good().await, [first.clone(), second.clone()]);
    }
    let archive = restore(&["--backup", &second, "--to-file", "archive"]);
    site.run(&archive).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_objects_bytes_are_told_as_such_and_both_backups_are_hurt_by_what_both_need() {
    let cluster = cluster().await;
    let (site, first, second) = with_two(&cluster).await;
    let lengths = |a: &[u8], b: &[u8]| a.len() == b.len();
    let (facts, others) = (
        object(&site, &first, "facts"),
        object(&site, &second, "packs/0"),
    );
    let other = std::fs::read(&others).unwrap();
    assert!(!lengths(&std::fs::read(&facts).unwrap(), &other));
    flip(&object(&site, &first, "packs/0"));
    std::fs::write(site.path("backups/main/backups/README"), "hello").unwrap();
    let ran = verify(&site, &[]).await.ended(1);
    for id in [&first, &second] {
        let hurt = format!("backup {id} of database app is hurt");
        assert!(ran.stdout.contains(&hurt), "{ran:#?}");
    }
    assert!(
        ran.stdout.contains("database app: NO GOOD BACKUP IS LEFT"),
        "{ran:#?}"
    );
    let foreign = "main/backups/README in repository \"local\" is no object of a repository";
    assert!(ran.stderr.contains(foreign), "{ran:#?}");
    // What is hurt is nothing to refer to: the next one is whole, and good.
    let third = site.back_up("app").await;
    assert_eq!(site.good().await, std::slice::from_ref(&third));
    let archive = restore(&["--database", "app", "--to-file", "archive"]);
    site.run(&archive).await.ended(0);
    // Nothing of what is hurt goes by itself: it may be mended.
    site.run(&["prune"]).await.ended(0);
    assert!(object(&site, &first, "packs/0").exists());
    verify(&site, &[]).await.ended(1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_any_record_is_found() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    verify(&site, &[]).await.ended(0);
    for file in site.repository_files() {
        let name = file.strip_prefix(site.path("backups")).unwrap();
        let name = name.display().to_string();
        let whole = std::fs::read(&file).unwrap();
        flip(&file);
        let ran = verify(&site, &[]).await.ended(1);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&name), "{name}: {ran:#?}");
        std::fs::write(&file, whole).unwrap();
        let ran = verify(&site, &[]).await;
        assert_eq!(ran.code(), 0, "{name}: {ran:#?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hurt_in_a_bucket_is_found() {
    let cluster = cluster().await;
    let server = S3s::start();
    let site = site_with(server.access());
    let (url, connection) = (server.access().url("pg/main"), socket_of(&cluster));
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await.ended(0);
    let id = site.back_up("app").await;
    verify(&site, &["--within", "10min"]).await.ended(0);
    let storage = server.access().bare("pg/main");
    let name = format!("main/backups/{id}/packs/0");
    pgkeep_storage::Storage::delete(&storage, &name.parse().unwrap())
        .await
        .unwrap();
    let ran = verify(&site, &[]).await.ended(1);
    assert!(
        ran.stdout.contains(&format!("{name}: it is not there")),
        "{ran:#?}"
    );
    // A server that does not answer is no damage.
    drop(server);
    tokio::time::sleep(Duration::from_millis(1)).await;
    cluster.stop().await;
}
