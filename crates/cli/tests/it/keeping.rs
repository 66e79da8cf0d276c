//! What is kept by policy: what goes, what never does, and what is told of both.

mod asked;
pub(crate) mod pins;
mod proofs;
pub(crate) mod shelf;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use pgkeep_testkit::cluster::{Cluster, Major};

use self::shelf::{APP, Dump, Shelf};
use crate::clocks::{redate, store_later};
use crate::site::Site;

const LAST_TWO: &str = "keep = { last = 2 }";

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_keeps_goes_and_the_rest_stays() {
    let shelf = Shelf::new("keep = { daily = 2, weekly = 2, monthly = 2 }").await;
    // From a Wednesday on.
    let ids = shelf.nights("2026-04-01", 12).await;
    let all: Vec<usize> = (0..12).collect();
    assert_eq!(shelf.left_of(&ids, &["--dry-run"]).await, all);
    // The Sunday, and the two newest.
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [4, 10, 11]);
    assert_eq!(shelf.left_of(&ids, &[]).await, [4, 10, 11]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_s_last_day_a_sunday_and_the_rest_rotate_each_by_itself() {
    let rolling = "keep = { rolling = { daily = 6, weekly = 4, monthly = 1 } }";
    let shelf = Shelf::new(rolling).await;
    let ids = shelf.nights("2026-03-27", 12).await;
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    for words in [
        "rolling daily 1 of 6; until there are 6 newer daily ones\n",
        "rolling daily 6 of 6; until there is a newer daily one\n",
    ] {
        assert!(told.contains(words), "{told}");
    }
    // The Sundays are 2 and 9, March ends with 4; of the rest six stay.
    let left = [2, 4, 5, 6, 7, 8, 9, 10, 11];
    assert_eq!(shelf.left_of(&ids, &[]).await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_nothing_goes() {
    let shelf = Shelf::new("").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_nothing_of_the_database_goes_until_one_succeeds() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let shop = Dump {
        database: "app_archive",
        ..APP
    };
    let mut others = Vec::new();
    for night in 1..=3 {
        others.push(
            shelf
                .dump(shop, &format!("2026-04-0{night}T03:00:00Z"))
                .await,
        );
    }
    let failed = shelf.failure(APP, "2026-04-04T03:00:00Z").await;
    let short = failed.rsplit('-').next().unwrap();
    let pruned = shelf.site.run(&["prune", "--yes"]).await.ended(0);
    pruned.says(&["dump of app: nothing goes", short]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2]);
    // The other's name only begins so.
    assert_eq!(shelf.still_there(&others).await, [1, 2]);
    shelf.dump(APP, "2026-04-05T03:00:00Z").await;
    assert_eq!(shelf.left_of(&ids, &[]).await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_server_could_not_be_asked_nothing_of_any_of_its_databases_goes() {
    let dump = "keep = { last = 2 }\ndatabases = { exclude = [\"scratch\"] }";
    let shelf = Shelf::new(dump).await;
    let mut of = BTreeMap::new();
    for database in ["app", "shop", "scratch"] {
        let dump = Dump { database, ..APP };
        for night in 1..=3 {
            let at = format!("2026-04-0{night}T03:00:00Z");
            let made = shelf.dump(dump, &at).await;
            of.entry(database).or_insert_with(Vec::new).push(made);
        }
    }
    let backup = shelf.site.run(&["backup", "--json"]).await.ended(1);
    backup.says(&["the server of cluster main cannot be asked", "cannot reach"]);
    let pruned = shelf.site.run(&["prune", "--yes"]).await.ended(0);
    pruned.says(&["dump of app: nothing goes", "dump of shop: nothing goes"]);
    assert_eq!(shelf.still_there(&of["app"]).await, [0, 1, 2]);
    assert_eq!(shelf.still_there(&of["shop"]).await, [0, 1, 2]);
    // Nobody has tried to back that one up.
    assert_eq!(shelf.still_there(&of["scratch"]).await, [1, 2]);

    let listed = shelf.site.list().await;
    let failed = listed.iter().filter(|backup| backup["status"] == "failed");
    let failed: BTreeSet<_> = failed.map(|b| b["database"].as_str().unwrap()).collect();
    assert_eq!(failed, ["app", "shop"].into());
    let check = shelf.site.run(&["check", "--json"]).await.stdout;
    let check: serde_json::Value = serde_json::from_str(&check).unwrap();
    let findings = check["clusters"][0]["findings"].as_array().unwrap().iter();
    let failed = findings.filter(|finding| finding["finding"] == "run-failed");
    let failed: BTreeSet<_> = failed.map(|f| f["database"].as_str().unwrap()).collect();
    assert_eq!(failed, ["app", "shop"].into(), "{check}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_a_host_whose_clock_is_behind_is_the_newest_all_the_same() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 3).await;
    for id in &ids {
        store_later(&shelf.site, id, SignedDuration::from_secs(-3600));
    }
    shelf.failure(APP, "2026-03-04T03:00:00Z").await;
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_globals_is_a_failure_where_earlier_ones_have_them() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let bare = Dump {
        globals: false,
        ..APP
    };
    shelf.dump(bare, "2026-04-04T03:00:00Z").await;
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1, 2]);

    // Of a server that gives them to nobody there is no better one.
    let shelf = Shelf::new(LAST_TWO).await;
    let mut ids = Vec::new();
    for night in 1..=3 {
        ids.push(
            shelf
                .dump(bare, &format!("2026-04-0{night}T03:00:00Z"))
                .await,
        );
    }
    assert_eq!(shelf.left_of(&ids, &[]).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_database_is_nothing_in_the_place_of_the_whole() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 2).await;
    let part = Dump {
        selected: true,
        ..APP
    };
    for night in 3..=4 {
        shelf
            .dump(part, &format!("2026-04-0{night}T03:00:00Z"))
            .await;
    }
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_one_repository_and_databases_of_one_cluster_are_each_their_own() {
    let shelf = Shelf::new(
        "keep = { last = 1 }\nkeep_for = { app = { last = 3 } }\n[cluster.second]\n\
         connection = \"host=/no\"",
    )
    .await;
    let mut ids = Vec::new();
    for (cluster, database) in [
        ("main", "app"),
        ("main", "app_archive"),
        ("second", "app"),
        ("second", "app_archive"),
    ] {
        let dump = Dump {
            cluster,
            database,
            ..APP
        };
        for night in 1..=4 {
            ids.push(
                shelf
                    .dump(dump, &format!("2026-04-0{night}T03:00:00Z"))
                    .await,
            );
        }
    }
    shelf.site.run(&["prune", "main", "--yes"]).await.ended(0);
    let left = [1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    assert_eq!(shelf.still_there(&ids).await, left);
    shelf.site.run(&["prune", "second", "--yes"]).await.ended(0);
    assert_eq!(shelf.still_there(&ids).await, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_goes_by_no_rule_and_keeps_no_place() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let pack = |id: &String| {
        shelf
            .site
            .path(&format!("backups/main/backups/{id}/packs/0"))
    };
    std::fs::remove_file(pack(&ids[0])).unwrap();
    std::fs::remove_file(pack(&ids[3])).unwrap();
    let told = shelf.site.run(&["list", "--why"]).await.ended(1).stdout;
    let short = ids[0].rsplit('-').next().unwrap();
    assert!(told.contains(&format!("{short} of app stays, and counts as no good one")));
    // Two good ones stay, and both damaged ones.
    assert_eq!(shelf.left_of(&ids, &[]).await, [2, 4]);
    let folder = |id: &String| {
        shelf
            .site
            .path(&format!("backups/main/backups/{id}/backup"))
    };
    assert!(folder(&ids[0]).exists() && folder(&ids[3]).exists());
    // The newest one is as a failure.
    let more = shelf.nights("2026-04-06", 2).await;
    std::fs::remove_file(pack(&more[1])).unwrap();
    assert_eq!(shelf.left_of(&ids, &[]).await, [2, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_time_that_has_not_come_displaces_nothing_and_stays() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 2).await;
    redate(&shelf.site, &ids[0], SignedDuration::from_hours(24 * 36500));
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    assert!(told.contains("its date is in doubt"), "{told}");
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 1]);
    // One that failed since is the newest, whatever that one says.
    let more = shelf.nights("2026-04-03", 1).await;
    shelf.failure(APP, "2026-04-04T03:00:00Z").await;
    assert_eq!(
        shelf.left_of(&[ids, more].concat(), &["--yes"]).await,
        [0, 1, 2]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_dated_back_stays() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    shelf.stored_when_made(&ids);
    redate(&shelf.site, &ids[2], SignedDuration::from_hours(-24 * 400));
    // It may be the newest, and so may the one that says so.
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_refers_to_that_goes_on_stays_until_it_has_ended() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 4).await;
    let on_first = Dump {
        parent: Some(&ids[0]),
        ..APP
    };
    let run = shelf.begin(on_first, "2026-04-05T03:00:00Z").await;
    let told = shelf
        .site
        .run(&["prune", "--dry-run"])
        .await
        .ended(0)
        .stdout;
    assert!(told.contains("goes on, and refers to it"), "{told}");
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 2, 3]);
    drop(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_that_others_refer_to_stay_and_what_comes_back_is_told_to_the_byte() {
    let shelf = Shelf::new(LAST_TWO).await;
    // No chunk has more than 256 KiB: wherever it is cut, of the half that all have in common
    // much is stored once.
    let large = Dump {
        bytes: 1_200_000,
        ..APP
    };
    let mut ids = vec![shelf.dump(large, "2026-04-01T03:00:00Z").await];
    for night in 2..=4 {
        let next = Dump {
            parent: ids.last().map(String::as_str),
            content: night,
            ..large
        };
        ids.push(
            shelf
                .dump(next, &format!("2026-04-0{night}T03:00:00Z"))
                .await,
        );
    }
    let size = || {
        let files = shelf.site.repository_files().into_iter();
        files
            .map(|file| file.metadata().unwrap().len())
            .sum::<u64>()
    };
    let told = shelf.site.run(&["list", "--why", "--json"]).await.ended(0);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let main = &told["clusters"][0];
    assert_eq!((&told["version"], &main["going"]), (&1.into(), &2.into()));
    let first = &main["series"][0]["backups"][3];
    assert_eq!(first["id"], ids[0].as_str());
    assert!(first["leaves_bytes"].as_u64().unwrap() > 100_000, "{first}");
    let before = size();
    shelf.site.run(&["prune"]).await.ended(0);
    // Tombstones have come.
    let tombstones = shelf.site.path("backups/main/tombstones");
    let tombstones = std::fs::read_dir(tombstones).unwrap();
    let new: u64 = tombstones
        .map(|t| t.unwrap().metadata().unwrap().len())
        .sum();
    let freed = main["frees_bytes"].as_u64().unwrap();
    assert_eq!(before + new - size(), freed);
    assert_eq!(shelf.still_there(&ids).await, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_most_would_go_or_no_rule_keeps_anything_somebody_has_to_say_yes() {
    let shelf = Shelf::new(LAST_TWO).await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let refused = shelf.site.run(&["prune"]).await.ended(2);
    refused.says(&["3 of 5 good backups of cluster main would go", "--yes"]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3, 4]);
    // No month's last day is among them.
    let policy = ["prune", "--policy", "rolling.monthly=12"];
    let refused = shelf.site.run(&policy).await.ended(2);
    refused.says(&["no rule keeps any dump of app"]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3, 4]);
    shelf
        .site
        .run(&[&policy[..], &["--yes"]].concat())
        .await
        .ended(0);
    assert_eq!(shelf.still_there(&ids).await, [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_can_be_tried_and_a_wrong_one_is_told_before_anything_else() {
    let shelf = Shelf::new("keep = { last = 4 }\nkeep_for = { kept = \"all\" }").await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let tried = ["prune", "--policy", "last=3", "--dry-run"];
    let told = shelf.site.run(&tried).await.ended(0).stdout;
    assert!(told.contains("2 of 5 backups go"), "{told}");
    assert!(!told.contains("there is nothing to delete"), "{told}");
    let told = shelf
        .site
        .run(&["list", "--why", "--policy", "last=2"])
        .await;
    assert!(told.ended(0).stdout.contains("3 of 5 backups go"));
    for wrong in ["dayly=3", "last=0", ""] {
        shelf.site.run(&["prune", "--policy", wrong]).await.ended(1);
    }
    let wrong = shelf.site.run(&["prune", "--policy", "dayly=3"]).await;
    wrong.says(&["--policy, column 1", "daily"]);
    assert_eq!(shelf.still_there(&ids).await, [0, 1, 2, 3, 4]);
    assert_eq!(
        shelf.left_of(&ids, &["--policy", "last=3"]).await,
        [2, 3, 4]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_prunes_afterwards_only_if_all_was_backed_up() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", "CREATE TABLE t (n int)").await;
    let site = Site::of(&cluster).await;
    let prune = ["backup", "--database", "app", "--prune"];
    let refused = site.run(&prune).await.ended(2);
    refused.says(&["nothing says what of cluster main is to be kept", "keep ="]);
    assert!(site.list().await.is_empty());

    let mut site = site;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=2");
    let first = site.back_up("app").await;
    let second = site.back_up("app").await;
    let both = [&prune[..], &["--database", "gone"]].concat();
    let partial = site.run(&both).await.ended(3);
    partial.says(&["nothing was pruned"]);
    assert_eq!(site.good().await.len(), 3);
    let json = site.run(&[&prune[..], &["--json"]].concat()).await.ended(0);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["outcome"], "complete");
    assert_eq!(report["prune"]["retention"]["going"], 2);
    let good = site.good().await;
    assert!(good.len() == 2 && !good.contains(&first) && !good.contains(&second));

    // What goes wrong after the backup is told as that.
    site.back_up("app").await;
    site.back_up("app").await;
    site.back_up("app").await;
    let refused = site.run(&prune).await.ended(1);
    refused.says(&["all was backed up, and pruning failed", "--yes"]);
    assert_eq!(site.good().await.len(), 6);
    site.run(&[&prune[..], &["--yes"]].concat()).await.ended(0);
    let left = site.good().await;
    assert_eq!(left.len(), 2);
    let pin = ["pin", &left[0], "--reason", "audit"];
    site.run(&pin).await.ended(0);
    let shown = site.run(&["show", &left[0]]).await.ended(0).stdout;
    assert!(shown.contains("pinned        audit (by host"), "{shown}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_prunes_leaves_the_restorable_one_of_the_same_day() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", "CREATE TABLE t (n int)").await;
    let mut site = Site::of(&cluster).await;
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "daily=1");
    let restorable = site.back_up("app").await;
    let prove = ["prove", &restorable, "--identity", "recovery.key"];
    let proved = site.run(&prove).await.ended(0);
    assert!(proved.stdout.contains("restorable"), "{proved:?}");
    let prune = ["backup", "--database", "app", "--prune", "--yes"];
    site.run(&prune).await.ended(0);
    site.run(&prune).await.ended(0);
    let left = site.good().await;
    assert!(left.len() == 2 && left.contains(&restorable), "{left:?}");
    cluster.stop().await;
}
