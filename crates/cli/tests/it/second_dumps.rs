//! What a second dump of a real database costs, and that each of a line of dumps comes
//! back by itself.

use std::fs;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;

/// Ten tables of some megabytes each, and an index.
const TABLES: &str = "DO $$ BEGIN FOR t IN 0..9 LOOP \
     EXECUTE format('CREATE TABLE t%s AS SELECT n, md5((n * 10 + %s)::text) AS noise, \
        ''row '' || n AS words FROM generate_series(1, 50000) AS n', t, t); \
     EXECUTE format('CREATE INDEX ON t%s (n)', t); END LOOP; END $$";

fn stored(site: &Site) -> u64 {
    let files = site.repository_files();
    files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum()
}

/// What another backup adds to the repository, in bytes, and its id.
async fn added_by_a_backup(site: &Site) -> (u64, String) {
    let before = stored(site);
    let id = site.back_up("app").await;
    (stored(site) - before, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_costs_next_to_nothing_on_every_major() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        cluster.psql("postgres", "CREATE DATABASE app").await;
        cluster.psql("app", TABLES).await;
        let site = Site::of(&cluster).await;
        let (first, _) = added_by_a_backup(&site).await;
        assert!(first > 5_000_000, "{first} bytes are too few to tell");

        let (untouched, _) = added_by_a_backup(&site).await;
        assert!(untouched * 100 < first, "{untouched} of {first} bytes");

        let append = "INSERT INTO t3 SELECT n, md5(n::text), 'row ' || n \
                      FROM generate_series(50001, 50500) AS n";
        cluster.psql("app", append).await;
        let (appended, last) = added_by_a_backup(&site).await;
        assert!(appended * 100 < 3 * first, "{appended} of {first} bytes");

        let here = cluster.psql("app", "SELECT count(*), md5(string_agg(noise, '')) FROM t3");
        let here = here.await;
        let restore = ["restore", "--backup", &last, "--as", "back"];
        site.run(&[&restore[..], &["--identity", "recovery.key"]].concat())
            .await
            .ended(0);
        let back = cluster.psql(
            "back",
            "SELECT count(*), md5(string_agg(noise, '')) FROM t3",
        );
        assert_eq!(back.await, here);
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_comes_or_goes_costs_itself() {
    let cluster = Cluster::start(Major::Eighteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", TABLES).await;
    let site = Site::of(&cluster).await;
    let (first, _) = added_by_a_backup(&site).await;
    // It shifts the numbers of everything behind it in the archive.
    let new = "CREATE TABLE aaa AS SELECT n FROM generate_series(1, 1000) AS n; DROP TABLE t5";
    cluster.psql("app", new).await;
    let (second, _) = added_by_a_backup(&site).await;
    assert!(second * 100 < 10 * first, "{second} of {first} bytes");
    cluster.stop().await;
}
