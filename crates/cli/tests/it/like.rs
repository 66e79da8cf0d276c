//! A second repository of a family is made beside nothing else, and whoever stops that is told
//! what there is.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_has_something_is_refused() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let configuration = site.path("pgkeep.toml");
    let written = std::fs::read_to_string(&configuration).unwrap();
    let more = format!("{written}\n[repository.offsite]\nurl = \"offsite\"\n");
    std::fs::write(&configuration, more).unwrap();
    let offsite = site.path("offsite");
    std::fs::create_dir(&offsite).unwrap();
    std::fs::write(offsite.join("somebody's"), "x").unwrap();
    let host = std::fs::read(site.path("host.key")).unwrap();
    let like = ["init", "--like", "local", "--repository", "offsite"];
    site.run(&like)
        .await
        .ended(1)
        .says(&["nothing was changed"]);
    assert_eq!(std::fs::read_dir(&offsite).unwrap().count(), 1);
    assert_eq!(std::fs::read(site.path("host.key")).unwrap(), host);

    std::fs::remove_file(offsite.join("somebody's")).unwrap();
    let made = site.run(&like).await.ended(0);
    assert!(made.stdout.contains("Add this line"), "{made:#?}");
    cluster.stop().await;
}
