//! Clocks that were set back: old data is never taken for the newest without a word.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use pgkeep_format::records::BackupRecord;
use pgkeep_format::{Envelope, HostKey, RecordKind};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_types::BackupId;

use crate::site::Site;

/// Has a backup say that it was made so much later, as one of a host with a wrong clock.
pub(crate) fn redate(site: &Site, id: &str, by: SignedDuration) {
    let name = format!("main/backups/{id}/backup");
    let path = site.path("backups").join(&name);
    let key = fs::read_to_string(site.path("host.key")).unwrap();
    let host = HostKey::from_secret_text(&key).unwrap();
    let trust = host.trust.first().unwrap();
    let object = name.parse().unwrap();
    let envelope = Envelope {
        repository: trust.repository,
        name: &object,
        kind: RecordKind::Backup,
    };
    let bytes = fs::read(&path).unwrap();
    let read = envelope
        .read(&bytes, &[host.signer.verifying_key()])
        .unwrap();
    let mut record: BackupRecord = read.clear().unwrap();
    record.started += by;
    record.finished += by;
    let bytes = envelope.write(&record, None, &host.signer).unwrap();
    fs::write(&path, bytes).unwrap();
}

/// Has the storage's clock say that a backup was stored so much later.
pub(crate) fn store_later(site: &Site, id: &str, by: SignedDuration) {
    let path = site.path("backups/main/backups").join(id).join("backup");
    let stored = fs::File::options().append(true).open(path).unwrap();
    let told: Timestamp = stored
        .metadata()
        .unwrap()
        .modified()
        .unwrap()
        .try_into()
        .unwrap();
    stored.set_modified((told + by).into()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_clock_was_set_back_the_newest_is_not_restored_unasked() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    let old = site.back_up("app").await;
    let new = site.back_up("app").await;
    redate(&site, &new, SignedDuration::from_hours(-24 * 400));
    let restore = ["restore", "--database", "app", "--as", "back"];
    let keys = ["--identity", "recovery.key"];
    site.run(&[&restore[..], &keys].concat())
        .await
        .ended(1)
        .says(&[&old, &new, "was made after", "--backup ID"]);
    site.run(&["list"]).await.ended(0).says(&["clock of host"]);
    let made: BackupId = old.parse().unwrap();
    let before = (made.time() - SignedDuration::from_hours(24 * 300)).to_string();
    site.run(&[&restore[..], &["--before", &before], &keys].concat())
        .await
        .ended(1)
        .says(&[&old, &new, "cannot be told", "--backup ID"]);
    let named = ["restore", "--backup", &new, "--as", "back"];
    site.run(&[&named[..], &keys].concat()).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_was_set_back_makes_no_backup_but_a_whole_one_and_says_so() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    let made = site.back_up("app").await;
    let day = SignedDuration::from_hours(24);
    redate(&site, &made, day);
    // The storage has it of tomorrow, too: it is this clock that is behind.
    store_later(&site, &made, day);
    let backup = ["backup", "--database", "app"];
    let before = site.repository_files();
    site.run(&backup)
        .await
        .ended(1)
        .says(&["this host's clock", &made, "set the clock"]);
    assert_eq!(site.repository_files(), before);
    site.run(&[&backup[..], &["--whole"]].concat())
        .await
        .ended(0)
        .says(&["warning", "this host's clock", &made, "all the same"]);
    site.run(&["list"])
        .await
        .ended(0)
        .says(&["this host's clock", &made]);
    cluster.stop().await;
}

/// A site with two backups of `app`, of which the later one is dated before the other.
async fn misdated(cluster: &Cluster) -> (Site, String, String) {
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(cluster).await;
    let old = site.back_up("app").await;
    let new = site.back_up("app").await;
    redate(&site, &new, SignedDuration::from_hours(-24 * 400));
    (site, old, new)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_has_all_that_may_be_the_newest_and_says_that_it_cannot_be_told() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    let (site, old, new) = misdated(&cluster).await;
    let kit = site.run(&["kit"]).await.ended(3);
    let kit = kit.says(&[&old, &new, "cannot be told"]).stdout;
    let page = kit.split("3. WHICH KEY").next().unwrap();
    assert_eq!(page.matches("app  ").count(), 2, "{page}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_newest_cannot_be_told_is_a_problem_where_backups_are_still_made() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    let (site, old, new) = misdated(&cluster).await;
    let told = |report: &str, state: &str| {
        for word in [state, &old, &new, "cannot be told"] {
            assert!(report.contains(word), "{word}: {report}");
        }
    };
    let doctor = site.run(&["doctor"]).await.ended(1);
    told(&doctor.stdout, "PROBLEM  backups");
    cluster.psql("postgres", "DROP DATABASE app").await;
    let doctor = site.run(&["doctor"]).await.ended(0);
    told(&doctor.stdout, "backups");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_says_that_one_is_chosen_that_may_be_the_newest() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    let (site, old, new) = misdated(&cluster).await;
    for id in [&old, &new] {
        site.run(&["prune", "--id", id])
            .await
            .ended(2)
            .says(&["may be the newest good one of database \"app\""]);
    }
    let both = ["prune", "--id", &old, "--id", &new];
    site.run(&both)
        .await
        .ended(2)
        .says(&["the only good one of database \"app\""]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_will_be_dated_a_little_before_its_parent_says_so_when_it_is_made() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    let parent = site.back_up("app").await;
    redate(&site, &parent, SignedDuration::from_mins(5));
    let short = parent.rsplit('-').next().unwrap();
    site.run(&["backup", "--database", "app"])
        .await
        .ended(0)
        .says(&["warning", "this host's clock", short, "is dated before it"]);
    let into = ["restore", "--database", "app", "--as", "back"];
    site.run(&[&into[..], &["--identity", "recovery.key"]].concat())
        .await
        .ended(1)
        .says(&[&parent, "was made after"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_before_says_where_the_storage_alone_has_the_backup_of_another_time() {
    let cluster = Cluster::start(Major::ALL[0]).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    let made = site.back_up("app").await;
    let day = SignedDuration::from_hours(24);
    let time = made.parse::<BackupId>().unwrap().time();
    let short = made.rsplit('-').next().unwrap();
    let before = |time: Timestamp| {
        let time = time.to_string();
        let of = [
            "restore",
            "--database",
            "app",
            "--to-file",
            "dump",
            "--before",
        ];
        let arguments = [&of[..], &[&time, "--identity", "recovery.key"]].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        arguments
    };
    let run = async |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = site.run(&arguments).await;
        let _ = fs::remove_file(site.path("dump"));
        ran
    };
    let right = run(before(time + day)).await.ended(0);
    assert!(!right.stderr.contains("warning"), "{right:#?}");
    // Its host's clock was a week behind: it is there, but perhaps not of before.
    store_later(&site, &made, day * 7);
    run(before(time + day)).await.ended(0).says(&[
        "warning",
        short,
        "has it only since",
        "may be of after",
        "--backup ID",
    ]);
    // It ran a week ahead: nothing is found, though there is one.
    store_later(&site, &made, -day * 14);
    run(before(time - day)).await.ended(4).says(&[
        "warning",
        short,
        "has it already since",
        "may be the newest",
    ]);
    cluster.stop().await;
}
