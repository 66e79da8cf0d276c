//! What is told of a database is what it is, seen in the snapshot, by anybody
//! who may connect.

use pgkeep_postgres::client::{
    DatabaseFacts, ExportedSnapshot, LocaleProvider, Privilege, Setting, connect,
};
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::facts_of;

fn privilege(grantor: &str, grantee: Option<&str>, privilege: &str, grantable: bool) -> Privilege {
    Privilege {
        grantor: grantor.to_owned(),
        grantee: grantee.map(str::to_owned),
        privilege: privilege.to_owned(),
        grantable,
    }
}

#[tokio::test]
async fn the_zoos_properties_are_read_whole() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.load_zoo().await;
    let facts = facts_of(&cluster, "zoo").await;
    assert_eq!(
        (facts.name.as_str(), facts.owner.as_str()),
        ("zoo", "zoo_owner")
    );
    assert_eq!(facts.encoding, "UTF8");
    assert_eq!(facts.locale.provider, LocaleProvider::Libc);
    assert_eq!(facts.tablespace, "pg_default");
    assert_eq!(facts.connection_limit, 37);
    assert!(!facts.is_template && facts.allow_connections);
    let comment = facts.comment.unwrap();
    assert!(comment.starts_with("every kind of thing, it's all \"here\": ünï \\ code\nand"));
    let kurator = "Zoo \"Kurator\" Ünal";
    let privileges = facts.privileges.unwrap();
    for expected in [
        privilege("zoo_owner", None, "TEMPORARY", false),
        privilege("zoo_owner", Some("zoo_keeper"), "CONNECT", true),
        privilege("zoo_keeper", Some("zoo_guest"), "CONNECT", false),
        privilege("zoo_keeper", Some(kurator), "CONNECT", true),
        privilege(kurator, Some("zoo_public"), "CONNECT", false),
    ] {
        assert!(
            privileges.contains(&expected),
            "{expected:?} in {privileges:?}"
        );
    }
    assert!(!privileges.contains(&privilege("zoo_owner", None, "CONNECT", false)));
    for (role, name, value) in [
        (None, "search_path", "\"$user\", \"Größe Schema\", public"),
        (None, "zoo.greeting", "it's a, \"zoo\"\\"),
        (Some("zoo_keeper"), "statement_timeout", "90s"),
        (Some(kurator), "TimeZone", "Asia/Kathmandu"),
    ] {
        let expected = Setting {
            role: role.map(str::to_owned),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        assert!(
            facts.settings.contains(&expected),
            "{expected:?} in {:?}",
            facts.settings
        );
    }
    assert_eq!(facts.settings.len(), 7);
    for role in ["postgres", "zoo_owner", "zoo_keeper", "zoo_guest", kurator] {
        assert!(facts.roles.iter().any(|known| known == role), "{role}");
    }
    let names: Vec<_> = facts.extensions.iter().map(|e| e.name.as_str()).collect();
    assert!(
        names.contains(&"hstore") && names.contains(&"plpgsql"),
        "{names:?}"
    );
    let hstore = facts
        .extensions
        .iter()
        .find(|e| e.name == "hstore")
        .unwrap();
    assert_eq!(
        (hstore.schema.as_str(), hstore.version.as_str()),
        ("extensions", "1.8")
    );
    assert!(facts.tables > 30 && facts.size_bytes > 1_000_000);
    assert!(facts.system_id.is_some());

    assert_eq!(facts_of(&cluster, "empty").await.privileges, None);
    assert_eq!(
        facts_of(&cluster, Cluster::QUOTED).await.privileges,
        Some(Vec::new())
    );
    let latin = facts_of(&cluster, "latin").await;
    assert_eq!(
        (latin.encoding.as_str(), latin.is_template),
        ("LATIN1", true)
    );
    let icu = facts_of(&cluster, "icu").await.locale;
    assert_eq!(icu.provider, LocaleProvider::Icu);
    assert_eq!(icu.locale.as_deref(), Some("de-u-co-phonebk"));
    cluster.stop().await;
}

#[tokio::test]
async fn postgresqls_own_locales_are_told_from_the_c_librarys() {
    let cluster = Cluster::start(Major::Eighteen).await;
    cluster.load_zoo().await;
    let locale = facts_of(&cluster, "builtin").await.locale;
    assert_eq!(locale.provider, LocaleProvider::Builtin);
    assert_eq!(locale.locale.as_deref(), Some("C.UTF-8"));
    assert_eq!(facts_of(&cluster, "zoo").await.locale.locale, None);
    cluster.stop().await;
}

#[tokio::test]
async fn whoever_may_connect_may_read_the_facts() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        let script = "CREATE ROLE nobody LOGIN; CREATE DATABASE d; \
                      REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;";
        cluster.psql("postgres", script).await;
        // The rights of each database's own catalogue are its own.
        let refuse = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC";
        cluster.psql("d", refuse).await;
        let parameters = cluster.connection("d").with_user("nobody");
        let session = connect(&parameters).await.unwrap();
        let snapshot = ExportedSnapshot::open(session).await.unwrap();
        let facts = DatabaseFacts::read(&snapshot).await.unwrap();
        assert_eq!(facts.system_id, None);
        assert_eq!(facts.name, "d");
        snapshot.close().await.unwrap();
        let known = facts_of(&cluster, "d").await;
        assert_eq!(
            DatabaseFacts {
                system_id: known.system_id,
                ..facts
            },
            known
        );
        cluster.stop().await;
    }
}

#[tokio::test]
async fn facts_are_of_the_snapshot_and_not_of_later() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let session = cluster.connect("postgres").await;
    let snapshot = ExportedSnapshot::open(session).await.unwrap();
    cluster
        .psql(
            "postgres",
            "CREATE TABLE later (); COMMENT ON DATABASE postgres IS 'later'",
        )
        .await;
    let facts = DatabaseFacts::read(&snapshot).await.unwrap();
    assert_eq!(facts.tables, 0);
    let import = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{}'; \
         SELECT count(*) FROM pg_class WHERE relname = 'later'; COMMIT;",
        snapshot.id()
    );
    assert_eq!(cluster.psql("postgres", &import).await.trim(), "0");
    snapshot.close().await.unwrap();
    assert_eq!(facts_of(&cluster, "postgres").await.tables, 1);
    cluster.stop().await;
}

#[tokio::test]
async fn a_snapshot_whose_session_was_ended_does_not_close_as_if_nothing_had_happened() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let session = cluster.connect("postgres").await;
    let snapshot = ExportedSnapshot::open(session).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity \
               WHERE state = 'idle in transaction'";
    assert_eq!(cluster.psql("postgres", end).await.trim(), "t");
    assert!(snapshot.close().await.is_err());
    cluster.stop().await;
}

#[tokio::test]
async fn no_time_limit_of_the_server_ends_a_snapshot() {
    for major in Major::ALL {
        let mut limits = vec![
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
        ];
        if major.number() >= 17 {
            limits.push("transaction_timeout");
        }
        let lines: Vec<_> = limits
            .iter()
            .map(|limit| format!("{limit} = '1h'"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let cluster = Cluster::start_with(major, &lines).await;
        let session = cluster.connect("postgres").await;
        let snapshot = ExportedSnapshot::open(session).await.unwrap();
        for limit in limits {
            let show = format!("SHOW {limit}");
            let row = snapshot.connection().query_one(&show, &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), "0", "{limit}");
        }
        snapshot.close().await.unwrap();
        cluster.stop().await;
    }
}
