//! A terminal of few columns: lines are broken between words, and programs get them whole.

use pgkeep_testkit::cluster::{Cluster, Major};

use super::{screen, watched};
use crate::site::{Site, restore};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_is_broken_between_words_and_stands_below_its_beginning() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", "CREATE TABLE t (n int)").await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;

    let plan = restore(&["--database", "app", "--as", "new", "--dry-run"]);
    let shown = watched(&site, 60, &[], &plan).await.ended(0);
    let lines = screen(&shown.stdout);
    let compared = lines.iter().position(|line| line.contains("compared"));
    let compared = &lines[compared.unwrap()..][..2];
    assert_eq!(
        compared,
        [
            "compared    afterwards, with what was backed up: 0 rows in 1",
            "            table, 0 sequences",
        ]
    );

    site.run(&["backup", "--database", "gone"]).await.ended(1);
    let listed = watched(&site, 60, &[], &["list"]).await.ended(0);
    let lines = screen(&listed.stdout);
    let remark = lines.iter().position(|line| line.contains(": cannot back"));
    let remark = remark.unwrap();
    let begin = "          ";
    assert!(lines[remark].ends_with("database \"gone\": there is no"));
    assert!(lines[remark + 1].starts_with(&format!("{begin}database \"gone\"")));
    let id = lines[remark].split(':').next().unwrap();
    let shown = watched(&site, 60, &[], &["show", id]).await.ended(0);
    let lines = screen(&shown.stdout);
    let error = lines.iter().position(|line| line.starts_with("error "));
    let begin = "              ";
    assert!(lines[error.unwrap() + 1].starts_with(&format!("{begin}database \"gone\"")));

    let shown = watched(&site, 40, &[], &["restore", "--database", "gone"]).await;
    let lines = screen(&shown.ended(4).stdout);
    assert_eq!(
        lines[..2],
        [
            "error: found no good backup of database",
            "\"gone\" in cluster main",
        ]
    );
    let whole = site.run(&["restore", "--database", "gone"]).await;
    let words = "error: found no good backup of database \"gone\" in cluster main\n";
    whole.ended(4).says(&[words]);
    cluster.stop().await;
}
