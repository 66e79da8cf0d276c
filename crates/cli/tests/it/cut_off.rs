//! A connection to the server that is cut, and a server that gives nobody much time.

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::proxy::{Fault, FaultProxy, Weather};

use crate::site::{Site, restore};

/// Of all connections only that of the rows carries so much.
const ROWS_ALONE: u64 = 1 << 20;
const MANY: usize = 1000;

async fn cluster_with_rows(rows: u32) -> Cluster {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = format!(
        "CREATE TABLE t AS SELECT n, md5(n::text) AS noise FROM generate_series(1, {rows}) AS n"
    );
    cluster.psql("app", &fill).await;
    cluster
}

/// A home whose connections to the cluster go through the proxy.
async fn site_behind(proxy: &FaultProxy) -> Site {
    let endpoint = proxy.endpoint();
    let address = endpoint.strip_prefix("http://").expect("an address");
    let (host, port) = address.split_once(':').expect("a port");
    let mut site = Site::empty();
    site.set("PGPASSWORD", Cluster::PASSWORD);
    let connection = format!("host={host} port={port} user=postgres dbname=postgres");
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        &connection,
    ];
    site.run(&init).await.ended(0);
    site
}

fn proxy_of(cluster: &Cluster) -> FaultProxy {
    let port = cluster.server().port();
    FaultProxy::start(&format!("127.0.0.1:{port}"), Weather::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_connection_is_cut_fails_and_the_next_one_is_whole() {
    let cluster = cluster_with_rows(100_000).await;
    let proxy = proxy_of(&cluster);
    let site = site_behind(&proxy).await;
    let backup = ["backup", "--database", "app"];

    proxy.arm(Fault::CutAnswer(ROWS_ALONE), MANY);
    let ran = site.run(&backup).await.ended(1);
    ran.says(&["cannot back up database \"app\"", "connection", "hint:"]);
    assert!(site.good().await.is_empty());
    assert_eq!(site.list().await[0]["status"], "failed");

    proxy.disarm();
    site.run(&backup).await.ended(0);
    assert_eq!(site.good().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_connection_is_cut_fails_and_leaves_nothing() {
    let cluster = cluster_with_rows(100_000).await;
    let proxy = proxy_of(&cluster);
    let site = site_behind(&proxy).await;
    site.back_up("app").await;
    let back = ["--database", "app", "--as", "back"];
    let names = "SELECT datname FROM pg_database ORDER BY 1";
    let before = cluster.psql("postgres", names).await;

    proxy.arm(Fault::CutRequest(ROWS_ALONE), MANY);
    let ran = site.run(&restore(&back)).await.ended(1);
    ran.says(&["cannot restore", "\"back"]);
    assert_eq!(cluster.psql("postgres", names).await, before);

    proxy.disarm();
    site.run(&restore(&back)).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limits_of_a_role_cut_neither_a_backup_nor_a_restore_short() {
    let cluster = cluster_with_rows(1_500_000).await;
    let proxy = proxy_of(&cluster);
    let site = site_behind(&proxy).await;
    let limits = "ALTER ROLE postgres SET statement_timeout = '150ms';
                  ALTER ROLE postgres SET idle_in_transaction_session_timeout = '150ms'";
    cluster.psql("postgres", limits).await;
    site.run(&["backup", "--database", "app"]).await.ended(0);
    let back = ["--database", "app", "--as", "back"];
    site.run(&restore(&back)).await.ended(0);
    cluster.stop().await;
}
