//! A dry run tells what a restore would do, ends as it would, and touches nothing.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Ran, Site, restore, restore_as_new, socket_of};

/// Everything of a server that a restore could change.
async fn state(cluster: &Cluster) -> String {
    let query = "SELECT 'd', oid, datname, datdba, datallowconn, datconnlimit, datacl::text \
         FROM pg_database UNION ALL \
         SELECT 'r', oid, rolname, 0, rolcanlogin, rolconnlimit, rolpassword FROM pg_authid \
         ORDER BY 1, 2";
    cluster.psql("postgres", query).await
}

async fn source() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    let roles = "CREATE ROLE boss; CREATE DATABASE app OWNER boss \
         TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";
    for statement in roles.split("; ") {
        cluster.psql("postgres", statement).await;
    }
    let fill = "SET ROLE boss; CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; \
         CREATE TABLE u (n serial); INSERT INTO u DEFAULT VALUES";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    (cluster, site)
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_says_from_what_into_what_by_whom_with_what_and_what_is_compared() {
    let (cluster, site) = source().await;
    let before = state(&cluster).await;
    let arguments = restore(&["--database", "app", "--dry-run", "--no-privileges"]);
    let ran = site.run(&arguments).await.ended(0);
    assert_eq!(state(&cluster).await, before);
    let id = site.good().await.remove(0);
    for words in [
        &*id,
        "of database \"app\"",
        "new database \"app_2",
        "owner \"boss\", UTF8, locale C (libc), ctype C.UTF-8, tablespace \"pg_default\"",
        "made by     \"postgres\"",
        "pg_restore 15",
        "left out    privileges",
        "1001 rows in 2 tables, 1 sequences",
    ] {
        assert!(
            ran.stdout.contains(words),
            "{words:?} is not in {}",
            ran.stdout
        );
    }
    let told = site.run(&[&arguments[..], &["--json"]].concat()).await;
    let told = json(&told.ended(0));
    assert_eq!(
        (&told["version"], &told["dry_run"]),
        (&1.into(), &true.into())
    );
    assert_eq!(told["backup"], id);
    assert_eq!(told["new_database"]["owner"], "boss");
    assert_eq!(told["compared"]["rows"], 1001);
    assert_eq!(told["problems"], serde_json::json!([]));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_replaced_is_told_without_a_question_and_stays() {
    let (cluster, site) = source().await;
    let before = state(&cluster).await;
    let replace = ["--database", "app", "--replace", "--dry-run"];
    let ran = site.run(&restore(&replace)).await.ended(0);
    let kept = "replaces    \"app\", which is kept as \"app_replaced_2";
    assert!(ran.stdout.contains(kept), "{ran:?}");
    let dropped = [&replace[..], &["--drop-replaced"]].concat();
    let ran = site.run(&restore(&dropped)).await.ended(0);
    assert!(ran.stdout.contains("is dropped"), "{ran:?}");
    assert_eq!(state(&cluster).await, before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_makes_it_fail_as_the_restore_would() {
    let (cluster, site) = source().await;
    let other = Cluster::start(Major::Fifteen).await;
    other
        .psql("postgres", "CREATE ROLE app LOGIN; CREATE DATABASE new")
        .await;
    let before = state(&other).await;
    let into = socket_of(&other).replace("user='postgres'", "user=app");
    let real = restore_as_new(&into, &[]);
    let dry = restore_as_new(&into, &["--dry-run"]);
    let ran = site.run(&dry).await.ended(1);
    let words = [
        "missing     database \"new\" exists already",
        "missing     role \"app\" may not create databases",
        "missing     the backup needs roles that do not exist here: \"boss\"",
    ];
    for words in words {
        assert!(ran.stdout.contains(words), "{words:?} is not in {ran:?}");
    }
    let as_real = site.run(&real).await.ended(1).stderr;
    assert!(ran.stderr.ends_with(&as_real), "{ran:?}\n{as_real}");
    let told = json(&site.run(&[&dry[..], &["--json"]].concat()).await.ended(1));
    assert_eq!(told["problems"].as_array().unwrap().len(), 3);

    let into = socket_of(&other);
    let arguments = ["--database", "app", "--create-roles", "--dry-run"];
    let roles = restore(&[&arguments[..], &["--into", &into]].concat());
    let ran = site.run(&roles).await.ended(0);
    assert!(ran.stdout.contains("makes       roles \"boss\""), "{ran:?}");
    assert_eq!(state(&other).await, before);
    other.stop().await;
    cluster.stop().await;
}
