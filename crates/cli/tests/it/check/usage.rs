//! How it ends where it cannot be told, and what programs get.

use std::fs;

use serde_json::Value;

use super::{says, shelf};
use crate::keeping::shelf::Shelf;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_wrongly_is_unknown() {
    let shelf = Shelf::new("").await;
    for wrong in [
        &["--bogus"][..],
        &["--max-age", "soon"],
        &["--max-shrink", "100%"],
        &["--timeout", "0s"],
        &["nosuch"],
        &["--json", "--format", "nagios"],
        &["--config", "nowhere.toml"],
    ] {
        let ran = shelf.check(wrong).await.ended(3);
        assert!(ran.stderr.contains("error:"), "{ran:#?}");
    }
    shelf
        .site
        .run(&["--json", "check", "--bogus"])
        .await
        .ended(3);
    // Of other commands it is what it was.
    shelf.site.run(&["list", "--bogus"]).await.ended(2);
    let help = shelf.check(&["--help"]).await.ended(0);
    assert!(help.stdout.contains("--max-age"), "{help:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn monitoring_is_told_why_it_is_unknown() {
    let site = Site::empty();
    let ran = site.run(&["check", "--format", "nagios"]).await;
    says(ran, 3, &["PGKEEP UNKNOWN: found no configuration\n"]);
    let ran = site.run(&["check", "--json"]).await.ended(3);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["verdict"], "unknown");
    assert_eq!(report["problem"], "found no configuration");
    // A connection that cannot be one is no server that is down.
    let shelf = Shelf::new("").await;
    shelf.app(1).await;
    let file = shelf.site.path("pgkeep.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("host=/no", "hots=/no")).unwrap();
    says(
        shelf.check(&[]).await,
        3,
        &["main: UNKNOWN: ", "the connection of cluster main"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_every_finding_with_its_numbers() {
    let (cluster, shelf) = shelf("").await;
    let id = shelf.app(30).await;
    for format in [&["--json"][..], &["--format", "json"]] {
        let ran = shelf.check(format).await.ended(1);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["version"], 1);
        assert_eq!(report["verdict"], "warning");
        let main = &report["clusters"][0];
        assert_eq!(main["cluster"], "main");
        let finding = &main["findings"][0];
        assert_eq!(finding["severity"], "warning");
        assert_eq!(finding["finding"], "backup-old");
        assert_eq!(finding["database"], "app");
        let database = &main["databases"][0];
        assert_eq!(database["newest"]["id"], id);
        assert_eq!(database["newest"]["raw_bytes"], 300_000);
        assert!(database["newest"]["age_seconds"].as_u64().unwrap() >= 30 * 3600);
        assert!(main["space"][0]["free_bytes"].is_u64());
    }
    cluster.stop().await;
}
