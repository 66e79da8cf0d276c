//! A backup without names is of a whole server: every database that it has, and the
//! globals that are in none of them.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use pgkeep_postgres::client::identifier;
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, socket_of};

async fn cluster_with(databases: &[&str]) -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    for database in databases {
        let create = format!("CREATE DATABASE {}", identifier(database));
        cluster.psql("postgres", &create).await;
    }
    cluster
}

/// The databases of good backups, sorted.
async fn good_databases(site: &Site) -> Vec<String> {
    let listed = site.list().await;
    let good = listed.iter().filter(|line| line["status"] == "complete");
    let mut names: Vec<String> = good
        .map(|line| line["database"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// PostgreSQL's programs, but for a `pg_dumpall` that is this script.
pub(crate) fn with_pg_dumpall(site: &mut Site, script: &str) {
    let tools = site.path("tools");
    std::fs::create_dir_all(&tools).unwrap();
    let _ = std::fs::remove_file(tools.join("pg_dump"));
    let real = Major::Fifteen.programs().join("pg_dump");
    symlink(real, tools.join("pg_dump")).unwrap();
    let program = tools.join("pg_dumpall");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", tools);
}

async fn globals_of(site: &Site, backup: &str) -> String {
    let file = format!("globals of {backup}.sql");
    let restore = ["restore", "--backup", backup, "--globals", "--to-file"];
    let with = [file.as_str(), "--identity", "recovery.key"];
    site.run(&[&restore[..], &with].concat()).await.ended(0);
    let path: PathBuf = site.path(&file);
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_database_is_backed_up_and_new_ones_too() {
    let cluster = cluster_with(&["app", "app_archive", "it's \"odd\"=x"]).await;
    let site = Site::of(&cluster).await;
    let ran = site.run(&["backup"]).await.ended(0);
    assert!(ran.stderr.contains("START globals"), "{ran:?}");
    assert!(ran.stderr.contains("END   globals: complete"), "{ran:?}");
    let mut expected = vec!["app", "app_archive", "it's \"odd\"=x", "postgres"];
    assert_eq!(good_databases(&site).await, expected);
    cluster.psql("postgres", "CREATE DATABASE later").await;
    cluster.psql("postgres", "DROP DATABASE app").await;
    site.run(&["backup", "--jobs", "4"]).await.ended(0);
    expected.extend(["app_archive", "it's \"odd\"=x", "later", "postgres"]);
    expected.sort_unstable();
    assert_eq!(good_databases(&site).await, expected);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_connections_is_a_failure_until_it_is_left_out() {
    let cluster = cluster_with(&["closed"]).await;
    let close = "ALTER DATABASE closed ALLOW_CONNECTIONS false";
    cluster.psql("postgres", close).await;
    let mut site = Site::of(&cluster).await;
    site.run(&["backup"])
        .await
        .ended(3)
        .says(&["database \"closed\"", "not currently accepting connections"]);
    assert_eq!(good_databases(&site).await, ["postgres"]);
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_EXCLUDE", "closed");
    site.run(&["backup"]).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_has_marked_as_a_template_is_backed_up() {
    let cluster = cluster_with(&["tmpl", "rdsadmin"]).await;
    let mark = "ALTER DATABASE tmpl IS_TEMPLATE true";
    cluster.psql("postgres", mark).await;
    let site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    let expected = ["postgres", "rdsadmin", "tmpl"];
    assert_eq!(good_databases(&site).await, expected);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_no_database_is_an_error() {
    let cluster = cluster_with(&[]).await;
    cluster.psql("template1", "DROP DATABASE postgres").await;
    let connection = socket_of(&cluster).replace("dbname=postgres", "dbname=template1");
    let site = Site::with(&connection, &[]).await;
    site.run(&["backup"])
        .await
        .ended(1)
        .says(&["cluster main has no database to back up"]);
    site.run(&["backup", "--database", "template1"])
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lets_nobody_in_takes_the_globals_from_no_other() {
    let cluster = cluster_with(&["aaa"]).await;
    let refuse = "CREATE ROLE backup LOGIN; REVOKE CONNECT ON DATABASE aaa FROM PUBLIC";
    cluster.psql("postgres", refuse).await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    let backups = [
        &["backup"][..],
        &["backup", "--database", "aaa", "--database", "postgres"],
    ];
    for backup in backups {
        let ran = site.run(backup).await.ended(3);
        assert!(ran.stderr.contains("END   globals: complete"), "{ran:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_named_twice_is_backed_up_once() {
    let cluster = cluster_with(&[]).await;
    let site = Site::of(&cluster).await;
    let twice = ["--database", "postgres", "--database", "postgres"];
    site.run(&[&["backup"], &twice[..]].concat()).await.ended(0);
    assert_eq!(site.list().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_keeps_no_other_from_its_turn() {
    let cluster = cluster_with(&["app", "zoo"]).await;
    let secret = "CREATE TABLE secret (); REVOKE ALL ON secret FROM PUBLIC";
    cluster.psql("app", secret).await;
    cluster.psql("postgres", "CREATE ROLE backup LOGIN").await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    site.run(&["backup"])
        .await
        .ended(3)
        .says(&["permission denied for table secret", "zoo"]);
    assert_eq!(good_databases(&site).await, ["postgres", "zoo"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_databases_cannot_be_listed_is_a_failure_that_is_written_down() {
    let cluster = cluster_with(&[]).await;
    let site = Site::of(&cluster).await;
    cluster.stop().await;
    site.run(&["backup"]).await.ended(1).says(&["cannot reach"]);
    let listed = site.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_globals_are_with_every_backup_and_make_the_roles_again() {
    let cluster = cluster_with(&["app"]).await;
    let roles = "CREATE ROLE \"Ünal; x\" LOGIN PASSWORD 'geheim' VALID UNTIL '2031-01-01'; \
         CREATE ROLE readers; GRANT readers TO \"Ünal; x\"; \
         ALTER ROLE readers SET work_mem = '7MB';";
    cluster.psql("postgres", roles).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("app").await;
    let sql = globals_of(&site, &id).await;
    assert!(sql.contains("CREATE ROLE \"Ünal; x\""), "{sql}");
    assert!(sql.contains("SCRAM-SHA-256$"), "{sql}");
    let other = cluster_with(&[]).await;
    // The superuser is there already.
    let roles = sql.lines().filter(|line| !line.contains("ROLE postgres"));
    let roles: Vec<&str> = roles.filter(|line| !line.starts_with('\\')).collect();
    other.psql("postgres", &roles.join("\n")).await;
    let again = other
        .psql(
            "postgres",
            "SELECT pg_has_role('Ünal; x', 'readers', 'member'), rolconfig \
             FROM pg_roles WHERE rolname = 'readers'",
        )
        .await;
    assert!(again.contains("work_mem=7MB"), "{again}");
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_read_passwords_gets_globals_without_and_is_told() {
    let cluster = cluster_with(&[]).await;
    let roles = "CREATE ROLE backup LOGIN; CREATE ROLE x PASSWORD 'geheim'";
    cluster.psql("postgres", roles).await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    site.run(&["backup"]).await.ended(0).says(&[
        "the globals hold no password hashes",
        "\"backup\"",
        "pg_authid",
    ]);
    let id = site.good().await.remove(0);
    let sql = globals_of(&site, &id).await;
    assert!(
        sql.contains("CREATE ROLE x;") && !sql.contains("SCRAM"),
        "{sql}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_that_fail_or_are_cut_short_make_the_run_partial_and_are_told() {
    let cluster = cluster_with(&["app"]).await;
    let mut site = Site::of(&cluster).await;
    for (script, sentence) in [
        (
            "#!/bin/sh\necho 'pg_dumpall: error: no roles today' >&2\nexit 1\n",
            "no roles today",
        ),
        ("#!/bin/sh\necho 'CREATE ROLE a;'\n", "has no end"),
        ("#!/bin/sh\nkill -9 $$\n", "killed by SIGKILL"),
    ] {
        with_pg_dumpall(&mut site, script);
        let ran = site.run(&["backup", "--json"]).await.ended(3);
        let ran = ran.says(&["cannot read the cluster's globals", sentence]);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["outcome"], "partial");
        assert_eq!(report["globals"]["outcome"], "failed");
        let listed = site.run(&["list"]).await.ended(0).stdout;
        assert!(listed.contains("stored, NO GLOBALS"), "{listed}");
    }
    let id = site.good().await.remove(0);
    let restore = ["restore", "--backup", &id, "--globals", "--to-file", "sql"];
    site.run(&[&restore[..], &["--identity", "recovery.key"]].concat())
        .await
        .ended(1)
        .says(&[&id, "has no globals"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_left_half_filled_is_told_and_not_backed_up_unless_it_is_named() {
    const LEFT: &str = "app_unfinished_7k3m9q2x";
    let cluster = cluster_with(&["app", LEFT]).await;
    let site = Site::of(&cluster).await;
    site.run(&["backup"])
        .await
        .ended(0)
        .says(&[LEFT, "left out"]);
    assert_eq!(good_databases(&site).await, ["app", "postgres"]);
    let doctor = site.run(&["doctor"]).await.ended(0);
    assert!(doctor.stdout.contains(LEFT), "{doctor:#?}");
    site.run(&["backup", "main", "--database", LEFT])
        .await
        .ended(0);
    assert_eq!(good_databases(&site).await, ["app", LEFT, "postgres"]);
    cluster.stop().await;
}
