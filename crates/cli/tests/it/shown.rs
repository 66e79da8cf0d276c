//! `pgkeep show` tells all that is known of a backup, also of its neighbours.

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::site::Site;
use crate::terminal::{screen, watched};

/// What stands behind a name.
fn line<'a>(shown: &'a str, name: &str) -> &'a str {
    let found = shown.lines().find_map(|line| line.strip_prefix(name));
    found
        .unwrap_or_else(|| panic!("{name:?} is not in {shown}"))
        .trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_what_and_what_the_database_is_given_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let make = "CREATE ROLE reader; CREATE DATABASE app; \
         GRANT CREATE ON DATABASE app TO reader; \
         ALTER DATABASE app SET work_mem = '7MB'; ALTER ROLE reader IN DATABASE app \
         SET app.secret = 'hunter2'";
    for statement in make.split("; ") {
        cluster.psql("postgres", statement).await;
    }
    let fill = "CREATE SEQUENCE numbers; SELECT setval('numbers', 4711); \
         CREATE TABLE parents (n int PRIMARY KEY); \
         CREATE TABLE children (n int REFERENCES parents, words text); \
         INSERT INTO children SELECT NULL, md5(n::text) FROM generate_series(1, 20000) n";
    cluster.psql("app", fill).await;
    let site = Site::of(&cluster).await;
    let first = site.back_up("app").await;
    let alone = site.run(&["show", &first]).await.ended(0).stdout;
    assert_eq!(line(&alone, "refers to "), "no other backup");
    assert_eq!(line(&alone, "referred to "), "by no other backup");
    let second = site.back_up("app").await;

    let of_first = site.run(&["show", &first]).await.ended(0).stdout;
    assert_eq!(line(&of_first, "referred to "), format!("by {second}"));
    let of_second = site.run(&["show", &second]).await.ended(0).stdout;
    assert!(
        line(&of_second, "refers to ").starts_with(&first),
        "{of_second}"
    );
    assert_eq!(line(&of_second, "compared with "), first);
    let json = site.run(&["show", &first, "--json"]).await.ended(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["references"]["by"], serde_json::json!([second]));

    assert!(
        line(&of_first, "privileges ").contains("reader: CREATE"),
        "{of_first}"
    );
    let settings = line(&of_first, "settings ");
    assert!(settings.contains("work_mem"), "{settings}");
    assert!(
        settings.contains("app.secret (of role reader)"),
        "{settings}"
    );
    assert!(!of_first.contains("hunter2"), "{of_first}");
    assert_eq!(line(&of_first, "sequences "), "1");
    assert!(
        of_first.contains("public.numbers        4711"),
        "{of_first}"
    );
    assert!(
        line(&of_first, "objects ").contains("foreign keys: 1"),
        "{of_first}"
    );

    let narrow = watched(&site, 40, &[], &["show", &first]).await.ended(0);
    let tables = screen(&narrow.stdout);
    let tables = tables.iter().skip_while(|line| !line.starts_with("TABLE"));
    for line in tables {
        assert!(line.chars().count() <= 40, "{line:?}");
    }
    cluster.stop().await;
}
