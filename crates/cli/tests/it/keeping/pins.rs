//! Pins, as people set and lift them.

use std::path::Path;

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
    let words = "stays  pinned: audit; until 2126-01-02 00:00 +00\n";
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
    shelf.site.run(&["list", "--why"]).await.ended(1);
    let check = async || shelf.site.run(&["check", "--json"]).await.stdout;
    assert!(check().await.contains("\"pin-damaged\""));
    assert_eq!(shelf.left_of(&ids, &[]).await, [0, 1, 2]);
    shelf.site.run(&["unpin", &ids[0]]).await.ended(0);
    assert!(!check().await.contains("\"pin-damaged\""));
    shelf.site.run(&["list"]).await.ended(0);
    assert_eq!(shelf.left_of(&ids, &[]).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_for_deletion_and_is_pinned_stays_is_told_and_goes_once_it_is_unpinned() {
    let shelf = Shelf::new("keep = { last = 1 }").await;
    let ids = shelf.nights("2026-04-01", 3).await;
    let newest = &ids[2];
    let files = |of: &str| shelf.site.path(&format!("backups/main/{of}"));
    let pin = ["pin", newest, "--reason", "audit"];
    shelf.site.run(&pin).await.ended(0);
    // As if its pin had come while somebody deleted it: the tombstone is there alone.
    std::fs::rename(files("pins"), files("pins.aside")).unwrap();
    let folder = files(&format!("backups/{newest}"));
    let aside = shelf.site.path("aside");
    copy_folder(&folder, &aside);
    let by_id = ["prune", "--id", newest, "--yes"];
    shelf.site.run(&by_id).await.ended(0);
    copy_folder(&aside, &folder);
    std::fs::rename(files("pins.aside"), files("pins")).unwrap();

    let listed = shelf.site.run(&["list"]).await.ended(0);
    listed.says(&["was chosen for deletion", "as long as it is pinned"]);
    assert_eq!(shelf.site.list().await[2]["chosen_for_deletion"], true);
    // It takes nobody's place.
    assert_eq!(shelf.left_of(&ids, &["--yes"]).await, [1, 2]);
    let again = shelf.site.run(&pin).await.ended(1);
    again.says(&["was deleted"]);
    let lifted = shelf.site.run(&["unpin", newest]).await.ended(0);
    lifted.says(&[
        "was chosen for deletion",
        "the next 'pgkeep prune' deletes it",
    ]);
    assert_eq!(shelf.left_of(&ids, &[]).await, [1]);
}

/// Copies a folder and all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap(), to.to_owned());
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}
