//! A database that changes between backups, and while they are made.
//!
//! Invariants: what changes between backups is compared by a picture that was
//! taken meanwhile; what changes while one is made is right in itself, at every
//! commit: the log holds the numbers 1 to `state.n`, each with its hash. Commits
//! are durable as soon as they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pgkeep_postgres::client::{Connection, connect};
use pgkeep_testkit::SeededRandom;
use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::task::JoinHandle;

pub(super) const DATABASE: &str = "app";
const DEADLINE: Duration = Duration::from_secs(60);
const ROWS: u64 = 400_000;

const SCHEMA: &str = "
CREATE TABLE state (n bigint NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE log (n bigint PRIMARY KEY, noise text NOT NULL);
CREATE SEQUENCE ticket;
SELECT lo_from_bytea(0, decode(repeat('00ff', 40000), 'hex'));";

/// Every table but the two that are written to all the time, the large objects,
/// and the sequence.
const PICTURE: &str = "
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s t',
              oid::regclass, oid::regclass)
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  AND relname NOT IN ('state', 'log')
ORDER BY relname
\\gexec
SELECT 'large objects', count(*), md5(string_agg(md5(data), '' ORDER BY loid, pageno))
FROM pg_largeobject;
SELECT 'ticket', last_value, is_called FROM ticket";

/// The number that the log should have come to, and whether it has.
const LOG: &str = "
SELECT s.n, (SELECT count(*) = s.n AND coalesce(max(l.n), 0) = s.n
                    AND coalesce(bool_and(l.noise = md5(l.n::text)), true)
             FROM log l)
FROM state s";

/// How many other clients have a session.
const OTHERS: &str = "
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

const WRITE: &str = "
WITH next AS (UPDATE state SET n = n + 1 RETURNING n)
INSERT INTO log SELECT n, md5(n::text) FROM next";

/// A server with such a database.
pub(super) struct BusyDatabase {
    pub(super) cluster: Cluster,
    writer: Option<Writer>,
    made: u32,
}

/// Writes to the log until it is told to stop, or the server is gone.
struct Writer {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl BusyDatabase {
    pub(super) async fn start(random: &SeededRandom) -> Self {
        let majors = Major::ALL;
        let major = majors[usize::try_from(random.below(majors.len() as u64)).unwrap()];
        let cluster = Cluster::start(major).await;
        // The test's servers do not wait for their own log otherwise.
        let durable = "ALTER ROLE postgres SET synchronous_commit = on";
        cluster.psql("postgres", durable).await;
        let create = format!("CREATE DATABASE {DATABASE}");
        cluster.psql("postgres", &create).await;
        cluster.psql(DATABASE, SCHEMA).await;
        let salt = random.below(1 << 20);
        let bulk = format!(
            "CREATE TABLE bulk AS
             SELECT n, md5((n * 2 + {salt})::text) || md5((n * 3)::text) AS noise
             FROM generate_series(1, {ROWS}) AS n;
             ALTER TABLE bulk ADD PRIMARY KEY (n)"
        );
        cluster.psql(DATABASE, &bulk).await;
        Self {
            cluster,
            writer: None,
            made: 0,
        }
    }

    /// A session, or none while the server is not there.
    pub(super) async fn session(&self, database: &str) -> Option<Connection> {
        connect(&self.cluster.connection(database)).await.ok()
    }

    /// Waits until the server answers again, and has noticed who is gone: what a client
    /// had asked for before it died may be done after. Where the server was killed, starts
    /// it.
    pub(super) async fn recover(&mut self, killed: bool) {
        self.stop_writing().await;
        if killed {
            self.cluster.restart().await;
        }
        let deadline = Instant::now() + DEADLINE;
        while self.session(DATABASE).await.is_none() {
            assert!(Instant::now() < deadline, "the server does not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while self.cluster.psql("postgres", OTHERS).await.trim() != "0" {
            assert!(Instant::now() < deadline, "a session does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Changes what is only changed between backups.
    pub(super) async fn change(&mut self, random: &SeededRandom) {
        for _ in 0..=random.below(2) {
            let drawn = random.below(1 << 20);
            self.made += 1;
            let number = self.made;
            let change = match random.below(7) {
                0 => format!(
                    "INSERT INTO bulk SELECT (SELECT max(n) FROM bulk) + g, md5(g::text)
                     FROM generate_series(1, 1 + {drawn} % 2000) AS g"
                ),
                1 => format!("UPDATE bulk SET noise = md5(noise) WHERE n % 17 = {drawn} % 17"),
                2 => format!("DELETE FROM bulk WHERE n % 97 = {drawn} % 97"),
                3 => format!(
                    "CREATE TABLE extra_{number} AS
                     SELECT g AS id, md5((g * {drawn})::text) AS x FROM generate_series(1, 500) AS g"
                ),
                4 => format!("SELECT lo_from_bytea(0, convert_to(md5('{drawn}'), 'UTF8'))"),
                5 => format!("SELECT setval('ticket', {drawn} + 1)"),
                _ => format!("CREATE TABLE \"Empty {number}\" (a int, b text)"),
            };
            self.cluster.psql(DATABASE, &change).await;
        }
    }

    /// What a restored database must be equal in.
    pub(super) async fn picture(&self, database: &str) -> String {
        self.cluster.psql(database, PICTURE).await
    }

    /// How far the log has come.
    pub(super) async fn log(&self, database: &str) -> u64 {
        let told = self.cluster.psql(database, LOG).await;
        let (number, right) = told.trim().split_once('|').expect("two columns");
        assert_eq!(
            right, "t",
            "{database}: the log is not what it was at any commit"
        );
        number.parse().expect("a number")
    }

    /// Writes to the log from now on.
    pub(super) async fn start_writing(&mut self) {
        let session = self.cluster.connect(DATABASE).await;
        // Told apart from pgkeep's own sessions.
        let name = session.batch("SET application_name = 'writer'").await;
        name.expect("a session");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) && session.batch(WRITE).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        self.writer = Some(Writer { stop, task });
    }

    pub(super) async fn stop_writing(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.stop.store(true, Ordering::Relaxed);
            writer.task.await.expect("a writer that ends");
        }
    }

    /// The names of all databases, sorted.
    pub(super) async fn databases(&self) -> Vec<String> {
        let names = "SELECT datname FROM pg_database ORDER BY datname COLLATE \"C\"";
        let names = self.cluster.psql("postgres", names).await;
        names.lines().map(str::to_owned).collect()
    }

    /// Drops a database, whoever is still connected to it.
    pub(super) async fn drop(&self, database: &str) {
        let drop = format!("DROP DATABASE IF EXISTS \"{database}\" WITH (FORCE)");
        self.cluster.psql("postgres", &drop).await;
    }
}
