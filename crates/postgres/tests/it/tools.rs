//! PostgreSQL's programs are found by version, and no failure of theirs is
//! taken for success.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pgkeep_postgres::client::connect;
use pgkeep_postgres::tools::{PgDump, PgRestore, RunningDump, ToolFailed, Tools};
use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_types::Environment;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// More than fits into a pipe, so that a dump cannot end before it is read.
const LARGE: &str = "CREATE TABLE large AS \
                     SELECT g, repeat(md5(g::text), 10) AS t FROM generate_series(1, 20000) g";

async fn read_all(dump: &mut RunningDump) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_to_end(&mut archive).await.unwrap();
    archive
}

#[tokio::test]
async fn an_archive_in_pieces_is_the_same_and_all_but_the_last_are_full() {
    const PIECE: usize = 64 << 10;
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", LARGE).await;
    let tools = Major::Sixteen.tools().await;
    let connection = cluster.connection("postgres");
    let whole = read_all(&mut PgDump::new(&tools, &connection).spawn().unwrap()).await;
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut output = dump.take_stdout().unwrap();
    let (mut archive, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let piece = output.piece(PIECE).await.unwrap();
        if piece.is_empty() {
            break;
        }
        lengths.push(piece.len());
        archive.extend_from_slice(&piece);
    }
    dump.wait().await.unwrap();
    assert_eq!(archive.len(), whole.len());
    let (last, full) = lengths.split_last().unwrap();
    assert!(*last <= PIECE && full.iter().all(|length| *length == PIECE));
    cluster.stop().await;
}

/// Why a dump did not succeed, though all that it wrote was read.
async fn failure(dump: PgDump<'_>) -> ToolFailed {
    let mut dump = dump.spawn().unwrap();
    read_all(&mut dump).await;
    dump.wait().await.unwrap_err()
}

#[tokio::test]
async fn every_version_is_found_by_what_it_says_of_itself() {
    let extra: Vec<PathBuf> = Major::ALL.iter().map(|major| major.programs()).collect();
    let environment = Environment::new("/").with_variable("PATH", "/usr/bin:/bin");
    let tools = Tools::find(&extra, &environment).await;
    for major in Major::ALL {
        let choice = tools.for_server(major.number()).unwrap();
        assert!(choice.exact);
        assert_eq!(
            choice.tools.path(),
            major.programs().canonicalize().unwrap()
        );
    }
    assert_eq!(tools.for_server(17).unwrap().tools.major(), 18);
    // Debian's wrapper in /usr/bin runs another version for each server.
    let wrapped = Path::new("/usr/bin");
    assert!(tools.all().iter().all(|found| found.path() != wrapped));
}

#[tokio::test]
async fn installed_packages_are_found_without_being_told() {
    let tools = Tools::find(&[], &Environment::new("/")).await;
    assert!(tools.for_server(15).unwrap().exact);
}

#[tokio::test]
async fn a_folder_that_was_named_and_has_no_programs_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let broken = tempfile::tempdir().unwrap();
    let program = broken.path().join("pg_dump");
    std::fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let extra = [
        Major::Sixteen.programs(),
        empty.path().to_owned(),
        broken.path().to_owned(),
        PathBuf::from("/no/such/folder"),
    ];
    let tools = Tools::find(&extra, &Environment::new("/")).await;
    assert_eq!(tools.empty(), &extra[1..]);
    assert!(tools.for_server(16).unwrap().exact);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_a_failure_with_pg_dumps_words() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("not there");
    let error = failure(PgDump::new(&tools, &connection)).await;
    let told = error.to_string();
    assert!(
        matches!(error, ToolFailed::Exit { code: 1, .. }),
        "{error:?}"
    );
    assert!(
        told.starts_with("pg_dump 15.") && told.contains("does not exist"),
        "{told}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_password_reaches_the_programs_and_a_wrong_one_is_a_failure() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.tcp_connection("postgres");
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    assert!(read_all(&mut dump).await.starts_with(b"PGDMP"));
    dump.wait().await.unwrap();

    let connection = connection.with_password("hunter2");
    let error = failure(PgDump::new(&tools, &connection)).await;
    let told = format!("{error} {error:?}");
    assert!(told.contains("password authentication failed"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_a_failure_that_names_it() {
    let cluster = Cluster::start(Major::Eighteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE guest LOGIN; CREATE TABLE hidden ()",
        )
        .await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres").with_user("guest");
    let error = failure(PgDump::new(&tools, &connection)).await;
    assert!(
        error
            .to_string()
            .contains("permission denied for table hidden"),
        "{error}"
    );
    cluster.stop().await;
}

#[tokio::test]
async fn a_snapshot_that_is_gone_is_a_failure() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let dump = PgDump::new(&tools, &connection).snapshot("00000003-0000001B-1");
    let error = failure(dump).await;
    assert!(error.to_string().contains("snapshot"), "{error}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_lock_is_waited_for_no_longer_than_told() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let session = cluster.connect("postgres").await;
    session.batch("CREATE TABLE public.t ()").await.unwrap();
    session.batch("BEGIN; LOCK TABLE public.t").await.unwrap();
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let dump = PgDump::new(&tools, &connection).lock_wait_timeout(Duration::from_millis(50));
    let error = failure(dump).await;
    assert!(error.to_string().contains("LOCK TABLE"), "{error}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_dump_that_is_killed_or_whose_session_ends_in_the_middle_is_a_failure() {
    let cluster = Cluster::start(Major::Eighteen).await;
    cluster.psql("postgres", LARGE).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");

    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_exact(&mut [0; 100]).await.unwrap();
    let pid = dump.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &pid])
            .status()
            .unwrap()
            .success()
    );
    stdout.read_to_end(&mut Vec::new()).await.unwrap();
    let error = dump.wait().await.unwrap_err();
    assert!(
        matches!(&error, ToolFailed::Signal { signal, .. } if signal == "SIGKILL"),
        "{error}"
    );

    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_exact(&mut [0; 100]).await.unwrap();
    cluster.terminate_backend_of("pg_dump").await;
    stdout.read_to_end(&mut Vec::new()).await.unwrap();
    let error = dump.wait().await.unwrap_err();
    assert!(matches!(error, ToolFailed::Exit { .. }), "{error:?}");
    assert!(error.to_string().contains("table \"large\""), "{error}");

    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_exact(&mut [0; 100]).await.unwrap();
    drop(stdout);
    assert!(dump.wait().await.is_err(), "nobody read the archive");
    cluster.stop().await;
}

#[tokio::test]
async fn a_dump_that_is_dropped_does_not_go_on() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", LARGE).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_exact(&mut [0; 100]).await.unwrap();
    let process = PathBuf::from(format!("/proc/{}/exe", dump.id().unwrap()));
    drop(dump);
    let deadline = Instant::now() + Duration::from_secs(30);
    while process.read_link().is_ok() {
        assert!(Instant::now() < deadline, "pg_dump goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.stop().await;
}

#[tokio::test]
async fn an_archive_that_is_cut_off_or_is_none_is_not_restored_as_if_it_were_whole() {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", LARGE).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let archive = read_all(&mut dump).await;
    dump.wait().await.unwrap();

    cluster.psql("postgres", "CREATE DATABASE new").await;
    let target = cluster.connection("new");
    for wrong in [
        &archive[..archive.len() / 2],
        &archive[..20],
        b"no archive at all",
        b"",
    ] {
        let mut restore = PgRestore::new(&tools, &target).spawn().unwrap();
        let mut stdin = restore.take_stdin().unwrap();
        let _ = stdin.write_all(wrong).await;
        drop(stdin);
        let error = restore.wait().await.unwrap_err();
        assert!(matches!(error, ToolFailed::Exit { .. }), "{error:?}");
        assert!(error.to_string().contains("\"new\""), "{error}");
    }
    cluster.stop().await;
}

#[tokio::test]
async fn owners_and_privileges_may_be_left_out() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let script = "CREATE ROLE somebody; CREATE TABLE t (); ALTER TABLE t OWNER TO somebody; \
                  GRANT SELECT ON t TO PUBLIC; CREATE DATABASE new";
    for statement in script.split(';') {
        cluster.psql("postgres", statement).await;
    }
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let archive = read_all(&mut dump).await;
    dump.wait().await.unwrap();
    let target = cluster.connection("new");
    let restore = PgRestore::new(&tools, &target).no_owner().no_privileges();
    let mut restore = restore.spawn().unwrap();
    let mut stdin = restore.take_stdin().unwrap();
    stdin.write_all(&archive).await.unwrap();
    drop(stdin);
    restore.wait().await.unwrap();
    let query = "SELECT tableowner, relacl IS NULL FROM pg_tables, pg_class \
                 WHERE tablename = 't' AND relname = 't'";
    assert_eq!(cluster.psql("new", query).await.trim(), "postgres|t");
    cluster.stop().await;
}

#[tokio::test]
async fn after_a_crash_of_the_server_in_the_middle_the_next_dump_works() {
    let cluster = Cluster::start(Major::Sixteen).await;
    cluster.psql("postgres", LARGE).await;
    let tools = cluster.major().tools().await;
    let connection = cluster.connection("postgres");
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    let mut stdout = dump.take_stdout().unwrap();
    stdout.read_exact(&mut [0; 100]).await.unwrap();
    cluster.kill_backend_of("pg_dump").await;
    stdout.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(dump.wait().await.is_err());

    // The server recovers by itself, and says so until it has.
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = connect(&connection).await {
        assert!(error.may_pass() && Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut dump = PgDump::new(&tools, &connection).spawn().unwrap();
    assert!(read_all(&mut dump).await.starts_with(b"PGDMP"));
    dump.wait().await.unwrap();
    cluster.stop().await;
}
