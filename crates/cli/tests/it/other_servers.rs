//! A backup comes back on another server, for other users, with other rights.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore, restore_as_new, socket_of};

const SECRET: &str = "of app's own";

/// A server with a database that belongs to one role and that another may read.
async fn source() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let roles = "CREATE ROLE boss; CREATE ROLE reader; CREATE DATABASE app OWNER boss; \
         REVOKE ALL ON DATABASE app FROM PUBLIC; GRANT CONNECT ON DATABASE app TO reader; \
         COMMENT ON DATABASE app IS 'the app'; ALTER DATABASE app SET work_mem = '7MB'";
    cluster.psql("postgres", roles).await;
    let fill = "SET ROLE boss; CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; \
         GRANT SELECT ON t TO reader";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

/// A server where `app` may connect with a password and create nothing.
async fn target(site: &mut Site) -> (Cluster, String) {
    let other = Cluster::start(Major::Sixteen).await;
    let role = format!(
        "CREATE ROLE app LOGIN PASSWORD '{}'",
        SECRET.replace('\'', "''")
    );
    other.psql("postgres", &role).await;
    let port = other.connection("postgres").port();
    let line = format!("127.0.0.1:{port}:*:app:{SECRET}\n");
    let file = site.path("pgpass");
    std::fs::write(&file, line).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    site.set("PGPASSFILE", file);
    (other, format!("postgres://app@127.0.0.1:{port}/postgres"))
}

async fn databases(cluster: &Cluster) -> String {
    let query = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database";
    cluster.psql("postgres", query).await.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_gets_it_for_itself_where_an_admin_makes_the_database() {
    let (cluster, mut site) = source().await;
    let (other, into) = target(&mut site).await;
    let admin = socket_of(&other);
    let for_itself = ["--no-owner", "--no-privileges"];
    site.run(&restore_as_new(&into, &for_itself))
        .await
        .ended(1)
        .says(&["role \"app\" may not create databases"]);
    assert_eq!(databases(&other).await, "postgres template0 template1");

    let by_admin = [&for_itself[..], &["--admin", &admin]].concat();
    let ran = site.run(&restore_as_new(&into, &by_admin)).await.ended(0);
    let ran = ran.says(&[
        "owners were left out and not compared: all belongs to \"app\"",
        "privileges, and settings of single roles, were left out and not compared",
    ]);
    assert!(!ran.stderr.contains(SECRET), "{ran:?}");
    let query = "SELECT d.datdba::regrole, d.datacl, c.relowner::regrole, c.relacl, \
         shobj_description(d.oid, 'pg_database'), current_setting('work_mem'), \
         (SELECT sum(n) FROM t) FROM pg_database d, pg_class c \
         WHERE d.datname = 'new' AND c.relname = 't'";
    let row = other.psql("new", query).await;
    assert_eq!(row.trim(), "app||app||the app|7MB|500500");
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_owners_the_privileges_that_the_old_one_gave_are_the_new_ones() {
    let (cluster, mut site) = source().await;
    let (other, into) = target(&mut site).await;
    other
        .psql(
            "postgres",
            "CREATE ROLE boss; CREATE ROLE reader; ALTER ROLE app CREATEDB",
        )
        .await;
    let to = restore_as_new(&into, &["--no-owner"]);
    site.run(&to).await.ended(0);
    let query = "SELECT d.datacl, c.relacl FROM pg_database d, pg_class c \
         WHERE d.datname = 'new' AND c.relname = 't'";
    let row = other.psql("new", query).await;
    assert_eq!(
        row.trim(),
        "{app=CTc/app,reader=c/app}|{app=arwdDxt/app,reader=r/app}"
    );
    other.stop().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_as_an_argument_is_refused_and_not_repeated() {
    let (cluster, site) = source().await;
    for option in ["--into", "--admin"] {
        for url in [
            "postgres://app:geheim@127.0.0.1/x",
            "host=127.0.0.1 password=geheim",
        ] {
            let ran = site
                .run(&restore(&["--database", "app", option, url]))
                .await;
            let ran = ran.ended(2).says(&["a password was given as an argument"]);
            assert!(!ran.stderr.contains("geheim"), "{ran:?}");
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_another_server_is_refused_before_anything_is_made() {
    let (cluster, mut site) = source().await;
    let (other, into) = target(&mut site).await;
    let admin = socket_of(&cluster);
    let to = restore_as_new(&into, &["--admin", &admin]);
    site.run(&to).await.ended(1).says(&["two servers"]);
    assert_eq!(
        databases(&cluster).await,
        "app postgres template0 template1"
    );
    assert_eq!(databases(&other).await, "postgres template0 template1");
    other.stop().await;
    cluster.stop().await;
}
