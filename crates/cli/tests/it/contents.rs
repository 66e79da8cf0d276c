//! The rows of each table are counted as they pass by, and a restored database is
//! held against that.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;

const APP: &str = "CREATE SCHEMA \"Ünal's\"; \
     CREATE TABLE \"Ünal's\".\"a b\" (n int, t text); \
     INSERT INTO \"Ünal's\".\"a b\" SELECT i, E'two\\nlines' FROM generate_series(1, 1234) i; \
     CREATE TABLE empty (); \
     CREATE TABLE parts (n int) PARTITION BY RANGE (n); \
     CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100); \
     INSERT INTO parts SELECT generate_series(0, 41); \
     CREATE SEQUENCE drawn; SELECT nextval('drawn') FROM generate_series(1, 7); \
     CREATE SEQUENCE fresh;";

async fn cluster_with_app() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", APP).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_every_table_and_the_values_of_sequences_are_told() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("app").await;
    let shown = site.run(&["show", &id, "--json"]).await.ended(0);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let facts = &shown["facts"];
    let rows = |table: &serde_json::Value| {
        let name = table["name"].as_str().unwrap().to_owned();
        (name, table["rows"].as_u64().unwrap())
    };
    let tables = facts["tables"].as_array().unwrap().iter();
    assert_eq!(
        tables.map(rows).collect::<Vec<_>>(),
        [
            ("empty".to_owned(), 0),
            ("part".to_owned(), 42),
            ("a b".to_owned(), 1234)
        ]
    );
    assert_eq!(facts["tables"][2]["schema"], "Ünal's");
    let values: Vec<_> = facts["sequences"].as_array().unwrap().iter().collect();
    assert_eq!(values[0]["last_value"], 7);
    assert!(values[1]["last_value"].is_null());
    let shown = site.run(&["show", &id]).await.ended(0).stdout;
    assert!(shown.contains("rows          1276"), "{shown}");
    assert!(shown.contains("Ünal's.a b    1234"), "{shown}");
    cluster.stop().await;
}

fn restore_as(name: &str) -> [&str; 7] {
    let with = "recovery.key";
    [
        "restore",
        "--database",
        "app",
        "--as",
        name,
        "--identity",
        with,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_lost_a_row_or_a_value_of_a_sequence_is_an_error() {
    let cluster = cluster_with_app().await;
    let mut site = Site::of(&cluster).await;
    site.back_up("app").await;
    // PostgreSQL's own programs, but for a pg_restore that does more than it says.
    let tools = site.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let real = Major::Fifteen.programs();
    std::os::unix::fs::symlink(real.join("pg_dump"), tools.join("pg_dump")).unwrap();
    for (name, harm, sentence) in [
        (
            "rows",
            "DELETE FROM public.part WHERE n = 0",
            "table \"public\".\"part\" has 41 rows, not 42",
        ),
        (
            "values",
            "SELECT setval('public.drawn', 3)",
            "sequence \"public\".\"drawn\" is at 3, and had drawn 7",
        ),
        (
            "tables",
            "DROP TABLE public.empty",
            "table \"public\".\"empty\" is missing",
        ),
    ] {
        let script = format!(
            "#!/bin/sh\n{0}/pg_restore \"$@\" && {0}/psql -qc \"{harm}\"\n",
            real.display()
        );
        let program = tools.join("pg_restore");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        site.set("PGKEEP_POSTGRES_BIN", &tools);
        let restored = site.run(&restore_as(name)).await;
        restored.ended(1).says(&[sentence]);
    }
    site.set("PGKEEP_POSTGRES_BIN", real);
    site.run(&restore_as("whole")).await.ended(0);
    cluster.stop().await;
}
