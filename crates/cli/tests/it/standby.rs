//! Backups of a server that follows another one.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of};

const SUM: &str = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY n)) FROM t";

/// A primary with a database, its standby, and a home that looks after the latter.
async fn followed(major: Major) -> (Cluster, Cluster, Site) {
    let primary = Cluster::start(major).await;
    primary
        .psql("postgres", "CREATE DATABASE app; CREATE ROLE teller")
        .await;
    let fill = "CREATE TABLE t AS SELECT n, md5(n::text) AS noise
                FROM generate_series(1, 20000) AS n;
                CREATE SEQUENCE s; SELECT setval('s', 41); GRANT SELECT ON t TO teller;
                SELECT lo_from_bytea(0, 'large')";
    primary.psql("app", fill).await;
    let standby = primary.standby().await;
    primary.caught_up(&standby).await;
    let site = Site::of(&standby).await;
    (primary, standby, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_standby_is_whole_and_comes_back_on_its_primary() {
    for major in Major::ALL {
        let (primary, standby, site) = followed(major).await;
        let id = site.back_up("app").await;
        let into = socket_of(&primary);
        let back = ["--backup", &id, "--into", &into, "--as", "back"];
        site.run(&restore(&back)).await.ended(0);
        assert_eq!(
            primary.psql("back", SUM).await,
            primary.psql("app", SUM).await
        );
        assert_eq!(
            primary.pg_dump_c("back").await.replace("back", "app"),
            primary.pg_dump_c("app").await
        );
        standby.stop().await;
        primary.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_databases_of_a_standby_are_backed_up_with_its_globals() {
    let (primary, standby, site) = followed(Major::Eighteen).await;
    site.run(&["backup"]).await.ended(0);
    assert_eq!(site.good().await.len(), 2, "app and postgres");
    let file = ["--database", "app", "--globals", "--to-file", "globals.sql"];
    site.run(&restore(&file)).await.ended(0);
    let globals = std::fs::read_to_string(site.path("globals.sql")).unwrap();
    assert!(globals.contains("CREATE ROLE teller"), "{globals}");
    standby.stop().await;
    primary.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_onto_a_standby_says_that_it_is_one_and_touches_nothing() {
    let (primary, standby, site) = followed(Major::Eighteen).await;
    let id = site.back_up("app").await;
    let ran = site.run(&restore(&["--backup", &id, "--as", "back"])).await;
    ran.ended(1).says(&["standby", "--into"]);
    standby.stop().await;
    primary.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_nothing_wrong_with_a_standby() {
    let (primary, standby, site) = followed(Major::Eighteen).await;
    site.back_up("app").await;
    let ran = site.run(&["doctor"]).await;
    assert!(ran.ended(0).stdout.contains("no problems"));
    standby.stop().await;
    primary.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_standby_does_not_have_are_told_by_the_backup() {
    let (primary, standby, site) = followed(Major::Eighteen).await;
    let make = "SET synchronous_commit = on; CREATE UNLOGGED TABLE u AS SELECT 1 AS n";
    primary.psql("app", make).await;
    primary.caught_up(&standby).await;
    let ran = site.run(&["backup", "--database", "app"]).await.ended(0);
    ran.says(&["warning: database \"app\" has 1 unlogged table (public.u"]);
    standby.stop().await;
    primary.stop().await;
}
