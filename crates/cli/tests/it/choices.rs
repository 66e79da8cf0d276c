//! Which databases are backed up, and what of each, is chosen in the configuration; a
//! backup of a part says that it is one.

use std::fs::OpenOptions;
use std::io::Write;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

/// A repository whose configuration goes on with `dump`.
async fn site(cluster: &Cluster, dump: &str) -> Site {
    let site = Site::of(cluster).await;
    let configuration = site.path("pgkeep.toml");
    let mut file = OpenOptions::new().append(true).open(configuration).unwrap();
    write!(file, "\n[cluster.main.dump]\n{dump}\n").unwrap();
    site
}

async fn cluster_with(databases: &[&str]) -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    for database in databases {
        let create = format!("CREATE DATABASE {database}");
        cluster.psql("postgres", &create).await;
    }
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_chosen_by_patterns_and_one_that_is_named_has_to_be_there() {
    let cluster = cluster_with(&["app", "app_archive", "scratch_1"]).await;
    let chosen = "databases = { exclude = [\"scratch_*\", \"app\"] }";
    let all_but = site(&cluster, chosen).await;
    all_but.run(&["backup"]).await.ended(0);
    let listed = all_but.list().await;
    let mut names: Vec<&str> = listed
        .iter()
        .map(|line| line["database"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["app_archive", "postgres"]);

    let chosen = "databases = { include = [\"app*\", \"gone\"] }";
    let named = site(&cluster, chosen).await;
    named
        .run(&["backup"])
        .await
        .ended(3)
        .says(&["there is no database \"gone\""]);
    assert_eq!(named.good().await.len(), 2);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_part_says_so_and_is_held_against_that_part() {
    let cluster = cluster_with(&["app"]).await;
    let fill = "CREATE TABLE kept AS SELECT generate_series(1, 10) AS n; \
         CREATE TABLE log AS SELECT generate_series(1, 10) AS n; \
         CREATE SCHEMA tmp; CREATE TABLE tmp.t (); CREATE SEQUENCE tmp.s; \
         COMMENT ON TABLE kept IS 'x';";
    cluster.psql("app", fill).await;
    let chosen = "databases = { include = [\"app\"] }\nschemas = { exclude = [\"tmp\"] }\n\
         table_data = { exclude = [\"log\"] }\narguments = [\"--no-comments\"]\n\
         rate_limit = \"1GB\"";
    let site = site(&cluster, chosen).await;
    site.run(&["backup"]).await.ended(0);
    let id = site.good().await.remove(0);
    let listed = site.run(&["list"]).await.ended(0).stdout;
    assert!(listed.contains("stored, a part"), "{listed}");
    let shown = site.run(&["show", &id]).await.ended(0).stdout;
    let choice = "pg_dump --exclude-schema=tmp --exclude-table-data=log --no-comments";
    assert!(shown.contains(choice), "{shown}");
    site.run(&restore(&["--database", "app", "--as", "again"]))
        .await
        .ended(0);
    let counted = "SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM log), \
         to_regnamespace('tmp') IS NULL, obj_description('kept'::regclass) IS NULL";
    let counted = cluster.psql("again", counted).await;
    assert!(counted.contains("10|0|t|t"), "{counted}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_chosen_come_back_in_their_schema_which_pg_dump_leaves_out() {
    let cluster = cluster_with(&["app"]).await;
    let fill = "CREATE SCHEMA \"Sales\"; CREATE TABLE \"Sales\".lines AS SELECT 1 AS n; \
         CREATE TABLE \"Sales\".orders AS SELECT 1 AS n; CREATE TABLE other ();";
    cluster.psql("app", fill).await;
    let chosen = "databases = { include = [\"app\"] }\n\
         tables = { include = [\"\\\"Sales\\\".*\"] }";
    let site = site(&cluster, chosen).await;
    site.run(&["backup"]).await.ended(0);
    let made = "note: schema Sales, which was made";
    for more in [
        &["--as", "again"][..],
        &["--as", "one", "--table", "\"Sales\".lines"],
    ] {
        let back = restore(&[&["--database", "app"], more].concat());
        site.run(&back).await.ended(0).says(&[made]);
    }
    let there = "SELECT to_regclass('\"Sales\".lines') IS NOT NULL, \
         to_regclass('\"Sales\".orders') IS NOT NULL";
    assert!(cluster.psql("again", there).await.contains("t|t"));
    assert!(cluster.psql("one", there).await.contains("t|f"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_needs_what_was_left_out_fails_with_what_that_may_be() {
    let cluster = cluster_with(&["app"]).await;
    let fill = "CREATE TABLE orders (n int PRIMARY KEY); INSERT INTO orders VALUES (1); \
         CREATE TABLE lines (n int REFERENCES orders); INSERT INTO lines VALUES (1)";
    cluster.psql("app", fill).await;
    let chosen = "databases = { include = [\"app\"] }\ntable_data = { exclude = [\"orders\"] }";
    let site = site(&cluster, chosen).await;
    site.run(&["backup"]).await.ended(0);
    let ran = site
        .run(&restore(&["--database", "app", "--as", "again"]))
        .await;
    ran.ended(1).says(&[
        "the backup is of a part (without the rows of orders)",
        "--table",
    ]);
    let lines = ["--database", "app", "--as", "lines", "--table", "lines"];
    site.run(&restore(&lines)).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_loses_large_objects_is_told() {
    let cluster = cluster_with(&[]).await;
    let fill = "CREATE TABLE t (); SELECT lo_from_bytea(0, 'x')";
    cluster.psql("postgres", fill).await;
    let loses = ["database \"postgres\" has large objects", "--large-objects"];
    let site_of = |dump: &'static str| site(&cluster, dump);
    let without = site_of("tables = { include = [\"t\"] }").await;
    without.run(&["backup"]).await.ended(0).says(&loses);
    let with = "tables = { include = [\"t\"] }\narguments = [\"--blobs\"]";
    let ran = site_of(with).await.run(&["backup"]).await.ended(0);
    assert!(!ran.stderr.contains("large objects"), "{ran:?}");
    let all = site_of("").await.run(&["backup"]).await.ended(0);
    assert!(!all.stderr.contains("large objects"), "{all:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_policies_hide_are_told_where_pg_dump_is_to_leave_them_out() {
    let cluster = cluster_with(&[]).await;
    let fill = "CREATE TABLE kept AS SELECT 1 AS n; CREATE TABLE policed AS SELECT 2 AS n; \
         ALTER TABLE policed ENABLE ROW LEVEL SECURITY; \
         CREATE ROLE shown LOGIN; GRANT SELECT ON kept, policed TO shown";
    cluster.psql("postgres", fill).await;
    let site = site(&cluster, "arguments = [\"--enable-row-security\"]").await;
    let file = site.path("pgkeep.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let all = format!("user='{}'", cluster.connection("postgres").user());
    let by_shown = text.replace(&all, "user='shown'");
    let whole = site.run(&["backup"]).await.ended(0);
    assert!(!whole.stderr.contains("policies"), "{whole:?}");
    std::fs::write(&file, by_shown).unwrap();
    let backup = ["backup", "--database", "postgres"];
    let told = ["public.policed", "--enable-row-security", "WITHOUT them"];
    let ran = site.run(&backup).await.ended(0).says(&told);
    assert!(!ran.stderr.contains("public.kept"), "{ran:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_pgkeeps_own_are_refused_before_anything_is_done() {
    let cluster = cluster_with(&[]).await;
    let site = site(&cluster, "arguments = [\"--format=plain\"]").await;
    site.run(&["backup"])
        .await
        .ended(2)
        .says(&["--format=plain", "[cluster.main.dump]"]);
    site.run(&["config"])
        .await
        .ended(1)
        .says(&["--format=plain", "[cluster.main.dump]"]);
    assert!(site.list().await.is_empty());
    cluster.stop().await;
}

/// A database of which the first backup is whole and the second one of a part: its id.
async fn whole_and_part(cluster: &Cluster) -> (Site, String) {
    let fill = "CREATE TABLE kept AS SELECT 1 AS n; CREATE TABLE lost AS SELECT 1 AS n; \
         CREATE TABLE log AS SELECT 1 AS n";
    cluster.psql("app", fill).await;
    let site = Site::of(cluster).await;
    site.back_up("app").await;
    let mut file = OpenOptions::new()
        .append(true)
        .open(site.path("pgkeep.toml"))
        .unwrap();
    let chosen = "tables = { exclude = [\"lost\"] }\ntable_data = { exclude = [\"log\"] }";
    write!(file, "\n[cluster.main.dump]\n{chosen}\n").unwrap();
    let part = site.back_up("app").await;
    (site, part)
}

const PART: &str = "without tables lost; without the rows of log";

async fn names(cluster: &Cluster, like: &str) -> usize {
    let query = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{like}'");
    cluster
        .psql("postgres", &query)
        .await
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_part_takes_a_databases_place_only_where_it_is_named_and_never_for_good() {
    let cluster = cluster_with(&["app"]).await;
    let (site, part) = whole_and_part(&cluster).await;
    let replace = |more: &[&'static str]| {
        let more: Vec<&str> = [&["--replace", "--yes"], more].concat();
        more
    };
    let newest = replace(&["--database", "app"]);
    let refused = [PART, "--as NAME", "--backup ID"];
    site.run(&restore(&newest)).await.ended(1).says(&refused);
    let dry = restore(&[&newest[..], &["--dry-run"]].concat());
    site.run(&dry).await.ended(1).says(&refused);
    let named = [&replace(&[])[..], &["--backup", &part]].concat();
    let dropped = [&named[..], &["--drop-replaced"]].concat();
    let ran = site.run(&restore(&dropped)).await.ended(1);
    ran.says(&["is not dropped", "leave --drop-replaced away"]);
    assert_eq!(names(&cluster, "app%").await, 1);
    assert_eq!(cluster.psql("app", "TABLE lost").await.trim(), "1");

    let unasked = restore(&["--replace", "--backup", &part]);
    let asked = format!("by a part of \"app\" ({PART})?");
    site.run(&unasked).await.ended(2).says(&[&asked]);
    let ran = site.run(&restore(&named)).await.ended(0);
    ran.says(&["the old database stays as", ", 2 tables"]);
    assert_eq!(names(&cluster, "app\\_replaced%").await, 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_restore_of_a_part_says_that_it_is_one() {
    let cluster = cluster_with(&["app"]).await;
    let (site, _) = whole_and_part(&cluster).await;
    let of_app = |more: &[&'static str]| restore(&[&["--database", "app"], more].concat());
    let plan = site.run(&of_app(&["--dry-run"])).await.ended(0).stdout;
    let line = format!("a part      of the database: {PART}\n");
    assert!(plan.contains(&line), "{plan}");
    let of = format!("a part of \"app\" ({PART})");
    let ran = site.run(&of_app(&["--as", "new"])).await.ended(0);
    ran.says(&[
        &format!("START restore of {of}"),
        &format!("END   restore of {of}"),
        ", 2 tables",
    ]);
    let table = of_app(&["--as", "other", "--table", "kept"]);
    let ran = site.run(&table).await.ended(0);
    ran.says(&[&format!("START restore of public.kept of {of}")]);
    let of = format!("of a part of database \"app\" ({PART})");
    for (writes, format) in [("the archive", "custom"), ("SQL", "sql")] {
        let file = ["--to-file", format, "--format", format];
        let dry = of_app(&[&file[..], &["--dry-run"]].concat());
        let plan = site.run(&dry).await.ended(0).stdout;
        assert!(plan.contains(&line), "{plan}");
        let ran = site.run(&of_app(&file)).await.ended(0);
        ran.says(&[&format!("wrote {writes} {of}")]);
    }
    for more in [
        &["--as", "json"][..],
        &["--dry-run"],
        &["--to-file", "j"],
        &["--to-file", "s", "--format", "sql"],
        &["--to-file", "d", "--format", "sql", "--dry-run"],
    ] {
        let ran = site.run(&of_app(&[more, &["--json"]].concat())).await;
        let told: serde_json::Value = serde_json::from_str(&ran.ended(0).stdout).unwrap();
        assert_eq!(told["dumped_part"], PART, "{told}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_chooses_nothing_is_told() {
    let cluster = cluster_with(&["app"]).await;
    let fill = "CREATE TABLE kept (); CREATE SCHEMA s; CREATE TABLE s.\"T\" ()";
    cluster.psql("app", fill).await;
    let chosen = "databases = { include = [\"app*\", \"shop_*\"] }\n\
         tables = { include = [\"kept\", \"gone\", \"s.*\", 's.\"T\"', \"s.t\", \"hidden.t\"] }";
    let of_tables = site(&cluster, chosen).await;
    let ran = of_tables.run(&["backup"]).await.ended(0).says(&[
        "no database matches \"shop_*\"",
        "database \"app\" has no table \"gone\", which 'tables' chooses",
        "database \"app\" has no table \"s.t\"",
        "database \"app\" has no table \"hidden.t\"",
    ]);
    assert_eq!(ran.stderr.matches("has no table").count(), 3, "{ran:#?}");
    assert_eq!(ran.stderr.matches("no database").count(), 1, "{ran:#?}");
    let told = of_tables.run(&["doctor"]).await.stdout;
    assert!(told.contains("no database matches \"shop_*\""), "{told}");

    let chosen = "databases = { include = [\"app\"] }\n\
         schemas = { include = [\"public\", \"S\", \"t*\"] }";
    let of_schemas = site(&cluster, chosen).await;
    let ran = of_schemas.run(&["backup"]).await.ended(0);
    let ran = ran.says(&["database \"app\" has no schema \"t*\", which 'schemas' chooses"]);
    assert_eq!(ran.stderr.matches("has no schema").count(), 1, "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leaves_nothing_out_of_any_database_is_told() {
    let cluster = cluster_with(&["app"]).await;
    let fill = "CREATE TABLE sessions (); CREATE SCHEMA s";
    cluster.psql("app", fill).await;
    let chosen = "databases = { exclude = [\"scrach_*\", \"gone\"] }\n\
         schemas = { exclude = [\"s\", \"t\"] }\n\
         tables = { exclude = [\"none\"] }\n\
         table_data = { exclude = [\"public.sessions\", \"pubilc.sessions\", \"tmp_*\"] }";
    let site = site(&cluster, chosen).await;
    let ran = site.run(&["backup"]).await.ended(0).says(&[
        "no database matches \"gone\", which 'databases' leaves out",
        "'schemas.exclude' leaves out \"t\", and no database of this backup has such",
        "'tables.exclude' leaves out \"none\"",
        "'table_data.exclude' leaves out \"pubilc.sessions\"",
    ]);
    assert!(!ran.stderr.contains("scrach_*"), "{ran:#?}");
    let told = |stderr: &str| stderr.matches("of this backup has such").count();
    assert_eq!(told(&ran.stderr), 3, "{ran:#?}");
    let doctor = site.run(&["doctor"]).await.ended(0).stdout;
    for pattern in ["scrach_*", "gone"] {
        let words = format!("no database matches {pattern:?}, which is left out");
        assert!(doctor.contains(&words), "{doctor}");
    }
    // The others may have what this one has not.
    let ran = site.run(&["backup", "--database", "postgres"]).await;
    assert_eq!(told(&ran.ended(0).stderr), 0);
    cluster.stop().await;
}
