//! A database that was backed up and restored is the database that it was.

mod newer_programs;
mod ordinary;
mod own_rights;
mod parts;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of};

/// Added to a name; taken away again, the dumps must not differ.
const SUFFIX: &str = "_restored";

async fn the_zoo_comes_back(major: Major) {
    let cluster = Cluster::start(major).await;
    let site = Site::of(&cluster).await;
    for database in cluster.load_zoo().await {
        site.back_up(database).await;
        let name = format!("{database}{SUFFIX}");
        let arguments = restore(&["main", "--database", database, "--as", &name]);
        let ran = site.run(&arguments).await.ended(0);
        assert_eq!(ran.stdout, format!("{name}\n"));

        let before = cluster.pg_dump_c(database).await;
        let after = cluster.pg_dump_c(&name).await.replace(SUFFIX, "");
        for (number, (before, after)) in before.lines().zip(after.lines()).enumerate() {
            assert_eq!(
                before,
                after,
                "{database} on {major:?}, line {}",
                number + 1
            );
        }
        assert_eq!(before.lines().count(), after.lines().count(), "{database}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_comes_back_on_15() {
    the_zoo_comes_back(Major::Fifteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_comes_back_on_16() {
    the_zoo_comes_back(Major::Sixteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_comes_back_on_18() {
    the_zoo_comes_back(Major::Eighteen).await;
}

/// Restores the zoo into a newer server, which compares it with the facts of the older one.
async fn the_zoo_comes_back_on_a_newer_server(old: Major, new: Major) {
    let cluster = Cluster::start(old).await;
    let newer = Cluster::start(new).await;
    let site = Site::of(&cluster).await;
    cluster.load_plain_zoo().await;
    site.back_up("zoo").await;
    let into = socket_of(&newer);
    let arguments = [
        "--database",
        "zoo",
        "--as",
        "zoo",
        "--into",
        &into,
        "--create-roles",
    ];
    site.run(&restore(&arguments)).await.ended(0);
    newer.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_of_15_comes_back_on_16() {
    the_zoo_comes_back_on_a_newer_server(Major::Fifteen, Major::Sixteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_of_15_comes_back_on_18() {
    the_zoo_comes_back_on_a_newer_server(Major::Fifteen, Major::Eighteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zoo_of_16_comes_back_on_18() {
    the_zoo_comes_back_on_a_newer_server(Major::Sixteen, Major::Eighteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_database_comes_back_under_its_own_name() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE t AS SELECT generate_series(1, 100000) AS n";
    cluster.psql("app", fill).await;
    // The configuration names the very database that will be gone.
    let connection = socket_of(&cluster).replace("dbname=postgres", "dbname=app");
    let site = Site::with(&connection, &[]).await;
    // Without --database the connection's own is meant.
    site.run(&["backup"]).await.ended(0);
    cluster.psql("postgres", "DROP DATABASE app").await;
    let arguments = ["restore", "--database", "app", "--as", "app"];
    site.run(&[&arguments[..], &["--identity", "recovery.key"]].concat())
        .await
        .ended(0);
    let sum = cluster.psql("app", "SELECT count(*), sum(n) FROM t").await;
    assert_eq!(sum.trim(), "100000|5000050000");
    cluster.stop().await;
}

/// When a backup was finished.
async fn finished(site: &Site, id: &str) -> String {
    let listed = site.list().await;
    let line = listed.iter().find(|line| line["id"] == id).unwrap();
    line["finished"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_backup_is_restored_unless_an_older_one_is_named() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster
        .psql("app", "CREATE TABLE t AS SELECT 'old' AS what")
        .await;
    let site = Site::of(&cluster).await;
    let old = site.back_up("app").await;
    cluster.psql("app", "UPDATE t SET what = 'new'").await;
    let new = site.back_up("app").await;
    assert_eq!(site.good().await, [old.clone(), new.clone()]);
    let between = finished(&site, &new).await;
    let first = finished(&site, &old).await;
    for (selection, name, expected) in [
        (vec!["--database", "app"], "newest", "new"),
        (vec!["--backup", &old], "older", "old"),
        (
            vec!["--database", "app", "--before", &between],
            "earlier",
            "old",
        ),
    ] {
        let arguments = restore(&["--as", name]);
        site.run(&[&arguments[..], &selection].concat())
            .await
            .ended(0);
        let what = cluster.psql(name, "SELECT what FROM t").await;
        assert_eq!(what.trim(), expected);
    }
    site.run(&restore(&["--database", "app", "--before", &first]))
        .await
        .ended(4)
        .says(&[
            "found no good backup of database \"app\" that was finished before",
            "the oldest good backup of it was finished at 20",
        ]);
    site.run(&restore(&["--backup", "zzzz"]))
        .await
        .ended(4)
        .says(&["no good backup of id \"zzzz\"", "'pgkeep list' shows"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_in_a_file_is_what_pg_restore_takes() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster
        .psql(
            "app",
            "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n",
        )
        .await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = ["restore", "--database", "app", "--to-file", "app.dump"];
    let arguments = [&arguments[..], &["--identity", "recovery.key"]].concat();
    site.run(&arguments).await.ended(0);
    let restored = tokio::process::Command::new(Major::Fifteen.programs().join("pg_restore"))
        .args(["-f", "-"])
        .arg(site.path("app.dump"))
        .output()
        .await
        .unwrap();
    let script = String::from_utf8(restored.stdout).unwrap();
    assert!(
        restored.status.success() && script.contains("\n1000\n"),
        "{script}"
    );

    let before = std::fs::read(site.path("app.dump")).unwrap();
    site.run(&arguments)
        .await
        .ended(1)
        .says(&["app.dump exists already"]);
    assert_eq!(std::fs::read(site.path("app.dump")).unwrap(), before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_databases_are_one_run_and_a_failed_one_makes_it_partial() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql("postgres", "CREATE DATABASE a; CREATE DATABASE b")
        .await;
    let site = Site::of(&cluster).await;
    let arguments = [
        "backup",
        "--database",
        "a",
        "--database",
        "nope",
        "--database",
        "b",
    ];
    let ran = site
        .run(&[&arguments[..], &["--json"]].concat())
        .await
        .ended(3);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["outcome"], "partial");
    assert!(ran.stderr.contains("\"nope\""));
    assert_eq!(site.good().await.len(), 2);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_database_do_not_change_what_is_restored() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE DATABASE app; ALTER DATABASE app SET array_nulls = off",
        )
        .await;
    let fill = "SET array_nulls = on; CREATE TABLE a AS SELECT ARRAY['a', NULL, 'b'] AS x";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let restore = restore(&["--database", "app", "--as", "new"]);
    site.run(&restore).await.ended(0);
    let null = cluster.psql("new", "SELECT x[2] IS NULL FROM a").await;
    assert_eq!(null.trim(), "t");
    assert_eq!(cluster.psql("new", "SHOW array_nulls").await.trim(), "off");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_create_databases_restores_its_own() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own",
        )
        .await;
    cluster
        .psql("app", "SET ROLE own; CREATE TABLE t AS SELECT 1 AS n")
        .await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=own");
    let site = Site::with(&connection, &[]).await;
    site.back_up("app").await;
    let restore = restore(&["--database", "app", "--as", "new"]);
    site.run(&restore).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_superuser_restores_a_database_with_extensions() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE DATABASE app; CREATE ROLE u1 LOGIN SUPERUSER",
        )
        .await;
    cluster.psql("app", "CREATE EXTENSION pgcrypto").await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=u1");
    let site = Site::with(&connection, &[]).await;
    site.back_up("app").await;
    let restore = restore(&["--database", "app", "--as", "new"]);
    site.run(&restore).await.ended(0);
    cluster.stop().await;
}
