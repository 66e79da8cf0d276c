//! Whoever sits at a terminal sees how far the work is; whoever reads a log sees lines.

use std::fs::OpenOptions;
use std::io::Write;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;
use crate::terminal::{screen, watched};

const BACKUP: [&str; 4] = ["backup", "main", "--database", "app"];
/// What Ctrl-C types.
const STOP: &str = "\u{3}";

/// A database that has about two megabytes, and a repository for it.
async fn world() -> (Cluster, Site) {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE orders AS \
                SELECT n, repeat(md5(n::text), 4) AS t FROM generate_series(1, 15000) n";
    cluster.psql("app", fill).await;
    let mut site = Site::of(&cluster).await;
    site.set("TERM", "xterm");
    (cluster, site)
}

fn set_rate(site: &Site, rate: &str) {
    let mut options = OpenOptions::new();
    let file = options.append(true).open(site.path("pgkeep.toml"));
    write!(
        file.unwrap(),
        "\n[cluster.main.dump]\nrate_limit = \"{rate}\"\n"
    )
    .unwrap();
}

/// So many columns that no line is broken.
const WIDE: u16 = 200;

/// The lines that stay, without their times.
fn kept(shown: &str) -> Vec<String> {
    let lines = screen(shown).into_iter().filter(|line| !line.is_empty());
    let words = lines.map(
        |line| match line.split_once("END ").or(line.split_once("START ")) {
            Some((_, words)) => words.trim().to_owned(),
            None => line,
        },
    );
    words.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_a_restore_show_how_far_they_are_and_leave_only_the_lines_that_stay() {
    let (cluster, site) = world().await;
    let ran = watched(&site, WIDE, &[], &BACKUP).await.ended(0);
    assert!(ran.stdout.contains("\u{1b}[?7l  app  "), "{ran:#?}");
    let kept_lines = kept(&ran.stdout);
    let [begun, globals, start, end] = kept_lines.as_slice() else {
        panic!("{kept_lines:#?}");
    };
    assert_eq!(begun, "globals");
    assert!(globals.starts_with("globals: complete"), "{globals:?}");
    assert!(start.starts_with("dump of \"app\" as"), "{start:?}");
    assert!(end.starts_with("dump of \"app\": complete"), "{end:?}");

    let restore = crate::site::restore(&["--database", "app", "--as", "again"]);
    let ran = watched(&site, WIDE, &[], &restore).await.ended(0);
    assert!(ran.stdout.contains("\u{1b}[?7l  again  "), "{ran:#?}");
    let kept_lines = kept(&ran.stdout);
    let [start, end, name] = kept_lines.as_slice() else {
        panic!("{kept_lines:#?}");
    };
    assert!(start.contains("into new database \"again\""), "{start:?}");
    assert!(end.starts_with("restore of \"app\": "), "{end:?}");
    assert_eq!(name, "again");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_a_backup_gets_the_terminal_back_clean() {
    let (cluster, site) = world().await;
    // It would take minutes.
    set_rate(&site, "10kB");
    let steps = [("rows of public.orders", STOP)];
    let ran = watched(&site, 80, &steps, &BACKUP).await.ended(130);
    let left = screen(&ran.stdout).join("\n");
    assert!(!left.contains("rows of") && !left.contains("^C"), "{left}");
    assert!(left.contains("FAILED"), "{left}");
    // The cursor was never hidden, and lines wrap again.
    assert!(!ran.stdout.contains("\u{1b}[?25l"), "{ran:#?}");
    let last = ran.stdout.rfind("\u{1b}[?7").expect("progress");
    assert!(ran.stdout[last..].starts_with("\u{1b}[?7h"), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_waits_for_a_lock_says_for_which() {
    let (cluster, site) = world().await;
    let lock = cluster.connect("app").await;
    lock.batch("BEGIN; LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let steps = [("waiting for a lock on public.orders", STOP)];
    let ran = watched(&site, 80, &steps, &BACKUP).await.ended(130);
    assert!(ran.stdout.contains("interrupted"), "{ran:#?}");
    assert!(site.good().await.is_empty());
    drop(lock);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_databases_have_a_line_each_and_one_for_all() {
    let (cluster, site) = world().await;
    let ran = watched(&site, WIDE, &[], &["backup", "--jobs", "2"]).await;
    let ran = ran.ended(0);
    assert!(ran.stdout.contains("of 2 databases done"), "{ran:#?}");
    for database in ["app", "postgres"] {
        let line = format!("\r\n  {database}  ");
        assert!(ran.stdout.contains(&line), "{ran:#?}");
    }
    assert_eq!(kept(&ran.stdout).len(), 6, "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_terminal_obeys_there_are_lines_alone() {
    let (cluster, mut site) = world().await;
    let ran = site.run(&BACKUP).await.ended(0);
    assert!(
        ran.stdout.is_empty() && !ran.stderr.contains('\u{1b}'),
        "{ran:#?}"
    );
    for term in ["dumb", ""] {
        site.set("TERM", term);
        let ran = watched(&site, WIDE, &[], &BACKUP).await.ended(0);
        assert!(!ran.stdout.contains('\u{1b}'), "{ran:#?}");
        assert_eq!(ran.stdout.matches("START").count(), 2, "{ran:#?}");
    }
    cluster.stop().await;
}
