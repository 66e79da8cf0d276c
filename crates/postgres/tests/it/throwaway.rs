//! A throwaway server is reached by nobody else, survives what it should, and
//! leaves nothing behind.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pgkeep_postgres::client::connect;
use pgkeep_postgres::server::{Mishap, ServerError, ServerOptions, ThrowawayServer};
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

/// What its log tells, once it tells something.
async fn mishaps(server: &ThrowawayServer) -> Vec<Mishap> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.mishaps().is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.mishaps()
}

#[tokio::test]
async fn its_log_tells_of_a_process_that_was_killed_and_not_what_a_statement_says_of_one() {
    for major in Major::ALL {
        let server = ThrowawayServer::start(options(major)).await.unwrap();
        let session = connect(&server.connection("postgres")).await.unwrap();
        let killed = "server process (PID 1) was terminated by signal 9: Killed";
        let forged = format!(
            "DO $$BEGIN RAISE LOG '{killed}'; \
             RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END$$"
        );
        session.batch(&forged).await.unwrap_err();
        // The first process tells what a setting was changed to.
        let setting = format!("ALTER SYSTEM SET archive_cleanup_command = '{killed}'");
        session.batch(&setting).await.unwrap();
        session.batch("SELECT pg_reload_conf()").await.unwrap();
        assert_eq!(server.mishaps(), [], "{major:?}");

        let row = session.query_one("SELECT pg_backend_pid()", &[]).await;
        let process: i32 = row.unwrap().get(0);
        let kill = std::process::Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status();
        assert!(kill.unwrap().success());
        let told = mishaps(&server).await;
        let words = format!("(PID {process}) was terminated by signal 9: Killed");
        assert!(
            matches!(&told[..], [Mishap::Killed(said)] if said.ends_with(&words)),
            "{major:?} {told:?}"
        );

        std::fs::remove_file(server.log_file()).unwrap();
        assert!(matches!(server.mishaps()[..], [Mishap::Unread(_)]));
        server.stop().await.unwrap();
    }
}
