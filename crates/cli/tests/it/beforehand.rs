//! What a server lacks is named before anything is touched, and roles can be made.

mod dry_runs;
mod rights;
mod tablespaces;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, restore_as_new, socket_of};
use crate::whole_servers::with_pg_dumpall;

/// Everything that a restore could have left: databases and roles.
async fn state(cluster: &Cluster) -> String {
    let query = "SELECT datname FROM pg_database UNION ALL \
         SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1";
    cluster.psql("postgres", query).await
}

const ROLES: &str = "CREATE ROLE \"the; boss\" LOGIN CREATEDB PASSWORD 'geheim' CONNECTION LIMIT 7; \
     CREATE ROLE staff; CREATE ROLE reader LOGIN; CREATE ROLE nobody; \
     GRANT staff TO \"the; boss\" WITH ADMIN OPTION; GRANT pg_monitor TO staff; \
     GRANT reader TO staff; \
     ALTER ROLE \"the; boss\" SET search_path = 'a b', public; \
     COMMENT ON ROLE staff IS 'it''s; staff'; \
     CREATE DATABASE app OWNER \"the; boss\"; GRANT CREATE ON DATABASE app TO reader;";

async fn source(major: Major) -> (Cluster, Site) {
    let cluster = Cluster::start(major).await;
    cluster.psql("postgres", ROLES).await;
    let fill = "SET ROLE \"the; boss\"; CREATE TABLE t AS SELECT generate_series(1, 10) AS n";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_missing_is_named_at_once_and_nothing_is_touched() {
    let (cluster, site) = source(Major::Fifteen).await;
    let owner = cluster.psql("postgres", "SHOW data_directory").await;
    let place = format!("{}/../fast", owner.trim());
    std::fs::create_dir_all(&place).unwrap();
    let status = std::process::Command::new("chown")
        .arg(format!("--reference={}", owner.trim()))
        .arg(&place)
        .status()
        .unwrap();
    assert!(status.success());
    cluster
        .psql(
            "postgres",
            &format!("CREATE TABLESPACE fast LOCATION '{place}'"),
        )
        .await;
    cluster
        .psql("postgres", "ALTER DATABASE app SET TABLESPACE fast")
        .await;
    cluster.psql("app", "CREATE EXTENSION pgcrypto").await;
    site.back_up("app").await;

    let other = Cluster::start(Major::Sixteen).await;
    other
        .psql("postgres", "CREATE ROLE app LOGIN; CREATE DATABASE new")
        .await;
    let before = state(&other).await;
    let into = socket_of(&other).replace("user='postgres'", "user=app");
    let ran = site.run(&restore_as_new(&into, &[])).await.ended(1);
    ran.says(&[
        "database \"new\" exists already",
        "tablespace \"fast\" does not exist here",
        "role \"app\" may not create databases",
        "roles that do not exist here: \"reader\", \"the; boss\"",
        "extension \"pgcrypto\"",
        "--create-roles",
    ]);
    assert_eq!(state(&other).await, before);
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_server_is_refused_before_anything_is_touched() {
    let (cluster, site) = source(Major::Sixteen).await;
    let other = Cluster::start(Major::Fifteen).await;
    let before = state(&other).await;
    let into = socket_of(&other);
    let arguments = ["--database", "app", "--into", &into, "--create-roles"];
    let ran = site.run(&restore(&arguments)).await.ended(1);
    ran.says(&["the backup is of PostgreSQL 16", "the server has 15"]);
    assert_eq!(state(&other).await, before);
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_do_not_restore_into_the_server_are_refused() {
    let (cluster, mut site) = source(Major::Sixteen).await;
    site.set("PGKEEP_POSTGRES_BIN", Major::Eighteen.programs());
    site.back_up("app").await;
    let before = state(&cluster).await;
    let ran = site
        .run(&restore(&["--database", "app", "--as", "new"]))
        .await
        .ended(1);
    ran.says(&["pg_restore 18", "does not restore into PostgreSQL 16"]);
    assert_eq!(state(&cluster).await, before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_roles_are_made_as_they_were_and_existing_ones_stay_as_they_are() {
    for major in Major::ALL {
        let (cluster, site) = source(Major::Fifteen).await;
        let other = Cluster::start(major).await;
        other.psql("postgres", "CREATE ROLE reader NOLOGIN").await;
        let into = socket_of(&other);
        let to = restore_as_new(&into, &["--create-roles"]);
        let ran = site.run(&to).await.ended(0);
        let ran = ran.says(&[
            "made roles \"staff\", \"the; boss\"",
            "role \"staff\" was in role \"reader\"",
        ]);
        assert!(!ran.stderr.contains("SCRAM"), "{ran:?}");
        let query = "SELECT rolname, rolcanlogin, rolcreatedb, rolsuper, rolconnlimit, rolconfig, \
             shobj_description(oid, 'pg_authid') FROM pg_roles WHERE oid > 16383 ORDER BY 1";
        let rows = other.psql("postgres", query).await;
        assert_eq!(
            rows,
            "reader|f|f|f|-1||\nstaff|f|f|f|-1||it's; staff\n\
             the; boss|t|t|f|7|{\"search_path=\\\"a b\\\", public\"}|\n"
        );
        let members = "SELECT roleid::regrole, member::regrole, admin_option \
             FROM pg_auth_members WHERE member > 16383 ORDER BY 1";
        let rows = other.psql("postgres", members).await;
        assert_eq!(
            rows, "pg_monitor|staff|f\nstaff|\"the; boss\"|t\n",
            "{major:?}"
        );
        let password = "SELECT rolpassword FROM pg_authid WHERE rolname = 'the; boss'";
        assert_eq!(
            other.psql("postgres", password).await,
            cluster.psql("postgres", password).await
        );
        other.stop().await;
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_globals_alone_make_what_is_missing_and_tell_what_exists() {
    let (cluster, site) = source(Major::Fifteen).await;
    let other = Cluster::start(Major::Eighteen).await;
    other.psql("postgres", "CREATE ROLE reader NOLOGIN").await;
    let into = socket_of(&other);
    let globals = restore(&["--database", "app", "--globals", "--into", &into]);
    site.run(&globals).await.ended(0).says(&[
        "made roles \"nobody\", \"staff\", \"the; boss\"",
        "left alone, since they exist: roles \"postgres\", \"reader\"",
    ]);
    let login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'";
    assert_eq!(other.psql("postgres", login).await, "f\n");
    let again = site.run(&globals).await.ended(0);
    assert!(!again.stderr.contains("made roles"), "{again:?}");
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_globals_are_asked_for_without_a_database_and_roles_that_no_rights_hold_are_told() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let powers = "ALTER ROLE reader SUPERUSER; ALTER ROLE \"the; boss\" REPLICATION BYPASSRLS";
    cluster.psql("postgres", powers).await;
    let id = site.back_up("app").await;
    let other = Cluster::start(Major::Fifteen).await;
    let into = socket_of(&other);
    let words = [
        "role \"reader\", which is missing and comes from the backup's globals, has SUPERUSER",
        "role \"the; boss\", which is missing and comes from the backup's globals, has \
         REPLICATION, BYPASSRLS",
    ];
    let globals = restore(&["--globals", "--into", &into]);
    let dry = [&globals[..], &["--dry-run"]].concat();
    site.run(&dry).await.ended(0).says(&words);
    let create = ["--create-roles", "--dry-run"];
    let create = restore_as_new(&into, &create);
    site.run(&create).await.ended(0).says(&words);
    let of = format!("the globals are those of backup {}", &id[id.len() - 8..]);
    let ran = site.run(&globals).await.ended(0).says(&[&of]);
    let ran = ran.says(&words);
    assert!(!ran.stderr.contains("is newer"), "{ran:#?}");
    assert_eq!(ran.stderr.matches("has SUPERUSER").count(), 1, "{ran:#?}");

    // A newer backup without them is none to take, and is told.
    with_pg_dumpall(&mut site, "#!/bin/sh\nexit 1\n");
    let backup = ["backup", "--database", "postgres"];
    site.run(&backup).await.ended(3);
    let file = ["--globals", "--to-file", "globals.sql"];
    let words = [of.as_str(), "is newer, and the globals are not with it"];
    site.run(&restore(&file)).await.ended(0).says(&words);
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_the_server_refuses_leaves_none_behind() {
    let (cluster, site) = source(Major::Fifteen).await;
    cluster.psql("postgres", "ALTER ROLE staff SUPERUSER").await;
    site.back_up("app").await;
    let other = Cluster::start(Major::Fifteen).await;
    other
        .psql("postgres", "CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
        .await;
    let before = state(&other).await;
    let into = socket_of(&other).replace("user='postgres'", "user=maker");
    let globals = restore(&["--database", "app", "--globals", "--into", &into]);
    site.run(&globals)
        .await
        .ended(1)
        .says(&["cannot make role \"staff\"", "no role was made"]);
    assert_eq!(state(&other).await, before);
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_whose_sessions_only_read_by_default_restores_all_the_same() {
    let (cluster, site) = source(Major::Fifteen).await;
    let read_only = "ALTER ROLE postgres SET default_transaction_read_only = on";
    cluster.psql("postgres", read_only).await;
    let back = ["--database", "app", "--as", "back"];
    site.run(&restore(&back)).await.ended(0);
    assert_eq!(cluster.psql("back", "SELECT count(*) FROM t").await, "10\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_that_was_cut_off_has_left_is_named_with_how_to_drop_it() {
    let (cluster, site) = source(Major::Fifteen).await;
    let id = site.good().await.remove(0);
    let left = format!("back_unfinished_{}", &id[id.len() - 8..]);
    cluster
        .psql("postgres", &format!("CREATE DATABASE {left}"))
        .await;
    let before = state(&cluster).await;
    let back = ["--database", "app", "--as", "back"];
    let ran = site.run(&restore(&back)).await.ended(1);
    ran.says(&[&format!("DROP DATABASE \"{left}\""), "cut off"]);
    assert_eq!(state(&cluster).await, before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_superuser_makes_is_told_beforehand() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let roles = "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own";
    cluster.psql("postgres", roles).await;
    let fill = "CREATE EXTENSION postgres_fdw; CREATE EXTENSION pgcrypto; \
         CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; \
         CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch()";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let before = state(&cluster).await;
    let into = socket_of(&cluster).replace("user='postgres'", "user=own");
    let ran = site.run(&restore_as_new(&into, &["--no-owner"])).await;
    let ran = ran.ended(1).says(&[
        "role \"own\" is no superuser, and nobody else makes extension \"postgres_fdw\"",
        "nobody else makes event triggers",
    ]);
    // A trusted one is made by whoever the database belongs to.
    assert!(!ran.stderr.contains("pgcrypto"), "{ran:#?}");
    assert_eq!(state(&cluster).await, before);

    // Hosters let others do so by ways of their own, which cannot be asked for.
    let hosted = "CREATE ROLE rds_superuser; GRANT rds_superuser TO own";
    cluster.psql("postgres", hosted).await;
    let plan = ["--no-owner", "--dry-run"];
    let ran = site.run(&restore_as_new(&into, &plan)).await.ended(0);
    ran.says(&["but as a member of \"rds_superuser\" it may be let do so"]);
    cluster.stop().await;
}
