//! What is told of what is kept, word by word.

use pgkeep_format::records::ProofOutcome;

use super::shelf::{APP, Dump, Shelf};
use crate::terminal::{screen, watched};

/// A shelf of which something of everything is told.
async fn shelf() -> Shelf {
    let shelf = Shelf::new(
        "keep = { daily = 2, weekly = 2, monthly = 1 }\nkeep_for = { shop = { last = 1 } }",
    )
    .await;
    shelf.nights("2026-03-27", 8).await;
    let shop = Dump {
        database: "shop",
        ..APP
    };
    for day in 1..=2 {
        shelf.dump(shop, &format!("2026-04-0{day}T03:00:00Z")).await;
    }
    shelf.failure(shop, "2026-04-03T03:00:00Z").await;
    shelf
}

/// At 80 columns.
const NARROW: &str = "\
dump of app: keep daily=2, weekly=2, monthly=1
ID        STARTED                      WHY
6nzbdvfx  2026-04-03 03:00 +00  stays  the newest, daily 1 of 2, weekly 1 of 2,
                                       monthly 1 of 1; until a newer month has
                                       one
ek5azm3b  2026-04-02 03:00 +00  stays  daily 2 of 2; until a newer day has one
btn5v72t  2026-04-01 03:00 +00  goes   no rule keeps it; SIZE come back
17gst0y2  2026-03-31 03:00 +00  goes   no rule keeps it; SIZE come back
pg2k14bq  2026-03-30 03:00 +00  goes   no rule keeps it; SIZE come back
t1ya6vkk  2026-03-29 03:00 +00  stays  weekly 2 of 2; until a newer week has one
2aht00r6  2026-03-28 03:00 +00  goes   no rule keeps it; SIZE come back
qdjs41b3  2026-03-27 03:00 +00  goes   no rule keeps it; SIZE come back

dump of shop: keep last=1
nothing of it goes until a good one is made: fwb0r7gc came to nothing
ID        STARTED                      WHY
nywcegyy  2026-04-02 03:00 +00  stays  after a failure, the newest, last 1 of 1;
                                       until there is a newer one
fpkc0xe1  2026-04-01 03:00 +00  stays  after a failure; until a good one is made

5 of 10 backups go, and SIZE come back
";

/// Sizes are told elsewhere, to the byte.
fn without_sizes(told: &str) -> String {
    let words = told.replace("296 KiB", "SIZE").replace("297 KiB", "SIZE");
    words.replace("1.4 MiB", "SIZE")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_backup_it_is_told_why_it_stays_and_until_when() {
    let shelf = shelf().await;
    let before = shelf.site.repository_files();
    let shown = watched(&shelf.site, 80, &[], &["list", "--why"]).await;
    let shown = screen(&shown.ended(0).stdout).join("\n");
    assert_eq!(without_sizes(&shown).trim_end(), NARROW.trim_end());

    let shown = watched(&shelf.site, 120, &[], &["list", "--why"]).await;
    let shown = screen(&shown.ended(0).stdout).join("\n");
    let begin = "dump of app: keep daily=2, weekly=2, monthly=1\n\
                 ID        STARTED                      WHY\n\
                 6nzbdvfx  2026-04-03 03:00 +00  stays  the newest, daily 1 of 2, weekly 1 of 2, \
                 monthly 1 of 1; until a newer month has\n\
                 \x20                                      one\n";
    assert!(shown.starts_with(begin), "{shown}");
    // It only reads.
    assert_eq!(shelf.site.repository_files(), before);

    // A dry run tells the same, and what would go besides.
    let told = shelf
        .site
        .run(&["prune", "--dry-run"])
        .await
        .ended(0)
        .stdout;
    let same = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    assert!(told.starts_with(&same), "{told}");
    assert_eq!(shelf.site.repository_files(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_told_each_reason_and_its_end() {
    let shelf = shelf().await;
    let told = shelf.site.run(&["list", "--why", "--json"]).await.ended(0);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let series = &told["clusters"][0]["series"];
    let newest = &series[0]["backups"][0];
    assert_eq!(newest["goes"], false);
    let reasons = serde_json::json!([
        {"reason": "rule", "rule": "daily", "place": 1, "of": 2, "among": "all",
         "until": {"newer": {"count": 2, "period": "day", "among": "all"}}},
        {"reason": "rule", "rule": "weekly", "place": 1, "of": 2, "among": "all",
         "until": {"newer": {"count": 2, "period": "week", "among": "all"}}},
        {"reason": "rule", "rule": "monthly", "place": 1, "of": 1, "among": "all",
         "until": {"newer": {"count": 1, "period": "month", "among": "all"}}},
        {"reason": "newest", "until": {"newer": {"count": 1, "among": "all"}}},
    ]);
    assert_eq!(newest["why"], reasons);
    assert_eq!(series[0]["backups"][2]["goes"], true);
    assert!(series[0]["backups"][2]["frees_bytes"].as_u64().unwrap() > 100_000);
    assert!(series[1]["after_failure"]["attempt"].is_string());
    let dry = shelf
        .site
        .run(&["prune", "--dry-run", "--json"])
        .await
        .ended(0);
    let dry: serde_json::Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(&dry["retention"]["series"], series);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_fits_a_terminal_and_has_the_level_of_each_backup() {
    let shelf = Shelf::new("").await;
    let ids = shelf.nights("2026-04-01", 4).await;
    let long = Dump {
        database: "orders_of_the_whole_of_the_year",
        ..APP
    };
    shelf.dump(long, "2026-04-05T03:00:00Z").await;
    shelf.prove(&ids[0], ProofOutcome::Proven).await;
    shelf.prove(&ids[1], ProofOutcome::Restorable).await;
    shelf.prove(&ids[2], ProofOutcome::Failed).await;
    let pin = ["pin", &ids[2], "--reason", "x"];
    shelf.site.run(&pin).await.ended(0);
    for (columns, told) in [(120, WIDE), (80, FITTING), (50, FOLDED)] {
        let shown = watched(&shelf.site, columns, &[], &["list"]).await.ended(0);
        let shown = screen(&shown.stdout).join("\n");
        let (table, _) = shown.split_once("\n\n").unwrap();
        assert_eq!(table, told, "{columns}: {table}");
    }
}

const WIDE: &str = "\
ID        DATABASE  STARTED                  SIZE      NEW  STATUS
qdjs41b3  app       2026-04-01 03:00 +00  293 KiB  294 KiB  proven
2aht00r6  app       2026-04-02 03:00 +00  293 KiB  294 KiB  restorable
t1ya6vkk  app       2026-04-03 03:00 +00  293 KiB  294 KiB  FAILED PROOF, pinned
pg2k14bq  app       2026-04-04 03:00 +00  293 KiB  294 KiB  stored
17gst0y2  orders_of_the_whole_of_the_year
                    2026-04-05 03:00 +00  293 KiB  294 KiB  stored";

const FITTING: &str = "\
ID        DATABASE  STARTED                  SIZE      NEW  STATUS
qdjs41b3  app       2026-04-01 03:00 +00  293 KiB  294 KiB  proven
2aht00r6  app       2026-04-02 03:00 +00  293 KiB  294 KiB  restorable
t1ya6vkk  app       2026-04-03 03:00 +00  293 KiB  294 KiB  FAILED PROOF, pinned
pg2k14bq  app       2026-04-04 03:00 +00  293 KiB  294 KiB  stored
17gst0y2  orders_of_the_whole_of_the_year
                    2026-04-05 03:00 +00  293 KiB  294 KiB  stored";

const FOLDED: &str = "\
ID        DATABASE  STARTED                  SIZE
          NEW  STATUS
qdjs41b3  app       2026-04-01 03:00 +00  293 KiB
          294 KiB  proven
2aht00r6  app       2026-04-02 03:00 +00  293 KiB
          294 KiB  restorable
t1ya6vkk  app       2026-04-03 03:00 +00  293 KiB
          294 KiB  FAILED PROOF, pinned
pg2k14bq  app       2026-04-04 03:00 +00  293 KiB
          294 KiB  stored
17gst0y2  orders_of_the_whole_of_the_year
                    2026-04-05 03:00 +00  293 KiB
          294 KiB  stored";
