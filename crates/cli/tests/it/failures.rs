//! Whatever fails ends with exit code 1 and a sentence that names the database
//! and the cause, leaves nothing good in the list, and keeps nobody from the
//! next backup.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::contents::with_program;
use crate::site::{Site, ended, restore, socket_of};

async fn cluster_with_app() -> Cluster {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster
        .psql(
            "app",
            "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n",
        )
        .await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    site.run(&["backup", "--database", "nope"])
        .await
        .ended(1)
        .says(&[
            "cannot back up database \"nope\"",
            "there is no database \"nope\"",
        ]);
    let listed = site.list().await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["status"], &listed[0]["database"]),
        (&"failed".into(), &"nope".into())
    );
    assert!(
        listed[0]["error"]
            .as_str()
            .unwrap()
            .contains("there is no database")
    );
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_may_not_be_read() {
    let cluster = cluster_with_app().await;
    cluster.psql("postgres", "CREATE ROLE backup LOGIN").await;
    let connection = socket_of(&cluster).replace("user='postgres'", "user=backup");
    let site = Site::with(&connection, &[]).await;
    site.run(&["backup", "--database", "app"])
        .await
        .ended(1)
        .says(&[
            "database \"app\"",
            "permission denied for table t",
            "pgkeep doctor --role",
        ]);
    assert!(site.good().await.is_empty());
    cluster.psql("app", "GRANT SELECT ON t TO backup").await;
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    cluster.stop().await;
    site.run(&["backup", "--database", "app"])
        .await
        .ended(1)
        .says(&["cannot back up database \"app\"", "cannot reach"]);
    assert!(site.good().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_pg_dump_that_is_new_enough() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let mut site = Site::of(&cluster).await;
    site.set("PGKEEP_POSTGRES_BIN", Major::Fifteen.programs());
    site.run(&["backup", "--database", "postgres"])
        .await
        .ended(1)
        .says(&[
            "database \"postgres\"",
            "PostgreSQL 18 needs pg_dump 18 or newer",
            "postgresql-client-18",
        ]);
    assert!(site.good().await.is_empty());
    site.set("PGKEEP_POSTGRES_BIN", Major::Eighteen.programs());
    site.back_up("postgres").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_pg_dump_is_used_with_a_warning() {
    let cluster = Cluster::start(Major::Sixteen).await;
    let mut site = Site::of(&cluster).await;
    site.set("PGKEEP_POSTGRES_BIN", Major::Eighteen.programs());
    let ran = site
        .run(&["backup", "--database", "postgres"])
        .await
        .ended(0);
    ran.says(&["warning:", "no pg_dump 16", "\"postgres\""]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_writes_nothing_and_says_all_is_well() {
    let cluster = cluster_with_app().await;
    let mut site = Site::of(&cluster).await;
    let bin = site.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let liar = "#!/bin/sh\ncase \"$1\" in --version) echo 'pg_dump (PostgreSQL) 15.99';; esac\n";
    std::fs::write(bin.join("pg_dump"), liar).unwrap();
    std::fs::set_permissions(bin.join("pg_dump"), PermissionsExt::from_mode(0o755)).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", bin);
    site.run(&["backup", "--database", "app"])
        .await
        .ended(1)
        .says(&["database \"app\"", "is no archive"]);
    assert!(site.good().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_a_script_cuts_short_is_no_backup_however_well_the_script_ends() {
    let cluster = cluster_with_app().await;
    let mut site = Site::of(&cluster).await;
    let own = Major::Fifteen.programs().join("pg_dump");
    let whole = Command::new(&own)
        .args(["--format=custom", "--compress=0", "--no-sync"])
        .arg(format!(
            "--dbname={}",
            socket_of(&cluster).replace("dbname=postgres", "dbname=app")
        ))
        .output()
        .unwrap();
    let whole = whole.stdout.len();
    for (length, end) in [
        (7, "its head"),
        (300, "its table of contents"),
        (whole - 100, "the data of public.t"),
    ] {
        let own = own.display();
        let script = format!(
            "case \"$*\" in --version) exec {own} --version;; esac\n\
             {own} \"$@\" | head -c {length}"
        );
        with_program(&mut site, "pg_dump", &script);
        let ran = site.run(&["backup", "--database", "app"]).await.ended(1);
        let told = format!("ends in {end}");
        ran.says(&[
            "database \"app\"",
            "pg_dump succeeded",
            &told,
            "is the pg_dump",
        ]);
    }
    assert!(site.good().await.is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let cluster = cluster_with_app().await;
    let noise = "CREATE TABLE noise AS SELECT md5(random()::text) || md5(random()::text) AS x \
                 FROM generate_series(1, 400000)";
    cluster.psql("app", noise).await;
    let site = Site::of(&cluster).await;
    let repository = site.path("backups");
    let copy = site.path("copy");
    let shell = |script: &str| {
        let ran = Command::new("sh").args(["-ec", script]).output().unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    // The same repository, on a file system that is too small.
    std::fs::rename(&repository, &copy).unwrap();
    std::fs::create_dir(&repository).unwrap();
    let (from, to) = (copy.display(), repository.display());
    let fill = format!("mount -t tmpfs -o size=4m,mode=700 tmpfs '{to}'; cp -a '{from}/.' '{to}/'");
    let arguments = "backup --database app";
    let script = format!(
        "{fill}; set +e; '{}' {arguments}; code=$?; '{}' list --json > list.json; \
                          umount '{to}'; exit $code",
        crate::site::PROGRAM,
        crate::site::PROGRAM
    );
    let ran = ended(site.start_with_own_mounts(&script)).await;
    ran.ended(1).says(&[
        "database \"app\"",
        "/packs/0",
        "No space left on device",
        "make room",
    ]);
    let listing = std::fs::read_to_string(site.path("list.json")).unwrap();
    assert!(!listing.contains("\"complete\""), "{listing}");

    shell(&format!("rmdir '{to}'; mv '{from}' '{to}'"));
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_gone() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    std::fs::rename(site.path("backups"), site.path("unmounted")).unwrap();
    site.run(&["backup", "--database", "app"])
        .await
        .ended(1)
        .says(&["cannot back up database \"app\"", "no repository in"]);
    site.run(&["list"])
        .await
        .ended(1)
        .says(&["no repository in", "mounted"]);
    assert!(
        !site.path("backups").exists(),
        "nothing may be made in its place"
    );
    std::fs::rename(site.path("unmounted"), site.path("backups")).unwrap();
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_touches_no_database_that_is_there() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    cluster.psql("app", "UPDATE t SET n = -n").await;
    let arguments = restore(&["--database", "app", "--as", "app"]);
    site.run(&arguments)
        .await
        .ended(1)
        .says(&["database \"app\" exists already"]);
    let sum = cluster.psql("app", "SELECT sum(n) FROM t").await;
    assert_eq!(sum.trim(), "-500500");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_without_a_role_names_it_and_makes_nothing() {
    let cluster = cluster_with_app().await;
    cluster
        .psql(
            "postgres",
            "CREATE ROLE \"Owner\"; ALTER DATABASE app OWNER TO \"Owner\"",
        )
        .await;
    let site = Site::of(&cluster).await;
    site.back_up("app").await;
    cluster
        .psql(
            "postgres",
            "ALTER DATABASE app OWNER TO postgres; DROP ROLE \"Owner\"",
        )
        .await;
    let arguments = restore(&["--database", "app", "--as", "new"]);
    site.run(&arguments)
        .await
        .ended(1)
        .says(&["Owner", "\"new\""]);
    let there = cluster.psql(
        "postgres",
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'new%'",
    );
    assert_eq!(there.await.trim(), "0");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_half_way_leaves_nothing() {
    let cluster = cluster_with_app().await;
    let site = Site::of(&cluster).await;
    cluster
        .psql("app", "CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1/(SELECT count(*)::int FROM public.t)'")
        .await;
    // Restored, the constraint is checked while the other table is still empty.
    cluster
        .psql(
            "app",
            "CREATE TABLE a (n int CHECK (f() = 0)); INSERT INTO a VALUES (1)",
        )
        .await;
    site.back_up("app").await;
    let arguments = restore(&["--database", "app", "--as", "new"]);
    let ran = site.run(&arguments).await.ended(1);
    ran.says(&["pg_restore", "\"new\"", "division by zero"])
        .says(&["END   restore of \"app\": FAILED after"]);
    let there = cluster.psql(
        "postgres",
        "SELECT count(*) FROM pg_database WHERE datname LIKE 'new%'",
    );
    assert_eq!(there.await.trim(), "0");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_of_an_older_backup_than_the_last_attempt_says_so() {
    let cluster = Cluster::start(Major::Eighteen).await;
    let mut site = Site::of(&cluster).await;
    let good = site.back_up("postgres").await;
    site.set("PGKEEP_POSTGRES_BIN", Major::Fifteen.programs());
    let failing = ["backup", "--database", "postgres"];
    site.run(&failing).await.ended(1);
    site.set("PGKEEP_POSTGRES_BIN", Major::Eighteen.programs());
    let of_newest = ["--database", "postgres", "--as", "new", "--dry-run"];
    let older = format!("{good} is restored");
    let ran = site.run(&restore(&of_newest)).await.ended(0);
    ran.says(&["warning: backup", "is newer and failed", &older]);
    let named = ["--backup", &good, "--as", "new"];
    let ran = site.run(&restore(&named)).await.ended(0);
    assert!(!ran.stderr.contains("is newer"), "{ran:?}");
    cluster.stop().await;
}
