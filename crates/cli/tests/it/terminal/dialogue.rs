//! `pgkeep init` with somebody at its terminal: it asks, and makes nothing before the last
//! answer.

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;
use crate::terminal::{screen, watched};

const INIT: [&str; 1] = ["init"];
/// What Ctrl-C and Ctrl-D type.
const STOP: &str = "\u{3}";
const END: &str = "\u{4}";
/// What every question ends with, in their order.
const QUESTIONS: [&str; 7] = [
    "pairs [1]: ",
    "called? [main]: ",
    "to be? [",
    "has nothing? [Y/n] ",
    "passphrase? [file]: ",
    "file? [",
    "all this? [Y/n] ",
];

/// An empty home of somebody whose variables lead to a server.
fn home(cluster: &Cluster) -> Site {
    let mut site = Site::empty();
    let connection = cluster.connection("postgres");
    site.set("PGHOST", connection.socket_directory().expect("a socket"));
    site.set("PGPORT", connection.port().to_string());
    site.set("PGUSER", connection.user());
    site
}

fn files(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.home.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_at_every_question_makes_what_a_backup_needs() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = home(&cluster);
    let steps = QUESTIONS.map(|question| (question, "\n"));
    let ran = watched(&site, 80, &steps, &INIT).await.ended(0);
    for told in [
        "PostgreSQL 15.",
        "postgres (",
        "pg_dump on this machine: ",
        "pgkeep doctor",
        "pgkeep kit",
        "0 3 * * *",
    ] {
        assert!(ran.stdout.contains(told), "{told:?} is not in {ran:#?}");
    }
    let made = ["backups", "host.key", "pgkeep.toml", "recovery.key"];
    assert_eq!(files(&site), made);
    // What led there is written down: cron has no such variables.
    for variable in ["PGHOST", "PGPORT", "PGUSER"] {
        site.set(variable, "");
    }
    site.back_up("postgres").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_has_the_connection_is_not_asked_for() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::empty();
    let port = cluster.tcp_connection("postgres").port();
    let server = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let escaped = Cluster::PASSWORD.replace('\\', "\\\\");
    let url = format!("{server} password='{escaped}'");
    site.set("PGKEEP_DATABASE_URL", url);
    let steps: Vec<_> = QUESTIONS[1..].iter().map(|q| (*q, "\n")).collect();
    let ran = watched(&site, 80, &steps, &INIT).await.ended(0);
    assert!(ran.stdout.contains("PostgreSQL 15."), "{ran:#?}");
    let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    assert!(
        config.contains(&format!("connection = {server:?}")),
        "{config}"
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_keeps_to_the_terminal() {
    let cluster = Cluster::start(Major::Fifteen).await;
    for name in ["first", "second", "third", "fourth", "fifth"] {
        let create = format!("CREATE DATABASE a_database_called_{name}");
        cluster.psql("postgres", &create).await;
    }
    let site = home(&cluster);
    let ran = watched(&site, 40, &[(QUESTIONS[0], STOP)], &INIT)
        .await
        .ended(130);
    for line in screen(&ran.stdout) {
        // A connection is one word to whoever copies it.
        let is_free = !line.contains("host=");
        assert!(!is_free || line.chars().count() <= 40, "{line:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_told_and_asked_again() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = home(&cluster);
    let words = "correct horse battery\n";
    let steps = [
        (QUESTIONS[0], "99\n"),
        (
            "none of that number",
            "postgres://me:hunter2@localhost/app\n",
        ),
        ("~/.pgpass", "nonsense=1\n"),
        ("error:", "host=/nowhere dbname=app\n"),
        ("all the same, and mend that later? [y/N] ", "\n"),
        (QUESTIONS[0], "1\n"),
        (QUESTIONS[1], "No Name\n"),
        (QUESTIONS[1], "shop\n"),
        (QUESTIONS[2], "ftp://host/x\n"),
        (QUESTIONS[2], "~/there\n"),
        (QUESTIONS[3], "what\n"),
        (QUESTIONS[3], "y\n"),
        (QUESTIONS[4], "neither\n"),
        (QUESTIONS[4], "p\n"),
        (QUESTIONS[6], "y\n"),
        ("best: ", "short\n"),
        ("best: ", words),
        ("again: ", words),
    ];
    let ran = watched(&site, 80, &steps, &INIT).await.ended(0);
    assert_eq!(files(&site), ["host.key", "pgkeep.toml", "there"]);
    let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    assert!(config.contains("[cluster.shop]"), "{config}");
    assert!(!config.contains("hunter2"), "{config}");
    assert!(!ran.stdout.contains("correct horse"), "{ran:#?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_at_a_question_finds_all_as_it_was() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = home(&cluster);
    for last in 0..QUESTIONS.len() {
        let mut steps = QUESTIONS.map(|question| (question, "\n"));
        steps[last].1 = STOP;
        let ran = watched(&site, 80, &steps, &INIT).await.ended(130);
        let left = screen(&ran.stdout);
        let told = "error: init was interrupted; nothing was made";
        assert!(left.iter().any(|line| line == told), "{left:#?}");
        assert!(files(&site).is_empty(), "{last}: {:?}", files(&site));
    }
    for end in [END, "n\n"] {
        let mut steps = QUESTIONS.map(|question| (question, "\n"));
        steps[6].1 = end;
        let ran = watched(&site, 80, &steps, &INIT).await.ended(1);
        assert!(ran.stdout.contains("nothing was changed"), "{ran:#?}");
        assert!(files(&site).is_empty(), "{:?}", files(&site));
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_that_an_argument_has_said_or_where_nobody_is() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = home(&cluster);
    // Nobody is there, or nobody wants to be asked.
    let ran = site.run(&INIT).await.ended(2).says(&["--repository"]);
    assert!(!ran.stderr.contains(QUESTIONS[0]), "{ran:#?}");
    let ran = watched(&site, 80, &[], &["init", "--yes"]).await.ended(2);
    assert!(ran.stdout.contains("--repository"), "{ran:#?}");
    assert!(files(&site).is_empty());
    // A place is all that has no default.
    let said = ["init", "--repository", "first"];
    watched(&site, 80, &[], &said).await.ended(0);
    for made in ["pgkeep.toml", "host.key", "recovery.key"] {
        std::fs::remove_file(site.path(made)).unwrap();
    }
    let socket = crate::site::socket_of(&cluster);
    let said = [
        "init",
        "--connection",
        &socket,
        "--cluster",
        "shop",
        "--encryption",
        "none",
    ];
    let steps = [(QUESTIONS[2], "second\n"), (QUESTIONS[6], "\n")];
    let ran = watched(&site, 80, &steps, &said).await.ended(0);
    for question in [0, 1, 3, 4, 5] {
        assert!(!ran.stdout.contains(QUESTIONS[question]), "{ran:#?}");
    }
    cluster.stop().await;
}
