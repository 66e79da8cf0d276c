//! `pgkeep prune`: what goes, what is refused, and what stays.

use std::time::{Duration, SystemTime};

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::kills::wait_for_session;
use crate::site::{PROGRAM, Site, ended, restore};
use crate::terminal::typed;

/// A cluster with a database of some megabytes, in tables that do not change.
async fn cluster_with_app() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE a AS SELECT n, md5(n::text) AS noise \
                FROM generate_series(1, 60000) AS n; \
                CREATE TABLE b (n int)";
    cluster.psql("app", fill).await;
    cluster
}

/// The archive of a backup, as a restore writes it.
async fn archive(site: &Site, id: &str, file: &str) -> Vec<u8> {
    let arguments = restore(&["--backup", id, "--to-file", file]);
    site.run(&arguments).await.ended(0);
    std::fs::read(site.path(file)).unwrap()
}

/// Lets time pass for the repository's objects.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the directory's storage"
)]
fn age(site: &Site, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    for path in site.repository_files() {
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(then).unwrap();
    }
}

/// What has become of each backup, as it is listed.
async fn statuses(site: &Site) -> Vec<String> {
    let listed = site.list().await;
    let status = |line: &serde_json::Value| line["status"].as_str().unwrap().to_owned();
    listed.iter().map(status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_in_the_middle_goes_and_the_others_stay_whole() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let mut ids = Vec::new();
    for n in 0..3 {
        // Each has something new, which the later ones refer to.
        let more = format!(
            "CREATE TABLE c{n} AS SELECT n, md5((n + {n})::text) AS noise \
             FROM generate_series(1, 40000) AS n"
        );
        cluster.psql("app", &more).await;
        ids.push(site.back_up("app").await);
    }
    let first = archive(&site, &ids[0], "first").await;
    let third = archive(&site, &ids[2], "third").await;
    let short = ids[1].rsplit('-').next().unwrap();

    let before = site.repository_files();
    let told = site.run(&["prune", "--id", short, "--dry-run"]).await;
    let told = told.ended(0).stdout;
    for words in [
        &ids[1],
        "dump of database app",
        "later backups refer to them",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    assert_eq!(site.repository_files(), before);

    let told = site.run(&["prune", "--id", short, "--yes"]).await;
    assert!(told.ended(0).stdout.contains("deleted "));
    assert_eq!(site.good().await, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(archive(&site, &ids[0], "first again").await, first);
    assert_eq!(archive(&site, &ids[2], "third again").await, third);

    for command in [
        &["show", &ids[1]][..],
        &restore(&["--backup", &ids[1], "--to-file", "x"]),
    ] {
        site.run(command).await.ended(4).says(&[
            &ids[1],
            "was deleted at",
            "it was chosen by its id",
        ]);
    }
    // Once more is no failure, and nothing is left to do.
    let again = site.run(&["prune", "--id", short, "--yes", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&again.ended(0).stdout).unwrap();
    assert_eq!(
        (&report["version"], &report["objects"]),
        (&1.into(), &0.into())
    );
    let fourth = site.back_up("app").await;
    assert_eq!(site.good().await.last(), Some(&fourth));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_that_nobody_said_yes_to() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    site.run(&["prune", "--id", &id]).await.ended(2).says(&[
        "the only good one of database \"postgres\"",
        "nobody is there to answer",
        "--yes",
    ]);
    let ran = typed(&site, &["n"], PROGRAM, &["prune", "--id", &id]).await;
    let ran = ran.ended(1);
    assert!(ran.stdout.contains("nothing was changed"), "{ran:#?}");
    site.run(&["prune", "--id", "1999", "--yes"])
        .await
        .ended(4)
        .says(&["found no backup \"1999\""]);
    assert_eq!(site.good().await, std::slice::from_ref(&id));

    std::fs::rename(site.path("host.key"), site.path("elsewhere")).unwrap();
    let ran = site.run(&["prune", "--id", &id, "--yes"]).await.ended(1);
    ran.says(&["host.key"]);
    std::fs::rename(site.path("elsewhere"), site.path("host.key")).unwrap();
    assert_eq!(site.good().await, std::slice::from_ref(&id));

    typed(&site, &["y"], PROGRAM, &["prune", "--id", &id])
        .await
        .ended(0);
    assert!(site.good().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_backup_left_goes_after_a_day_and_not_before() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let whole = site.back_up("app").await;
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.b IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut running = site.start(&["backup", "--database", "app"]);
    wait_for_session(&cluster, "app", "pg_dump").await;
    running.start_kill().unwrap();
    ended(running).await;
    lock.batch("ROLLBACK").await.unwrap();
    assert_eq!(statuses(&site).await, ["complete", "running"]);

    // A pack that it had begun to write.
    let listed = site.list().await;
    let killed = listed[1]["id"].as_str().unwrap();
    let packs = site.path(&format!("backups/main/backups/{killed}/packs"));
    std::fs::create_dir_all(&packs).unwrap();
    std::fs::write(packs.join("0"), [0; 4096]).unwrap();

    age(&site, 23);
    assert_eq!(statuses(&site).await, ["complete", "abandoned"]);
    let listed = site.run(&["list"]).await.ended(0).stdout;
    assert!(listed.contains("no sign of life since"), "{listed}");
    let told = site.run(&["prune"]).await.ended(0).stdout;
    assert!(told.contains("there is nothing to delete"), "{told}");
    assert!(packs.join("0").exists());

    age(&site, 25);
    let told = site.run(&["prune"]).await.ended(0).stdout;
    assert!(
        told.contains("taken for dead") && told.contains("cut off"),
        "{told}"
    );
    assert!(!packs.join("0").exists());
    // That it was tried stays known.
    assert_eq!(statuses(&site).await, ["complete", "abandoned"]);
    assert_eq!(site.good().await, std::slice::from_ref(&whole));
    archive(&site, &whole, "whole").await;
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_backup_in_half_a_copy_stays_until_it_is_given_up_by_its_id() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let older = site.back_up("app").await;
    let id = site.back_up("app").await;
    let main = site.path("backups/main");
    std::fs::remove_dir_all(main.join("runs")).unwrap();
    std::fs::remove_file(main.join("backups").join(&id).join("backup")).unwrap();
    age(&site, 24 * 200);
    let before = site.repository_files();
    site.run(&["prune"])
        .await
        .ended(1)
        .says(&[&id, &format!("prune --id {id}")]);
    assert_eq!(site.repository_files(), before);
    // No older one is taken in its place.
    let mut listed = statuses(&site).await;
    // Both may be of the same second.
    listed.sort();
    assert_eq!(listed, ["complete", "damaged"]);
    let ran = site.run(&["list"]).await.ended(1);
    assert!(
        format!("{}{}", ran.stdout, ran.stderr).contains(&id),
        "{ran:#?}"
    );
    let newest = ["--database", "app", "--to-file", "newest"];
    site.run(&restore(&newest)).await.ended(1).says(&[&id]);
    let doctor = site.run(&["doctor"]).await.ended(1);
    assert!(doctor.stdout.contains(&id), "{doctor:#?}");
    archive(&site, &older, "older").await;
    site.run(&["prune", "--id", &id, "--yes"]).await.ended(0);
    assert!(!main.join("backups").join(&id).exists());
    site.run(&["prune"]).await.ended(0);
    site.run(&["list"]).await.ended(0);
    site.run(&restore(&newest)).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_tombstone_is_junk_can_be_had_back_or_deleted() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("app").await;
    let tombstones = site.path("backups/main/tombstones");
    std::fs::create_dir_all(&tombstones).unwrap();
    std::fs::write(tombstones.join(&id), "junk").unwrap();
    site.run(&["list"])
        .await
        .ended(1)
        .says(&[&format!("remove main/tombstones/{id}"), "prune --id"]);
    // Without the junk it is what it was.
    std::fs::remove_file(tombstones.join(&id)).unwrap();
    assert_eq!(site.good().await, std::slice::from_ref(&id));
    std::fs::write(tombstones.join(&id), "junk").unwrap();
    site.run(&["prune", "--id", &id, "--yes"]).await.ended(0);
    assert!(site.good().await.is_empty());
    site.run(&["list"]).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fills_a_disk_goes_though_nothing_can_be_written_there() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    // The same repository, on a file system that a killed upload has filled.
    let script = format!(
        "mv backups copy; mkdir backups
         mount -t tmpfs -o size=4m,mode=700 tmpfs backups; cp -a copy/. backups/
         left=backups/main/backups/{id}/packs/.tmp-0123456789abcdef
         dd if=/dev/zero of=$left bs=4k 2>/dev/null || true
         mount -o remount,ro backups
         '{PROGRAM}' prune --dry-run
         mount -o remount,rw backups
         '{PROGRAM}' prune
         test ! -e $left
         '{PROGRAM}' prune --yes --id {id}"
    );
    let ran = ended(site.start_with_own_mounts(&script)).await.ended(0);
    let goes = "of writers that are gone";
    assert_eq!(ran.stdout.matches(goes).count(), 2);
    let told = "the newest object's time is taken for now";
    assert_eq!(ran.stderr.matches(told).count(), 2, "{ran:#?}");
    cluster.stop().await;
}
