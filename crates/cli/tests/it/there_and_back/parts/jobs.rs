//! Several sessions fill a database by way of scratch space.

use pgkeep_testkit::cluster::Major;
use tokio::process::Child;

use super::{orders, source};
use crate::contents::with_program;
use crate::site::{ended, restore, until};

const TO: [&str; 6] = ["--database", "app", "--as", "new", "--jobs", "2"];

/// Asks a command to stop, as Ctrl-C does.
pub(crate) fn interrupt(running: &Child) {
    let process = rustix::process::Pid::from_raw(running.id().unwrap().try_into().unwrap());
    rustix::process::kill_process(process.unwrap(), rustix::process::Signal::INT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sessions_restore_all_or_a_part_and_leave_nothing_in_the_scratch_space() {
    for major in Major::ALL {
        let (cluster, site) = source(major).await;
        std::fs::create_dir(site.path("scratch")).unwrap();
        let to = [&TO[..], &["--scratch", "scratch"]].concat();
        let plan = site
            .run(&restore(&[&to[..], &["--dry-run"]].concat()))
            .await;
        let words = format!(
            "2 jobs, by way of scratch space in {}",
            site.path("scratch").display()
        );
        assert!(plan.stdout.contains(&words), "{plan:?}");
        site.run(&restore(&to)).await.ended(0);
        assert_eq!(orders(&cluster, "new").await, orders(&cluster, "app").await);
        let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f'";
        assert_eq!(cluster.psql("new", keys).await, "3\n");

        cluster.psql("postgres", "DROP DATABASE new").await;
        let part = [&to[..], &["--table", "sales.orders"]].concat();
        site.run(&restore(&part)).await.ended(0);
        assert_eq!(orders(&cluster, "new").await, orders(&cluster, "app").await);
        assert_eq!(std::fs::read_dir(site.path("scratch")).unwrap().count(), 0);
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sessions_than_can_be_had_are_told_before_anything_is_touched() {
    let (cluster, site) = source(Major::Fifteen).await;
    let to = ["--database", "app", "--as", "new"];
    for (jobs, code) in [("0", 2), ("65", 2), ("64", 1)] {
        let more = ["--jobs", jobs, "--dry-run"];
        let ran = site.run(&restore(&[&to[..], &more].concat())).await;
        let ran = ran.ended(code);
        match code {
            2 => ran.says(&["a number from 1 to 64"]),
            _ => ran.says(&["more just now, and 64 jobs take as many", "--jobs "]),
        };
    }
    let backup = ["backup", "--jobs", "65"];
    site.run(&backup).await.ended(2).says(&["from 1 to 64"]);
    // A role's own limit, of which its sessions that are open take their part.
    let server = crate::site::socket_of(&cluster);
    let maker = "CREATE ROLE maker LOGIN CREATEDB CONNECTION LIMIT 3";
    cluster.psql("postgres", maker).await;
    let user = format!("user='{}'", cluster.connection("postgres").user());
    let by_maker = server.replace(&user, "user=maker");
    let into = ["--into", by_maker.as_str(), "--no-owner", "--no-privileges"];
    let more = [&to[..], &into, &["--dry-run", "--jobs", "3"]].concat();
    let told = [
        "role \"maker\" can have 2 sessions more just now",
        "--jobs 2 or fewer",
    ];
    site.run(&restore(&more)).await.ended(1).says(&told);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scratch_space_that_cannot_be_had_is_told_before_anything_is_touched() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    site.set("TMPDIR", site.path("nowhere"));
    let nowhere = format!(
        "scratch space in {} cannot be used",
        site.path("nowhere").display()
    );
    let dry = [&TO[..], &["--dry-run"]].concat();
    for arguments in [&TO[..], &dry] {
        let ran = site.run(&restore(arguments)).await.ended(1);
        ran.says(&[&nowhere, "--scratch DIR"]);
    }
    let databases = cluster
        .psql("postgres", "SELECT datname FROM pg_database")
        .await;
    assert!(!databases.contains("new"), "{databases}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_before_anything_is_made() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let witness = site.path("witness");
    let script = format!("touch {}", witness.display());
    with_program(&mut site, "pg_restore", &script);
    for pack in site.repository_files() {
        if pack.display().to_string().contains("packs/") {
            let mut bytes = std::fs::read(&pack).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::remove_file(&pack).unwrap();
            std::fs::write(&pack, bytes).unwrap();
        }
    }
    std::fs::create_dir(site.path("scratch")).unwrap();
    let to = [&TO[..], &["--scratch", "scratch"]].concat();
    site.run(&restore(&to))
        .await
        .ended(1)
        .says(&["cannot read backup"]);
    assert!(!witness.exists());
    assert_eq!(std::fs::read_dir(site.path("scratch")).unwrap().count(), 0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_asked_to_stop_leaves_no_database_and_no_scratch_space() {
    let (cluster, mut site) = source(Major::Fifteen).await;
    let real = Major::Fifteen.programs().display().to_string();
    // In the middle of it: the archive is there, and a session is in the database.
    let script = format!("exec {real}/psql -qc 'SELECT pg_sleep(60)'");
    with_program(&mut site, "pg_restore", &script);
    std::fs::create_dir(site.path("scratch")).unwrap();
    let to = [&TO[..], &["--scratch", "scratch"]].concat();
    let running = site.start(&restore(&to));
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' \
                    AND pid <> pg_backend_pid()";
    until("a session that fills the database", async || {
        cluster.psql("postgres", sleeping).await.trim() == "1"
    })
    .await;
    interrupt(&running);
    ended(running)
        .await
        .ended(130)
        .says(&["\"new\"", "interrupted"]);
    let databases = cluster
        .psql("postgres", "SELECT datname FROM pg_database")
        .await;
    assert!(!databases.contains("new"), "{databases}");
    assert_eq!(std::fs::read_dir(site.path("scratch")).unwrap().count(), 0);
    cluster.stop().await;
}
