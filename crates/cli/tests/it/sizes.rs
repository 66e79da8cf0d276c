//! Servers of a size that few have: many databases, many tables, one large table.
//! Memory must not grow with any of them.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::memory::holds;
use crate::site::{Site, restore};

const DATABASES: usize = 100;
const TABLES: usize = 20_000;
/// Of about 1 KiB each: 10 GB.
const ROWS: usize = 10_000_000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make soak SIZES=1"]
async fn size_a_hundred_databases() {
    let cluster = Cluster::start(Major::Eighteen).await;
    for number in 0..DATABASES {
        let name = format!("shop_{number}");
        let create = format!("CREATE DATABASE {name} STRATEGY file_copy");
        cluster.psql("postgres", &create).await;
        let fill = format!("CREATE TABLE t AS SELECT generate_series(1, {number} + 1) AS n");
        cluster.psql(&name, &fill).await;
    }
    let site = Site::of(&cluster).await;
    holds(&site, &["backup", "--jobs", "4"]).await;
    assert_eq!(site.good().await.len(), DATABASES + 1);
    holds(&site, &["backup", "--jobs", "4"]).await;
    assert_eq!(site.good().await.len(), 2 * (DATABASES + 1));
    let back = ["--database", "shop_73", "--as", "back"];
    site.run(&restore(&back)).await.ended(0);
    assert_eq!(cluster.psql("back", "SELECT count(*) FROM t").await, "74\n");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make soak SIZES=1"]
async fn size_twenty_thousand_tables() {
    // pg_dump locks them all, and so does whoever drops the database's like.
    let locks = ["max_locks_per_transaction = 1024"];
    let cluster = Cluster::start_with(Major::Sixteen, &locks).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let tables = format!(
        "DO $$ BEGIN FOR t IN 1..{TABLES} LOOP
             EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, x text)', t);
             EXECUTE format('INSERT INTO t%s VALUES (1, %L), (2, NULL)', t, t);
             IF t % 1000 = 0 THEN COMMIT; END IF;
         END LOOP; END $$"
    );
    cluster.psql("app", &tables).await;
    let site = Site::of(&cluster).await;
    let backup = ["backup", "main", "--database", "app"];
    holds(&site, &backup).await;
    holds(&site, &backup).await;
    let back = ["--database", "app", "--as", "back"];
    holds(&site, &restore(&back)).await;
    let count = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]+$'";
    assert_eq!(cluster.psql("back", count).await.trim(), TABLES.to_string());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make soak SIZES=1"]
async fn size_a_table_of_ten_gigabytes() {
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
         FROM generate_series(1, {ROWS}) AS n"
    );
    cluster.psql("app", &fill).await;
    let size = cluster.psql("app", "SELECT pg_table_size('t')").await;
    let size: u64 = size.trim().parse().expect("a number");
    assert!(size > 10_000_000_000, "{size} bytes are too few");
    let site = Site::of(&cluster).await;
    let backup = ["backup", "main", "--database", "app"];
    holds(&site, &backup).await;
    holds(&site, &backup).await;
    let back = ["--database", "app", "--as", "back"];
    holds(&site, &restore(&back)).await;
    assert_eq!(
        cluster.psql("back", "SELECT count(*), sum(n) FROM t").await,
        cluster.psql("app", "SELECT count(*), sum(n) FROM t").await
    );
    cluster.stop().await;
}
