//! A repository in a bucket: the same commands, the same promises.

use std::time::Duration;

use pgkeep_storage::{Storage, list_all, list_unfinished};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::proxy::{Fault, FaultProxy, Weather};
use pgkeep_testkit::s3::{Careless, Moto, S3Access, S3s};

use crate::site::{Ran, Site, socket_of};

/// A home whose repository will be in the bucket, by the environment.
pub(crate) fn site_with(access: &S3Access) -> Site {
    let mut site = Site::empty();
    for (name, value) in access.variables() {
        site.set(name, value);
    }
    site
}

async fn init(site: &Site, cluster: &Cluster, access: &S3Access) -> Ran {
    let (url, connection) = (access.url("pg/main"), socket_of(cluster));
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await
}

async fn cluster_with_data() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    // More than one part of an upload, whatever compresses it.
    let fill = "CREATE TABLE t AS SELECT n, md5(n::text) || md5((-n)::text) AS noise \
                FROM generate_series(1, 400000) AS n";
    cluster.psql("app", fill).await;
    cluster
}

async fn comes_back(site: &Site, cluster: &Cluster) {
    let id = site.back_up("app").await;
    assert_eq!(site.good().await, [id]);
    let arguments = ["restore", "--database", "app", "--as", "back"];
    let identity = ["--identity", "recovery.key"];
    site.run(&[&arguments[..], &identity].concat())
        .await
        .ended(0);
    let sum = "SELECT count(*), sum(n), md5(string_agg(noise, '' ORDER BY n)) FROM t";
    assert_eq!(
        cluster.psql("back", sum).await,
        cluster.psql("app", sum).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_from_a_bucket() {
    let cluster = cluster_with_data().await;
    let server = S3s::start();
    let site = site_with(server.access());
    let ran = init(&site, &cluster, server.access()).await.ended(0);
    assert!(ran.stdout.contains("s3://backups/pg/main"), "{ran:#?}");
    assert!(!ran.stdout.contains("replaces"), "{ran:#?}");
    comes_back(&site, &cluster).await;
    // What exists is left as it is.
    let again = site_with(server.access());
    let ran = init(&again, &cluster, server.access()).await.ended(1);
    ran.says(&["s3://backups/pg/main", "already"]);
    assert!(!again.path("host.key").exists());
    assert_eq!(site.good().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_from_a_server_that_ignores_conditions() {
    let cluster = cluster_with_data().await;
    let server = Careless::start();
    let site = site_with(server.access());
    let ran = init(&site, &cluster, server.access()).await.ended(0);
    assert!(ran.stdout.contains("The storage replaces"), "{ran:#?}");
    comes_back(&site, &cluster).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_outlives_a_network_that_breaks_off() {
    let cluster = cluster_with_data().await;
    let server = S3s::start();
    let site = site_with(server.access());
    let proxy = FaultProxy::start(&server.access().endpoint, Weather::default());
    let access = server.access().through(proxy.endpoint());
    proxy.arm(Fault::CutAnswer(200), 2);
    init(&site, &cluster, &access).await.ended(0);
    proxy.arm(Fault::CutRequest(3_000_000), 3);
    comes_back(&site, &cluster).await;
    assert_eq!(proxy.left(), 0);
    cluster.stop().await;
}

/// A killed backup whose pack was being uploaded; its run is a day old at once, since
/// the repository forgets its `begin`.
#[tokio::test(flavor = "multi_thread")]
async fn a_prune_removes_the_upload_that_a_killed_backup_was_at() {
    let cluster = cluster_with_data().await;
    let server = Moto::start();
    let access = server.access();
    let site = site_with(access);
    init(&site, &cluster, access).await.ended(0);
    let storage = access.bare("pg/main");
    let mut backup = site.start(&["backup", "--database", "app"]);
    let unfinished = loop {
        let found = list_unfinished(&storage, "main/").await.unwrap();
        match found.is_empty() {
            false => break found,
            true => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    backup.kill().await.unwrap();
    assert!(unfinished[0].object.contains("/packs/"), "{unfinished:?}");

    // It may live for all that is known.
    let told = site.run(&["prune"]).await.ended(0).stdout;
    assert!(!told.contains("unfinished"), "{told}");
    // Of no known run.
    for object in list_all(&storage, "main/").await.unwrap() {
        storage.delete(&object.name).await.unwrap();
    }
    let told = site.run(&["prune", "--dry-run"]).await.ended(0).stdout;
    assert!(told.contains("1 unfinished upload:"), "{told}");
    let told = site.run(&["prune"]).await.ended(0);
    assert!(
        told.stdout.contains(" and 1 unfinished upload"),
        "{told:#?}"
    );
    assert!(!told.stderr.contains("could not be looked at"), "{told:#?}");
    assert_eq!(list_unfinished(&storage, "").await.unwrap(), []);
    comes_back(&site, &cluster).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_says_that_unfinished_uploads_could_not_be_looked_at() {
    let cluster = cluster_with_data().await;
    let server = S3s::start();
    let site = site_with(server.access());
    init(&site, &cluster, server.access()).await.ended(0);
    let ran = site.run(&["prune"]).await.ended(0);
    let told = ran.stderr.matches("could not be looked at").count();
    assert_eq!(told, 1, "{ran:#?}");
    let ran = site.run(&["prune", "--json"]).await.ended(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let unknown = report["unfinished_unknown"].as_str().unwrap();
    assert!(unknown.contains("501"), "{unknown}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_as_such_and_not_as_a_missing_repository() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (s3s, moto) = (S3s::start(), Moto::start());
    for access in [s3s.access(), moto.access()] {
        let site = site_with(access);
        init(&site, &cluster, access).await.ended(0);
        let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
        let there = format!("s3://{}/", access.bucket);
        assert!(config.contains(&there), "{config}");
        let config = config.replace(&there, "s3://mistyped/");
        std::fs::write(site.path("pgkeep.toml"), config).unwrap();
        for command in ["list", "backup", "prune"] {
            site.run(&[command]).await.ended(1).says(&[
                "no such bucket",
                "mistyped",
                "hint: make the bucket first",
            ]);
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_to_a_bucket_are_in_no_output() {
    let cluster = cluster_with_data().await;
    let server = S3s::start();
    let access = server.access();
    let mut site = site_with(access);
    init(&site, &cluster, access).await.ended(0);
    site.set("AWS_SECRET_ACCESS_KEY", "another-secret-altogether");
    for arguments in [&["list"][..], &["backup", "--database", "app"]] {
        let ran = site.run(arguments).await.ended(1);
        let text = format!("{ran:?}");
        for secret in [access.secret.as_str(), "another-secret-altogether"] {
            assert!(!text.contains(secret), "{ran:#?}");
        }
        ran.says(&["SignatureDoesNotMatch", "hint: check the access key"]);
    }
    // Not even one that somebody put where it does not belong.
    let url = "s3://key:hunter2@backups/x";
    let init = ["init", "--repository", url, "--connection", "host=/nowhere"];
    let ran = site_with(access).run(&init).await;
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:#?}");
    ran.ended(1).says(&["there is a user or a password"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_says_where_what_it_deletes_is_kept_as_old_versions() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for keeps in [true, false] {
        let server = match keeps {
            true => Moto::start().with_versions(),
            false => Moto::start(),
        };
        let site = site_with(server.access());
        init(&site, &cluster, server.access()).await.ended(0);
        let id = site.back_up("postgres").await;
        let ran = site.run(&["prune", "--id", &id, "--yes"]).await.ended(0);
        let says = ran.stderr.contains("the storage keeps old versions");
        assert_eq!(says, keeps, "{ran:#?}");
        let ran = site.run(&["prune", "--json"]).await.ended(0);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(told["keeps_versions"], keeps);
    }
    cluster.stop().await;
}
