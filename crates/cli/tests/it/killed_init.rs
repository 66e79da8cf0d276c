//! What an `init` leaves that was killed, and the way on from there.

use std::fs;

use crate::site::Site;

#[tokio::test]
async fn after_an_init_that_was_killed_the_next_one_says_what_to_remove_and_then_succeeds() {
    let site = Site::empty();
    let init = ["init", "--repository", "backups"];
    site.run(&init).await.ended(0);
    // Killed before the last of its objects.
    fs::remove_file(site.path("backups/pgkeep.json")).unwrap();
    let files = ["pgkeep.toml", "host.key", "recovery.key"].map(|file| site.path(file));
    let told: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let ran = site.run(&init).await.ended(1).says(&told);
    ran.says(&["holds no repository", "was cut off", "keys/", "not mounted"]);
    for file in files {
        fs::remove_file(file).unwrap();
    }
    let keys = fs::read_dir(site.path("backups/keys")).unwrap();
    let keys: Vec<String> = keys
        .map(|entry| format!("keys/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    let told: Vec<&str> = keys.iter().map(String::as_str).collect();
    let ran = site.run(&init).await.ended(1).says(&told);
    ran.says(&["never finished", "remove these objects"]);
    assert!(!site.path("host.key").exists());
    fs::remove_dir_all(site.path("backups/keys")).unwrap();
    site.run(&init).await.ended(0);
    site.run(&["list"]).await.ended(0);
}
