//! How much memory a backup, a restore and a list take, however much there is.
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
    held(site, arguments).await.ended(0);
}

/// Runs a command that must not take more memory than the promise.
async fn held(site: &Site, arguments: &[&str]) -> Ran {
    let measured = [&[PROGRAM], arguments].concat();
    let ran = site.python(MEASURED, &measured).await;
    let last = ran.stdout.lines().next_back().expect("a line");
    let peak: u64 = last.parse().expect("a number");
    println!("{arguments:?}: {peak} KiB");
    assert!(peak < LIMIT_KIB, "{arguments:?} took {peak} KiB");
    ran
}

/// Objects of this length in a record's place, which begin as one does.
fn place_records(site: &Site, count: usize, length: usize, name: impl Fn(&str) -> String) {
    let mut bytes = vec![b'x'; length];
    bytes[..8].copy_from_slice(b"pgkeeprc");
    for n in 0..count {
        let name = name(&format!("20261120T030000Z-{n:08}"));
        let path = site.path("backups").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_long_records_others_have_placed_a_list_holds_few_of_them() {
    const COUNT: usize = 8;
    let site = Site::empty();
    let init = ["init", "--repository", "backups"];
    site.run(&init).await.ended(0);
    let long = (64 << 20) - 1;
    place_records(&site, COUNT, long, |id| format!("main/runs/{id}/begin"));
    place_records(&site, COUNT, long, |id| format!("main/runs/{id}/outcome"));
    place_records(&site, COUNT, long, |id| format!("main/backups/{id}/backup"));
    // As long as they may be.
    place_records(&site, COUNT, 32 << 20, |id| {
        format!("main/backups/{}/backup", id.replace("20T", "21T"))
    });
    place_records(&site, 2, 64 << 20, |id| {
        let digit = id.chars().next_back().unwrap_or('0');
        format!("keys/{}.retired", digit.to_string().repeat(32))
    });
    let ran = held(&site, &["list"]).await.ended(1);
    assert_eq!(ran.stdout.matches("DAMAGED").count(), 4 * COUNT, "{ran:#?}");
    ran.says(&["that it may have", "keys/"]);
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
