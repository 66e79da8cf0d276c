//! A password goes where it is needed and nowhere else.

use std::process::Stdio;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, ended};

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_argument_no_output_and_no_object() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", "CREATE TABLE t AS SELECT 1 AS n").await;
    let tcp = cluster.tcp_connection("postgres");
    let connection = format!(
        "host=127.0.0.1 port={} user=postgres dbname=postgres",
        tcp.port()
    );
    let mut site = Site::with(&connection, &["--encryption", "none"]).await;
    site.set("PGPASSWORD", Cluster::PASSWORD);

    // While a lock keeps pg_dump waiting, every command line is looked at.
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let running = site.start(&["backup", "--database", "app", "--json"]);
    crate::kills::wait_for_session(&cluster, "app", "pg_dump").await;
    let processes = tokio::process::Command::new("ps")
        .args(["-ww", "-eo", "args"])
        .stdout(Stdio::piped())
        .output()
        .await
        .unwrap();
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(processes.contains("pg_dump"), "{processes}");
    assert!(!processes.contains(Cluster::PASSWORD));
    lock.batch("ROLLBACK").await.unwrap();
    let ran = ended(running).await.ended(0);
    assert!(!format!("{ran:?}").contains(Cluster::PASSWORD));
    for file in site.repository_files() {
        let bytes = std::fs::read(&file).unwrap();
        let password = Cluster::PASSWORD.as_bytes();
        assert!(
            !bytes.windows(password.len()).any(|w| w == password),
            "{file:?}"
        );
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_repeated() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let tcp = cluster.tcp_connection("postgres");
    let connection = format!(
        "host=127.0.0.1 port={} user=postgres dbname=postgres",
        tcp.port()
    );
    let mut site = Site::with(&connection, &[]).await;
    site.set("PGPASSWORD", "hunter2");
    let ran = site
        .run(&["backup", "--database", "postgres"])
        .await
        .ended(1);
    let ran = ran.says(&["\"postgres\"", "password"]);
    assert!(!format!("{ran:?}").contains("hunter2"));
    assert!(site.good().await.is_empty());
    assert!(!format!("{:?}", site.list().await).contains("hunter2"));

    site.set("PGPASSWORD", Cluster::PASSWORD);
    site.back_up("postgres").await;
    cluster.stop().await;
}
