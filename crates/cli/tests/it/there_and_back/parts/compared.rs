//! What of a part is compared, and what is not, is told.

use pgkeep_testkit::cluster::{Cluster, Major};

use super::{restored, source};
use crate::contents::with_program;
use crate::site::{Site, restore};

const VIEWS: &str = "CREATE VIEW public.own AS SELECT n FROM public.parts; \
     CREATE MATERIALIZED VIEW public.sums AS SELECT sum(n) FROM public.parts; \
     CREATE MATERIALIZED VIEW public.later AS SELECT n FROM public.parts WITH NO DATA";
const CHOSEN: [&str; 8] = [
    "--table", "parts", "--table", "own", "--table", "sums", "--table", "later",
];

async fn source_with_views() -> (Cluster, Site) {
    let (cluster, site) = source(Major::Fifteen).await;
    cluster.psql("app", VIEWS).await;
    site.back_up("app").await;
    (cluster, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn views_come_and_it_is_told_that_what_they_show_is_not_compared() {
    let (cluster, site) = source_with_views().await;
    let names = "materialized view public.later, view public.own, materialized view public.sums";
    let plan = restored(&site, &[&CHOSEN[..], &["--dry-run"]].concat()).await;
    let words = format!("and that these are there, not what they show: {names}\n");
    assert!(plan.stdout.contains(&words), "{plan:#?}");
    let ran = restored(&site, &[&CHOSEN[..], &["--json"]].concat()).await;
    let words = format!("there, and what they show was not compared: {names}\n");
    let ran = ran.ended(0).says(&[&words, "2 tables\n"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["not_compared"].as_array().unwrap().len(), 3);
    let sums = "SELECT (SELECT count(*) FROM own), (SELECT sum FROM sums)";
    assert_eq!(cluster.psql("new", sums).await, "100|9950\n");

    cluster.psql("postgres", "DROP DATABASE new").await;
    let ran = restored(&site, &["--table", "parts"]).await.ended(0);
    assert!(!ran.stderr.contains("not compared"), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_did_not_come_or_was_not_filled_is_an_error() {
    let (cluster, mut site) = source_with_views().await;
    let real = Major::Fifteen.programs().display().to_string();
    for (harm, sentence) in [
        ("DROP VIEW public.own", "view \"public\".\"own\" is missing"),
        (
            "REFRESH MATERIALIZED VIEW public.sums WITH NO DATA",
            "materialized view \"public\".\"sums\" was not filled",
        ),
        (
            "DROP MATERIALIZED VIEW public.later; CREATE VIEW public.later AS SELECT 1",
            "materialized view \"public\".\"later\" is missing",
        ),
    ] {
        let script = format!("{real}/pg_restore \"$@\" && {real}/psql -qc \"{harm}\"");
        with_program(&mut site, "pg_restore", &script);
        restored(&site, &CHOSEN).await.ended(1).says(&[sentence]);
        let databases = "SELECT datname FROM pg_database WHERE datname LIKE 'new_%'";
        let left = cluster.psql("postgres", databases).await;
        let drop = format!("DROP DATABASE {}", left.trim());
        cluster.psql("postgres", &drop).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_chosen_table_that_were_not_counted_are_told() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let real = Major::Fifteen.programs().display().to_string();
    // An archive of statements, in which no row can be told from another.
    let inserts = format!("exec {real}/pg_dump \"$@\" --inserts");
    with_program(&mut site, "pg_dump", &inserts);
    // What was chosen of the database is all that has been asked about until now.
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_TABLES_EXCLUDE", "zz_last");
    site.back_up("app").await;
    let ran = restored(&site, &["--table", "refers"]).await.ended(0);
    ran.says(&["of 1 table (public.refers …) the rows were not counted"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_another_encoding_is_not_guessed_at() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let create = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    cluster.psql("postgres", create).await;
    // In LATIN1 these two characters are the bytes of ü in UTF-8.
    let fill = "CREATE TABLE plain AS SELECT 1 AS n; CREATE TABLE \"Ã¼\" (n int)";
    cluster
        .psql("latin", &format!("SET client_encoding = 'UTF8'; {fill}"))
        .await;
    let site = Site::of(&cluster).await;
    site.back_up("latin").await;
    let part = |more: &[&'static str]| {
        let of = ["--database", "latin", "--as", "new"];
        restore(&[&of, more].concat())
    };
    site.run(&part(&["--schema", "public"]))
        .await
        .ended(1)
        .says(&["is not in UTF-8", "restore the whole database"]);
    site.run(&part(&["--table", "plain"])).await.ended(0);
    cluster.stop().await;
}
