//! Several repositories where something stands in the way of a copy: two that are one, damage
//! that only a copy can mend, what was deleted on one side.

use crate::copies::{cluster, configure_at, copy};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn two_names_of_one_repository_are_no_second_copy_and_everything_says_so() {
    let cluster = cluster().await;
    let site = Site::of(&cluster).await;
    let link = site.path("offsite");
    std::os::unix::fs::symlink(site.path("backups"), &link).unwrap();
    configure_at(&site, &link.display().to_string(), true);
    let told =
        "repositories \"local\" and \"offsite\" are one and the same: there is no second copy";
    let backup = ["backup", "--database", "app", "--json"];
    let ran = site.run(&backup).await.ended(3).says(&[told]);
    assert!(ran.stdout.contains("\"complete\": false"), "{ran:#?}");
    copy(&site, &[]).await.ended(1).says(&[told]);
    let ran = site.run(&["check"]).await.ended(2);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(told), "{ran:#?}");
    let ran = site.run(&["doctor"]).await.ended(1);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(told), "{ran:#?}");
    site.run(&["list"]).await.ended(0).says(&[told]);
    // One name twice is no second one either.
    let path = site.path("pgkeep.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let twice = config.replace("[\"local\", \"offsite\"]", "[\"local\", \"local\"]");
    std::fs::write(&path, twice).unwrap();
    let ran = site.run(&["check"]).await.ended(3);
    assert!(
        (ran.stdout + &ran.stderr)
            .contains("cluster main names the repository \"local\" more than once")
    );
    cluster.stop().await;
}
