//! Against real servers: connections, facts, tools, throwaway servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod archive;
mod backup_role;
mod connections;
mod creating;
mod facts;
mod servers;
mod there_and_back;
mod throwaway;
mod tls;
mod tools;

use pgkeep_postgres::client::{DatabaseFacts, ExportedSnapshot};
use pgkeep_testkit::cluster::Cluster;

/// The facts of a database, read in a snapshot of their own.
async fn facts_of(cluster: &Cluster, database: &str) -> DatabaseFacts {
    let session = cluster.connect(database).await;
    let snapshot = ExportedSnapshot::open(session).await.unwrap();
    let facts = DatabaseFacts::read(&snapshot).await.unwrap();
    snapshot.close().await.unwrap();
    facts
}
