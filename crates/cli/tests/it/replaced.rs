//! A restored database takes the place of the old one, which is kept, or nothing has
//! happened to it.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of};

/// A server with a database that has gone on since it was backed up.
async fn gone_on(major: Major) -> (Cluster, Site) {
    let cluster = Cluster::start(major).await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own",
        )
        .await;
    let fill = "SET ROLE own; CREATE TABLE t AS SELECT 'then' AS what";
    cluster.psql("app", fill).await;
    // The configuration names the very database that is replaced.
    let connection = socket_of(&cluster)
        .replace("dbname=postgres", "dbname=app")
        .replace("user='postgres'", "user=own");
    let site = Site::with(&connection, &[]).await;
    site.back_up("app").await;
    cluster.psql("app", "UPDATE t SET what = 'now'").await;
    (cluster, site)
}

async fn databases(cluster: &Cluster) -> Vec<String> {
    let query = "SELECT datname FROM pg_database WHERE datname !~ '^template' ORDER BY 1";
    let rows = cluster.psql("postgres", query).await;
    rows.lines().map(str::to_owned).collect()
}

async fn what(cluster: &Cluster, database: &str) -> String {
    let what = cluster.psql(database, "SELECT what FROM t").await;
    what.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_one_has_the_name_and_the_old_one_is_kept_whoever_is_in_it() {
    for major in Major::ALL {
        let (cluster, site) = gone_on(major).await;
        let session = cluster.connect("app").await;
        let superuser = socket_of(&cluster);
        let arguments = [
            "--database",
            "app",
            "--replace",
            "--yes",
            "--admin",
            &superuser,
        ];
        let ran = site.run(&restore(&arguments)).await.ended(0);
        assert_eq!(ran.stdout, "app\n");
        let all = databases(&cluster).await;
        let [new, old, _] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert!(old.starts_with("app_replaced_2"), "{old}");
        ran.says(&[
            &format!("the old database stays as {old:?}"),
            "DROP DATABASE",
        ]);
        assert_eq!(new, "app");
        assert_eq!(what(&cluster, "app").await, "then");
        assert_eq!(what(&cluster, old).await, "now");
        assert!(session.batch("SELECT 1").await.is_err());
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_replaced_without_a_yes() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let arguments = restore(&["--database", "app", "--replace"]);
    site.run(&arguments)
        .await
        .ended(2)
        .says(&["replace database \"app\"", "--yes"]);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "now");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_not_be_ended_leaves_the_old_one_as_it_was() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let superusers = cluster.connect("app").await;
    let arguments = restore(&["--database", "app", "--replace", "--yes"]);
    site.run(&arguments).await.ended(1).says(&[
        "cannot put the new database into the place of \"app\", which is as it was",
        "being accessed by other users",
    ]);
    superusers.batch("SELECT 1").await.unwrap();
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "now");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_is_dropped_where_that_was_asked_for() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let arguments = restore(&["--database", "app", "--replace", "--drop-replaced", "--yes"]);
    site.run(&arguments).await.ended(0);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "then");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_none_it_is_an_ordinary_restore() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    cluster.psql("postgres", "DROP DATABASE app").await;
    let ran = site
        .run(&restore(&["--database", "app", "--replace"]))
        .await;
    let ran = ran.ended(0);
    assert!(!ran.stderr.contains("the old database"), "{ran:?}");
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "then");
    cluster.stop().await;
}
