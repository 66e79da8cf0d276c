//! What its owner has taken from itself comes back, is compared, and is as it was.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore_as_new, socket_of};

const OWN: &str = "SET ROLE own; \
     CREATE TABLE closed AS SELECT generate_series(1, 3) AS n; REVOKE ALL ON closed FROM own; \
     CREATE SEQUENCE counter; SELECT nextval('counter'); REVOKE ALL ON SEQUENCE counter FROM own; \
     CREATE SCHEMA shut; CREATE TABLE shut.inside AS SELECT 1 AS n; CREATE SEQUENCE shut.drawn; \
     SELECT nextval('shut.drawn'); REVOKE ALL ON SCHEMA shut FROM own; \
     CREATE TABLE forced AS SELECT generate_series(1, 4) AS n; \
     ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
     CREATE POLICY few ON forced USING (n < 3);";

const RIGHTS: &str = "SELECT c.relname, c.relacl, c.relforcerowsecurity, c.relrowsecurity, \
     CASE n.nspname WHEN 'shut' THEN n.nspacl END \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname IN ('public', 'shut') ORDER BY 1";

async fn restored_by_its_owner(major: Major) {
    let cluster = Cluster::start(major).await;
    let make = "CREATE ROLE own LOGIN CREATEDB; CREATE DATABASE app OWNER own";
    cluster.psql("postgres", make).await;
    cluster
        .psql("app", "GRANT CREATE ON SCHEMA public TO own")
        .await;
    cluster.psql("app", OWN).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let superuser = cluster.connection("postgres").user().to_owned();
    let into = socket_of(&cluster).replace(&format!("user='{superuser}'"), "user=own");
    site.run(&restore_as_new(&into, &[])).await.ended(0);
    let rights = cluster.psql("app", RIGHTS).await;
    assert!(rights.contains("forced|"), "{rights}");
    assert_eq!(cluster.psql("new", RIGHTS).await, rights);
    let rows = "SELECT (SELECT count(*) FROM closed), (SELECT count(*) FROM forced), \
         (SELECT last_value FROM counter)";
    assert_eq!(cluster.psql("new", rows).await, "3|4|1\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_rights_on_its_tables_restores_them_on_15() {
    restored_by_its_owner(Major::Fifteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_rights_on_its_tables_restores_them_on_18() {
    restored_by_its_owner(Major::Eighteen).await;
}
