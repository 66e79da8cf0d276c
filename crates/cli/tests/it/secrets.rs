//! A password goes where it is needed and nowhere else.

use std::process::Stdio;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{PROGRAM, Site, ended};
use crate::terminal::typed;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_nothing_has_is_asked_for_on_a_terminal_and_only_there() {
    let cluster = Cluster::start(Major::Fifteen).await;
    // Another one than elsewhere: the typist's command line has it.
    const TYPED: &str = "typed by hand";
    cluster
        .psql(
            "postgres",
            &format!("CREATE ROLE asker LOGIN SUPERUSER PASSWORD '{TYPED}'"),
        )
        .await;
    let tcp = cluster.tcp_connection("postgres");
    let connection = format!(
        "host=127.0.0.1 port={} user=asker dbname=postgres keepalives_idle=60",
        tcp.port()
    );
    let site = Site::with(&connection, &[]).await;
    let backup = ["backup", "--database", "postgres"];
    let ran = site.run(&backup).await.ended(1);
    ran.says(&["wants a password of user \"asker\"", "PGPASSWORD"]);

    let ran = typed(&site, &[TYPED], PROGRAM, &backup).await;
    let ran = ran.ended(0);
    assert!(
        ran.stdout
            .contains("Password of user \"asker\" on 127.0.0.1:")
    );
    assert!(ran.stdout.contains("complete") && !ran.stdout.contains(TYPED));
    let restore = [
        "restore",
        "--database",
        "postgres",
        "--as",
        "again",
        "--identity",
        "recovery.key",
    ];
    let ran = typed(&site, &[TYPED], PROGRAM, &restore).await;
    assert!(!ran.ended(0).stdout.contains(TYPED));
    cluster.connect("again").await;
    cluster.stop().await;
}
