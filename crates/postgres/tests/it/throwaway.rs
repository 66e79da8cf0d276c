//! A throwaway server is reached by nobody else, survives what it should, and
//! leaves nothing behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pgkeep_postgres::client::connect;
use pgkeep_postgres::server::{ServerError, ServerOptions, ThrowawayServer};
use pgkeep_testkit::cluster::{Cluster, Major};

fn options(major: Major) -> ServerOptions {
    ServerOptions::new(major.programs(), std::env::temp_dir())
}

#[tokio::test]
async fn it_is_made_answers_and_is_removed() {
    let mut options = options(Major::Fifteen);
    options.superuser = "Boss of all".to_owned();
    options.configuration = vec!["work_mem = '7MB'".to_owned()];
    let server = ThrowawayServer::start(options).await.unwrap();
    assert!(server.tcp_connection("postgres").is_none());
    let parameters = server.connection("postgres");
    let session = connect(&parameters).await.unwrap();
    let query = "SELECT current_user::text, current_setting('work_mem'), \
                 current_setting('server_encoding'), current_setting('listen_addresses')";
    let row = session.query_one(query, &[]).await.unwrap();
    let columns: Vec<&str> = (0..4).map(|column| row.get(column)).collect();
    assert_eq!(columns, ["Boss of all", "7MB", "UTF8", ""]);

    let home = server.data_directory().parent().unwrap().to_owned();
    let sockets = parameters.socket_directory().unwrap().to_owned();
    for directory in [&home, &sockets] {
        let mode = directory.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", directory.display());
    }
    server.stop().await.unwrap();
    assert!(!home.exists() && !sockets.exists());
}

#[tokio::test]
async fn it_goes_when_it_is_dropped() {
    let server = ThrowawayServer::start(options(Major::Eighteen))
        .await
        .unwrap();
    let home = server.data_directory().parent().unwrap().to_owned();
    let process = format!("/proc/{}", server.pid());
    drop(server);
    assert!(!home.exists());
    assert!(!Path::new(&process).exists());
}

#[tokio::test]
async fn what_was_committed_survives_a_kill() {
    let mut cluster = Cluster::start(Major::Sixteen).await;
    cluster
        .psql("postgres", "CREATE TABLE t AS SELECT 1 AS n; CHECKPOINT")
        .await;
    cluster.kill_postmaster();
    cluster.restart().await;
    assert_eq!(
        cluster.psql("postgres", "SELECT n FROM t").await.trim(),
        "1"
    );
    assert!(cluster.log().contains("was not properly shut down"));
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_says_what_its_log_says() {
    let mut options = options(Major::Fifteen);
    options.configuration = vec!["no_such_setting = 1".to_owned()];
    let error = ThrowawayServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::Ended { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn programs_that_are_missing_are_named() {
    let options = ServerOptions::new("/no/such/directory", std::env::temp_dir());
    let error = ThrowawayServer::start(options).await.unwrap_err();
    assert!(matches!(error, ServerError::Run { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot run /no/such/directory/initdb");
}
