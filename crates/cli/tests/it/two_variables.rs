//! A container: it has `PGKEEP_DATABASE_URL` and `PGKEEP_REPOSITORY`, and nothing else.

use std::process::Stdio;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{PROGRAM, Ran, Site, ended};

/// Runs pgkeep with the variables alone: neither a home nor a path.
async fn run(site: &Site, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let programs = Major::ALL.map(Major::programs);
    let path = std::env::join_paths(programs).unwrap();
    let mut command = tokio::process::Command::new(PROGRAM);
    command
        .args(arguments)
        .current_dir(site.home.path())
        .env_clear()
        // A machine has PostgreSQL's programs where they are looked for.
        .env("PGKEEP_POSTGRES_BIN", path)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    ended(command.spawn().unwrap()).await
}

/// A URL of the cluster's superuser, with the password.
fn url(cluster: &Cluster) -> String {
    let connection = cluster.tcp_connection("postgres");
    let password: String = Cluster::PASSWORD
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    format!(
        "postgres://postgres:{password}@127.0.0.1:{}/postgres",
        connection.port()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn with_only_the_two_variables_set_everything_works() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let sql = "CREATE TABLE t AS SELECT 7 AS seven";
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", sql).await;
    let site = Site::empty();
    let repository = site.path("volume").display().to_string();
    let url = url(&cluster);
    let variables = [
        ("PGKEEP_DATABASE_URL", url.as_str()),
        ("PGKEEP_REPOSITORY", &repository),
    ];
    let key = ["--identity", "recovery.key"];
    let restore = [&["restore", "--database", "app", "--as", "new"], &key[..]].concat();
    let prove = [&["prove", "--database", "app"], &key[..]].concat();
    for arguments in [&["init"][..], &["backup"], &["list"], &restore, &prove] {
        run(&site, &variables, arguments).await.ended(0);
    }
    let restored = cluster.psql("new", "SELECT seven FROM t").await;
    assert_eq!(restored.trim(), "7");
    cluster.psql("postgres", "DROP DATABASE new").await;
    run(&site, &variables, &["check"]).await.ended(0);

    // Made anew, with what has to outlive it.
    let anew = Site::empty();
    let host_key = site.path("host.key").display().to_string();
    let with_key = [
        variables[0],
        variables[1],
        ("PGKEEP_HOST_KEY_FILE", &host_key),
    ];
    run(&anew, &with_key, &["backup", "--database", "app"])
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_lost_its_host_key_is_told_the_way_and_the_way_works() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let repository = site.path("backups").display().to_string();
    let url = url(&cluster);
    let variables = [
        ("PGKEEP_DATABASE_URL", url.as_str()),
        ("PGKEEP_REPOSITORY", &repository),
    ];
    let anew = Site::empty();
    for arguments in [["backup"], ["init"]] {
        let ran = run(&anew, &variables, &arguments).await.ended(1);
        ran.says(&["PGKEEP_HOST_KEY_FILE", "'pgkeep key new'"]);
    }
    let host_key = anew.path("host.key").display().to_string();
    let with_key = [
        variables[0],
        variables[1],
        ("PGKEEP_HOST_KEY_FILE", &host_key),
    ];
    let request = run(&anew, &with_key, &["key", "new", "--name", "anew"]).await;
    let request = request.ended(0).stdout;
    let add = ["key", "add", request.trim(), "--identity", "recovery.key"];
    site.run(&[&add[..], &["--yes"]].concat()).await.ended(0);
    let trust = ["key", "trust", "--yes"];
    run(&anew, &with_key, &trust).await.ended(0);
    let backup = ["backup", "--database", "postgres"];
    run(&anew, &with_key, &backup).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_down_where_the_variable_leads_and_never_its_password() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::empty();
    let url = url(&cluster);
    std::fs::write(site.path("url"), &url).unwrap();
    let variables = [
        ("PGKEEP_DATABASE_URL_FILE", "url"),
        ("PGKEEP_REPOSITORY", "backups"),
    ];
    let ran = run(&site, &variables, &["init"]).await.ended(0);
    let written = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    let port = cluster.tcp_connection("postgres").port();
    let pairs = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    assert!(
        written.contains(&format!("connection = {pairs:?}")),
        "{written}"
    );
    let password = url.split(['@', ':']).nth(2).unwrap();
    for text in [&written, &ran.stdout, &ran.stderr] {
        assert!(!text.contains(password) && !text.contains(Cluster::PASSWORD));
    }
    assert!(
        ran.stdout.contains("cron has no PGKEEP_DATABASE_URL_FILE"),
        "{ran:#?}"
    );

    // The password is all that cron lacks.
    let of_cron = [("PGPASSWORD", Cluster::PASSWORD)];
    run(&site, &of_cron, &["backup"]).await.ended(0);

    // Without a password all of it is written down, whatever the cluster is called.
    let site = Site::empty();
    let socket = crate::site::socket_of(&cluster);
    let variables = [
        ("PGKEEP_DATABASE_URL", socket.as_str()),
        ("PGKEEP_REPOSITORY", "backups"),
    ];
    let init = ["init", "--cluster", "shop"];
    run(&site, &variables, &init).await.ended(0);
    run(&site, &[], &["backup"]).await.ended(0);
    cluster.stop().await;
}
