//! A database that was dumped and restored is the database that it was.

use pgkeep_postgres::client::{
    DatabaseFacts, ExportedSnapshot, apply_properties, create_database, finish,
};
use pgkeep_postgres::tools::{PgDump, PgRestore};
use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::io::copy;

use crate::facts_of;

/// Added to a name; taken away again, the dumps must not differ.
const SUFFIX: &str = "_restored";

async fn restore_beside(cluster: &Cluster, database: &str) -> String {
    let tools = cluster.major().tools().await;
    let source = cluster.connection(database);
    let snapshot = ExportedSnapshot::open(cluster.connect(database).await)
        .await
        .unwrap();
    let facts = DatabaseFacts::read(&snapshot).await.unwrap();
    let mut dump = PgDump::new(&tools, &source)
        .snapshot(snapshot.id())
        .spawn()
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut archive = tokio::fs::File::create(file.path()).await.unwrap();
    copy(&mut dump.take_stdout().unwrap(), &mut archive)
        .await
        .unwrap();
    archive.sync_all().await.unwrap();
    dump.wait().await.unwrap();
    snapshot.close().await.unwrap();

    let name = format!("{database}{SUFFIX}");
    let admin = cluster.connect("postgres").await;
    create_database(&admin, &name, &facts).await.unwrap();
    apply_properties(&admin, &name, &facts).await.unwrap();
    let target = cluster.connection(&name);
    let mut restore = PgRestore::new(&tools, &target).spawn().unwrap();
    let mut stdin = restore.take_stdin().unwrap();
    let mut archive = tokio::fs::File::open(file.path()).await.unwrap();
    let written = copy(&mut archive, &mut stdin).await;
    drop(stdin);
    restore.wait().await.unwrap();
    written.unwrap();
    finish(&admin, &name, &facts).await.unwrap();
    name
}

async fn the_zoo_comes_back(major: Major) {
    let cluster = Cluster::start(major).await;
    for database in cluster.load_zoo().await {
        let restored = restore_beside(&cluster, database).await;
        let before = cluster.pg_dump_c(database).await;
        let after = cluster.pg_dump_c(&restored).await;
        assert_eq_lines(&before, &after.replace(SUFFIX, ""), database);

        let before = facts_of(&cluster, database).await;
        let after = facts_of(&cluster, &restored).await;
        assert_eq!(after.name, restored);
        let comparable = DatabaseFacts {
            name: before.name.clone(),
            size_bytes: before.size_bytes,
            ..after
        };
        assert_eq!(comparable, before);
    }
    cluster.stop().await;
}

/// Two dumps are megabytes: the first lines that differ are told.
fn assert_eq_lines(before: &str, after: &str, database: &str) {
    assert!(before.len() > 500, "{before}");
    if before != after {
        let pairs = before.lines().zip(after.lines());
        let (line, (old, new)) = (1..)
            .zip(pairs)
            .find(|(_, (old, new))| old != new)
            .expect("one dump is the beginning of the other");
        panic!("{database}, line {line}:\n before: {old}\n after:  {new}");
    }
}

#[tokio::test]
async fn all_of_the_zoo_comes_back_on_15() {
    the_zoo_comes_back(Major::Fifteen).await;
}

#[tokio::test]
async fn what_there_is_of_the_zoo_comes_back_on_16() {
    the_zoo_comes_back(Major::Sixteen).await;
}

#[tokio::test]
async fn what_there_is_of_the_zoo_comes_back_on_18() {
    the_zoo_comes_back(Major::Eighteen).await;
}
