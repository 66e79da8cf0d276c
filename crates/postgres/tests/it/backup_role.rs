//! The role that the SQL makes dumps what a superuser dumps, but for what is told,
//! and can change nothing.

use std::process::{Command, Output};

use pgkeep_postgres::client::{
    BackupRole, ConnectionParameters, Contents, DatabaseFacts, ExportedSnapshot, connect,
};
use pgkeep_postgres::tools::PgDump;
use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::io::AsyncReadExt as _;

const ROLE: &str = "back \"up\" it's";

async fn facts(connection: &ConnectionParameters) -> (DatabaseFacts, Contents) {
    let session = connect(connection).await.unwrap();
    let snapshot = ExportedSnapshot::open(session).await.unwrap();
    let facts = DatabaseFacts::read(&snapshot).await.unwrap();
    (facts, Contents::read(&snapshot).await.unwrap())
}

/// What pg_restore makes of a dump, line by line.
async fn script(cluster: &Cluster, connection: &ConnectionParameters) -> Vec<String> {
    let tools = cluster.major().tools().await;
    let mut dump = PgDump::new(&tools, connection).spawn().unwrap();
    let mut archive = Vec::new();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_to_end(&mut archive).await.unwrap();
    dump.wait().await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let made = Command::new(tools.program("pg_restore"))
        .arg("--file=-")
        .arg(file.path())
        .output();
    let Output { status, stdout, .. } = made.unwrap();
    assert!(status.success());
    let text = String::from_utf8_lossy(&stdout).into_owned();
    let lines = text.lines().filter(|line| {
        !line.contains("restrict ") && !line.starts_with("-- Started") && !line.contains(" on:")
    });
    lines.map(str::to_owned).collect()
}

/// Lines of a superuser's dump that the role's lacks, and the other way round.
fn differences<'a>(all: &'a [String], some: &'a [String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let lacking = |a: &'a [String], b: &[String]| {
        let lines = a.iter().filter(|line| !b.contains(line));
        lines
            .map(String::as_str)
            .filter(|line| !line.is_empty() && !line.starts_with("--"))
            .collect()
    };
    (lacking(all, some), lacking(some, all))
}

async fn holds(major: Major, as_version: u32) {
    let cluster = Cluster::start(major).await;
    let databases = cluster.load_zoo().await;
    let sql = BackupRole::new(as_version, ROLE, &databases).to_string();
    cluster.psql("postgres", &sql).await;
    // May be run again.
    cluster.psql("postgres", &sql).await;
    for database in databases {
        let superuser = cluster.connection(database);
        let role = superuser.with_user(ROLE);
        let (mut known, contents) = facts(&role).await;
        let unseen = std::mem::take(&mut known.not_dumped);
        let subscriptions = unseen.get("subscriptions").copied();
        assert_eq!(subscriptions, (database == "zoo").then_some(1));
        assert_eq!((known, contents), facts(&superuser).await, "{database}");
        let all = script(&cluster, &superuser).await;
        let seen = script(&cluster, &role).await;
        let (missing, added) = differences(&all, &seen);
        for line in &missing {
            let told = line.contains("SUBSCRIPTION")
                || line.contains("CONNECTION 'host=nowhere")
                || line.contains("USER MAPPING")
                || [
                    "    \"user\" 'somebody'",
                    "    \"user\" 'x'",
                    "    password",
                ]
                .iter()
                .any(|option| line.starts_with(option));
            assert!(told, "{database} lacks {line:?}: {missing:#?} {added:#?}");
        }
        let user_mapping = |line: &&str| line.contains("USER MAPPING");
        assert!(added.iter().all(user_mapping), "{database}: {added:#?}");
        let session = connect(&role).await.unwrap();
        for statement in [
            "CREATE TABLE public.mine ()",
            "CREATE SCHEMA mine",
            "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata",
            "CREATE ROLE another",
        ] {
            let done = session.batch(statement).await;
            let nothing_there = statement.contains("lo_unlink") && database != "zoo";
            // Before 15 everybody may make tables in "public".
            let public = statement.contains("public") && database != "zoo";
            assert!(done.is_err() || nothing_there || public, "{statement}");
        }
    }
    cluster.stop().await;
}

#[tokio::test]
async fn on_15_it_dumps_the_zoo_and_changes_nothing() {
    holds(Major::Fifteen, 15).await;
}

#[tokio::test]
async fn on_16_it_dumps_the_zoo_and_changes_nothing() {
    holds(Major::Sixteen, 16).await;
}

#[tokio::test]
async fn on_18_it_dumps_the_zoo_and_changes_nothing() {
    holds(Major::Eighteen, 18).await;
}

/// A server of 15 takes what is meant for 13, where there is no pg_read_all_data.
#[tokio::test]
async fn what_13_has_is_enough_without_the_predefined_role() {
    holds(Major::Fifteen, 13).await;
}

#[tokio::test]
async fn what_is_made_later_is_dumped_too_or_the_dump_fails() {
    for (major, as_version) in [
        (Major::Fifteen, 13),
        (Major::Fifteen, 15),
        (Major::Eighteen, 18),
    ] {
        let cluster = Cluster::start(major).await;
        let sql = BackupRole::new(as_version, ROLE, &["postgres"]).to_string();
        cluster.psql("postgres", &sql).await;
        let later = "CREATE SCHEMA later; CREATE TABLE later.t AS SELECT 4711 AS n; \
                     CREATE SEQUENCE later.s;";
        cluster.psql("postgres", later).await;
        let superuser = cluster.connection("postgres");
        let role = superuser.with_user(ROLE);
        let dumped = script(&cluster, &role).await;
        assert!(dumped.iter().any(|line| line == "4711"));

        cluster
            .psql("postgres", "SELECT lo_from_bytea(0, 'x')")
            .await;
        let tools = cluster.major().tools().await;
        let mut dump = PgDump::new(&tools, &role).spawn().unwrap();
        let mut stdout = dump.take_stdout().unwrap();
        tokio::io::copy(&mut stdout, &mut tokio::io::sink())
            .await
            .unwrap();
        let ended = dump.wait().await;
        assert_eq!(ended.is_ok(), as_version >= 18, "{ended:?}");
        // Then the same statements mend it.
        cluster.psql("postgres", &sql).await;
        assert!(!script(&cluster, &role).await.is_empty());
        cluster.stop().await;
    }
}
