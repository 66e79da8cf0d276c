//! Databases of the encoding SQL_ASCII, in which names and texts are whatever bytes somebody
//! gave.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

/// A database with rows that are in no encoding, and what `more` makes.
async fn with(more: &str) -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let create = "CREATE DATABASE app TEMPLATE template0 ENCODING 'SQL_ASCII' \
         LC_COLLATE 'C' LC_CTYPE 'C'";
    cluster.psql("postgres", create).await;
    let fill = format!(
        "CREATE TABLE t AS SELECT convert_from('\\xe4ff80', 'SQL_ASCII') AS x; \
         CREATE TABLE \"größe\" AS SELECT 1 AS n; {more}"
    );
    cluster.psql("app", &fill).await;
    let site = Site::of(&cluster).await;
    (cluster, site)
}

/// Runs SQL in which `%I` is a name of bytes.
fn named(sql: &str, bytes: &str) -> String {
    format!("DO $$BEGIN EXECUTE format('{sql}', convert_from('\\x{bytes}', 'SQL_ASCII')); END$$;")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_names_are_in_utf8_comes_back_byte_by_byte() {
    let (cluster, site) = with("").await;
    site.back_up("app").await;
    site.run(&restore(&["--database", "app", "--as", "new"]))
        .await
        .ended(0);
    let bytes = "SELECT convert_to(x, 'SQL_ASCII'), n FROM t, \"größe\"";
    assert_eq!(cluster.psql("new", bytes).await, "\\xe4ff80|1\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_other_names_is_refused_and_they_are_told() {
    let names = [
        named("CREATE TABLE %I ()", "73747261df65"),
        named("CREATE SCHEMA %I CREATE TABLE inside_it ()", "e4"),
        named("CREATE SEQUENCE public.%I", "ff22"),
    ];
    let (cluster, site) = with(&names.concat()).await;
    let ran = site.run(&["backup", "--database", "app"]).await.ended(1);
    ran.says(&[
        "cannot back up database \"app\": its encoding is SQL_ASCII, and 3 names are not in UTF-8",
        "schema \\xe4, sequence public.\\xff\\\", table public.stra\\xdfe",
        "hint: rename them",
    ]);
    assert!(site.good().await.is_empty());
    let doctor = site.run(&["doctor"]).await.ended(1).stdout;
    assert!(doctor.contains("3 names are not in UTF-8"), "{doctor}");
    assert!(doctor.contains("mend: rename them"), "{doctor}");

    let mend = [
        // What goes with the schema would be told, and cannot be.
        "SET client_min_messages = warning; ".to_owned(),
        named("DROP SCHEMA %I CASCADE", "e4"),
        named("DROP SEQUENCE %I", "ff22"),
        named("ALTER TABLE %I RENAME TO street", "73747261df65"),
    ];
    cluster.psql("app", &mend.concat()).await;
    site.back_up("app").await;
    site.run(&["doctor"]).await.ended(0);
    cluster.stop().await;
}
