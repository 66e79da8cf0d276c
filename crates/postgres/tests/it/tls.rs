//! What a connection promises of TLS is kept, and no more is asked for than
//! libpq asks.

use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use pgkeep_postgres::client::{ConnectError, ConnectionParameters, connect};
use pgkeep_postgres::tools::PgDump;
use pgkeep_testkit::cluster::{Authority, Cluster, Major};

const PASSWORD: &str = "host all all 127.0.0.1/32 scram-sha-256";

/// A connection to `name` at the cluster's address, as a text.
fn parameters(cluster: &Cluster, name: &str, more: &str) -> ConnectionParameters {
    let text = format!(
        "host={name} hostaddr={} port={} user=postgres dbname=postgres {more}",
        Ipv4Addr::LOCALHOST,
        cluster.server().port(),
    );
    ConnectionParameters::parse(&text)
        .unwrap()
        .with_password(Cluster::PASSWORD)
}

fn with_root(mode: &str, root: &Path) -> String {
    format!("sslmode={mode} sslrootcert={}", root.display())
}

/// Holds that a connection is refused for that reason.
macro_rules! refused {
    ($parameters:expr, $reason:ident) => {
        let error = encrypted($parameters).await.unwrap_err();
        assert!(matches!(error, ConnectError::$reason { .. }), "{error:?}");
    };
}

/// A server that shows a certificate with a common name and the names of hosts.
async fn with_certificate(name: &str, hosts: &[&str]) -> (Cluster, Authority) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let authority = Authority::new();
    let certificate = authority.issue(name, hosts);
    cluster.show_certificate(&certificate, &authority).await;
    (cluster, authority)
}

/// Whether the session that this opens is encrypted.
async fn encrypted(parameters: &ConnectionParameters) -> Result<bool, ConnectError> {
    let session = connect(parameters).await?;
    let query = "SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";
    Ok(session.query_one(query, &[]).await.unwrap().get(0))
}

#[tokio::test]
async fn a_server_without_tls_is_talked_to_plainly_only_where_that_was_allowed() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for mode in ["disable", "allow", "prefer"] {
        let parameters = parameters(&cluster, "db", &format!("sslmode={mode}"));
        assert!(!encrypted(&parameters).await.unwrap(), "{mode}");
    }
    let authority = Authority::new();
    for more in [
        "sslmode=require".to_owned(),
        with_root("verify-ca", &authority.root()),
        with_root("verify-full", &authority.root()),
    ] {
        refused!(&parameters(&cluster, "db", &more), Tls);
    }
    cluster.stop().await;
}

#[tokio::test]
async fn tls_is_used_where_it_is_offered_unless_it_is_disabled() {
    let (cluster, _authority) = with_certificate("db.internal", &["db.internal"]).await;
    for (mode, expected) in [
        ("disable", false),
        ("allow", false),
        ("prefer", true),
        ("require", true),
    ] {
        let parameters = parameters(&cluster, "anything", &format!("sslmode={mode}"));
        assert_eq!(encrypted(&parameters).await.unwrap(), expected, "{mode}");
    }
    let default = parameters(&cluster, "anything", "");
    assert!(encrypted(&default).await.unwrap());
    let bound = parameters(
        &cluster,
        "anything",
        "sslmode=require channel_binding=require",
    );
    assert!(encrypted(&bound).await.unwrap());
    let unbound = parameters(
        &cluster,
        "anything",
        "sslmode=disable channel_binding=require",
    );
    assert!(encrypted(&unbound).await.is_err());

    // A socket has no TLS, whatever is asked for.
    let socket = cluster.connection("postgres");
    let text = format!(
        "host={} port={} user=postgres sslmode=require",
        socket.host(),
        socket.port()
    );
    let socket = ConnectionParameters::parse(&text).unwrap();
    assert!(!encrypted(&socket).await.unwrap());
    cluster.stop().await;
}

#[tokio::test]
async fn what_pg_hba_asks_for_is_tried() {
    let (cluster, _authority) = with_certificate("db", &["db"]).await;
    cluster
        .set_pg_hba("hostssl all all 127.0.0.1/32 scram-sha-256")
        .await;
    assert!(
        encrypted(&parameters(&cluster, "db", "sslmode=allow"))
            .await
            .unwrap()
    );
    refused!(
        &parameters(&cluster, "db", "sslmode=disable"),
        Authentication
    );
    cluster
        .set_pg_hba("hostnossl all all 127.0.0.1/32 scram-sha-256")
        .await;
    assert!(
        !encrypted(&parameters(&cluster, "db", "sslmode=prefer"))
            .await
            .unwrap()
    );
    refused!(
        &parameters(&cluster, "db", "sslmode=require"),
        Authentication
    );
    cluster.set_pg_hba(PASSWORD).await;
    assert!(
        encrypted(&parameters(&cluster, "db", "sslmode=require"))
            .await
            .unwrap()
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_certificate_is_held_against_root_and_name() {
    let (cluster, authority) = with_certificate("ignored", &["db.internal", "*.example.org"]).await;
    let other = Authority::new();
    let verified = async |name: &str, mode: &str, authority: &Authority| {
        encrypted(&parameters(
            &cluster,
            name,
            &with_root(mode, &authority.root()),
        ))
        .await
    };
    for (name, mode) in [
        ("db.internal", "verify-full"),
        ("DB.internal", "verify-full"),
        ("a.example.org", "verify-full"),
        ("wrong.internal", "verify-ca"),
        ("wrong.internal", "require"),
    ] {
        assert!(
            verified(name, mode, &authority).await.unwrap(),
            "{name} {mode}"
        );
    }
    for name in ["wrong.internal", "ignored", "a.b.example.org", "127.0.0.1"] {
        let error = verified(name, "verify-full", &authority).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Tls { .. }),
            "{name} {error:?}"
        );
    }
    // A root that is given is held against the certificate in every mode.
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = verified("db.internal", mode, &other).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::Tls { .. }),
            "{mode} {error:?}"
        );
    }
    for mode in ["verify-ca", "verify-full"] {
        let without = parameters(&cluster, "db.internal", &format!("sslmode={mode}"));
        refused!(&without, TlsSetup);
        let missing = with_root(mode, Path::new("/no/such/file"));
        refused!(&parameters(&cluster, "db.internal", &missing), TlsSetup);
    }
    cluster.stop().await;
}

#[tokio::test]
async fn certificates_as_the_manual_makes_them_are_accepted() {
    // The manual's recipe names the host in the common name alone.
    let (cluster, authority) = with_certificate("db.internal", &[]).await;
    let more = with_root("verify-full", &authority.root());
    assert!(
        encrypted(&parameters(&cluster, "db.internal", &more))
            .await
            .unwrap()
    );
    assert!(
        encrypted(&parameters(&cluster, "db2.internal", &more))
            .await
            .is_err()
    );

    let own = authority.self_signed("db.internal", &[]);
    cluster.show_certificate(&own, &authority).await;
    let itself = with_root("verify-full", &own.certificate);
    assert!(
        encrypted(&parameters(&cluster, "db.internal", &itself))
            .await
            .unwrap()
    );
    assert!(
        encrypted(&parameters(&cluster, "db2.internal", &itself))
            .await
            .is_err()
    );
    assert!(
        encrypted(&parameters(&cluster, "db.internal", &more))
            .await
            .is_err()
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_client_may_show_a_certificate_instead_of_a_password() {
    let (cluster, authority) = with_certificate("db", &["db"]).await;
    cluster
        .set_pg_hba("hostssl all all 127.0.0.1/32 cert")
        .await;
    let client = authority.issue("postgres", &[]);
    let with = |key: &Path| {
        let more = format!(
            "sslmode=require sslcert={} sslkey={}",
            client.certificate.display(),
            key.display()
        );
        parameters(&cluster, "db", &more).with_user("postgres")
    };
    assert!(encrypted(&with(&client.key)).await.unwrap());
    refused!(&with(&client.certificate), TlsSetup);
    let without = parameters(&cluster, "db", "sslmode=require").with_user("postgres");
    assert!(encrypted(&without).await.is_err());
    cluster.stop().await;
}

#[tokio::test]
async fn a_key_that_others_may_read_is_not_used() {
    let (cluster, authority) = with_certificate("db", &["db"]).await;
    let client = authority.issue("postgres", &[]);
    let more = format!(
        "sslmode=require sslcert={} sslkey={}",
        client.certificate.display(),
        client.key.display()
    );
    let is_root = std::fs::metadata(&client.key).unwrap().uid() == 0;
    for (mode, usable) in [
        (0o600, true),
        (0o640, is_root),
        (0o644, false),
        (0o620, false),
    ] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&client.key, permissions).unwrap();
        let session = encrypted(&parameters(&cluster, "db", &more)).await;
        assert_eq!(session.is_ok(), usable, "{mode:o} {session:?}");
        if let Err(error) = session {
            let hint = error.hint().unwrap();
            assert!(hint.contains("0600"), "{error:?} {hint}");
        }
    }
    cluster.stop().await;
}

#[tokio::test]
async fn no_certificate_is_shown_where_that_is_asked_for() {
    let (cluster, authority) = with_certificate("db", &["db"]).await;
    cluster
        .set_pg_hba("hostssl all all 127.0.0.1/32 cert")
        .await;
    let client = authority.issue("postgres", &[]);
    for (mode, let_in) in [("allow", true), ("disable", false)] {
        let more = format!(
            "sslmode=require sslcertmode={mode} sslcert={} sslkey={}",
            client.certificate.display(),
            client.key.display()
        );
        let session = encrypted(&parameters(&cluster, "db", &more)).await;
        assert_eq!(session.is_ok(), let_in, "{mode}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_version_of_tls_that_is_not_wanted_is_not_spoken() {
    let (cluster, _authority) = with_certificate("db", &["db"]).await;
    for (more, expected) in [
        (
            "sslmode=require ssl_max_protocol_version=TLSv1.2",
            "TLSv1.2",
        ),
        (
            "sslmode=require ssl_min_protocol_version=TLSv1.3",
            "TLSv1.3",
        ),
        ("sslmode=require sslsni=0", "TLSv1.3"),
    ] {
        let session = connect(&parameters(&cluster, "db", more)).await.unwrap();
        let query = "SELECT version FROM pg_catalog.pg_stat_ssl \
                     WHERE pid = pg_catalog.pg_backend_pid()";
        let row = session.query_one(query, &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), expected, "{more}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_binding_that_is_required_is_not_given_up_for_another_way_in() {
    let (cluster, _authority) = with_certificate("db", &["db"]).await;
    let required = parameters(&cluster, "db", "sslmode=require channel_binding=require");
    let preferred = parameters(&cluster, "db", "sslmode=require");
    for (way, let_in) in [
        ("scram-sha-256", true),
        ("trust", false),
        ("password", false),
    ] {
        let line = format!("hostssl all all 127.0.0.1/32 {way}");
        cluster.set_pg_hba(&line).await;
        assert_eq!(encrypted(&required).await.is_ok(), let_in, "{way}");
        assert!(encrypted(&preferred).await.unwrap(), "{way}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn the_systems_authorities_are_asked_and_did_not_sign_this() {
    let (cluster, _authority) = with_certificate("db", &["db"]).await;
    let system = parameters(&cluster, "db", "sslrootcert=system");
    refused!(&system, Tls);
    let weak = parameters(&cluster, "db", "sslrootcert=system sslmode=require");
    refused!(&weak, TlsSetup);
    cluster.stop().await;
}

#[tokio::test]
async fn the_programs_keep_the_same_promise() {
    let (cluster, authority) = with_certificate("db.internal", &["db.internal"]).await;
    cluster
        .set_pg_hba("hostssl all all 127.0.0.1/32 scram-sha-256")
        .await;
    let tools = cluster.major().tools().await;
    let more = with_root("verify-full", &authority.root());
    let dump = async |name: &str| {
        let connection = parameters(&cluster, name, &more);
        let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
        let mut stdout = dump.take_stdout().unwrap();
        tokio::io::copy(&mut stdout, &mut tokio::io::sink())
            .await
            .unwrap();
        dump.wait().await
    };
    dump("db.internal").await.unwrap();
    assert!(dump("wrong.internal").await.is_err());
    cluster.stop().await;
}
