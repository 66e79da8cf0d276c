//! Event triggers of a database do not keep it from being backed up and restored, nor
//! change what is restored.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, socket_of};

/// A database with an event trigger on `event`, whose function does `what`.
async fn with_trigger(cluster: &Cluster, event: &str, what: &str) {
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = format!(
        "CREATE TABLE seen (what text); \
         CREATE TABLE t AS SELECT generate_series(1, 100) AS n; \
         CREATE MATERIALIZED VIEW total AS SELECT sum(n) FROM t; \
         CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$BEGIN {what} END$$; \
         CREATE EVENT TRIGGER watch ON {event} EXECUTE FUNCTION watch()"
    );
    cluster.psql("app", &fill).await;
}

/// How many rows the trigger has left, asked without its firing.
async fn seen(cluster: &Cluster, database: &str) -> String {
    let rows = format!("\\connect {database}\nSELECT count(*) FROM seen");
    let without = "ALTER SYSTEM SET event_triggers = off; SELECT pg_reload_conf()";
    let with = "ALTER SYSTEM RESET event_triggers; SELECT pg_reload_conf()";
    cluster.psql("postgres", without).await;
    let rows = cluster.psql("postgres", &rows).await;
    cluster.psql("postgres", with).await;
    rows.trim().to_owned()
}

const WRITES: &str = "INSERT INTO public.seen VALUES (tg_tag);";

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_logins_that_fails_keeps_no_superuser_from_backing_up_and_restoring() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let site = Site::of(&cluster).await;
    with_trigger(&cluster, "login", "RAISE EXCEPTION 'closed today';").await;
    site.back_up("app").await;
    for jobs in ["1", "2"] {
        let name = format!("new{jobs}");
        let to = ["--database", "app", "--as", &name, "--jobs", jobs];
        site.run(&restore(&to)).await.ended(0);
        let is_there = format!(
            "ALTER SYSTEM SET event_triggers = off; SELECT pg_reload_conf() \\g /dev/null\n\
             \\connect {name}\nSELECT evtname, evtenabled FROM pg_event_trigger; \
             ALTER SYSTEM RESET event_triggers; SELECT pg_reload_conf() \\g /dev/null"
        );
        let there = cluster.psql("postgres", &is_there).await;
        assert_eq!(there.trim(), "watch|O");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_logins_that_writes_does_not_run_in_what_is_restored() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let site = Site::of(&cluster).await;
    with_trigger(&cluster, "login", WRITES).await;
    site.back_up("app").await;
    let backed_up = seen(&cluster, "app").await;
    for jobs in ["1", "2"] {
        let name = format!("new{jobs}");
        let to = ["--database", "app", "--as", &name, "--jobs", jobs];
        site.run(&restore(&to)).await.ended(0);
        assert_eq!(seen(&cluster, &name).await, backed_up);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_turn_it_off_is_told_what_keeps_him_out_and_how_to_mend_it() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let roles = "CREATE ROLE me LOGIN; GRANT pg_read_all_data TO me";
    cluster.psql("postgres", roles).await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=me");
    let site = Site::with(&connection, &[]).await;
    with_trigger(&cluster, "login", "RAISE EXCEPTION 'closed today';").await;
    let backup = ["backup", "--database", "app"];
    site.run(&backup).await.ended(1).says(&[
        "an event trigger on logins keeps user \"me\" out of database \"app\"",
        "closed today",
        "function watch() line 1",
        "GRANT SET ON PARAMETER event_triggers TO \"me\"",
    ]);
    assert!(site.good().await.is_empty());

    let harmless = "CREATE OR REPLACE FUNCTION watch() \
         RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$";
    let harmless = format!(
        "ALTER SYSTEM SET event_triggers = off; SELECT pg_reload_conf(); \\connect app\n\
         {harmless}; ALTER SYSTEM RESET event_triggers; SELECT pg_reload_conf()"
    );
    cluster.psql("postgres", &harmless).await;
    site.run(&backup).await.ended(0);
    let told = site.run(&["doctor"]).await.stdout;
    let fires = "database \"app\": an event trigger fires on this role's logins";
    assert!(told.contains(fires), "{told}");

    let fails = "CREATE OR REPLACE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'closed again'; END$$";
    cluster.psql("app", fails).await;
    site.run(&backup).await.ended(1).says(&["closed again"]);
    let mend = "GRANT SET ON PARAMETER event_triggers TO me";
    cluster.psql("postgres", mend).await;
    site.run(&backup).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_commands_does_not_see_those_of_the_restore_before_17_either() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    with_trigger(&cluster, "ddl_command_end", WRITES).await;
    let key = "ALTER TABLE t ADD PRIMARY KEY (n); CREATE TABLE of_t (n int REFERENCES t); \
         INSERT INTO of_t VALUES (1), (2); TRUNCATE seen";
    cluster.psql("app", key).await;
    site.back_up("app").await;
    for jobs in ["1", "2"] {
        let name = format!("new{jobs}");
        let to = ["--database", "app", "--as", &name, "--jobs", jobs];
        site.run(&restore(&to)).await.ended(0);
        let seen = cluster.psql(&name, "SELECT count(*) FROM seen").await;
        assert_eq!(seen.trim(), "0");
        let key = "SELECT convalidated FROM pg_constraint WHERE contype = 'f'";
        assert_eq!(cluster.psql(&name, key).await.trim(), "t");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_commands_does_not_see_those_of_the_restore() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let site = Site::of(&cluster).await;
    with_trigger(&cluster, "ddl_command_end", WRITES).await;
    site.back_up("app").await;
    let to = ["--database", "app", "--as", "new"];
    site.run(&restore(&to)).await.ended(0);
    assert_eq!(seen(&cluster, "new").await, "0");
    cluster.stop().await;
}
