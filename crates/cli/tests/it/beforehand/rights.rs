//! What whoever makes the database may not is told before anything is made.

use pgkeep_testkit::cluster::{Cluster, Major};

use super::state;
use crate::site::{Site, ended, restore, restore_as_new, socket_of, until};

/// The cluster's superuser's way in, as another role.
fn as_role(cluster: &Cluster, role: &str) -> String {
    let superuser = cluster.connection("postgres").user().to_owned();
    socket_of(cluster).replace(&format!("user='{superuser}'"), &format!("user='{role}'"))
}

/// A cluster with database `app` of role `app`, and what `more` makes.
async fn source(major: Major, more: &str) -> (Cluster, Site) {
    let cluster = Cluster::start(major).await;
    let make = format!("CREATE ROLE app LOGIN; CREATE DATABASE app OWNER app; {more}");
    cluster.psql("postgres", &make).await;
    let fill =
        "GRANT CREATE ON SCHEMA public TO app; SET ROLE app; CREATE TABLE t AS SELECT 1 AS n";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_database_could_not_be_renamed_in_the_end_is_told_beforehand() {
    for (major, mend) in [
        (Major::Fifteen, "ALTER ROLE \"adm\" INHERIT"),
        (
            Major::Eighteen,
            "GRANT \"app\" TO \"adm\" WITH INHERIT TRUE, SET TRUE",
        ),
    ] {
        let more = "CREATE ROLE adm LOGIN CREATEDB NOINHERIT; GRANT app TO adm";
        let (cluster, site) = source(major, more).await;
        let before = state(&cluster).await;
        let into = as_role(&cluster, "app");
        let admin = as_role(&cluster, "adm");
        let replace = [
            "--database",
            "app",
            "--into",
            &into,
            "--admin",
            &admin,
            "--replace",
            "--yes",
        ];
        site.run(&restore(&replace)).await.ended(1).says(&[
            "database \"app\" belongs to \"app\", without whose rights it cannot be set aside",
            "role \"adm\" may not make a database that belongs to \"app\"",
            mend,
        ]);
        assert_eq!(state(&cluster).await, before);
        cluster.psql("postgres", mend).await;
        site.run(&restore(&replace)).await.ended(0);
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_not_made_by_one_who_could_then_give_them_nothing() {
    let (cluster, site) = source(Major::Fifteen, "").await;
    for major in [Major::Fifteen, Major::Eighteen] {
        let other = Cluster::start(major).await;
        let make =
            "CREATE ROLE maker LOGIN CREATEDB CREATEROLE; GRANT CREATE ON SCHEMA public TO maker";
        other.psql("postgres", make).await;
        let before = state(&other).await;
        let into = as_role(&other, "maker");
        let to = restore_as_new(&into, &["--create-roles"]);
        site.run(&to).await.ended(1).says(&[
            "role \"maker\" is not in the roles that it makes",
            "CREATE ROLE \"app\"; GRANT \"app\" TO \"maker\"",
        ]);
        assert_eq!(state(&other).await, before);
        if major >= Major::Sixteen {
            let give = "ALTER ROLE maker SET createrole_self_grant = 'inherit, set'";
            other.psql("postgres", give).await;
            site.run(&to).await.ended(0);
        }
        other.stop().await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_role_may_not_make_are_told_beforehand() {
    let more = "CREATE ROLE reader; ALTER ROLE app CREATEDB; ALTER DATABASE app SET work_mem = '8MB'; \
         ALTER DATABASE app SET app.tenant = 'x'; ALTER DATABASE app SET log_statement = 'all'; \
         ALTER ROLE reader IN DATABASE app SET work_mem = '9MB'; \
         ALTER ROLE app IN DATABASE app SET work_mem = '7MB'";
    let (cluster, site) = source(Major::Fifteen, more).await;
    let before = state(&cluster).await;
    let into = as_role(&cluster, "app");
    let ran = site.run(&restore_as_new(&into, &[])).await.ended(1);
    ran.says(&[
        "role \"app\" may not set what is set for the database: \"app.tenant\", \"log_statement\";",
        "role \"app\" may not make the settings that roles have in the database: \"reader\"",
        "name a superuser with --admin URL",
    ]);
    assert_eq!(state(&cluster).await, before);
    let admin = socket_of(&cluster);
    site.run(&restore_as_new(&into, &["--admin", &admin]))
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_left_is_told_however_early_that_was() {
    let more = "ALTER ROLE app CREATEDB; ALTER DATABASE app SET work_mem = '8MB'";
    let (cluster, site) = source(Major::Fifteen, more).await;
    let holder = cluster.connect("postgres").await;
    let hold = "BEGIN; LOCK TABLE pg_db_role_setting IN SHARE ROW EXCLUSIVE MODE";
    holder.batch(hold).await.unwrap();
    let into = as_role(&cluster, "app");
    let running = site.start(&restore_as_new(&into, &[]));
    let waits =
        "SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'";
    until("the new database's settings", async || {
        !cluster.psql("postgres", waits).await.is_empty()
    })
    .await;
    // It cannot come back to drop what it has made.
    let end =
        format!("ALTER ROLE app NOLOGIN; SELECT pg_terminate_backend(pid) FROM ({waits}) AS w");
    cluster.psql("postgres", &end).await;
    let ran = ended(running).await.ended(1);
    let databases = "SELECT datname FROM pg_database WHERE datname LIKE 'new%'";
    let left = cluster.psql("postgres", databases).await;
    ran.says(&[&format!(
        "the unfinished database {:?} could not be dropped and stays",
        left.trim()
    )]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_roles_that_a_role_may_not_make_stay_away_with_the_privileges() {
    let more = "CREATE ROLE reader; ALTER ROLE app CREATEDB; ALTER DATABASE app SET work_mem = '8MB'; \
         ALTER ROLE reader IN DATABASE app SET work_mem = '9MB'";
    let (cluster, site) = source(Major::Fifteen, more).await;
    let into = as_role(&cluster, "app");
    let ran = site.run(&restore_as_new(&into, &[])).await.ended(1);
    ran.says(&["\"reader\"", "leave them out with --no-privileges"]);
    let without = restore_as_new(&into, &["--no-privileges"]);
    site.run(&without).await.ended(0);
    let settings = "SELECT setrole::regrole, setconfig FROM pg_db_role_setting \
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'new')";
    let settings = cluster.psql("postgres", settings).await;
    assert_eq!(settings, "-|{work_mem=8MB}\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_does_not_inherit_from_an_owner_is_told_before_pg_restore_fails() {
    for (major, mend) in [
        (Major::Fifteen, "ALTER ROLE \"filler\" INHERIT"),
        (
            Major::Eighteen,
            "GRANT \"app\" TO \"filler\" WITH INHERIT TRUE, SET TRUE",
        ),
    ] {
        let more = "CREATE ROLE filler LOGIN NOINHERIT; GRANT app TO filler";
        let (cluster, site) = source(major, more).await;
        let (into, admin) = (as_role(&cluster, "filler"), socket_of(&cluster));
        let to = restore_as_new(&into, &["--admin", &admin]);
        let words = [
            "role \"filler\", who fills the database, is in role \"app\" and does not inherit",
            mend,
        ];
        let dry = [&to[..], &["--dry-run"]].concat();
        site.run(&dry).await.ended(0).says(&words);
        site.run(&to).await.ended(1).says(&words);
        cluster.psql("postgres", mend).await;
        let ran = site.run(&to).await.ended(0);
        assert!(!ran.stderr.contains("does not inherit"), "{ran:#?}");
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_policies_keep_a_restore_from_filling_is_told_with_every_backup() {
    let (cluster, site) = source(Major::Fifteen, "").await;
    let ran = site.run(&["backup"]).await.ended(0);
    assert!(!ran.stderr.contains("materialized view"), "{ran:#?}");
    let fill = "SET ROLE app; ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE VIEW v AS SELECT * FROM t; CREATE MATERIALIZED VIEW m AS SELECT n FROM v";
    cluster.psql("app", fill).await;
    let ran = site.run(&["backup"]).await.ended(0);
    assert!(!ran.stderr.contains("materialized view"), "{ran:#?}");
    let force = "ALTER TABLE t FORCE ROW LEVEL SECURITY";
    cluster.psql("app", force).await;
    let words = "materialized view public.m of database \"app\" reads public.t, whose policies";
    site.run(&["backup"]).await.ended(0).says(&[words]);
    let told = site.run(&["doctor", "--json"]).await.ended(0).stdout;
    assert!(told.contains("materialized view public.m"), "{told}");
    let into = socket_of(&cluster);
    let ran = site.run(&restore_as_new(&into, &[])).await.ended(1);
    ran.says(&["row-level security policy", "restore with --no-owner"]);
    let without = restore_as_new(&into, &["--no-owner"]);
    site.run(&without).await.ended(0);
    cluster.stop().await;
}
