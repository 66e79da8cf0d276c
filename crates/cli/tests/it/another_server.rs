//! Another server behind the same address, with databases of the same names: after a wrong
//! address, a directory that was made anew, or an upgrade.

use pgkeep_testkit::cluster::{Cluster, Major};
use serde_json::Value;

use crate::site::{Ran, Site, socket_of};

/// Backs up the server twice, and then another one so often; both have `postgres`.
async fn moved(backups: usize) -> (Cluster, Cluster, Site) {
    // Clusters of one major are copies of one that `initdb` made, and share its identifier.
    let (old, new) = (
        Cluster::start(Major::Fifteen).await,
        Cluster::start(Major::Sixteen).await,
    );
    let mut site = Site::of(&old).await;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=2");
    for _ in 0..2 {
        says_nothing_of_it(&site.run(&["backup"]).await.ended(0));
    }
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", socket_of(&new));
    for _ in 0..backups {
        site.run(&["backup", "--prune", "--yes"]).await.ended(0);
    }
    (old, new, site)
}

fn says_nothing_of_it(ran: &Ran) {
    assert!(!ran.stderr.contains("another server"), "{ran:?}");
}

fn series(listed: &str) -> Vec<(String, usize)> {
    let listed: Value = serde_json::from_str(listed).unwrap();
    let series = listed["clusters"][0]["series"].as_array().unwrap().iter();
    let told = series.map(|of| {
        let backups = of["backups"].as_array().unwrap();
        (of["system_id"].to_string(), backups.len())
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_servers_backups_take_no_place_of_the_first_ones() {
    let (old, new, site) = moved(4).await;
    let listed = site.run(&["list", "--why", "--json"]).await.ended(0).stdout;
    let series = series(&listed);
    assert_eq!(series.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 2]);
    assert_ne!(series[0].0, series[1].0);
    let told = site.run(&["list", "--why"]).await.ended(0).stdout;
    assert_eq!(told.matches("on the server with system id").count(), 2);
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_backup_of_another_server_says_so() {
    let (old, new, site) = moved(0).await;
    let words = [
        "\"postgres\"",
        "are of another server",
        "look at 'connection'",
    ];
    site.run(&["backup"]).await.ended(0).says(&words);
    says_nothing_of_it(&site.run(&["backup"]).await.ended(0));
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_tells_that_there_are_backups_of_another_server() {
    let (old, new, site) = moved(1).await;
    let restore = ["restore", "main", "--database", "postgres", "--dry-run"];
    let restore = [&restore[..], &["--identity", "recovery.key"]].concat();
    let words = ["was backed up on several servers", "--backup"];
    site.run(&restore).await.ended(0).says(&words);
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_replaced_by_another_servers_backup_only_where_that_is_named() {
    let (old, new, mut site) = moved(0).await;
    for server in [&old, &new] {
        server.psql("postgres", "CREATE DATABASE app").await;
    }
    new.psql("app", "CREATE TABLE own (n int)").await;
    let own = site.back_up("app").await;
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", socket_of(&old));
    let others = site.back_up("app").await;
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", socket_of(&new));
    let replace = ["--replace", "--yes", "--identity", "recovery.key"];
    let newest = [&["restore", "main", "--database", "app"], &replace[..]].concat();
    let short = |id: &str| id.rsplit('-').next().unwrap().to_owned();
    site.run(&newest).await.ended(2).says(&[
        "would be replaced by backup",
        "is of another server",
        &format!("--backup {} is this server's newest", short(&own)),
    ]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(new.psql("app", tables).await.trim(), "1");
    let named = [&["restore", "main", "--backup", &others], &replace[..]].concat();
    site.run(&named).await.ended(0);
    assert_eq!(new.psql("app", tables).await.trim(), "0");
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_where_nobody_tells_which_server_it_is() {
    let (old, new, mut site) = moved(0).await;
    let hide = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; \
                CREATE ROLE plain LOGIN; GRANT pg_read_all_data TO plain";
    new.psql("postgres", hide).await;
    let user = socket_of(&new).replace("user='postgres'", "user='plain'");
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", user);
    let ran = site.run(&["check", "--json"]).await;
    assert!(
        ran.stdout
            .contains("whether the backups are of this server"),
        "{ran:?}"
    );
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_knows_which_server_the_newest_backup_is_of() {
    let (old, new, mut site) = moved(0).await;
    let ran = site.run(&["check"]).await.ended(2);
    assert!(ran.stdout.contains("are of another server"), "{ran:?}");
    site.run(&["backup"]).await.ended(0);
    let ran = site.run(&["check"]).await.ended(1);
    assert!(ran.stdout.contains("of another server"), "{ran:?}");
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", socket_of(&old));
    let ran = site.run(&["check"]).await.ended(2);
    assert!(ran.stdout.contains("are of another server"), "{ran:?}");
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_compared_with_the_last_one_of_its_own_server() {
    let (old, new, mut site) = moved(1).await;
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", socket_of(&old));
    site.run(&["backup"]).await.ended(0);
    site.run(&["backup", "--database", "postgres"])
        .await
        .ended(0);
    let listed = site.list().await;
    let id = |n: usize| listed[n]["id"].as_str().unwrap().to_owned();
    let parent = |n: usize| parent(&site, &id(n));
    assert_eq!(parent(3), Some(id(1)), "{listed:#?}");
    assert_eq!(parent(4), Some(id(3)), "{listed:#?}");
    old.stop().await;
    new.stop().await;
}

/// What the run that made a backup has set out to compare it with.
fn parent(site: &Site, id: &str) -> Option<String> {
    let begun = site.repository_files().into_iter();
    let mut begun = begun.filter(|file| file.ends_with("begin"));
    // What a run sets out to do is in the clear.
    let told = begun.find_map(|file| {
        let begin = std::fs::read(file).unwrap();
        let begin = String::from_utf8_lossy(&begin).into_owned();
        let (_, told) = begin.split_once(&format!("\"id\":\"{id}\""))?;
        Some(told.split('}').next().unwrap().to_owned())
    });
    let told = told.unwrap();
    let (_, parent) = told.split_once("\"parent\":\"")?;
    parent.split('"').next().map(str::to_owned)
}
