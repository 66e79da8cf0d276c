//! A restored database takes the place of the old one, which is kept, or nothing has
//! happened to it.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, ended, restore, socket_of, until};

/// A server with a database that has gone on since it was backed up.
async fn gone_on(major: Major) -> (Cluster, Site) {
    let cluster = Cluster::start(major).await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own",
        )
        .await;
    let fill = "SET ROLE own; CREATE TABLE t AS SELECT 'then' AS what";
    cluster.psql("app", fill).await;
    // The configuration names the very database that is replaced.
    let connection = socket_of(&cluster)
        .replace("dbname=postgres", "dbname=app")
        .replace("user='postgres'", "user=own");
    let site = Site::with(&connection, &[]).await;
    site.back_up("app").await;
    cluster.psql("app", "UPDATE t SET what = 'now'").await;
    (cluster, site)
}

async fn databases(cluster: &Cluster) -> Vec<String> {
    let query = "SELECT datname FROM pg_database WHERE datname !~ '^template' ORDER BY 1";
    let rows = cluster.psql("postgres", query).await;
    rows.lines().map(str::to_owned).collect()
}

async fn what(cluster: &Cluster, database: &str) -> String {
    let what = cluster.psql(database, "SELECT what FROM t").await;
    what.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_one_has_the_name_and_the_old_one_is_kept_whoever_is_in_it() {
    for major in Major::ALL {
        let (cluster, site) = gone_on(major).await;
        let session = cluster.connect("app").await;
        let superuser = socket_of(&cluster);
        let arguments = [
            "--database",
            "app",
            "--replace",
            "--yes",
            "--admin",
            &superuser,
        ];
        let ran = site.run(&restore(&arguments)).await.ended(0);
        assert_eq!(ran.stdout, "app\n");
        let all = databases(&cluster).await;
        let [new, old, _] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert!(old.starts_with("app_replaced_2"), "{old}");
        ran.says(&[
            &format!("the old database stays as {old:?}"),
            "DROP DATABASE",
        ]);
        assert_eq!(new, "app");
        assert_eq!(what(&cluster, "app").await, "then");
        assert_eq!(what(&cluster, old).await, "now");
        assert!(session.batch("SELECT 1").await.is_err());
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_replaced_without_a_yes() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let arguments = restore(&["--database", "app", "--replace"]);
    site.run(&arguments)
        .await
        .ended(2)
        .says(&["replace database \"app\"", "--yes"]);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "now");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_not_be_ended_leaves_the_old_one_as_it_was() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let superusers = cluster.connect("app").await;
    let arguments = restore(&["--database", "app", "--replace", "--yes"]);
    site.run(&arguments).await.ended(1).says(&[
        "cannot put the new database into the place of \"app\", which is as it was",
        "being accessed by other users",
        "There is 1 other session using the database.; end the sessions in it, or name a superuser",
        "; ALTER DATABASE \"app_unfinished_",
    ]);
    superusers.batch("SELECT 1").await.unwrap();
    let all = databases(&cluster).await;
    let [old, new, _] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(what(&cluster, old).await, "now");
    assert_eq!(what(&cluster, new).await, "then");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_is_dropped_where_that_was_asked_for() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    let arguments = restore(&["--database", "app", "--replace", "--drop-replaced", "--yes"]);
    site.run(&arguments).await.ended(0);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "then");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_none_it_is_an_ordinary_restore() {
    let (cluster, site) = gone_on(Major::Fifteen).await;
    cluster.psql("postgres", "DROP DATABASE app").await;
    let ran = site
        .run(&restore(&["--database", "app", "--replace"]))
        .await;
    let ran = ran.ended(0);
    assert!(!ran.stderr.contains("the old database"), "{ran:?}");
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    assert_eq!(what(&cluster, "app").await, "then");
    cluster.stop().await;
}

/// A server with a database that takes a second to be filled, and its backup.
async fn slow(user: &str) -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let role = "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own";
    cluster.psql("postgres", role).await;
    let fill = "SET ROLE own; CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql \
         AS 'SELECT pg_catalog.pg_sleep(1); SELECT $1'; \
         CREATE TABLE t AS SELECT 1 AS what; CREATE INDEX ON t (slow(what))";
    cluster.psql("app", fill).await;
    let connection = socket_of(&cluster).replace("user='postgres'", user);
    let site = Site::with(&connection, &[]).await;
    site.back_up("app").await;
    (cluster, site)
}

/// The name of the database that is being filled, once there is one.
async fn draft(cluster: &Cluster) -> String {
    let is_draft = |name: &String| name.starts_with("new_unfinished_");
    until("a draft", async || {
        databases(cluster).await.iter().any(is_draft)
    })
    .await;
    databases(cluster).await.into_iter().find(is_draft).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_new_one_while_it_is_filled_is_not_in_its_way() {
    let (cluster, site) = slow("user='postgres'").await;
    let started = site.start(&restore(&["--database", "app", "--as", "new"]));
    let session = cluster.connect(&draft(&cluster).await).await;
    ended(started).await.ended(0);
    assert_eq!(databases(&cluster).await, ["app", "new", "postgres"]);
    assert!(session.batch("SELECT 1").await.is_err());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_filled_and_compared_stays_where_it_cannot_get_its_name() {
    let (cluster, site) = slow("user=own").await;
    let started = site.start(&restore(&["--database", "app", "--as", "new"]));
    let draft = draft(&cluster).await;
    let superusers = cluster.connect(&draft).await;
    ended(started).await.ended(1).says(&[
        &format!("could not be given its name, and stays as {draft:?}"),
        &format!("ALTER DATABASE \"{draft}\" RENAME TO \"new\";"),
        &format!("DROP DATABASE \"{draft}\";"),
    ]);
    superusers.batch("SELECT 1").await.unwrap();
    assert_eq!(what(&cluster, &draft).await, "1");
    cluster.stop().await;
}

const SUBSCRIBE: &str = "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' \
     PUBLICATION p WITH (connect = false)";

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_disabled_first_and_what_it_takes_to_drop_the_old_one_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", SUBSCRIBE).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    cluster.psql("app", "ALTER SUBSCRIPTION sub ENABLE").await;
    let arguments = restore(&["--database", "app", "--replace", "--yes"]);
    site.run(&arguments).await.ended(1).says(&[
        "subscription \"sub\" of database \"app\" is enabled",
        "in \"app\": ALTER SUBSCRIPTION \"sub\" DISABLE",
    ]);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);

    cluster.psql("app", "ALTER SUBSCRIPTION sub DISABLE").await;
    let unasked = restore(&["--database", "app", "--replace"]);
    let question = [", with subscription \"sub\"", "one slot at the publisher"];
    site.run(&unasked).await.ended(2).says(&question);
    site.run(&arguments).await.ended(0).says(&[
        "once it is not needed: ALTER SUBSCRIPTION \"sub\" DISABLE; ALTER SUBSCRIPTION \"sub\" SET \
         (slot_name = NONE); DROP SUBSCRIPTION \"sub\" in it; DROP DATABASE \"app_replaced_",
    ]);
    cluster
        .psql("postgres", "ALTER DATABASE app IS_TEMPLATE true")
        .await;
    let old = databases(&cluster).await.remove(1);
    cluster
        .psql("postgres", &format!("ALTER DATABASE {old} RENAME TO other"))
        .await;
    let dropped = [&arguments[..], &["--drop-replaced"]].concat();
    site.run(&dropped).await.ended(0);
    assert_eq!(databases(&cluster).await, ["app", "other", "postgres"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_restore_of_a_subscription_leaves_nothing() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE FUNCTION only_here() RETURNS int LANGUAGE plpgsql AS 'BEGIN \
         IF current_database() <> ''app'' THEN RAISE ''not here''; END IF; RETURN 1; END'; \
         CREATE MATERIALIZED VIEW m AS SELECT only_here()";
    cluster.psql("app", fill).await;
    cluster.psql("app", SUBSCRIBE).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = restore(&["--database", "app", "--as", "new"]);
    let ran = site.run(&arguments).await.ended(1).says(&["not here"]);
    assert!(!ran.stderr.contains("could not be dropped"), "{ran:?}");
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_is_told_beforehand_and_a_slot_that_stays_too() {
    let settings = ["wal_level = logical", "max_prepared_transactions = 2"];
    let cluster = Cluster::start_with(Major::Fifteen, &settings).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let slot = "SELECT pg_create_logical_replication_slot('read', 'pgoutput')";
    cluster.psql("app", slot).await;
    let prepare = "BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'it''s'";
    cluster.psql("app", prepare).await;
    let arguments = restore(&["--database", "app", "--replace", "--yes"]);
    site.run(&arguments).await.ended(1).says(&[
        "logical replication slot \"read\" stays with the old database",
        "database \"app\" has a prepared transaction, 'it''s'",
        "COMMIT PREPARED 'it''s' or ROLLBACK PREPARED 'it''s'",
    ]);
    assert_eq!(databases(&cluster).await, ["app", "postgres"]);
    cluster.psql("app", "ROLLBACK PREPARED 'it''s'").await;
    site.run(&arguments).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_others_are_made_from_is_never_replaced_and_the_maintenance_one_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    site.run(&["backup"]).await.ended(0);
    for template in ["template0", "template1"] {
        for replace in [&["--replace", "--yes"][..], &[]] {
            let to = ["--database", "app", "--as", template];
            let to = [&to[..], replace].concat();
            let words = [
                &format!("{template:?} is the server's own"),
                "choose another name with --as NAME",
            ];
            site.run(&restore(&to)).await.ended(1).says(&words);
        }
    }
    let to = ["--database", "postgres", "--replace", "--yes"];
    let words = "\"postgres\" is the database that programs go to that are told no other";
    site.run(&restore(&to)).await.ended(0).says(&[words]);
    let databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'postgres%'";
    assert_eq!(cluster.psql("app", databases).await, "2\n");
    cluster.stop().await;
}
