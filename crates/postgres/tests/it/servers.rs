//! Of several servers the one is chosen that libpq would choose, and PostgreSQL's
//! programs talk to that one.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

use pgkeep_postgres::client::{ConnectError, Connection, ConnectionParameters, connect};
use pgkeep_postgres::tools::PgDump;
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_types::{Environment, Random};

/// Always the same byte.
struct Byte(u8);

impl Random for Byte {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

/// A connection to these ports of this machine, in that order.
fn to_ports(ports: &[u16], more: &str) -> ConnectionParameters {
    let hosts = vec!["127.0.0.1"; ports.len()].join(",");
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let text = format!(
        "host={hosts} port={} user=postgres dbname=postgres {more}",
        ports.join(",")
    );
    let parsed = ConnectionParameters::parse(&text).unwrap();
    parsed.with_password(Cluster::PASSWORD)
}

/// A port on which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn port_of(session: &Connection) -> u16 {
    session.parameters().port()
}

/// A server that recovers and lets in who reads.
async fn standby(major: Major) -> Cluster {
    let mut cluster = Cluster::start(major).await;
    let signal = cluster.server().data_directory().join("standby.signal");
    std::fs::write(signal, "").unwrap();
    cluster.restart().await;
    cluster
}

#[tokio::test]
async fn the_first_server_that_answers_is_taken_and_the_programs_talk_to_it() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql("postgres", "CREATE TABLE here AS SELECT 4711")
        .await;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent = silent.local_addr().map(|a| (silent, a.port())).unwrap();
    let port = cluster.server().port();
    let ports = [closed_port(), silent.1, port];
    let several = to_ports(&ports, "connect_timeout=1 keepalives_idle=60");
    let session = connect(&several).await.unwrap();
    assert_eq!(port_of(&session), port);

    let tools = cluster.major().tools().await;
    let mut dump = PgDump::new(&tools, session.parameters()).spawn().unwrap();
    let mut archive = Vec::new();
    let mut stdout = dump.take_stdout().unwrap();
    tokio::io::copy(&mut stdout, &mut archive).await.unwrap();
    dump.wait().await.unwrap();
    assert!(archive.windows(4).any(|bytes| bytes == b"4711"));
    cluster.stop().await;
}

#[tokio::test]
async fn a_name_is_tried_at_each_of_its_addresses_and_the_session_says_which() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let text = format!(
        "host=localhost port={} user=postgres dbname=postgres",
        cluster.server().port()
    );
    let parsed = ConnectionParameters::parse(&text).unwrap();
    // The server listens on 127.0.0.1 alone, and localhost may be ::1 as well.
    let session = connect(&parsed.with_password(Cluster::PASSWORD)).await;
    let variables = session.unwrap().parameters().to_environment();
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.expose().to_owned())
    };
    assert_eq!(value("PGHOST").unwrap(), "localhost");
    assert_eq!(value("PGHOSTADDR").unwrap(), "127.0.0.1");
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_ends_the_search() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let other = Cluster::start(Major::Sixteen).await;
    other
        .psql("postgres", "ALTER ROLE postgres PASSWORD 'another'")
        .await;
    let ports = [other.server().port(), cluster.server().port()];
    let error = connect(&to_ports(&ports, "")).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Authentication { .. }),
        "{error:?}"
    );
    cluster.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn where_none_will_do_each_is_told_with_its_cause() {
    let ports = [closed_port(), closed_port()];
    let error = connect(&to_ports(&ports, "")).await.unwrap_err();
    assert!(error.may_pass());
    let told = error.to_string();
    for port in ports {
        assert!(told.contains(&format!("127.0.0.1:{port}")), "{told}");
    }
    let text = "host=no-such-host.invalid user=me dbname=app";
    let error = connect(&ConnectionParameters::parse(text).unwrap()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, ConnectError::UnknownHost { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("no-such-host.invalid:5432"));
}

#[tokio::test]
async fn the_session_is_with_a_server_of_the_kind_that_is_asked_for() {
    for major in [Major::Fifteen, Major::Eighteen] {
        let primary = Cluster::start(major).await;
        let standby = standby(major).await;
        let (first, second) = (primary.server().port(), standby.server().port());
        for (wanted, ports, expected) in [
            ("any", [second, first], Some(second)),
            ("primary", [second, first], Some(first)),
            ("read-write", [second, first], Some(first)),
            ("standby", [first, second], Some(second)),
            ("read-only", [first, second], Some(second)),
            ("prefer-standby", [first, second], Some(second)),
            ("prefer-standby", [first, first], Some(first)),
            ("standby", [first, first], None),
            ("primary", [second, second], None),
        ] {
            let more = format!("target_session_attrs={wanted}");
            match (connect(&to_ports(&ports, &more)).await, expected) {
                (Ok(session), Some(port)) => assert_eq!(port_of(&session), port, "{wanted}"),
                (Err(ConnectError::NoServer { failures, .. }), None) => {
                    let all = |f: &ConnectError| matches!(f, ConnectError::WrongServer { .. });
                    assert!(failures.iter().all(all), "{wanted} {failures:?}");
                }
                (came, _) => panic!("{wanted}: {came:?}"),
            }
        }
        // A primary may have been told that its sessions only read.
        let only_reads = "ALTER DATABASE postgres SET default_transaction_read_only = on";
        primary.psql("postgres", only_reads).await;
        let error = connect(&to_ports(&[first], "target_session_attrs=read-write")).await;
        assert!(matches!(
            error.unwrap_err(),
            ConnectError::WrongServer { .. }
        ));
        let session = connect(&to_ports(&[first], "target_session_attrs=read-only")).await;
        assert!(!session.unwrap().is_in_recovery());
        primary.stop().await;
        standby.stop().await;
    }
}

#[tokio::test]
async fn load_is_balanced_by_chance_where_that_is_asked_for() {
    let one = Cluster::start(Major::Sixteen).await;
    let other = Cluster::start(Major::Sixteen).await;
    let ports = [one.server().port(), other.server().port()];
    let environment = Environment::new("/").with_user("me");
    let mut taken = Vec::new();
    for byte in 0..16 {
        let asked = to_ports(&ports, "load_balance_hosts=random");
        let asked = asked.with_defaults(&environment, &Byte(byte)).unwrap();
        taken.push(port_of(&connect(&asked).await.unwrap()));
    }
    assert!(ports.iter().all(|port| taken.contains(port)), "{taken:?}");
    let asked = to_ports(&ports, "load_balance_hosts=disable");
    let asked = asked.with_defaults(&environment, &Byte(1)).unwrap();
    assert_eq!(port_of(&connect(&asked).await.unwrap()), ports[0]);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_service_and_a_password_file_are_all_that_session_and_programs_need() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let home = tempfile::tempdir().unwrap();
    let private = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let port = cluster.server().port();
    private(
        ".pg_service.conf",
        &format!(
            "[app]\nhost=127.0.0.1\nport={port}\nuser=postgres\ndbname=postgres\n\
             application_name=from service\noptions=-c app.x=7\n"
        ),
    );
    let escaped = Cluster::PASSWORD.replace('\\', r"\\").replace(':', r"\:");
    private(
        ".pgpass",
        &format!("127.0.0.1:{port}:*:postgres:{escaped}\n"),
    );
    let environment = Environment::new("/")
        .with_home(home.path())
        .with_variable("PGSERVICE", "app");
    let parsed = ConnectionParameters::parse("").unwrap();
    let parameters = parsed.with_defaults(&environment, &Byte(0)).unwrap();
    let session = connect(&parameters).await.unwrap();
    let row = session
        .query_one(
            "SELECT pg_catalog.current_setting('application_name'), \
             pg_catalog.current_setting('app.x')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "from service");
    assert_eq!(row.get::<_, &str>(1), "7");
    let tools = cluster.major().tools().await;
    let mut dump = PgDump::new(&tools, &parameters).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    tokio::io::copy(&mut stdout, &mut tokio::io::sink())
        .await
        .unwrap();
    dump.wait().await.unwrap();
    cluster.stop().await;
}
