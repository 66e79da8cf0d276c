//! The rows of each table are counted as they pass by, and a restored database is
//! held against that.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of, until};

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

/// PostgreSQL's own programs, but for one that is this script.
pub(crate) fn with_program(site: &mut Site, name: &str, script: &str) {
    let tools = site.path("tools");
    std::fs::create_dir_all(&tools).unwrap();
    for program in ["pg_dump", "pg_dumpall", "pg_restore"] {
        let _ = std::fs::remove_file(tools.join(program));
        let real = Major::Fifteen.programs().join(program);
        std::os::unix::fs::symlink(real, tools.join(program)).unwrap();
    }
    let program = tools.join(name);
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", tools);
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
    let real = Major::Fifteen.programs().display().to_string();
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
        let script = format!("{real}/pg_restore \"$@\" && {real}/psql -qc \"{harm}\"");
        with_program(&mut site, "pg_restore", &script);
        let restored = site.run(&restore_as(name)).await;
        restored.ended(1).says(&[sentence]);
        let named = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        assert_eq!(cluster.psql("postgres", &named).await, "0\n", "{name}");
    }
    site.set("PGKEEP_POSTGRES_BIN", Major::Fifteen.programs());
    site.run(&restore_as("whole")).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_were_not_counted_is_told_when_it_is_restored() {
    let cluster = cluster_with_app().await;
    let mut site = Site::of(&cluster).await;
    let real = Major::Fifteen.programs().display().to_string();
    // An archive of statements, in which no row can be told from another.
    let inserts = format!("exec {real}/pg_dump \"$@\" --inserts");
    with_program(&mut site, "pg_dump", &inserts);
    site.back_up("app").await;
    let ran = site.run(&restore_as("again")).await.ended(0);
    ran.says(&["of 3 tables (public.empty …) the rows were not counted"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_asked_to_stop_while_it_counts_leaves_nothing() {
    let cluster = cluster_with_app().await;
    let mut site = Site::of(&cluster).await;
    site.back_up("app").await;
    let real = Major::Fifteen.programs().display().to_string();
    let lock = "BEGIN; LOCK TABLE public.part; SELECT pg_sleep(60)";
    let locked = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                  AND relation = 'public.part'::regclass";
    let script = format!(
        "{real}/pg_restore \"$@\" || exit\n{real}/psql -qc \"{lock}\" >/dev/null 2>&1 &\n\
         for tick in $(seq 600); do\n\
         [ -n \"$({real}/psql -Atc \"{locked}\")\" ] && exit 0\nsleep 0.1; done\n\
         echo 'the lock was never there' >&2; exit 1"
    );
    with_program(&mut site, "pg_restore", &script);
    let running = site.start(&restore_as("again"));
    let counting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                    AND query LIKE '%count(*)%ONLY%' AND pid <> pg_backend_pid()";
    until("a session that counts rows", async || {
        cluster.psql("postgres", counting).await.trim() == "1"
    })
    .await;
    let process = rustix::process::Pid::from_raw(running.id().unwrap().try_into().unwrap());
    rustix::process::kill_process(process.unwrap(), rustix::process::Signal::INT).unwrap();
    let ran = crate::site::ended(running).await.ended(130);
    ran.says(&["\"again\"", "interrupted"]);
    let left = cluster
        .psql("postgres", "SELECT datname FROM pg_database")
        .await;
    assert!(!left.contains("again"), "{left}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_this_servers_hashes_put_into_another_partition_came_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    // An enum's hash is that of its labels' numbers, which are drawn anew.
    let fill = "CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm'); \
         CREATE TABLE felt (m mood) PARTITION BY HASH (m); \
         CREATE TABLE felt0 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE TABLE felt1 PARTITION OF felt FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         INSERT INTO felt SELECT m FROM unnest(enum_range(NULL::mood)) \
         WITH ORDINALITY AS _ (m, n), generate_series(1, (1 << n::int))";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = ["--database", "app", "--as", "new"];
    let ran = site.run(&restore(&arguments)).await.ended(0);
    ran.says(&[
        "note: the rows of table \"public\".\"felt\" lie in other partitions than they did, as many \
         in all (16382 rows)",
    ]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_plpgsql_comes_back_without_it_or_it_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let role = "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own";
    cluster.psql("postgres", role).await;
    cluster.psql("app", "DROP EXTENSION plpgsql").await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = ["--database", "app", "--as", "new"];
    site.run(&restore(&arguments)).await.ended(0);
    let there = "SELECT count(*) FROM pg_extension";
    assert_eq!(cluster.psql("new", there).await.trim(), "0");

    let own = socket_of(&cluster).replace("user='postgres'", "user=own");
    let arguments = ["--database", "app", "--as", "owns", "--into", &own];
    let ran = site.run(&restore(&arguments)).await.ended(0);
    ran.says(&["note: extension \"plpgsql\" is there"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_an_extension_may_have_other_tables_which_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    // What a version made that the server no longer makes.
    let fill = "CREATE TABLE of_it (); ALTER EXTENSION plpgsql ADD TABLE of_it; \
         UPDATE pg_extension SET extversion = '0.9'";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = restore(&["--database", "app", "--as", "new"]);
    site.run(&arguments)
        .await
        .ended(0)
        .says(&["note: it has 0 tables, those of extensions too, and had 1"]);

    cluster
        .psql("app", "UPDATE pg_extension SET extversion = '1.0'")
        .await;
    site.back_up("app").await;
    let arguments = restore(&["--database", "app", "--as", "same"]);
    site.run(&arguments)
        .await
        .ended(1)
        .says(&["the number of tables is 0, not 1"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_schema_public_comes_back_without_it_or_it_differs() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let role = "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own";
    cluster.psql("postgres", role).await;
    let other = "DROP SCHEMA public; CREATE SCHEMA other; CREATE TABLE other.t ()";
    cluster.psql("app", other).await;
    let mut site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = ["--database", "app", "--as", "new"];
    site.run(&restore(&arguments)).await.ended(0);
    let there = "SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE oid >= 16384 \
         OR nspname = 'public'";
    assert_eq!(cluster.psql("new", there).await.trim(), "other");

    let real = Major::Fifteen.programs().display().to_string();
    let harm = "CREATE SCHEMA public; ALTER SCHEMA other RENAME TO another; \
         CREATE SCHEMA other; ALTER TABLE another.t SET SCHEMA other; DROP SCHEMA another; \
         CREATE SCHEMA more";
    let script = format!("{real}/pg_restore \"$@\" && {real}/psql -qc \"{harm}\"");
    with_program(&mut site, "pg_restore", &script);
    let arguments = ["--database", "app", "--as", "differs"];
    site.run(&restore(&arguments)).await.ended(1).says(&[
        "schema \"more\" is there and was not in the backup's database",
        "schema \"public\" is there and was not in the backup's database",
    ]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_lost_a_thing_of_any_kind_is_an_error() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.load_zoo().await;
    let mut site = Site::of(&cluster).await;
    site.back_up("zoo").await;
    let real = Major::Fifteen.programs().display().to_string();
    // Each is lost once; where something else goes with it, that is told too.
    let harm = "DROP PUBLICATION everything; DROP EVENT TRIGGER watch_drops; \
         ALTER SUBSCRIPTION from_afar SET (slot_name = NONE); DROP SUBSCRIPTION from_afar; \
         DROP POLICY own ON app.secret; DROP TRIGGER many ON app.keeper; \
         DROP RULE also ON app.moved; DROP INDEX app.indexed_gin; DROP VIEW app.second; \
         DROP MATERIALIZED VIEW app.not_filled; DROP FOREIGN TABLE app.databases; \
         DROP STATISTICS app.indexed_stats; SELECT lo_unlink(424244); \
         DROP FUNCTION app.rows; DROP TYPE app.shell; DROP AGGREGATE app.product(numeric); \
         ALTER TABLE app.booking DROP CONSTRAINT booking_guest_room_key; \
         ALTER TABLE app.keeper DROP CONSTRAINT boss_is_keeper; \
         ALTER TABLE app.species DROP CONSTRAINT name_is_short; \
         ALTER TABLE app.with_holes DROP COLUMN late; DROP CAST (text AS app.point3d); \
         DROP USER MAPPING FOR zoo_keeper SERVER far_away; DROP COLLATION app.plain; \
         ALTER DOMAIN app.email DROP CONSTRAINT short; DROP CONVERSION app.my_conversion";
    let script = format!("{real}/pg_restore \"$@\" && {real}/psql -qc \"{harm}\"");
    with_program(&mut site, "pg_restore", &script);
    let ran = site
        .run(&restore(&["--database", "zoo", "--as", "harmed"]))
        .await
        .ended(1);
    for (kind, by) in [
        ("publications", 1),
        ("event triggers", 1),
        ("subscriptions", 1),
        ("policies", 1),
        ("triggers", 1),
        ("rules", 1),
        ("views", 1),
        ("materialized views", 1),
        ("foreign tables", 1),
        ("extended statistics", 1),
        ("large objects", 1),
        ("functions", 2),
        ("types", 1),
        ("unique constraints", 1),
        ("foreign keys", 1),
        ("check constraints", 1),
        ("casts", 1),
        ("user mappings", 1),
        ("collations", 1),
        ("constraints of domains", 1),
        ("conversions", 1),
    ] {
        let told = format!("the number of {kind} is ");
        let numbers = ran.stderr.split(&told).nth(1).unwrap_or_default();
        let mut numbers = numbers.split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.find_map(|digits| digits.parse::<u64>().ok());
        let (found, expected) = (number(), number());
        assert_eq!(found.map(|found| found + by), expected, "{kind}: {ran:#?}");
    }
    let id = &site.good().await[0];
    let shown = site.run(&["show", id]).await.ended(0).stdout;
    assert!(shown.contains("subscriptions: 1"), "{shown}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_could_not_be_dumped_is_told_and_no_difference() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let role = "CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; CREATE DATABASE app";
    cluster.psql("postgres", role).await;
    let subscribe = "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p \
         WITH (connect = false, slot_name = NONE, enabled = false)";
    cluster.psql("app", subscribe).await;
    let reader = socket_of(&cluster).replace("user='postgres'", "user=reader");
    let site = Site::with(&reader, &[]).await;
    let ran = site.run(&["backup", "--database", "app"]).await.ended(0);
    ran.says(&["subscriptions not dumped because current user is not a superuser"]);
    let id = &site.good().await[0];
    let shown = site.run(&["show", id]).await.ended(0).stdout;
    assert!(shown.contains("NOT in it     subscriptions: 1"), "{shown}");
    let into = socket_of(&cluster);
    let arguments = ["--database", "app", "--as", "new", "--into", &into];
    let ran = site.run(&restore(&arguments)).await.ended(0);
    ran.says(&["note: subscriptions of the backup's database are not in the backup: 1"]);
    cluster.stop().await;
}
