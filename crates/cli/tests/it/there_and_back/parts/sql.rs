//! A dump as SQL in a file.

use std::path::Path;

use pgkeep_testkit::cluster::{Cluster, Major};

use super::jobs::interrupt;
use super::{orders, source};
use crate::contents::with_program;
use crate::site::{ended, restore, until};

/// All of the database as SQL.
const ALL: [&str; 6] = [
    "--database",
    "app",
    "--to-file",
    "app.sql",
    "--format",
    "sql",
];

#[tokio::test(flavor = "multi_thread")]
async fn sql_of_a_table_or_of_all_goes_into_a_file() {
    for major in Major::ALL {
        let (cluster, site) = source(major).await;
        let file = ["--to-file", "app.sql", "--format", "sql"];
        let one = [&file[..], &["--table", "sales.orders", "--no-owner"]].concat();
        let arguments = [&["--database", "app"], &one[..]].concat();
        let ran = site.run(&restore(&arguments)).await.ended(0);
        assert_eq!(
            ran.stdout.trim(),
            site.path("app.sql").display().to_string()
        );
        ran.says(&["wrote SQL of sales.orders", "left out: fk constraint"]);
        let sql = std::fs::read_to_string(site.path("app.sql")).unwrap();
        assert!(!sql.contains("OWNER TO") && !sql.contains("CREATE TABLE public.parts"));
        cluster.psql("postgres", "CREATE DATABASE new").await;
        run_sql(&cluster, &sql).await;
        assert_eq!(orders(&cluster, "new").await, orders(&cluster, "app").await);

        site.run(&restore(&arguments))
            .await
            .ended(1)
            .says(&["exists already"]);
        std::fs::remove_file(site.path("app.sql")).unwrap();
        site.run(&restore(&ALL)).await.ended(0);
        let mode = std::fs::metadata(site.path("app.sql")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
        assert_eq!(mode & 0o777, 0o600);
        let sql = std::fs::read_to_string(site.path("app.sql")).unwrap();
        cluster.psql("postgres", "DROP DATABASE new").await;
        cluster.psql("postgres", "CREATE DATABASE new").await;
        run_sql(&cluster, &sql).await;
        let count = cluster.psql("new", "SELECT count(*) FROM zz_last").await;
        assert_eq!(count, "100000\n");
        cluster.stop().await;
    }
}

/// Runs a script with the server's own psql, as its user would.
async fn run_sql(cluster: &Cluster, sql: &str) {
    let connection = cluster.connection("new");
    let mut psql = tokio::process::Command::new(cluster.major().programs().join("psql"));
    psql.args([
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-U",
        connection.user(),
        "-d",
        "new",
    ])
    .arg(format!(
        "--host={}",
        connection.socket_directory().unwrap().display()
    ))
    .arg(format!("--port={}", connection.port()))
    .env_clear()
    .stdin(std::process::Stdio::piped())
    .stdout(std::process::Stdio::null());
    let mut running = psql.spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, sql.as_bytes())
        .await
        .unwrap();
    drop(input);
    assert!(running.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_sql_that_could_not_be_written_whole() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let real = Major::Fifteen.programs().display().to_string();
    let script = format!("{real}/pg_restore \"$@\"; echo 'no more' >&2; exit 1");
    with_program(&mut site, "pg_restore", &script);
    let ran = site.run(&restore(&ALL)).await.ended(1);
    ran.says(&["cannot make SQL of database \"app\"", "no more"]);
    assert_eq!(left_in(site.home.path(), "app.sql"), 0);
    let custom = [
        "--database",
        "app",
        "--to-file",
        "app.dump",
        "--table",
        "parts",
    ];
    site.run(&restore(&custom))
        .await
        .ended(2)
        .says(&["--format sql"]);
    cluster.stop().await;
}

/// How many files of that name there are, or that are to become such.
fn left_in(directory: &Path, name: &str) -> usize {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|found| found.to_string_lossy().contains(name))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_is_asked_to_stop_leaves_nothing() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let here = site.path("begun");
    let script = format!("echo half; touch {}; exec sleep 60", here.display());
    with_program(&mut site, "pg_restore", &script);
    let running = site.start(&restore(&ALL));
    until("pg_restore", async || here.exists()).await;
    interrupt(&running);
    ended(running).await.ended(130).says(&["interrupted"]);
    assert_eq!(left_in(site.home.path(), "app.sql"), 0);
    cluster.stop().await;
}
