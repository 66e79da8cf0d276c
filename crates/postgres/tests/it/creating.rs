//! A database is made whole or not at all, and what is missing is named before.

use pgkeep_postgres::client::{
    ConnectError, CreateDatabaseError, LocaleProvider, Setting, acts_as, apply_properties, connect,
    create_database, database_exists, drop_database, finish, forbidden_settings, has_icu,
    knows_locale, may_give_to, needed_roles, roles_out_of_reach, swap_databases, unknown_roles,
};
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::facts_of;

#[tokio::test]
async fn a_name_that_is_taken_is_refused() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let facts = facts_of(&cluster, "postgres").await;
    let admin = cluster.connect("postgres").await;
    let error = create_database(&admin, "template1", &facts)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CreateDatabaseError::Exists { .. }),
        "{error:?}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn all_that_is_missing_is_named_before_anything_is_made() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let admin = cluster.connect("postgres").await;
    let mut facts = facts_of(&cluster, "postgres").await;
    facts.owner = "gone \"owner\"".to_owned();
    facts.roles.push("gone reader".to_owned());
    facts.settings.push(Setting {
        role: Some("gone user".to_owned()),
        name: "work_mem".to_owned(),
        value: "1MB".to_owned(),
    });
    let roles = ["gone \"owner\"", "gone reader", "gone user"];
    let missing = unknown_roles(&admin, &needed_roles(&facts)).await;
    assert_eq!(missing.unwrap(), roles);
    let error = create_database(&admin, "new", &facts).await.unwrap_err();
    let CreateDatabaseError::MissingRoles { roles: named, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(named, &roles);
    assert!(
        error
            .hint()
            .unwrap()
            .contains(r#"CREATE ROLE "gone ""owner""";"#)
    );

    let mut facts = facts_of(&cluster, "postgres").await;
    facts.tablespace = "fast".to_owned();
    let error = create_database(&admin, "new", &facts).await.unwrap_err();
    assert!(
        matches!(error, CreateDatabaseError::MissingTablespace { .. }),
        "{error:?}"
    );

    let mut facts = facts_of(&cluster, "postgres").await;
    facts.locale.provider = LocaleProvider::Builtin;
    let error = create_database(&admin, "new", &facts).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "database \"new\" sorts by the locale provider builtin, which PostgreSQL {} does not \
             know",
            admin.server_version()
        )
    );
    assert!(!database_exists(&admin, "new").await.unwrap());
    cluster.stop().await;
}

#[tokio::test]
async fn a_property_that_is_refused_leaves_none() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let admin = cluster.connect("postgres").await;
    let mut facts = facts_of(&cluster, "postgres").await;
    let setting = |name: &str| Setting {
        role: None,
        name: name.to_owned(),
        value: "1".to_owned(),
    };
    facts.settings = vec![setting("geqo_seed"), setting("no_such_setting")];
    create_database(&admin, "new", &facts).await.unwrap();
    let error = apply_properties(&admin, "new", &facts).await.unwrap_err();
    assert!(
        matches!(
            error,
            CreateDatabaseError::Property {
                property: "settings",
                ..
            }
        ),
        "{error:?}"
    );
    let set = "SELECT count(*) FROM pg_db_role_setting";
    assert_eq!(cluster.psql("postgres", set).await, "0\n");
    // The session is as it was.
    facts.settings.truncate(1);
    apply_properties(&admin, "new", &facts).await.unwrap();
    assert_eq!(cluster.psql("postgres", set).await, "1\n");
    cluster.stop().await;
}

#[tokio::test]
async fn a_user_who_may_not_create_databases_is_told_so() {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", "CREATE ROLE guest LOGIN").await;
    let facts = facts_of(&cluster, "postgres").await;
    let guest = connect(&cluster.connection("postgres").with_user("guest"))
        .await
        .unwrap();
    let error = create_database(&guest, "new", &facts).await.unwrap_err();
    assert!(
        matches!(error, CreateDatabaseError::Create { .. }),
        "{error:?}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn what_would_keep_it_from_being_filled_comes_last() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let admin = cluster.connect("postgres").await;
    let mut facts = facts_of(&cluster, "postgres").await;
    facts.allow_connections = false;
    facts.connection_limit = 0;
    facts.is_template = true;
    create_database(&admin, "new", &facts).await.unwrap();
    connect(&cluster.connection("new")).await.unwrap();
    finish(&admin, "new", &facts).await.unwrap();
    let error = connect(&cluster.connection("new")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    let query = "SELECT datallowconn, datconnlimit, datistemplate FROM pg_database \
                 WHERE datname = 'new'";
    assert_eq!(cluster.psql("postgres", query).await.trim(), "f|0|t");
    cluster.stop().await;
}

#[tokio::test]
async fn a_database_is_dropped_whoever_is_in_it() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let admin = cluster.connect("postgres").await;
    cluster
        .psql("postgres", r#"CREATE DATABASE "it's ""x""""#)
        .await;
    let session = cluster.connect("it's \"x\"").await;
    drop_database(&admin, "it's \"x\"").await.unwrap();
    assert!(session.batch("SELECT 1").await.is_err());
    assert!(!database_exists(&admin, "it's \"x\"").await.unwrap());
    drop_database(&admin, "it's \"x\"").await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_which_locales_its_operating_system_has() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        let session = cluster.connect("postgres").await;
        assert!(knows_locale(&session, "C").await.unwrap());
        assert!(knows_locale(&session, "C.UTF-8").await.unwrap());
        assert!(!knows_locale(&session, "xx_XX.nowhere").await.unwrap());
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_member_may_give_a_database_to_a_role() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        cluster
            .psql(
                "postgres",
                "CREATE ROLE a; CREATE ROLE b; CREATE ROLE c; GRANT a TO c",
            )
            .await;
        let session = cluster.connect("postgres").await;
        session.batch("SET SESSION AUTHORIZATION c").await.unwrap();
        assert!(may_give_to(&session, "a").await.unwrap());
        assert!(may_give_to(&session, "c").await.unwrap());
        assert!(!may_give_to(&session, "b").await.unwrap());
        assert!(!may_give_to(&session, "nobody").await.unwrap());
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_name_that_is_refused_gives_the_first_one_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let (admin, helper) = (
        cluster.connect("postgres").await,
        cluster.connect("postgres").await,
    );
    let swapped = swap_databases(&admin, &helper, "app", "aside", "no such database").await;
    assert_eq!(swapped.unwrap_err().sqlstate(), Some("3D000"));
    assert!(database_exists(&admin, "app").await.unwrap());
    assert!(!database_exists(&admin, "aside").await.unwrap());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_without_the_rights_of_an_owner_may_rename_nothing_of_its() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        let make = "CREATE ROLE app; CREATE ROLE heir CREATEDB; CREATE ROLE other CREATEDB NOINHERIT; \
             GRANT app TO heir, other; CREATE DATABASE app OWNER app";
        cluster.psql("postgres", make).await;
        for (role, acts) in [("heir", true), ("other", false)] {
            let session = cluster.connect("postgres").await;
            let be = format!("SET SESSION AUTHORIZATION {role}");
            session.batch(&be).await.unwrap();
            assert!(may_give_to(&session, "app").await.unwrap());
            assert_eq!(acts_as(&session, "app").await.unwrap(), acts, "{major:?}");
            let renamed = session.batch("ALTER DATABASE app RENAME TO app2").await;
            assert_eq!(renamed.is_ok(), acts, "{major:?} {renamed:?}");
            let _ = session.batch("ALTER DATABASE app2 RENAME TO app").await;
        }
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_role_may_not_make_are_those_that_the_server_refuses() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        let make = "CREATE ROLE own CREATEDB; CREATE ROLE makes CREATEROLE; CREATE ROLE reader; \
             CREATE ROLE boss SUPERUSER; CREATE DATABASE app OWNER own";
        cluster.psql("postgres", make).await;
        cluster
            .psql("postgres", "GRANT SET ON PARAMETER lc_messages TO own")
            .await;
        let session = cluster.connect("postgres").await;
        session
            .batch("SET SESSION AUTHORIZATION own")
            .await
            .unwrap();
        let names = [
            ("work_mem", "'8MB'"),
            ("Search_Path", "'a'"),
            ("role", "'own'"),
            ("lc_messages", "'C'"),
            ("log_statement", "'all'"),
            ("session_preload_libraries", "''"),
            ("app.tenant", "'x'"),
        ];
        for (name, value) in names {
            let forbidden = forbidden_settings(&session, &[name]).await.unwrap();
            let set = format!("ALTER DATABASE app SET {name} TO {value}");
            let set = session.batch(&set).await;
            assert_eq!(
                forbidden.is_empty(),
                set.is_ok(),
                "{major:?} {name} {set:?}"
            );
        }
        for (role, made) in [
            ("own", "own"),
            ("own", "reader"),
            ("makes", "reader"),
            ("makes", "boss"),
        ] {
            let session = cluster.connect("postgres").await;
            let be = format!("SET SESSION AUTHORIZATION {role}");
            session.batch(&be).await.unwrap();
            let out = roles_out_of_reach(&session, &[made]).await.unwrap();
            let set = format!("ALTER ROLE {made} IN DATABASE app SET work_mem TO '8MB'");
            let set = session.batch(&set).await;
            assert_eq!(
                out.is_empty(),
                set.is_ok(),
                "{major:?} {role} {made} {set:?}"
            );
        }
        let session = cluster.connect("postgres").await;
        let own = "SET SESSION AUTHORIZATION makes; CREATE ROLE its_own";
        session.batch(own).await.unwrap();
        assert!(
            roles_out_of_reach(&session, &["its_own"])
                .await
                .unwrap()
                .is_empty()
        );
        let set = "ALTER ROLE its_own IN DATABASE app SET work_mem TO '8MB'";
        session.batch(set).await.unwrap();
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_whether_it_was_built_with_icu() {
    for major in [
        Major::Fifteen,
        Major::Sixteen,
        Major::Seventeen,
        Major::Eighteen,
    ] {
        let cluster = Cluster::start(major).await;
        let session = cluster.connect("postgres").await;
        let create = "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu \
             ICU_LOCALE 'en' ENCODING 'UTF8'";
        let made = session.batch(create).await;
        assert_eq!(
            has_icu(&session).await.unwrap(),
            made.is_ok(),
            "{major:?} {made:?}"
        );
        cluster.stop().await;
    }
}
