//! How much memory a backup and a restore take, however much there is.
#![expect(clippy::print_stdout, reason = "a figure is worth seeing")]

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::S3s;

use crate::buckets::site_with;
use crate::site::{PROGRAM, Ran, Site, restore, socket_of};

/// The promise is 200 MB, for optimised programs too.
const LIMIT_KIB: u64 = 200_000_000 / 1024;

/// Runs a command and tells, on the last line of stdout, the most memory that it or one
/// of its children had resident (getrusage(2): the largest, not the sum).
const MEASURED: &str = "import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended.returncode)";

/// What does not compress: 160 MB of it, which a dump writes as 320 MB.
const NOISE: &str = "CREATE TABLE noise AS
    SELECT n, (SELECT string_agg(sha512(((n << 16) + i)::text::bytea), '')
               FROM generate_series(1, 1600) AS i) AS bytes
    FROM generate_series(1, 1600) AS n";

async fn cluster_with_noise() -> Cluster {
    let cluster = Cluster::start(Major::Eighteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", NOISE).await;
    cluster
}

/// Runs a command that must succeed and not take more memory than the promise.
pub(crate) async fn holds(site: &Site, arguments: &[&str]) {
    let measured = [&[PROGRAM], arguments].concat();
    let Ran { stdout, .. } = site.python(MEASURED, &measured).await.ended(0);
    let last = stdout.lines().next_back().expect("a line");
    let peak: u64 = last.parse().expect("a number");
    println!("{arguments:?}: {peak} KiB");
    assert!(peak < LIMIT_KIB, "{arguments:?} took {peak} KiB");
}

async fn all_hold(site: &Site) {
    let backup = ["backup", "main", "--database", "app"];
    holds(site, &backup).await;
    holds(site, &[&backup[..], &["--whole"]].concat()).await;
    let file = ["--database", "app", "--to-file", "app.dump"];
    holds(site, &restore(&file)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_directory_and_out_of_it_less_than_200_megabytes_are_taken() {
    let cluster = cluster_with_noise().await;
    let site = Site::of(&cluster).await;
    all_hold(&site).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_bucket_and_out_of_it_less_than_200_megabytes_are_taken() {
    let cluster = cluster_with_noise().await;
    let server = S3s::start();
    let site = site_with(server.access());
    let (url, connection) = (server.access().url("pg"), socket_of(&cluster));
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await.ended(0);
    all_hold(&site).await;
    cluster.stop().await;
}
