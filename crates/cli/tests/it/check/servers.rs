//! What the server has, and what is out of reach.

use std::fs;
use std::net::TcpListener;

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::proxy::{Mishap, RequestProxy, Strike};
use pgkeep_testkit::s3::S3s;

use super::{hours_ago, says, shelf};
use crate::buckets::site_with;
use crate::keeping::shelf::{APP, Dump, Shelf};
use crate::site::{Site, socket_of};
use crate::unreachable::silent;

#[tokio::test(flavor = "multi_thread")]
async fn every_database_of_the_server_is_looked_at_new_ones_and_gone_ones_too() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let site = Site::of(&cluster).await;
    says(
        site.run(&["check"]).await,
        2,
        &["database \"app\" has no good backup; database \"postgres\" has no good backup"],
    );
    site.run(&["backup"]).await.ended(0);
    says(
        site.run(&["check"]).await,
        0,
        &[
            "main: OK: 2 databases, the oldest newest backup is ",
            "old, never proven\n",
            "  never proven, and nothing says that it should be: databases \"app\", \"postgres\"\n",
        ],
    );
    cluster
        .psql("postgres", "CREATE DATABASE \"new|one\"")
        .await;
    says(
        site.run(&["check"]).await,
        1,
        &["main: WARNING: database \"new|one\" has no backup yet"],
    );
    let line = site.run(&["check", "--format", "nagios"]).await;
    let line = says(
        line,
        1,
        &["PGKEEP WARNING: main: database \"new/one\" has no backup yet"],
    );
    let (_, numbers) = line.stdout.lines().next().unwrap().split_once('|').unwrap();
    assert!(
        numbers.contains(";93600;180000;0 'main.app.size'="),
        "{numbers}"
    );
    assert!(numbers.starts_with("'main.app.age'="), "{numbers}");
    assert!(numbers.contains("'main.free'="), "{numbers}");

    cluster.psql("postgres", "DROP DATABASE \"new|one\"").await;
    cluster.psql("postgres", "DROP DATABASE app").await;
    says(
        site.run(&["check"]).await,
        0,
        &[
            "main: OK: 1 database, its newest",
            "  gone from the server, and no fault: database \"app\"; backups are there\n",
        ],
    );
    // By its name it has to be there.
    let named = "\n[cluster.main.dump]\ndatabases = { include = [\"app\", \"postgres\"] }\n";
    let file = site.path("pgkeep.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{named}")).unwrap();
    says(
        site.run(&["check"]).await,
        1,
        &["database \"app\" is chosen by its name"],
    );
    fs::write(
        &file,
        format!("{text}{}", named.replace(", \"postgres\"", "")),
    )
    .unwrap();
    says(
        site.run(&["check"]).await,
        2,
        &["the server has no database that a backup is to be of"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_repository_that_cannot_be_reached_are_told_apart() {
    let shelf = Shelf::new("").await;
    shelf.app(1).await;
    let other = Dump {
        database: "shop",
        ..APP
    };
    shelf.dump(other, &hours_ago(&shelf.site, 30)).await;
    says(
        shelf.check(&[]).await,
        1,
        &[
            "main: WARNING: ",
            "database \"shop\" has had no good backup for 30 h",
            "the server cannot be asked, so this is judged by the repository alone",
            "cannot reach the PostgreSQL server /no:5432",
        ],
    );
    fs::rename(shelf.site.path("backups"), shelf.site.path("elsewhere")).unwrap();
    let ran = says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: the repository cannot be read, and nothing can be restored from it",
            "the server cannot be asked",
            "verdict: CRITICAL",
        ],
    );
    assert!(!ran.stdout.contains("has no good backup"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_repository_is_judged_by_itself_and_each_cluster_too() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(1).await;
    let file = shelf.site.path("pgkeep.toml");
    let text = fs::read_to_string(&file).unwrap();
    let both = format!("{text}\n[repository.offsite]\nurl = \"nowhere\"\n");
    fs::write(&file, &both).unwrap();
    says(
        shelf.check(&[]).await,
        2,
        &["main: CRITICAL: repository offsite: the repository cannot be read"],
    );
    // A second cluster, of which the repository has nothing.
    let more = "\n[cluster.other]\nconnection = \"host=/no\"\n";
    fs::write(&file, format!("{text}{more}")).unwrap();
    let ran = says(
        shelf.check(&[]).await,
        2,
        &[
            "main: OK: 1 database",
            "other: CRITICAL: there is no good backup at all",
            "verdict: CRITICAL",
        ],
    );
    assert!(ran.stdout.find("main:") < ran.stdout.find("other:"));
    says(shelf.check(&["main"]).await, 0, &["verdict: OK"]);
    let line = shelf.check(&["--format", "nagios"]).await;
    says(
        line,
        2,
        &[
            "PGKEEP CRITICAL: other: CRITICAL: there is no",
            " / main: OK: 1 database",
        ],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_only_watches_says_what_it_did_not_look_at() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(1).await;
    let mut watch = Site::empty();
    watch.set("PGKEEP_REPOSITORY", shelf.site.path("backups"));
    watch.set("PGKEEP_DATABASE_URL", socket_of(&cluster));
    watch.set("PGKEEP_CLUSTER_MAIN_DUMP_DATABASES_EXCLUDE", "postgres");
    says(
        watch.run(&["check"]).await,
        0,
        &[
            "main: OK: 1 database, its newest backup is 1 h old, never proven; not looked at: rows, \
         whether it is the right repository, whether this host may write\n",
            "  not looked at: rows of database \"app\": no key at hand opens the facts",
            "  not looked at: whether it is the right repository: no key file here knows it",
        ],
    );
    // Nothing was written.
    let before = shelf.site.repository_files();
    watch.run(&["check"]).await.ended(0);
    assert_eq!(shelf.site.repository_files(), before);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_connections_and_says_nothing_is_waited_for_no_longer_than_was_said() {
    let (_bucket, access) = silent();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let mut site = site_with(&access);
    site.set("PGKEEP_REPOSITORY", access.url("pg"));
    site.set("PGKEEP_DATABASE_URL", format!("postgres://u@{address}/x"));
    says(
        site.run(&["check", "--timeout", "1s"]).await,
        3,
        &[
            "main: UNKNOWN: the repository has not answered within 1 s (--timeout)",
            "the server cannot be asked",
            "has not answered within 1 s",
        ],
    );
    // Also where it has to be asked which clusters there are.
    let mut site = site_with(&access);
    site.set("PGKEEP_REPOSITORY", access.url("pg"));
    let ran = site.run(&["check", "--timeout", "1500ms"]).await.ended(3);
    ran.says(&["the repository has not answered within 1500 ms (--timeout)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_before_a_repository_became_too_slow_is_judged() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let bucket = S3s::start();
    let proxy = RequestProxy::start(&bucket.access().endpoint);
    let access = bucket.access().through(proxy.endpoint());
    let site = site_with(&access);
    let (url, connection) = (access.url("pg"), socket_of(&cluster));
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await.ended(0);
    site.back_up("postgres").await;
    proxy.arm(None);
    site.run(&["check"]).await.ended(0);
    // From the first facts on there is no answer.
    let requests = proxy.requests();
    let facts = requests.iter().position(|line| line.contains("/facts"));
    let strike = Strike {
        from: u64::try_from(facts.unwrap()).unwrap(),
        lasting: true,
        mishap: Mishap::Stall,
    };
    for (more, code, words) in [
        (&[][..], 3, "main: UNKNOWN: the repository has not answered"),
        (
            &["--max-age", "1ms"],
            2,
            "main: CRITICAL: database \"postgres\" has had no good backup for ",
        ),
    ] {
        proxy.arm(Some(strike));
        says(
            site.run(&[&["check", "--timeout", "10s"], more].concat())
                .await,
            code,
            &[
                words,
                "the repository has not answered within 10 s (--timeout)",
                "rows of database \"postgres\": the facts of the newest backup have not come in \
                 time",
            ],
        );
    }
    cluster.stop().await;
}
