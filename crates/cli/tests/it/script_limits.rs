//! What counts for the script: records no longer than their kind may be, and keys that the
//! newest ring lists.

use std::fs;

use pgkeep_format::RecordKind;
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::script::{SCRIPT, script};
use crate::site::{Site, socket_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_script_has_pgkeeps_limits() {
    const LIMITS: &str = "import runpy, sys, json\n\
         print(json.dumps(runpy.run_path(sys.argv[1], run_name='script')['LIMITS']))";
    let ran = Site::empty().python(LIMITS, &[SCRIPT]).await.ended(0);
    let limits: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let kinds = [
        RecordKind::Key,
        RecordKind::Begin,
        RecordKind::Outcome,
        RecordKind::Manifest,
        RecordKind::Backup,
        RecordKind::Retirement,
        RecordKind::KeyRing,
        RecordKind::Tombstone,
    ];
    assert_eq!(limits.as_object().unwrap().len(), kinds.len());
    for kind in kinds {
        let number = (kind as u16).to_string();
        assert_eq!(limits[&number].as_u64(), Some(kind.limit()), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_refuses_a_record_that_is_longer_than_its_kind_may_be() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    let record = site.path(&format!("backups/main/backups/{id}/backup"));
    let file = fs::File::options().write(true).open(record).unwrap();
    file.set_len(RecordKind::Backup.limit() + 1).unwrap();
    assert!(site.good().await.is_empty());
    script(&site, &["backups", "--list"])
        .await
        .ended(1)
        .says(&[&id, "more than 33554432 bytes"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_record_that_is_not_the_one_that_the_ring_lists_vouches_for_nobody() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::with(&socket_of(&cluster), &[]).await;
    let new = ["key", "new", "--name", "two", "--output", "two.key"];
    let request = site.run(&new).await.ended(0).stdout;
    let request = request.lines().last().unwrap().to_owned();
    let key = request.rsplit(':').next().unwrap();
    let change = async |command: &[&str]| {
        let more = ["--yes", "--identity", "recovery.key"];
        site.run(&[&["key"], command, &more].concat())
            .await
            .ended(0);
    };
    change(&["add", &request]).await;
    let record = site.path(&format!("backups/keys/{key}"));
    let earlier = fs::read(&record).unwrap();
    fs::remove_file(&record).unwrap();
    change(&["repair"]).await;
    change(&["add", &request]).await;
    let config = fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    let config = config.replace("host.key", "two.key");
    fs::write(site.path("two.toml"), config).unwrap();
    for command in [
        &["key", "trust", "--yes"][..],
        &["backup", "--database", "postgres"],
    ] {
        site.run(&[command, &["--config", "two.toml"]].concat())
            .await
            .ended(0);
    }
    script(&site, &["backups", "--list"]).await.ended(0);

    // Signed by the root key as well, for the same name.
    fs::write(&record, earlier).unwrap();
    assert!(site.good().await.is_empty());
    let ran = script(&site, &["backups", "--list"]).await.ended(1);
    let ran = ran.says(&[key, "counts as nothing", "whom nobody here vouches for"]);
    assert_eq!(ran.stdout, "");
    cluster.stop().await;
}
