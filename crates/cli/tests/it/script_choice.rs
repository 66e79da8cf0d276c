//! Which backups the script takes for one, and which bytes: what pgkeep would not take,
//! it does not take either, and says why.

use std::path::PathBuf;

use jiff::SignedDuration;
use pgkeep_format::names::{self, BackupPart, RunRecord};
use pgkeep_format::records::{BackupRecord, Outcome, RunErrors, RunOutcome};
use pgkeep_format::{Descriptor, Envelope, HostKey, RecordKind, Seal};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_types::ClusterName;

use crate::clocks::{redate, store_later};
use crate::script::{SCRIPT, script};
use crate::site::{Site, socket_of};

/// An unencrypted repository with two backups of a database: the older, the newer.
pub(crate) async fn two_backups(cluster: &Cluster) -> (Site, String, String) {
    let site = Site::with(&socket_of(cluster), &["--encryption", "none"]).await;
    let older = site.back_up("postgres").await;
    let newer = site.back_up("postgres").await;
    (site, older, newer)
}

/// The arguments that bring a file out of the newest backup, or out of `backup`.
pub(crate) fn into<'a>(file: &'a str, backup: Option<&'a str>) -> Vec<&'a str> {
    let which = match backup {
        Some(id) => ["--backup", id],
        None => ["--database", "postgres"],
    };
    let place = ["backups", "--cluster", "main"];
    [&place[..], &which, &["--output", file]].concat()
}

/// Changes the outcome of the run that made `backup`, and tells its file.
fn outcome_of(site: &Site, backup: &str, change: impl FnOnce(&mut RunOutcome)) -> PathBuf {
    let cluster: ClusterName = "main".parse().unwrap();
    let backups = site.path("backups");
    let read = |file: PathBuf| std::fs::read(file).unwrap();
    let descriptor = Descriptor::from_bytes(&read(backups.join("pgkeep.json"))).unwrap();
    let host = String::from_utf8(read(site.path("host.key"))).unwrap();
    let host = HostKey::from_secret_text(&host).unwrap();
    let envelope = |name, kind| Envelope {
        repository: descriptor.id,
        name,
        kind,
    };
    let writers = [host.signer.verifying_key()];

    let name = names::backup(&cluster, &backup.parse().unwrap(), BackupPart::Backup).unwrap();
    let record = read(backups.join(name.as_str()));
    let record = envelope(&name, RecordKind::Backup).read(&record, &writers);
    let record: BackupRecord = record.unwrap().clear().unwrap();
    let name = names::run(&cluster, &record.run, RunRecord::Outcome).unwrap();
    let file = backups.join(name.as_str());
    let envelope = envelope(&name, RecordKind::Outcome);
    let outcome = envelope.read(&read(file.clone()), &writers).unwrap();
    let mut outcome: RunOutcome = outcome.clear().unwrap();
    change(&mut outcome);
    let errors = RunErrors::default().to_json().unwrap();
    let hidden = Some((errors.as_slice(), &Seal::Open));
    let bytes = envelope.write(&outcome, hidden, &host.signer).unwrap();
    std::fs::write(&file, bytes).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_its_own_run_calls_failed_is_none() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    outcome_of(&site, &newer, |outcome| {
        outcome.outcome = Outcome::Failed;
        outcome.backups[0].outcome = Outcome::Failed;
    });
    assert_eq!(site.good().await, std::slice::from_ref(&older));
    let listed = script(&site, &["backups", "--list"]).await.ended(0).stdout;
    assert!(listed.contains(&older) && !listed.contains(&newer));
    script(&site, &into("newest.dump", None))
        .await
        .ended(0)
        .says(&[&older]);
    script(&site, &into("x.dump", Some(&newer)))
        .await
        .ended(1)
        .says(&[&newer, "its run says that it failed"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_verified_is_told() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, _, newer) = two_backups(&cluster).await;
    let outcome = outcome_of(&site, &newer, |_| {});
    let mut bytes = std::fs::read(&outcome).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&outcome, bytes).unwrap();
    assert!(site.good().await.contains(&newer));
    script(&site, &into("newest.dump", None))
        .await
        .ended(0)
        .says(&["warning", "/outcome", &newer]);
    cluster.stop().await;
}

/// A day, and some.
const DAY: SignedDuration = SignedDuration::from_hours(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_by_date_is_not_taken_unasked_where_another_one_refers_to_it() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, first, mut later) = two_backups(&cluster).await;
    for _ in 0..2 {
        redate(&site, &later, -DAY);
        script(&site, &into("x.dump", None)).await.ended(1).says(&[
            &later,
            "was made after",
            &first,
            "--backup ID",
        ]);
        assert!(!site.path("x.dump").exists());
        // Compared with that one.
        later = site.back_up("postgres").await;
    }
    script(&site, &into("named.dump", Some(&first)))
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_the_storage_has_another_one_later_but_as_far_as_clocks_differ() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    let first = site.back_up("postgres").await;
    let whole = ["backup", "--database", "postgres", "--whole"];
    site.run(&whole).await.ended(0);
    let second = site.good().await.into_iter().find(|id| *id != first);
    let second = second.unwrap();
    let minute = SignedDuration::from_mins(1);
    for (dated, stored, refused) in [
        (DAY, DAY * 2, true),
        (minute * 9, DAY, false),
        (DAY, minute * 9, false),
    ] {
        redate(&site, &second, -dated);
        store_later(&site, &second, stored);
        let ran = script(&site, &into("-", None)).await;
        match refused {
            true => ran
                .ended(1)
                .says(&[&second, "was made after", &first, "--backup ID"]),
            false => ran.ended(0).says(&["restored", &first]),
        };
        redate(&site, &second, dated);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_copy_that_was_made_in_another_order_the_newest_is_taken() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    redate(&site, &older, -DAY);
    store_later(&site, &older, DAY);
    script(&site, &into("newest.dump", None))
        .await
        .ended(0)
        .says(&[&newer]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_says_of_a_deleted_backup_brings_it_not_back() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    let record = site.path(&format!("backups/main/backups/{newer}/backup"));
    let bytes = std::fs::read(&record).unwrap();
    site.run(&["prune", "--id", &newer, "--yes"]).await.ended(0);
    // As a storage that brings back what was deleted.
    std::fs::create_dir_all(record.parent().unwrap()).unwrap();
    std::fs::write(&record, bytes).unwrap();
    assert_eq!(site.list().await.len(), 1);
    outcome_of(&site, &older, |outcome| {
        let mut failed = outcome.backups[0].clone();
        failed.id = newer.parse().unwrap();
        failed.outcome = Outcome::Failed;
        outcome.backups.push(failed);
    });
    assert_eq!(site.list().await.len(), 1);
    assert_eq!(site.good().await, [older]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_older_one_is_taken_where_the_newest_has_lost_its_record_and_a_killed_run_is_none() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let (site, older, newer) = two_backups(&cluster).await;
    let backups = site.path("backups/main/backups");
    let runs = site.path("backups/main/runs");
    let outcomes = || {
        let runs = std::fs::read_dir(&runs).unwrap();
        runs.map(|run| run.unwrap().path().join("outcome"))
    };
    std::fs::remove_file(backups.join(&newer).join("backup")).unwrap();
    // Its run calls it complete; then nothing tells of it; then its run has no end.
    let refused = async || {
        let ran = script(&site, &into("-", None)).await;
        ran.ended(1).says(&[&newer, "--backup ID"]);
        script(&site, &["backups", "--list"])
            .await
            .ended(1)
            .says(&[&newer]);
    };
    refused().await;
    // So it does where nothing at all is left of the backup.
    let (place, aside) = (backups.join(&newer), site.path("aside"));
    std::fs::rename(&place, &aside).unwrap();
    refused().await;
    std::fs::rename(&aside, &place).unwrap();
    let away = site.path("runs.away");
    std::fs::rename(&runs, &away).unwrap();
    refused().await;
    std::fs::rename(&away, &runs).unwrap();
    for outcome in outcomes() {
        std::fs::remove_file(outcome).unwrap();
    }
    script(&site, &into("older.dump", None))
        .await
        .ended(0)
        .says(&["restored", &older]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_object_is_not_read_beyond_what_it_may_have() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let file = site.path("backups/pgkeep.json");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.splice(0..0, vec![b' '; 65_536]);
    std::fs::write(&file, bytes).unwrap();
    script(&site, &["backups", "--list"])
        .await
        .ended(1)
        .says(&["pgkeep.json: more than 65536 bytes"]);
    cluster.stop().await;
}

/// What the script makes of `$1`, a file, where that is one frame of zstd.
const DECOMPRESS: &str = "import runpy, sys\n\
     of = runpy.run_path(sys.argv[1], run_name='script')\n\
     try: sys.stdout.buffer.write(of['decompressed'](sys.stdin.buffer.read(), 1 << 20, 'x'))\n\
     except of['Refused'] as error: sys.exit(str(error))";

#[test]
fn what_was_compressed_is_one_frame_with_a_checksum_and_nothing_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    let decompressed = |made: &str| {
        let piped = format!(
            "set -e; cd '{place}'; zstd() {{ command zstd -q -c \"$@\"; }}\n\
             ({made}) > stored\n python3 -c \"$0\" \"$1\" < stored"
        );
        let ran = std::process::Command::new("bash")
            .args(["-c", &piped, DECOMPRESS, SCRIPT])
            .output()
            .unwrap();
        let problem = String::from_utf8(ran.stderr).unwrap();
        if ran.status.success() {
            Ok(ran.stdout)
        } else {
            Err(problem)
        }
    };
    let noise: Vec<u8> = (0..300_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for (what, bytes) in [
        ("empty", &b""[..]),
        ("small", b"abc"),
        ("zeros", &[0; 400_000]),
        ("noise", &noise[..900_000]),
    ] {
        std::fs::write(folder.path().join(what), bytes).unwrap();
        assert_eq!(
            decompressed(&format!("zstd {what}")).as_deref(),
            Ok(bytes),
            "{what}"
        );
        // Without its size in its header.
        assert_eq!(
            decompressed(&format!("zstd < {what}")).as_deref(),
            Ok(bytes),
            "{what}"
        );
    }
    for refused in [
        "zstd small; zstd small",
        "zstd small; printf x",
        r"zstd small; printf '\x50\x2a\x4d\x18\x01\0\0\0x'",
        "zstd --no-check small",
        "zstd noise | head -c 100000",
        "zstd small | head -c -1",
        "printf 'nothing of zstd'",
        ":",
    ] {
        let problem = decompressed(refused).unwrap_err();
        assert!(
            problem.contains("is not one zstd frame"),
            "{refused}: {problem}"
        );
    }
}
