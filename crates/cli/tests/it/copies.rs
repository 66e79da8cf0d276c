//! Several repositories: copies, what is mended from one to the other, and what is missed.

use std::path::{Path, PathBuf};

use pgkeep_storage::Storage;
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::S3s;
use serde_json::Value;

use crate::site::{Ran, Site, restore};

pub(crate) async fn grow(cluster: &Cluster, table: &str) {
    let fill = format!(
        "CREATE TABLE {table} AS SELECT n, md5(n::text || '{table}') AS noise \
         FROM generate_series(1, 30000) AS n"
    );
    cluster.psql("app", &fill).await;
}

pub(crate) async fn cluster() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    grow(&cluster, "a").await;
    cluster
}

/// Adds a repository to the configuration; whether the cluster's backups go there too.
pub(crate) fn configure(site: &Site, goes_there: bool) {
    let url = site.path("offsite").display().to_string();
    configure_at(site, &url, goes_there);
}

pub(crate) fn configure_at(site: &Site, url: &str, goes_there: bool) {
    let path = site.path("pgkeep.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let offsite = format!("[repository.offsite]\nurl = \"{url}\"\n");
    let names: &str = match goes_there {
        true => "[\"local\", \"offsite\"]",
        false => "[\"local\"]",
    };
    let of_cluster = format!("[cluster.main]\nrepositories = {names}\n");
    let config = config.replace("[cluster.main]\n", &of_cluster);
    std::fs::write(&path, format!("{config}\n{offsite}")).unwrap();
}

/// Makes the second repository, and has the recovery key's file know it.
pub(crate) async fn like(site: &Site) {
    let init = [
        "init",
        "--like",
        "local",
        "--repository",
        "offsite",
        "--json",
    ];
    let made: Value = serde_json::from_str(&site.run(&init).await.ended(0).stdout).unwrap();
    let key = site.path("recovery.key");
    let text = std::fs::read_to_string(&key).unwrap();
    let line = made["trust"].as_str().unwrap();
    std::fs::write(&key, format!("{line}\n{text}")).unwrap();
}

pub(crate) async fn copy(site: &Site, more: &[&str]) -> Ran {
    let copy = ["copy", "--from", "local", "--to", "offsite"];
    site.run(&[&copy, more].concat()).await
}

pub(crate) async fn archive(site: &Site, id: &str, repository: &str) -> Vec<u8> {
    let to = [
        "--backup",
        id,
        "--to-file",
        "archive",
        "--repository",
        repository,
    ];
    site.run(&restore(&to)).await.ended(0);
    let bytes = std::fs::read(site.path("archive")).unwrap();
    std::fs::remove_file(site.path("archive")).unwrap();
    bytes
}

pub(crate) async fn good_in(site: &Site, repository: &str) -> Vec<String> {
    let ran = site
        .run(&["list", "--json", "--repository", repository])
        .await;
    let listing: Value = serde_json::from_str(&ran.stdout).unwrap();
    let backups = listing["backups"].as_array().unwrap().iter();
    let good = backups.filter(|backup| backup["status"] == "complete");
    good.map(|backup| backup["id"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn object(site: &Site, repository: &str, id: &str, part: &str) -> PathBuf {
    site.path(&format!("{repository}/main/backups/{id}/{part}"))
}

pub(crate) fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_restored_byte_for_byte_and_not_sent_again() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let first = site.back_up("app").await;
    grow(&cluster, "b").await;
    let second = site.back_up("app").await;
    let ran = copy(&site, &["--dry-run"]).await.ended(0);
    assert!(
        ran.stdout
            .contains(&format!("backup {first} of database app would be copied")),
        "{ran:#?}"
    );
    assert!(!site.path("offsite/main").exists());
    copy(&site, &[])
        .await
        .ended(0)
        .says(&["copy of \"app\": complete"]);
    assert_eq!(
        good_in(&site, "offsite").await,
        [first.clone(), second.clone()]
    );
    for id in [&first, &second] {
        assert!(archive(&site, id, "local").await == archive(&site, id, "offsite").await);
    }
    let again = copy(&site, &[]).await.ended(0);
    assert_eq!(
        again.stdout,
        "all of it is in repository \"offsite\" already\n"
    );
    site.run(&["verify", "--repository", "offsite"])
        .await
        .ended(0);
    // A prune there finds nothing to do, and what is deleted there is not copied again.
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert_eq!(
        good_in(&site, "offsite").await,
        [first.clone(), second.clone()]
    );
    let prune = ["prune", "--repository", "offsite", "--id", &first, "--yes"];
    site.run(&prune).await.ended(0);
    let ran = copy(&site, &[]).await.ended(0);
    let told = format!("backup {first} of database app is not copied: it was deleted there");
    assert!(ran.stdout.contains(&told), "{ran:#?}");
    assert_eq!(
        good_in(&site, "offsite").await,
        std::slice::from_ref(&second)
    );
    // The next one needs packs of the deleted one, which the one that is there keeps.
    grow(&cluster, "c").await;
    let third = site.back_up("app").await;
    copy(&site, &[]).await.ended(0);
    assert_eq!(good_in(&site, "offsite").await, [second, third.clone()]);
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert!(archive(&site, &third, "local").await == archive(&site, &third, "offsite").await);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_of_a_backup_that_is_gone_come_along() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    let first = site.back_up("app").await;
    grow(&cluster, "b").await;
    let second = site.back_up("app").await;
    site.run(&["prune", "--id", &first, "--yes"]).await.ended(0);
    like(&site).await;
    copy(&site, &[&second[..]]).await.ended(0);
    assert_eq!(
        good_in(&site, "offsite").await,
        std::slice::from_ref(&second)
    );
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert!(archive(&site, &second, "local").await == archive(&site, &second, "offsite").await);
    // When nothing needs them any more they go.
    let prune = ["prune", "--repository", "offsite", "--id", &second, "--yes"];
    site.run(&prune).await.ended(0);
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert!(!object(&site, "offsite", &first, "packs/0").exists());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_copy_left_half_done_stays_and_the_next_one_goes_on() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let id = site.back_up("app").await;
    // The source breaks off behind the first pack.
    let manifest = object(&site, "backups", &id, "manifest");
    let whole = std::fs::read(&manifest).unwrap();
    flip(&manifest);
    copy(&site, &[]).await.ended(1).says(&["manifest"]);
    assert!(good_in(&site, "offsite").await.is_empty());
    let pack = object(&site, "offsite", &id, "packs/0");
    assert!(pack.exists());
    let made = std::fs::metadata(&pack).unwrap().modified().unwrap();
    site.run(&["prune", "--repository", "offsite"])
        .await
        .ended(0);
    assert!(pack.exists());
    std::fs::write(&manifest, whole).unwrap();
    copy(&site, &[]).await.ended(0);
    assert_eq!(std::fs::metadata(&pack).unwrap().modified().unwrap(), made);
    assert_eq!(good_in(&site, "offsite").await, [id]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hurt_or_missing_is_mended_from_the_other_and_restored() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    like(&site).await;
    let id = site.back_up("app").await;
    copy(&site, &[]).await.ended(0);
    let before = archive(&site, &id, "offsite").await;
    for (part, is_removed) in [
        ("packs/0", true),
        ("packs/0", false),
        ("manifest", false),
        ("index/0", true),
    ] {
        let path = object(&site, "offsite", &id, part);
        match is_removed {
            true => std::fs::remove_file(&path).unwrap(),
            false => flip(&path),
        }
        site.run(&["verify", "--repository", "offsite"])
            .await
            .ended(1);
        assert!(good_in(&site, "offsite").await.is_empty());
        let ran = copy(&site, &[]).await.ended(0);
        let told = format!("main/backups/{id}/{part} is mended\n");
        assert_eq!(ran.stdout, told, "{ran:#?}");
        assert_eq!(good_in(&site, "offsite").await, std::slice::from_ref(&id));
        site.run(&["verify", "--repository", "offsite"])
            .await
            .ended(0);
        assert!(archive(&site, &id, "offsite").await == before, "{part}");
    }
    // What is hurt on both sides is mended by neither.
    for repository in ["backups", "offsite"] {
        flip(&object(&site, repository, &id, "packs/0"));
    }
    site.run(&["verify", "--repository", "offsite"])
        .await
        .ended(1);
    let ran = copy(&site, &[]).await.ended(1);
    let told = "packs/0 could not be mended: ";
    assert!(ran.stdout.contains(told), "{ran:#?}");
    assert!(object(&site, "offsite", &id, "packs/0").exists());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_reaches_all_repositories_and_one_that_is_down_is_told_and_made_good() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(0);
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    // The other one is down.
    std::fs::rename(site.path("offsite"), site.path("away")).unwrap();
    let down = site.run(&backup).await.ended(3);
    let down = down.says(&[
        "the backups are UNDER-REPLICATED: repository \"offsite\" misses some; the next backup \
         makes it good, or 'pgkeep copy --from local --to offsite'",
        "dump of \"app\": complete",
    ]);
    assert!(down.stderr.contains("offsite"), "{down:#?}");
    let list = site.run(&["list"]).await.ended(0);
    list.says(&["repository \"offsite\" cannot be looked at: "]);
    std::fs::rename(site.path("away"), site.path("offsite")).unwrap();
    let list = site.run(&["list"]).await.ended(0);
    list.says(&["1 backup is UNDER-REPLICATED: not in repository \"offsite\""]);
    site.run(&backup).await.ended(0);
    let list = site.run(&["list"]).await.ended(0);
    assert!(!list.stderr.contains("offsite"), "{list:#?}");
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    assert_eq!(good_in(&site, "local").await.len(), 3);
    // The first one is down: the second takes the backup.
    std::fs::rename(site.path("backups"), site.path("away")).unwrap();
    site.run(&backup).await.ended(3);
    assert_eq!(good_in(&site, "offsite").await.len(), 4);
    std::fs::rename(site.path("away"), site.path("backups")).unwrap();
    let back = ["copy", "--from", "offsite", "--to", "local"];
    site.run(&back).await.ended(0);
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_prunes_prunes_every_repository_that_has_all_and_none_where_one_misses_some()
{
    let cluster = cluster().await;
    let mut site = Site::of(&cluster).await;
    configure(&site, true);
    like(&site).await;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=1");
    let backup = ["backup", "--database", "app", "--prune", "--yes", "--json"];
    for _ in 0..2 {
        site.run(&backup).await.ended(0);
    }
    let left = good_in(&site, "offsite").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left, good_in(&site, "local").await);
    std::fs::rename(site.path("offsite"), site.path("away")).unwrap();
    site.run(&backup)
        .await
        .ended(3)
        .says(&["nothing was pruned"]);
    assert_eq!(good_in(&site, "local").await.len(), 2);
    std::fs::rename(site.path("away"), site.path("offsite")).unwrap();
    let ran = site.run(&backup).await.ended(0);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["prune"]["retention"]["going"], 2);
    let there = &told["repositories"][0];
    assert_eq!(there["prune"]["retention"]["going"], 2, "{told:#}");
    assert_eq!(
        good_in(&site, "offsite").await,
        good_in(&site, "local").await
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_another_family_is_refused() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    configure(&site, false);
    let other = Site::of(&cluster).await;
    std::fs::rename(other.path("backups"), site.path("offsite")).unwrap();
    // Nobody has told this host of it.
    copy(&site, &[]).await.ended(1).says(&["offsite"]);
    copy(&site, &["--rate", "fast"]).await.ended(2);
    let same = ["copy", "--from", "local", "--to", "local"];
    site.run(&same)
        .await
        .ended(2)
        .says(&["repository \"local\" is named twice"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_into_a_directory_and_a_bucket_and_a_flipped_bit_there_is_mended() {
    let cluster = cluster().await;
    let server = S3s::start();
    let mut site = Site::of(&cluster).await;
    for (name, value) in server.access().variables() {
        site.set(name, value);
    }
    configure_at(&site, &server.access().url("pg/offsite"), true);
    like(&site).await;
    site.run(&["backup", "--database", "app"]).await.ended(0);
    let ids = good_in(&site, "local").await;
    assert_eq!(good_in(&site, "offsite").await, ids);
    let before = archive(&site, &ids[0], "offsite").await;
    let storage = server.access().bare("pg/offsite");
    let name = format!("main/backups/{}/packs/0", ids[0]).parse().unwrap();
    let mut bytes = storage.get(&name, None).await.unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    storage.delete(&name).await.unwrap();
    storage.put(&name, bytes.into()).await.unwrap();
    // Both are verified, and one of them is hurt.
    let ran = site.run(&["verify"]).await.ended(1);
    let told = "cluster main in repository \"local\": 4 objects of 4, all whole";
    assert!(ran.stdout.contains(told), "{ran:#?}");
    assert!(good_in(&site, "offsite").await.is_empty());
    assert_eq!(good_in(&site, "local").await, ids);
    copy(&site, &[]).await.ended(0);
    assert_eq!(good_in(&site, "offsite").await, ids);
    assert!(archive(&site, &ids[0], "offsite").await == before);
    site.run(&["verify"]).await.ended(0);
    cluster.stop().await;
}
