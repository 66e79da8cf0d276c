//! Processes that are killed at the worst moments.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use pgkeep_testkit::SeededRandom;
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, ended, restore};

const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until a session of that program is in the database.
pub(crate) async fn wait_for_session(cluster: &Cluster, database: &str, program: &str) {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
         AND application_name LIKE '%{program}' AND wait_event_type = 'Lock'"
    );
    let deadline = Instant::now() + DEADLINE;
    while cluster.psql("postgres", &query).await.trim() == "0" {
        assert!(Instant::now() < deadline, "no session of {program}");
    }
}

async fn cluster_with_app(rows: u32) -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    // Noise, so that the packs grow with the dump.
    let fill = format!(
        "CREATE TABLE t AS SELECT n, md5(random()::text) || md5(random()::text) AS noise \
         FROM generate_series(1, {rows}) AS n"
    );
    cluster.psql("app", &fill).await;
    cluster
}

/// The processes whose parent is `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let of_parent = |pid: &u32| {
        let stat = stat(*pid).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(of_parent).collect()
}

pub(crate) fn signal(signal: &str, pid: u32) {
    let told = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(told.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn pg_dump_killed() {
    let cluster = cluster_with_app(1000).await;
    let site = Site::of(&cluster).await;
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let running = site.start(&["backup", "--database", "app"]);
    wait_for_session(&cluster, "app", "pg_dump").await;
    for child in children(running.id().unwrap()) {
        signal("-KILL", child);
    }
    ended(running).await.ended(1).says(&[
        "database \"app\"",
        "pg_dump 15",
        "was killed by SIGKILL",
    ]);
    assert!(site.good().await.is_empty());
    lock.batch("ROLLBACK").await.unwrap();
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_process_of_pg_dump_killed() {
    let cluster = cluster_with_app(1000).await;
    let site = Site::of(&cluster).await;
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let running = site.start(&["backup", "--database", "app"]);
    wait_for_session(&cluster, "app", "pg_dump").await;
    cluster.kill_backend_of("pg_dump").await;
    ended(running)
        .await
        .ended(1)
        .says(&["database \"app\"", "pg_dump"]);
    drop(lock);
    let deadline = Instant::now() + DEADLINE;
    while site.run(&["backup", "--database", "app"]).await.code() != 0 {
        assert!(Instant::now() < deadline, "the server does not come back");
    }
    assert_eq!(site.good().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pgkeep_killed() {
    let cluster = cluster_with_app(1000).await;
    let site = Site::of(&cluster).await;
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let running = site.start(&["backup", "--database", "app"]);
    wait_for_session(&cluster, "app", "pg_dump").await;
    signal("-KILL", running.id().unwrap());
    assert_eq!(ended(running).await.status.signal(), Some(9));
    let listed = site.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["status"], "running");
    assert!(listed[0].get("silent_since").is_none(), "{listed:?}");
    let id = listed[0]["id"].as_str().unwrap();
    site.run(&restore(&["--backup", id, "--as", "new"]))
        .await
        .ended(4)
        .says(&[id, "is not finished", "pgkeep list"]);
    lock.batch("ROLLBACK").await.unwrap();
    site.back_up("app").await;
    assert_eq!(site.good().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_cleanly() {
    for told in ["-INT", "-TERM", "-HUP"] {
        let cluster = cluster_with_app(1000).await;
        let site = Site::of(&cluster).await;
        let lock = cluster.connect("app").await;
        lock.batch("BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        let running = site.start(&["backup", "--database", "app"]);
        wait_for_session(&cluster, "app", "pg_dump").await;
        signal(told, running.id().unwrap());
        ended(running)
            .await
            .ended(130)
            .says(&["database \"app\" was interrupted"]);
        let listed = site.list().await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0]["status"], "failed");
        lock.batch("ROLLBACK").await.unwrap();
        site.back_up("app").await;
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_leaves_no_database() {
    let cluster = cluster_with_app(300_000).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let arguments = restore(&["--database", "app", "--as", "new"]);
    let running = site.start(&arguments);
    let deadline = Instant::now() + DEADLINE;
    let restoring = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'new%'";
    while cluster.psql("postgres", restoring).await.trim() == "0" {
        assert!(Instant::now() < deadline, "no restore");
    }
    signal("-INT", running.id().unwrap());
    ended(running).await.ended(130).says(&["interrupted"]);
    let there = cluster.psql(
        "postgres",
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'new%'",
    );
    assert_eq!(there.await.trim(), "0");
    cluster.stop().await;
}

/// What is killed, or loses what it needs.
#[derive(Clone, Copy, Debug)]
enum Victim {
    PgDump,
    Pgkeep,
    Backend,
}

/// How many bytes the repository's directory holds, litter too.
fn held(site: &Site) -> u64 {
    let size = |path: &Path| path.metadata().map_or(0, |meta| meta.len());
    site.repository_files().iter().map(|path| size(path)).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_seeded_kills_leave_whole_backups_or_none() {
    let seed = 20_261_120;
    let random = SeededRandom::new(seed);
    let cluster = cluster_with_app(500_000).await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    let whole = held(&site);
    let mut good = 1;
    for round in 0..10 {
        let victim = match random.below(3) {
            0 => Victim::PgDump,
            1 => Victim::Pgkeep,
            _ => Victim::Backend,
        };
        let threshold = held(&site) + random.below(whole);
        let what = format!("seed {seed}, round {round}: {victim:?} at {threshold} bytes");
        let mut running = site.start(&["backup", "--database", "app"]);
        let pid = running.id().unwrap();
        let deadline = Instant::now() + DEADLINE;
        while held(&site) < threshold && running.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{what}");
        }
        // It may have ended by itself meanwhile: then nothing is there to kill.
        match victim {
            Victim::Pgkeep => drop(running.start_kill()),
            Victim::PgDump => {
                for child in children(pid) {
                    let _ = std::process::Command::new("kill")
                        .args(["-KILL", &child.to_string()])
                        .status();
                }
            }
            Victim::Backend => {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE application_name LIKE '%pg_dump'";
                cluster.psql("postgres", end).await;
            }
        }
        let ran = ended(running).await;
        let listed = site.good().await;
        if ran.code() == 0 {
            good += 1;
        } else {
            assert!([1, 137].contains(&ran.code()), "{what}: {ran:?}");
        }
        // A kill between the commit and the program's end leaves a good backup
        // and no word of it.
        assert!(
            listed.len() == good || ran.code() == 137 && listed.len() == good + 1,
            "{what}: {ran:?}"
        );
        good = listed.len();
    }
    site.back_up("app").await;
    let expected = cluster.psql(
        "app",
        "SELECT count(*), md5(string_agg(t::text, '' ORDER BY n)) FROM t",
    );
    let expected = expected.await;
    for (number, id) in site.good().await.iter().enumerate() {
        let name = format!("restored_{number}");
        let arguments = restore(&["--backup", id, "--as", &name]);
        site.run(&arguments).await.ended(0);
        let found = cluster.psql(
            &name,
            "SELECT count(*), md5(string_agg(t::text, '' ORDER BY n)) FROM t",
        );
        assert_eq!(found.await, expected, "{id}");
        cluster
            .psql("postgres", &format!("DROP DATABASE {name}"))
            .await;
    }
    cluster.stop().await;
}
