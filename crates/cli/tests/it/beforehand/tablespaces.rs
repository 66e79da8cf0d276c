//! Tablespaces of the globals: their directories may not be there.

use std::path::PathBuf;

use pgkeep_testkit::cluster::{Cluster, Major};

use super::state;
use crate::site::{Ran, Site, restore, restore_as_new, socket_of};

/// A backup of a cluster with a role and the tablespaces `fast` and `slow`, of which nothing
/// is left, and the directories that these were in.
async fn source() -> (Cluster, Site, [PathBuf; 2]) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let data = cluster.psql("postgres", "SHOW data_directory").await;
    let data = PathBuf::from(data.trim());
    let places = ["fast", "slow"].map(|name| data.with_file_name(name));
    for (name, place) in ["fast", "slow"].iter().zip(&places) {
        make_directory(&data, place);
        let create = format!("CREATE TABLESPACE {name} LOCATION '{}'", place.display());
        cluster.psql("postgres", &create).await;
    }
    cluster.psql("postgres", "CREATE ROLE staff").await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    for name in ["fast", "slow"] {
        let drop = format!("DROP TABLESPACE {name}");
        cluster.psql("postgres", &drop).await;
    }
    cluster.psql("postgres", "DROP ROLE staff").await;
    std::fs::remove_dir(&places[0]).unwrap();
    (cluster, site, places)
}

/// One that belongs to the user who runs PostgreSQL.
fn make_directory(data: &std::path::Path, place: &std::path::Path) {
    std::fs::create_dir(place).unwrap();
    let status = std::process::Command::new("chown")
        .arg(format!("--reference={}", data.display()))
        .arg(place)
        .status();
    assert!(status.unwrap().success());
}

async fn globals(site: &Site, more: &[&str]) -> Ran {
    let globals = ["--database", "postgres", "--globals"];
    site.run(&restore(&[&globals[..], more].concat())).await
}

const TABLESPACES: &str = "SELECT string_agg(spcname, ' ' ORDER BY 1) FROM pg_tablespace";

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_directory_is_not_there_is_told_and_all_else_is_made() {
    let (cluster, site, places) = source().await;
    let gone = format!("directory \"{}\" does not exist", places[0].display());
    let ran = globals(&site, &["--json"]).await.ended(3).says(&[
        "made roles \"staff\"",
        "made tablespaces \"slow\"",
        "warning: tablespace \"fast\" could not be made",
        &gone,
        "CREATE TABLESPACE \"fast\" LOCATION '…'",
    ]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["tablespaces_made"], serde_json::json!(["slow"]));
    let failed = told["tablespaces_failed"]["fast"].as_str().unwrap();
    assert!(failed.contains(&gone), "{failed}");
    let there = cluster.psql("postgres", TABLESPACES).await;
    assert_eq!(there, "pg_default pg_global slow\n");

    let data = cluster.psql("postgres", "SHOW data_directory").await;
    make_directory(data.trim().as_ref(), &places[0]);
    let ran = globals(&site, &[]).await.ended(0);
    ran.says(&[
        "made tablespaces \"fast\"",
        "left alone, since they exist: tablespaces \"slow\"",
    ]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_the_globals_tells_what_would_be_made_and_makes_nothing() {
    let (cluster, site, places) = source().await;
    let before = state(&cluster).await;
    let dry = ["--dry-run"];
    let ran = globals(&site, &dry).await.ended(3);
    let [fast, slow] = places.map(|place| place.display().to_string());
    for words in [
        "of database \"postgres\"",
        "made by     \"postgres\"\n",
        "makes       roles \"staff\"\n",
        &format!("makes       tablespace \"fast\" in {fast}\n"),
        &format!("makes       tablespace \"slow\" in {slow}\n"),
        "stay        roles \"postgres\", as they are\n",
        &format!("missing     for tablespace \"fast\": the server has no directory {fast:?}\n"),
    ] {
        assert!(ran.stdout.contains(words), "{words:?} is not in {ran:#?}");
    }
    assert!(!ran.stdout.contains("for tablespace \"slow\""), "{ran:#?}");
    let told = globals(&site, &["--dry-run", "--json"]).await.ended(3);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["roles_made"], serde_json::json!(["staff"]));
    assert_eq!(told["tablespaces_made"][1]["location"], slow.as_str());
    assert_eq!(state(&cluster).await, before);
    let there = cluster.psql("postgres", TABLESPACES).await;
    assert_eq!(there, "pg_default pg_global\n");

    cluster.psql("postgres", "CREATE ROLE weak LOGIN").await;
    let weak = socket_of(&cluster).replace("user='postgres'", "user=weak");
    let real = globals(&site, &["--into", &weak]).await.ended(1);
    let ran = globals(&site, &["--into", &weak, "--dry-run"])
        .await
        .ended(1);
    let words = "missing     role \"weak\" may not create roles\n";
    assert!(ran.stdout.contains(words), "{ran:#?}");
    let superuser = "role \"weak\" is no superuser";
    assert!(ran.stdout.contains(superuser), "{ran:#?}");
    assert!(ran.stderr.ends_with(&real.stderr), "{ran:#?}\n{real:#?}");
    real.says(&[
        "cannot restore the globals",
        "ALTER ROLE \"weak\" CREATEROLE",
    ]);
    cluster.stop().await;
}

/// A backup of a database in one tablespace with a table in another and an index in a third.
async fn spread() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let data = cluster.psql("postgres", "SHOW data_directory").await;
    let data = PathBuf::from(data.trim());
    for name in ["base", "fast", "slow"] {
        let place = data.with_file_name(name);
        make_directory(&data, &place);
        let create = format!("CREATE TABLESPACE {name} LOCATION '{}'", place.display());
        cluster.psql("postgres", &create).await;
    }
    let create = "CREATE DATABASE app TABLESPACE base";
    cluster.psql("postgres", create).await;
    let fill = "CREATE TABLE t (n int) TABLESPACE fast; INSERT INTO t VALUES (1); \
         CREATE INDEX i ON t (n) TABLESPACE slow";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_tables_and_indexes_are_looked_for_beforehand_or_left_out() {
    let (cluster, site) = spread().await;
    let other = Cluster::start(Major::Sixteen).await;
    let before = state(&other).await;
    let into = socket_of(&other);
    let ran = site.run(&restore_as_new(&into, &[])).await.ended(1);
    ran.says(&[
        "tablespaces \"base\", \"fast\", \"slow\" do not exist here",
        "--no-tablespaces",
        "CREATE TABLESPACE \"slow\" LOCATION '…'",
    ]);
    assert_eq!(state(&other).await, before);

    let without = restore_as_new(&into, &["--no-tablespaces"]);
    let ran = site.run(&without).await.ended(0);
    ran.says(&["tablespaces were left out"]);
    let lies = "SELECT count(*) FROM pg_class WHERE reltablespace > 1664 UNION ALL \
         SELECT dattablespace FROM pg_database WHERE datname = 'new' UNION ALL SELECT n FROM t";
    assert_eq!(other.psql("new", lies).await, "0\n1663\n1\n");
    other.stop().await;

    let sql = [
        "--database",
        "app",
        "--to-file",
        "app.sql",
        "--format",
        "sql",
    ];
    site.run(&restore(&[&sql[..], &["--no-tablespaces"]].concat()))
        .await
        .ended(0);
    let sql = std::fs::read_to_string(site.path("app.sql")).unwrap();
    assert!(!sql.contains("default_tablespace"), "{sql}");

    site.run(&restore(&["--database", "app", "--as", "same"]))
        .await
        .ended(0);
    let lies = "SELECT string_agg(spcname, ' ' ORDER BY 1) FROM pg_class c \
         JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE c.relname IN ('t', 'i')";
    assert_eq!(cluster.psql("same", lies).await, "fast slow\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_into_which_the_role_may_put_nothing_are_told_beforehand() {
    let (cluster, site) = spread().await;
    let role = "CREATE ROLE own LOGIN CREATEDB; GRANT CREATE ON TABLESPACE fast TO own";
    cluster.psql("postgres", role).await;
    let into = socket_of(&cluster).replace("user='postgres'", "user=own");
    let before = state(&cluster).await;
    let itself = ["--no-owner", "--no-privileges"];
    let ran = site.run(&restore_as_new(&into, &itself)).await.ended(1);
    let ran = ran.says(&[
        "role \"own\" may put nothing into tablespace \"base\"",
        "role \"own\" may put nothing into tablespace \"slow\"",
        "GRANT CREATE ON TABLESPACE \"slow\" TO \"own\"",
    ]);
    assert!(!ran.stderr.contains("\"fast\""), "{ran:#?}");
    assert_eq!(state(&cluster).await, before);

    let nowhere = [&itself[..], &["--no-tablespaces"]].concat();
    site.run(&restore_as_new(&into, &nowhere)).await.ended(0);
    cluster.stop().await;
}
