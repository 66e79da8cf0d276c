//! What keeps a session from being opened or ends it is told apart and named.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use pgkeep_postgres::client::{ConnectError, ConnectionParameters, QueryError, connect};
use pgkeep_testkit::cluster::{Cluster, Major};

async fn refusal(parameters: &ConnectionParameters) -> ConnectError {
    connect(parameters).await.expect_err("no session")
}

#[tokio::test]
async fn each_cause_of_a_refusal_is_its_own_error_and_names_what_it_is_about() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE guest LOGIN; CREATE DATABASE crowded CONNECTION LIMIT 0; \
             CREATE DATABASE closed; REVOKE CONNECT ON DATABASE closed FROM PUBLIC;",
        )
        .await;
    let tcp = cluster.tcp_connection("postgres");
    assert!(connect(&tcp).await.is_ok());

    let error = refusal(&tcp.with_password("hunter2")).await;
    assert!(matches!(&error, ConnectError::Authentication { sqlstate, .. } if sqlstate == "28P01"));
    let told = format!("{error} {error:?}");
    assert!(
        told.contains(&tcp.server()) && told.contains("\"postgres\""),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");

    let error = refusal(&tcp.with_user("postgres")).await;
    assert!(
        matches!(error, ConnectError::NoPassword { .. }),
        "{error:?}"
    );

    let error = refusal(&cluster.connection("no such = database")).await;
    assert!(
        matches!(error, ConnectError::NoSuchDatabase { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("\"no such = database\""),
        "{error}"
    );

    let error = refusal(&cluster.connection("crowded").with_user("guest")).await;
    assert!(
        matches!(error, ConnectError::TooManyConnections { .. }),
        "{error:?}"
    );

    let error = refusal(&cluster.connection("closed").with_user("guest")).await;
    assert!(matches!(error, ConnectError::Forbidden { .. }), "{error:?}");

    let error = refusal(&cluster.connection("postgres").with_user("nobody here")).await;
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("\"nobody here\""), "{error}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_is_shutting_down_is_not_ready() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let _session = cluster.connect("postgres").await;
    // A "smart" shutdown waits for the session above.
    let pid = cluster.server().pid().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(told.success());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match connect(&cluster.connection("postgres")).await {
            Ok(_) => assert!(Instant::now() < deadline, "the server goes on"),
            Err(error) => {
                assert!(matches!(error, ConnectError::NotReady { .. }), "{error:?}");
                assert!(error.may_pass());
                break;
            }
        }
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_cannot_be_reached() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for text in [
        format!("postgres://me@127.0.0.1:{port}/app"),
        "postgres:///app?host=/no/such/directory".to_owned(),
    ] {
        let parameters = ConnectionParameters::parse(&text).unwrap();
        let error = refusal(&parameters).await;
        assert!(
            matches!(error, ConnectError::Unreachable { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(&parameters.server()), "{error}");
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!("postgres://me@127.0.0.1:{port}/app?connect_timeout=1");
    let error = refusal(&ConnectionParameters::parse(&text).unwrap()).await;
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn any_name_of_a_database_can_be_connected_to() {
    let cluster = Cluster::start(Major::Eighteen).await;
    for name in [
        "-d",
        "a=b",
        "it's",
        "dbname='x'",
        r"back\slash",
        "postgres://x",
        "ünï \"q\"",
    ] {
        let quoted = pgkeep_postgres::client::identifier(name);
        cluster
            .psql("postgres", &format!("CREATE DATABASE {quoted}"))
            .await;
        let session = cluster.connect(name).await;
        let row = session
            .query_one("SELECT current_database()::text", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), name);
        assert!(cluster.pg_dump_c(name).await.contains(&quoted) || name == "ünï \"q\"");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn no_object_of_a_user_is_found_by_accident() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let hostile = "CREATE TABLE public.t (); ALTER DATABASE postgres SET search_path TO public; \
                   ALTER DATABASE postgres SET standard_conforming_strings TO off";
    cluster.psql("postgres", hostile).await;
    let session = cluster.connect("postgres").await;
    let error = session.batch("SELECT FROM t").await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("42P01"));
    let row = session
        .query_one(r"SELECT '\' AS backslash", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "\\");
    assert_eq!(session.server_version().major(), 15);
    cluster.stop().await;
}

#[tokio::test]
async fn a_session_that_the_server_ended_says_why() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let session = cluster.connect("postgres").await;
    let row = session
        .query_one("SELECT pg_catalog.pg_backend_pid()", &[])
        .await
        .unwrap();
    let terminate = format!(
        "SELECT pg_terminate_backend({}, 30000)",
        row.get::<_, i32>(0)
    );
    cluster.psql("postgres", &terminate).await;
    let error = session.batch("SELECT 1").await.unwrap_err();
    assert!(matches!(&error, QueryError::Ended { .. }), "{error:?}");
    assert_eq!(error.sqlstate(), Some("57P01"));
    cluster.stop().await;
}

#[tokio::test]
async fn a_session_whose_server_was_killed_is_lost() {
    let mut cluster = Cluster::start(Major::Eighteen).await;
    let session = cluster.connect("postgres").await;
    cluster.kill_postmaster();
    let error = loop {
        if let Err(error) = session.batch("SELECT 1").await {
            break error;
        }
    };
    assert!(
        matches!(error, QueryError::Lost { .. } | QueryError::Ended { .. }),
        "{error:?}"
    );
    cluster.restart().await;
    cluster.connect("postgres").await;
    cluster.stop().await;
}
