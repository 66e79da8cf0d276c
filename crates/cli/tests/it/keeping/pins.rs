//! Pins, as people set and lift them.

use super::shelf::Shelf;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_goes_neither_by_a_rule_nor_by_its_id_and_is_told() {
    let shelf = Shelf::new("keep = { last = 2 }").await;
    let ids = shelf.nights("2026-04-01", 5).await;
    let short = ids[0].rsplit('-').next().unwrap();
    let pin = ["pin", short, "--reason", "before the migration"];
    let told = shelf.site.run(&pin).await.ended(0).stdout;
    assert!(told.contains(&ids[0]), "{told}");
    let told = shelf.site.run(&["list"]).await.ended(0).stdout;
    assert!(told.contains("stored, pinned"), "{told}");
    assert!(told.contains(&format!("{short}: pinned: before the migration (by host")));
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    assert!(
        told.contains("stays  pinned: before the migration\n"),
        "{told}"
    );
    let json = shelf.site.list().await;
    assert_eq!(json[0]["pins"][0]["reason"], "before the migration");
    assert_eq!(json[1]["pins"], serde_json::Value::Null);

    let by_id = ["prune", "--id", short, "--yes"];
    let refused = shelf.site.run(&by_id).await.ended(1);
    refused.says(&["is pinned", "pgkeep unpin"]);
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [0, 3, 4]);

    let told = shelf.site.run(&["unpin", short]).await.ended(0).stdout;
    assert!(told.contains("1 pin lifted"), "{told}");
    shelf
        .site
        .run(&["unpin", short])
        .await
        .ended(4)
        .says(&["is not pinned"]);
    assert_eq!(shelf.left_of(&ids, &[]).await, [3, 4]);
    let files = shelf.site.repository_files();
    assert!(
        !files
            .iter()
            .any(|file| file.to_string_lossy().contains("/pins/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_may_have_an_end_and_a_wrong_one_is_refused() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 2).await;
    let pin = |until| ["pin", &ids[0], "--reason", "audit", "--until", until];
    shelf
        .site
        .run(&pin("2020-01-01"))
        .await
        .ended(2)
        .says(&["is over"]);
    shelf
        .site
        .run(&pin("soon"))
        .await
        .ended(2)
        .says(&["no point in time"]);
    shelf
        .site
        .run(&["pin", &ids[0]])
        .await
        .ended(2)
        .says(&["--reason"]);
    shelf
        .site
        .run(&["pin", &ids[0], "--reason", " "])
        .await
        .ended(2);
    shelf
        .site
        .run(&["pin", "1999", "--reason", "x"])
        .await
        .ended(4);
    shelf.site.run(&pin("2126-01-01")).await.ended(0);
    let told = shelf.site.run(&["list", "--why"]).await.ended(0).stdout;
    let words = "stays  pinned: audit; until 2126-01-01 00:00 +00\n";
    assert!(told.contains(words), "{told}");
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pin_keeps_its_backup_without_an_end_and_is_told() {
    let shelf = Shelf::new("keep = { last = 2 }").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let pin = ["pin", &ids[0], "--reason", "x", "--until", "2126-01-01"];
    shelf.site.run(&pin).await.ended(0);
    let files = shelf.site.repository_files();
    let pinned = files
        .iter()
        .find(|file| file.to_string_lossy().contains("/pins/"));
    let pinned = pinned.unwrap();
    let bytes = std::fs::read(pinned).unwrap();
    std::fs::write(pinned, &bytes[..bytes.len() - 1]).unwrap();
    let listed = shelf.site.run(&["list"]).await.ended(1);
    listed.says(&["kept without an end", "pgkeep unpin"]);
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1, 2]);
    shelf.site.run(&["unpin", &ids[0]]).await.ended(0);
    assert_eq!(shelf.left_of(&ids, &[]).await, [1, 2]);
}
