//! `pgkeep verify`, time after time: what is read in which, and what is said of what was not.

use serde_json::Value;
use tokio::process::Child;

use crate::site::{PROGRAM, Site, ended, until};
use crate::verify::{cluster, flip, object, report, verify, with_two};

/// Begins a slow verification, and waits until it has written down what it has read so far.
async fn begun(site: &Site) -> Child {
    let folder = site.path("backups/main/verified");
    let slow = site.start(&["verify", "--rate", "200kB"]);
    // A draft has a name that begins with a dot.
    let is_note = |file: std::fs::DirEntry| !file.file_name().to_string_lossy().starts_with('.');
    until("a note of what was read", async || {
        let notes = folder.read_dir();
        notes.is_ok_and(|notes| notes.flatten().any(is_note))
    })
    .await;
    slow
}

/// What a verification has found, and whether it ended well.
async fn found(site: &Site, more: &[&str], code: i32) -> Value {
    let ran = verify(site, &[more, &["--json"]].concat()).await;
    report(&ran.ended(code))["clusters"][0].clone()
}

fn number(found: &Value, key: &str) -> u64 {
    found[key].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_that_was_killed_is_gone_on_with_where_that_is_asked_for() {
    let cluster = cluster().await;
    let (site, ..) = with_two(&cluster).await;
    begun(&site).await.kill().await.unwrap();
    let resumed = found(&site, &["--resume"], 0).await;
    let before = number(&resumed, "objects_before");
    assert!(before > 0, "{resumed:#}");
    assert_eq!(before + number(&resumed, "objects"), 8);
    assert!(resumed["before_since"].is_string(), "{resumed:#}");
    // Then there is nothing to go on with.
    let ran = verify(&site, &["--resume"]).await.ended(0);
    let ran = ran.says(&["no verification of the last 24 hours is there to go on with"]);
    assert!(
        ran.stdout.contains(": 8 objects of 8, all whole"),
        "{ran:#?}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_is_gone_on_with_whatever_share_was_read_since() {
    let cluster = cluster().await;
    let (site, ..) = with_two(&cluster).await;
    begun(&site).await.kill().await.unwrap();
    let share = verify(&site, &["--share", "1%"]).await.ended(0);
    let last = share.stdout.lines().last().unwrap();
    assert!(last.ends_with(" of 8 read, these whole"), "{last}");
    let resumed = found(&site, &["--resume"], 0).await;
    let before = number(&resumed, "objects_before");
    assert!(before > 0, "{resumed:#}");
    assert_eq!(before + number(&resumed, "objects"), 8);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_is_told_with_its_time_and_nothing_of_it_as_of_now() {
    let cluster = cluster().await;
    let (site, ..) = with_two(&cluster).await;
    begun(&site).await.kill().await.unwrap();
    let ran = verify(&site, &["--resume"]).await.ended(0);
    let last = ran.stdout.lines().last().unwrap();
    assert!(!last.contains(": 8 objects of 8,"), "{last}");
    assert!(last.contains(" of 8 read now, "), "{last}");
    assert!(last.ends_with(", all whole"), "{last}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_of_everything_reads_also_what_one_that_still_runs_has_read() {
    let cluster = cluster().await;
    let (site, first, second) = with_two(&cluster).await;
    let mut slow = begun(&site).await;
    for id in [&first, &second] {
        // Small enough to have been read first.
        flip(&object(&site, id, "manifest"));
    }
    let ran = verify(&site, &[]).await.ended(1);
    let told = ": 8 objects of 8, 2 are hurt";
    assert!(ran.stdout.contains(told), "{ran:#?}");
    ran.says(&["a verification that has not ended had read", "--resume"]);
    slow.kill().await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_is_known_keeps_no_share_from_finding_other() {
    let cluster = cluster().await;
    let (site, first, second) = with_two(&cluster).await;
    let hurt = object(&site, &second, "packs/0");
    flip(&hurt);
    let mut seen = 0;
    for _ in 0..4 {
        // Until its turn has come, nothing is known of it.
        let found = report(&verify(&site, &["--share", "25%", "--json"]).await);
        seen += found["clusters"][0]["hurt"].as_array().unwrap().len();
    }
    assert!(seen > 0);
    flip(&object(&site, &first, "packs/0"));
    flip(&object(&site, &second, "index/0"));
    for _ in 0..4 {
        verify(&site, &["--share", "25%"]).await.ended(1);
    }
    assert!(site.good().await.is_empty());
    let told = verify(&site, &[]).await.ended(1).stdout;
    assert!(told.contains(": 8 objects of 8, 3 are hurt"), "{told}");
    assert_eq!(told.matches(", as before").count(), 3, "{told}");
    // What is whole again is found by shares too.
    flip(&hurt);
    let mut mended = 0;
    for _ in 0..4 {
        let ran = verify(&site, &["--share", "25%", "--json"]).await.ended(1);
        let found = report(&ran);
        mended += found["clusters"][0]["mended"].as_array().unwrap().len();
    }
    assert_eq!(mended, 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_cannot_be_remembered_does_not_end_well_and_says_why() {
    let cluster = cluster().await;
    let (site, ..) = with_two(&cluster).await;
    let forgotten = "what was read could not be written down, so the next time would read the \
                     same again, and never the rest: ";
    let told = "what was read could not be written down: ";
    let read_only = async |more: &str| {
        let script = format!(
            "mount --bind backups backups
            mount -o remount,ro,bind backups
            '{PROGRAM}' verify {more}"
        );
        ended(site.start_with_own_mounts(&script)).await
    };
    let ran = read_only("--share 25%").await.ended(1);
    assert!(ran.stdout.contains(forgotten), "{ran:#?}");
    assert!(ran.stdout.contains(", and not all is well"), "{ran:#?}");
    // All of it was read, and nobody has to remember anything.
    let ran = read_only("").await.ended(0);
    assert!(ran.stdout.contains(told), "{ran:#?}");
    assert!(
        ran.stdout.contains(": 8 objects of 8, all whole"),
        "{ran:#?}"
    );

    std::fs::remove_file(site.path("host.key")).unwrap();
    let ran = verify(&site, &["--share", "25%"]).await.ended(1);
    assert!(ran.stdout.contains(forgotten), "{ran:#?}");
    assert!(ran.stdout.contains("host.key"), "{ran:#?}");
    let ran = verify(&site, &[]).await.ended(0);
    assert!(ran.stdout.contains(told), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_repository_nothing_is_called_well() {
    let cluster = cluster().await;
    let mut site = Site::of(&cluster).await;
    site.set("PGKEEP_CLUSTER_MAIN_REPOSITORIES", " ");
    let wanted = [
        "cluster main names no repository",
        "leave 'repositories' out",
    ];
    for command in ["verify", "prune", "prove", "list", "backup"] {
        site.run(&[command]).await.ended(1).says(&wanted);
    }
    let ran = site.run(&["check", "--format", "nagios"]).await.ended(3);
    assert!(ran.stdout.contains(wanted[0]), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_read_everything_in_turn_and_old_notes_go() {
    let cluster = cluster().await;
    let (site, _, second) = with_two(&cluster).await;
    let mut read = 0;
    for _ in 0..4 {
        let ran = verify(&site, &["--share", "25%", "--json"]).await.ended(0);
        let found = report(&ran);
        let found = &found["clusters"][0];
        read += found["objects"].as_u64().unwrap();
        assert!(
            found["objects"].as_u64() < found["all_objects"].as_u64(),
            "{found:#}"
        );
    }
    assert!(read >= 8, "{read}");
    let notes = || {
        std::fs::read_dir(site.path("backups/main/verified"))
            .unwrap()
            .count()
    };
    flip(&object(&site, &second, "packs/0"));
    verify(&site, &[]).await.ended(1);
    for _ in 0..3 {
        verify(&site, &[]).await.ended(1);
    }
    let before = notes();
    // A record whose finding a later one replaces goes before that one may.
    for _ in 0..3 {
        site.run(&["prune"]).await.ended(0);
    }
    // The one that has the finding, the last one, and maybe the last that has read the pack
    // whole; and, since ids of one second are in no order, what one of these cites.
    let after = notes();
    assert!(before == 8 && (2..=5).contains(&after), "{before}, {after}");
    site.run(&["list"]).await.ended(1);
    for wrong in ["10", "0%", "200%"] {
        verify(&site, &["--share", wrong])
            .await
            .ended(2)
            .says(&["percent"]);
    }
    verify(&site, &["--rate", "fast"])
        .await
        .ended(2)
        .says(&["a number with a unit"]);
    cluster.stop().await;
}
