//! Many databases, many tables, one large table: memory must not grow with any of them.
//! `make soak SIZES=1` makes each of a size that few have.

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::soak::so_many;

use crate::memory::holds;
use crate::site::{Site, restore};

/// Backs the database `app` up twice and restores it as `back`.
async fn app_comes_back(cluster: &Cluster) {
    let site = Site::of(cluster).await;
    let backup = ["backup", "main", "--database", "app"];
    holds(&site, &backup).await;
    holds(&site, &backup).await;
    let back = ["--database", "app", "--as", "back"];
    holds(&site, &restore(&back)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn size_of_a_server_with_many_databases() {
    let databases = so_many(100, 4);
    let cluster = Cluster::start(Major::Eighteen).await;
    for number in 0..databases {
        let name = format!("shop_{number}");
        let create = format!("CREATE DATABASE {name} STRATEGY file_copy");
        cluster.psql("postgres", &create).await;
        let fill = format!("CREATE TABLE t AS SELECT generate_series(0, {number}) AS n");
        cluster.psql(&name, &fill).await;
    }
    let site = Site::of(&cluster).await;
    for runs in 1..=2 {
        holds(&site, &["backup", "--jobs", "4"]).await;
        // The database postgres is one of them.
        let good = site.good().await.len() as u64;
        assert_eq!(good, runs * (databases + 1));
    }
    let last = format!("shop_{}", databases - 1);
    let back = ["--database", &last, "--as", "back"];
    site.run(&restore(&back)).await.ended(0);
    let rows = cluster.psql("back", "SELECT count(*) FROM t").await;
    assert_eq!(rows.trim(), databases.to_string());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn size_of_a_database_with_many_tables() {
    let tables = so_many(20_000, 500);
    // pg_dump locks them all.
    let locks = ["max_locks_per_transaction = 1024"];
    let cluster = Cluster::start_with(Major::Sixteen, &locks).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = format!(
        "DO $$ BEGIN FOR t IN 1..{tables} LOOP
             EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, x text)', t);
             EXECUTE format('INSERT INTO t%s VALUES (1, %L), (2, NULL)', t, t);
             IF t % 1000 = 0 THEN COMMIT; END IF;
         END LOOP; END $$"
    );
    cluster.psql("app", &fill).await;
    app_comes_back(&cluster).await;
    let count = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]+$'";
    assert_eq!(cluster.psql("back", count).await.trim(), tables.to_string());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn size_of_a_large_table() {
    // Of about 1 KiB each: 10 GB, and 50 MB.
    let rows = so_many(10_000_000, 50_000);
    let lines = [
        "max_wal_size = 4GB",
        "autovacuum = off",
        "wal_level = minimal",
        "max_wal_senders = 0",
    ];
    let cluster = Cluster::start_with(Major::Eighteen, &lines).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = format!(
        "CREATE TABLE t AS SELECT n, repeat(md5(n::text), 30) AS x
         FROM generate_series(1, {rows}) AS n"
    );
    cluster.psql("app", &fill).await;
    let size = cluster.psql("app", "SELECT pg_table_size('t')").await;
    let size: u64 = size.trim().parse().expect("a number");
    assert!(size >= rows * 1000, "{size} bytes are too few");
    app_comes_back(&cluster).await;
    let sum = "SELECT count(*), sum(n), sum(length(x)) FROM t";
    assert_eq!(
        cluster.psql("back", sum).await,
        cluster.psql("app", sum).await
    );
    cluster.stop().await;
}
