//! What the scanner sees in archives that real versions of `pg_dump` wrote is
//! what `pg_restore` sees in them and what the server holds.

use std::io::Write as _;
use std::process::Command;

use pgkeep_postgres::tools::{
    ArchiveEvent, ArchiveScanner, ArchiveState, DataKind, NotUnderstood, PgDump, TocEntry,
};
use pgkeep_testkit::cluster::{Cluster, Major};
use tokio::io::AsyncReadExt as _;

/// Values and tables whose COPY data is unusual.
const ODD: &str = r#"
CREATE TABLE "no rows" (id integer, t text);
CREATE TABLE lines (t text);
INSERT INTO lines VALUES (E'a\nb\n'), (E'\r\n'), (''), (NULL), (E'\\'), (E'\\\n'), (E'\t\b\f\v');
CREATE TABLE ends (t text);
INSERT INTO ends VALUES ('\.'), (E'\n\\.\n\n\n'), (E'\\.\n'), ('\N'), (E'\n\n\n');
CREATE TABLE ends_alone (t text);
INSERT INTO ends_alone VALUES ('\.');
CREATE TABLE bytes (b bytea);
INSERT INTO bytes VALUES ('\x0a0a0d5c2e0a'), ('\x'), (decode(repeat('0a', 100000), 'hex')), (NULL);
CREATE TABLE no_columns ();
INSERT INTO no_columns SELECT FROM generate_series(1, 1234);
CREATE TABLE only_generated (one integer GENERATED ALWAYS AS (1) STORED);
INSERT INTO only_generated SELECT FROM generate_series(1, 17);
CREATE TABLE half_generated (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED, t text);
INSERT INTO half_generated (a, t) SELECT g, E'x\ny' FROM generate_series(1, 99) g;
CREATE TABLE parts (id integer) PARTITION BY HASH (id);
CREATE TABLE part_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT generate_series(1, 1001);
CREATE TABLE parent (id integer);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2), (3);
CREATE TABLE long (t text);
INSERT INTO long SELECT repeat(E'line\n', 400000) FROM generate_series(1, 3);
CREATE TABLE many AS SELECT g, md5(g::text) FROM generate_series(1, 54321) g;
"#;

async fn dump(cluster: &Cluster, database: &str) -> Vec<u8> {
    let tools = cluster.major().tools().await;
    let connection = cluster.connection(database);
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut archive = Vec::new();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_to_end(&mut archive).await.unwrap();
    dump.wait().await.unwrap();
    archive
}

fn scan(archive: &[u8], piece: usize) -> (ArchiveScanner, Vec<ArchiveEvent>) {
    let mut scanner = ArchiveScanner::new();
    let mut events = Vec::new();
    for piece in archive.chunks(piece) {
        scanner.push(piece, |event| events.push(event));
    }
    (scanner, events)
}

/// The data of an entry, as it lies in the archive.
struct Seen<'a> {
    entry: &'a TocEntry,
    block: &'a [u8],
    rows: Option<u64>,
}

/// A whole archive: each entry of the table of contents with its data.
fn whole<'a>(archive: &'a [u8], toc: &'a [TocEntry], events: &[ArchiveEvent]) -> Vec<Seen<'a>> {
    assert_eq!(events.len(), toc.len() * 2);
    let pairs = events.chunks(2).zip(toc);
    pairs
        .map(|(pair, entry)| {
            let &[
                ArchiveEvent::DataBegins {
                    offset: begin,
                    dump_id: first,
                },
                ArchiveEvent::DataEnds {
                    offset: end,
                    dump_id: second,
                    rows,
                },
            ] = pair
            else {
                panic!("no beginning and end: {pair:?}");
            };
            assert_eq!((first, second), (entry.dump_id, entry.dump_id));
            let range = usize::try_from(begin).unwrap()..usize::try_from(end).unwrap();
            Seen {
                entry,
                block: &archive[range],
                rows,
            }
        })
        .collect()
}

/// What the chunks hold.
fn contents(mut block: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    loop {
        let (head, rest) = block.split_at(5);
        let length = u32::from_le_bytes(head[1..].try_into().unwrap()) as usize;
        if length == 0 {
            assert!(rest.is_empty(), "bytes behind the end marker");
            return contents;
        }
        contents.extend_from_slice(&rest[..length]);
        block = &rest[length..];
    }
}

/// Runs a program of the cluster's version with the archive in a file.
fn pg_restore(major: Major, archive: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(archive).unwrap();
    let output = Command::new(major.programs().join("pg_restore"))
        .args(arguments)
        .arg(file.path())
        .env_clear()
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pg_restore failed: {words}");
    output.stdout
}

/// Checks all that was seen in an archive against `pg_restore` and the server.
async fn check(cluster: &Cluster, database: &str, archive: &[u8]) {
    let major = cluster.major();
    let (scanner, events) = scan(archive, archive.len());
    assert_eq!(scanner.gave_up(), None, "{database}");
    assert_eq!(scanner.state(), ArchiveState::Between);
    let toc = scanner.toc().unwrap();
    let seen = whole(archive, toc, &events);
    is_what_pg_restore_lists(toc, &pg_restore(major, archive, &["--list"]));
    let script = pg_restore(major, archive, &["--data-only", "--file=-"]);
    is_what_pg_restore_writes(&seen, &script);
    has_the_rows_of_the_server(&seen, cluster, database).await;
}

fn is_what_pg_restore_lists(toc: &[TocEntry], list: &[u8]) {
    let list = String::from_utf8_lossy(list);
    let listed: Vec<_> = list
        .lines()
        .filter(|line| line.contains(" TABLE DATA ") || line.contains(" BLOBS "))
        .collect();
    assert_eq!(listed.len(), toc.len(), "{list}");
    for (line, entry) in listed.iter().zip(toc) {
        let kind = match entry.kind {
            DataKind::Table => "TABLE DATA",
            DataKind::LargeObjects => "BLOBS",
            DataKind::Other => panic!("{entry:?}"),
        };
        let namespace = entry.namespace.as_deref().unwrap_or(b"-");
        let expected = format!(
            " {} {kind} {} {} ",
            entry.oid,
            String::from_utf8_lossy(namespace),
            String::from_utf8_lossy(&entry.tag)
        );
        let dump_id = format!("{}; ", entry.dump_id);
        assert!(
            line.starts_with(&dump_id) && line.contains(&expected),
            "{line}\n{expected}"
        );
    }
}

fn is_what_pg_restore_writes(seen: &[Seen<'_>], script: &[u8]) {
    let tables = seen
        .iter()
        .filter(|seen| seen.entry.kind == DataKind::Table);
    let marker = b" FROM stdin;\n";
    let mut rest = script;
    for table in tables {
        let found = rest.windows(marker.len()).position(|at| at == marker);
        rest = &rest[found.expect("one more COPY") + marker.len()..];
        let contents = contents(table.block);
        assert!(rest.starts_with(&contents), "{:?}", table.entry);
        rest = &rest[contents.len()..];
    }
    assert!(!rest.windows(marker.len()).any(|at| at == marker));
}

async fn has_the_rows_of_the_server(seen: &[Seen<'_>], cluster: &Cluster, database: &str) {
    let mut sql = String::new();
    let mut expected = String::new();
    for Seen { entry, rows, .. } in seen {
        if entry.kind == DataKind::Table {
            let oid = entry.oid;
            let rows = rows.expect("the rows of a table");
            expected += &format!("{oid}|{rows}\n");
            sql += &format!(
                "SELECT format('SELECT {oid}, count(*) FROM ONLY %s', {oid}::regclass) \\gexec\n"
            );
        } else {
            assert_eq!(*rows, None);
        }
    }
    assert_eq!(cluster.psql(database, &sql).await, expected);
}

async fn the_zoo_is_understood(major: Major) {
    let cluster = Cluster::start(major).await;
    for database in cluster.load_zoo().await {
        let archive = dump(&cluster, database).await;
        check(&cluster, database, &archive).await;
    }
    cluster.stop().await;
}

/// Runs `pg_dump` with arguments that the program itself never gives it.
fn dump_with(cluster: &Cluster, database: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(cluster.major().programs().join("pg_dump"));
    command.args(arguments).env_clear();
    for (name, value) in cluster.connection(database).to_environment() {
        command.env(name, value.expose());
    }
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pg_dump failed: {words}");
    output.stdout
}

#[tokio::test]
async fn all_of_the_zoo_is_understood_on_15() {
    the_zoo_is_understood(Major::Fifteen).await;
}

#[tokio::test]
async fn what_there_is_of_the_zoo_is_understood_on_16() {
    the_zoo_is_understood(Major::Sixteen).await;
}

#[tokio::test]
async fn what_there_is_of_the_zoo_is_understood_on_18() {
    the_zoo_is_understood(Major::Eighteen).await;
}

async fn rows_are_exact(major: Major) {
    let cluster = Cluster::start(major).await;
    cluster.psql("postgres", ODD).await;
    let archive = dump(&cluster, "postgres").await;
    check(&cluster, "postgres", &archive).await;
    cluster.stop().await;
}

#[tokio::test]
async fn rows_are_exact_whatever_they_hold_on_15() {
    rows_are_exact(Major::Fifteen).await;
}

#[tokio::test]
async fn rows_are_exact_whatever_they_hold_on_16() {
    rows_are_exact(Major::Sixteen).await;
}

#[tokio::test]
async fn rows_are_exact_whatever_they_hold_on_18() {
    rows_are_exact(Major::Eighteen).await;
}

#[tokio::test]
async fn each_of_a_hundred_tables_is_the_same_again_after_only_one_has_changed() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let tables = "SELECT format('CREATE TABLE t%s AS SELECT g, md5(g::text) \
                  FROM generate_series(1, %s) g', t, t) FROM generate_series(100, 199) t \\gexec";
    cluster.psql("postgres", tables).await;
    let first = dump(&cluster, "postgres").await;
    check(&cluster, "postgres", &first).await;
    let change = "CREATE TABLE a_new_one (); INSERT INTO t150 VALUES (0, 'zero')";
    cluster.psql("postgres", change).await;
    let second = dump(&cluster, "postgres").await;
    let (first_scanner, first_events) = scan(&first, first.len());
    let (second_scanner, second_events) = scan(&second, second.len());
    let before = whole(&first, first_scanner.toc().unwrap(), &first_events);
    let after = whole(&second, second_scanner.toc().unwrap(), &second_events);
    assert_eq!((before.len(), after.len()), (100, 101));
    let changed = after.iter().filter(|now| {
        let then = before.iter().find(|then| then.entry.tag == now.entry.tag);
        then.is_none_or(|then| then.block != now.block)
    });
    let changed: Vec<_> = changed.map(|table| &*table.entry.tag).collect();
    assert_eq!(changed, [&b"a_new_one"[..], b"t150"]);
    cluster.stop().await;
}

#[tokio::test]
async fn thousands_of_large_objects_are_passed_over() {
    for major in [Major::Fifteen, Major::Eighteen] {
        let cluster = Cluster::start(major).await;
        let objects = "SELECT count(lo_from_bytea(g, decode(repeat('0a01', (g % 5000)::integer), 'hex'))) \
                       FROM generate_series(4294960000, 4294962500) g; \
                       CREATE TABLE behind (t text); INSERT INTO behind VALUES ('x')";
        cluster.psql("postgres", objects).await;
        let archive = dump(&cluster, "postgres").await;
        check(&cluster, "postgres", &archive).await;
        cluster.stop().await;
    }
}

#[tokio::test]
async fn insert_statements_are_data_without_rows() {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", ODD).await;
    let archive = dump_with(&cluster, "postgres", &["-Fc", "-Z0", "--inserts"]);
    let (scanner, events) = scan(&archive, archive.len());
    assert_eq!(scanner.gave_up(), None);
    let seen = whole(&archive, scanner.toc().unwrap(), &events);
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.rows.is_none()));
    cluster.stop().await;
}

#[tokio::test]
async fn what_pg_dump_can_write_otherwise_is_given_up_without_an_event() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        cluster.psql("postgres", ODD).await;
        for (arguments, why) in [
            (["-Fc", "-Z1"], NotUnderstood::Compressed),
            (["-Ft", "-Z0"], NotUnderstood::Magic),
            (["-Fp", "-Z0"], NotUnderstood::Magic),
        ] {
            let archive = dump_with(&cluster, "postgres", &arguments);
            let (scanner, events) = scan(&archive, archive.len());
            assert_eq!(scanner.gave_up().map(|gave_up| gave_up.why), Some(why));
            assert_eq!((events, scanner.toc()), (vec![], None));
        }
        cluster.stop().await;
    }
}

/// No mutation may panic, tell an event of an offset beyond what was pushed, or
/// depend on the pieces.
#[tokio::test]
async fn a_damaged_archive_is_followed_or_given_up_but_never_a_panic() {
    for major in Major::ALL {
        let cluster = Cluster::start(major).await;
        let tables = "CREATE TABLE a (t text); INSERT INTO a VALUES ('x'), (E'\\n'); \
                      CREATE TABLE b AS SELECT 1 AS n; SELECT lo_from_bytea(9, '\\x0102')";
        cluster.psql("postgres", tables).await;
        let mut archive = dump(&cluster, "postgres").await;
        let (scanner, whole) = scan(&archive, archive.len());
        assert_eq!(scanner.gave_up(), None);
        for cut in 0..archive.len() {
            let (scanner, events) = scan(&archive[..cut], archive.len());
            assert_eq!(scanner.gave_up(), None);
            assert!(whole.starts_with(&events));
        }
        for index in 0..archive.len() {
            let original = archive[index];
            for value in [0, 1, 0x7f, 0xff, original ^ 1, original.wrapping_add(1)] {
                archive[index] = value;
                let (at_once, events) = scan(&archive, archive.len());
                let (in_pieces, same) = scan(&archive, 97);
                assert_eq!(events, same);
                assert_eq!(at_once.gave_up(), in_pieces.gave_up());
                assert_eq!(at_once.state(), in_pieces.state());
            }
            archive[index] = original;
        }
        cluster.stop().await;
    }
}
