//! The doctor finds what would fail and says how to mend it, and what it prescribes
//! helps.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, socket_of};

/// The findings about a subject, each as state and words.
fn about(stdout: &str, subject: &str) -> Vec<(String, String)> {
    let report: serde_json::Value = serde_json::from_str(stdout).unwrap();
    let findings = report["clusters"][0]["findings"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let ours = findings.iter().filter(|found| found["subject"] == subject);
    ours.map(|found| (text(&found["state"]), text(&found["says"])))
        .collect()
}

fn has(found: &[(String, String)], state: &str, words: &str) -> bool {
    found
        .iter()
        .any(|(s, says)| s == state && says.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_is_a_problem() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    std::fs::remove_file(site.path("recovery.key")).unwrap();
    site.back_up("postgres").await;
    let ran = site.run(&["doctor"]).await.ended(0);
    assert!(ran.stdout.contains("no problems"), "{ran:?}");
    assert!(!ran.stdout.contains("PROBLEM"), "{ran:?}");
    for subject in [
        "connection",
        "tools",
        "rights",
        "globals",
        "repository",
        "keys",
        "clock",
    ] {
        let line = format!("ok       {subject}");
        assert!(ran.stdout.contains(&line), "{subject}: {ran:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_found_and_the_sql_that_is_printed_gives_them() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE SCHEMA s; CREATE TABLE s.secret (); CREATE TABLE policed (); \
         ALTER TABLE policed ENABLE ROW LEVEL SECURITY; GRANT SELECT ON policed TO PUBLIC; \
         CREATE SEQUENCE q; SELECT lo_from_bytea(0, 'x');";
    cluster.psql("app", fill).await;
    cluster.psql("postgres", "CREATE ROLE backup LOGIN").await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let rights = about(&ran.stdout, "rights");
    for wanted in [
        "s.secret",
        "public.q",
        "policies hide rows of public.policed",
        "1 large objects",
    ] {
        assert!(has(&rights, "problem", wanted), "{wanted}: {rights:?}");
    }
    assert_eq!(about(&ran.stdout, "globals")[0].0, "warning");
    site.run(&["backup"]).await.ended(3);

    let role = site.run(&["doctor", "--role", "backup"]).await.ended(0);
    cluster.psql("postgres", &role.stdout).await;
    let ran = site.run(&["doctor", "--json"]).await.ended(0);
    let rights = about(&ran.stdout, "rights");
    assert!(
        rights.iter().all(|(state, _)| state == "good"),
        "{rights:?}"
    );
    site.run(&["backup"]).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_repository_that_are_not_there_are_both_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    cluster.stop().await;
    std::fs::rename(site.path("backups"), site.path("elsewhere")).unwrap();
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    for subject in ["connection", "repository"] {
        let found = about(&ran.stdout, subject);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "problem");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_are_missing_beside_pg_dump_are_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    let tools = site.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let script = "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.99'\n";
    std::fs::write(tools.join("pg_dump"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(tools.join("pg_dump"), mode).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", tools);
    let ran = site.run(&["doctor", "--json"]).await.ended(1);
    let told = about(&ran.stdout, "tools");
    assert!(has(&told, "problem", "there is no pg_dumpall"), "{told:?}");
    cluster.stop().await;
}
