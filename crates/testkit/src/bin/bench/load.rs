//! What is dumped: pgbench's tables, and one that looks like an application's.
//!
//! Invariant: the same scale makes the same rows, with nothing drawn at random.

use std::process::{Command, Stdio};

use crate::arguments::Arguments;
use crate::server::{DATABASE, Server};
use crate::table::megabytes;

/// Each table with its rows counted and all their columns hashed, whatever
/// their order.
const FINGERPRINT: &str = "\
SELECT format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s t;',
              oid::regclass, oid::regclass)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
ORDER BY oid::regclass::text
\\gexec
SELECT indexrelid::regclass FROM pg_index
WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
ORDER BY indexrelid::regclass::text";

/// A loaded database.
pub(crate) struct Load {
    /// Of the database on the server's disk, in bytes.
    pub(crate) database: u64,
    /// Of its uncompressed archive in the custom format, in bytes.
    pub(crate) archive: u64,
    /// Of its plain dump, in bytes.
    pub(crate) plain: u64,
    /// What a restored one must be equal in.
    pub(crate) fingerprint: String,
}

impl Load {
    pub(crate) fn make(server: &Server, scale: u64, events: u64) -> Self {
        server.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let mut pgbench = server.program("pgbench", DATABASE);
        let initialize = ["--initialize", "--quiet", "--init-steps=dtgp", "--scale"];
        pgbench.args(initialize).arg(scale.to_string());
        let made = pgbench.stderr(Stdio::piped()).output().expect("pgbench");
        let words = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "pgbench failed: {words}");
        server.sql(DATABASE, &events_table(events));
        server.sql(DATABASE, "VACUUM (FREEZE, ANALYZE)");
        let size = format!("SELECT pg_database_size('{DATABASE}')");
        let archive = ["--format=custom", "--compress=0"];
        Self {
            database: server.sql(DATABASE, &size).parse().expect("a size"),
            archive: length(server.program("pg_dump", DATABASE).args(archive)),
            plain: length(&mut server.program("pg_dump", DATABASE)),
            fingerprint: fingerprint(server, DATABASE),
        }
    }

    /// How many tables it has.
    pub(crate) fn tables(&self) -> usize {
        let counted = |line: &&str| line.contains('|');
        self.fingerprint.lines().filter(counted).count()
    }

    pub(crate) fn tell(&self, arguments: &Arguments) {
        let (scale, events, rounds) = (arguments.scale, arguments.events, arguments.rounds);
        println!(
            "load      pgbench -i -s {scale} and {events} events: database {} MB, archive {} MB",
            megabytes(self.database),
            megabytes(self.archive)
        );
        println!(
            "rounds    {rounds}, all connections over {:?}, each of everything in turn; medians, and medians of the ratios \
             within a round",
            arguments.over
        );
    }
}

/// A key, a time, two hashes, a text and a small document; three indexes.
fn events_table(rows: u64) -> String {
    format!(
        "CREATE TABLE events AS
         SELECT n AS id,
                timestamptz '2026-01-01 00:00:00Z' + n * interval '7 seconds' AS happened,
                md5(n::text) AS session,
                md5((n / 20)::text) AS visitor,
                'request ' || n % 9973 || ' of page /items/' || n % 4001 || ' answered' AS message,
                jsonb_build_object('status', 200 + n % 7, 'ms', n % 3511, 'ok', n % 7 <> 3) AS detail
         FROM generate_series(1, {rows}::bigint) AS n;
         ALTER TABLE events ADD PRIMARY KEY (id);
         CREATE INDEX ON events (happened);
         CREATE INDEX ON events (visitor)"
    )
}

/// What a database is compared by.
pub(crate) fn fingerprint(server: &Server, database: &str) -> String {
    server.sql(database, FINGERPRINT)
}

/// How many bytes a program writes on stdout.
pub(crate) fn length(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a program");
    let mut output = child.stdout.take().expect("a pipe");
    let length = std::io::copy(&mut output, &mut std::io::sink()).expect("its output");
    let ended = child.wait().expect("its end");
    assert!(
        ended.success(),
        "{:?} failed: {ended}",
        command.get_program()
    );
    length
}
