//! What PostgreSQL's programs say, and do not fail for, is told; what is lost by it is no
//! success.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore_as_new, socket_of};

/// A database `app` of a role `joe` that may make databases, and has rights on what a
/// superuser has made.
async fn app_of_joe() -> (Cluster, Site, String) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let make = "CREATE ROLE joe LOGIN CREATEDB; CREATE DATABASE app OWNER joe";
    cluster.psql("postgres", make).await;
    let rights = "REVOKE EXECUTE ON FUNCTION pg_sleep(float8) FROM PUBLIC; \
                  GRANT EXECUTE ON FUNCTION pg_sleep(float8) TO joe";
    cluster.psql("app", rights).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let joe = socket_of(&cluster).replace("user='postgres'", "user=joe");
    (cluster, site, joe)
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_the_role_may_not_give_are_a_difference() {
    let (cluster, site, joe) = app_of_joe().await;
    for more in [&[][..], &["--jobs", "2"]] {
        site.run(&restore_as_new(&joe, more)).await.ended(1).says(&[
            "differs from its backup",
            "no privileges could be revoked for \"pg_sleep\"",
            "role \"joe\" may not give",
            "--no-privileges",
        ]);
        let left = "SELECT datname FROM pg_database WHERE datname LIKE 'new%'";
        let left = cluster.psql("postgres", left).await;
        assert!(left.trim().starts_with("new_unfinished_"), "{left}");
        let drop = format!("DROP DATABASE \"{}\"", left.trim());
        cluster.psql("postgres", &drop).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_left_out_are_no_difference() {
    let (cluster, site, joe) = app_of_joe().await;
    let left_out = restore_as_new(&joe, &["--no-privileges"]);
    site.run(&left_out).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pg_dump_leaves_out_is_told_by_the_backup() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let make = "CREATE ROLE reader LOGIN BYPASSRLS; GRANT pg_read_all_data TO reader; \
                CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION p \
                WITH (connect = false)";
    let mapping = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w; \
                   CREATE USER MAPPING FOR postgres SERVER far OPTIONS (password 'p')";
    cluster.psql("postgres", mapping).await;
    for statement in make.split(';') {
        cluster.psql("postgres", statement).await;
    }
    let reader = socket_of(&cluster).replace("user='postgres'", "user=reader");
    let site = Site::with(&reader, &[]).await;
    let backup = ["backup", "--database", "postgres"];
    site.run(&backup).await.ended(0).says(&[
        "warning: pg_dump of database \"postgres\" says",
        "subscriptions not dumped because current user is not a superuser",
        "warning: database \"postgres\" has 1 user mapping whose options",
    ]);
    let told = site.run(&["doctor"]).await.ended(0).stdout;
    assert!(told.contains("1 subscription will not be in"), "{told}");
    assert!(told.contains("1 user mapping are not shown"), "{told}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_says_what_the_server_said() {
    let (cluster, site, joe) = app_of_joe().await;
    let aggregate = "CREATE AGGREGATE a(bigint) (sfunc = int8_avg_accum, stype = internal, \
                     sspace = 48, finalfunc = numeric_poly_avg, combinefunc = int8_avg_combine, \
                     serialfunc = int8_avg_serialize, deserialfunc = int8_avg_deserialize)";
    cluster.psql("app", aggregate).await;
    site.back_up("app").await;
    let ran = site.run(&restore_as_new(&joe, &["--no-owner"])).await;
    ran.ended(1).says(&[
        "ERROR:  aggregate transition data type cannot be internal",
        "Command was: CREATE AGGREGATE",
    ]);
    cluster.stop().await;
}
