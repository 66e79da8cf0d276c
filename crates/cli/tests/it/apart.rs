//! A proof's server is apart: what the database's own code does when it is restored and
//! asked reaches nothing of this machine, the server that was backed up least of all.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Ran, Site};

/// A server that logs who connects, with a database `app`.
struct Source {
    cluster: Cluster,
    directory: String,
}

impl Source {
    async fn start() -> Self {
        let logs = ["log_connections = on", "log_disconnections = on"];
        let cluster = Cluster::start_with(Major::Fifteen, &logs).await;
        cluster.psql("postgres", "CREATE DATABASE app").await;
        let connection = cluster.connection("app");
        let directory = connection.socket_directory().expect("a socket");
        // As of a server's package: every account of the machine can knock.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        let directory = directory.display().to_string();
        Self { cluster, directory }
    }

    fn words(&self) -> String {
        let connection = self.cluster.connection("app");
        let (port, user) = (connection.port(), connection.user());
        format!("host={} port={port} user={user} dbname=app", self.directory)
    }

    /// Backs `app` up, and proves it with one question; nothing may have come to the source.
    async fn prove(&self, site: &Site, question: &str, more: &[&str]) -> Ran {
        let configuration = fs::read_to_string(site.path("pgkeep.toml")).unwrap();
        let question = format!("{{ database = \"app\", name = \"asked\", sql = \"{question}\" }}");
        let asked = format!("{configuration}\n[cluster.main.prove]\nqueries = [{question}]\n");
        fs::write(site.path("pgkeep.toml"), asked).unwrap();
        site.back_up("app").await;
        let prove = [&["prove", "--identity", "recovery.key"], more].concat();
        site.run(&prove).await
    }

    fn connections(&self) -> usize {
        self.cluster.log().matches("connection received").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_table_of_the_source_is_not_read_by_a_proof() {
    let source = Source::start().await;
    let fill = format!(
        "CREATE TABLE live (n int); INSERT INTO live VALUES (1); \
         CREATE EXTENSION postgres_fdw; \
         CREATE SERVER source FOREIGN DATA WRAPPER postgres_fdw \
           OPTIONS (host '{}', port '{}', dbname 'app'); \
         CREATE USER MAPPING FOR PUBLIC SERVER source \
           OPTIONS (user 'postgres', password_required 'false'); \
         CREATE FOREIGN TABLE far (n int) SERVER source OPTIONS (table_name 'live')",
        source.directory,
        source.cluster.connection("app").port()
    );
    source.cluster.psql("app", &fill).await;
    let site = Site::of(&source.cluster).await;
    let before = source.connections();
    let asked = "select count(*) > 0 from far";
    let ran = source.prove(&site, asked, &[]).await.ended(3);
    let of_backup = source.connections() - before;
    assert!(ran.stdout.contains("not provable here"), "{ran:#?}");
    assert!(ran.stdout.contains("asks another server"), "{ran:#?}");
    let view = "CREATE MATERIALIZED VIEW seen AS SELECT n FROM far";
    source.cluster.psql("app", view).await;
    let before = source.connections();
    site.back_up("app").await;
    let ran = site
        .run(&["prove", "--identity", "recovery.key"])
        .await
        .ended(3);
    assert!(ran.stdout.contains("asks another server"), "{ran:#?}");
    // A backup connects as often each time, and a proof never.
    assert_eq!(source.connections() - before, of_backup);
    source.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_writes_to_the_source_by_dblink_writes_nothing() {
    let source = Source::start().await;
    let fill = format!(
        "CREATE EXTENSION dblink; CREATE TABLE told (n int); \
         CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM public.dblink_exec('{}', 'INSERT INTO public.told VALUES (1)'); \
           RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 1; END $$; \
         CREATE MATERIALIZED VIEW tells AS SELECT public.tell() AS n WITH NO DATA",
        source.words()
    );
    source.cluster.psql("app", &fill).await;
    let refresh = "REFRESH MATERIALIZED VIEW tells; DELETE FROM told";
    source.cluster.psql("app", refresh).await;
    let site = Site::of(&source.cluster).await;
    let asked = "select count(*) = 0 from told";
    source.prove(&site, asked, &[]).await.ended(0);
    assert_eq!(rows(&source).await, 0);
    source.cluster.stop().await;
}

async fn rows(source: &Source) -> i64 {
    let session = source.cluster.connect("app").await;
    let rows = session
        .query("SELECT count(*) AS n FROM public.told", &[])
        .await;
    session.column(&rows.unwrap()[0], "n").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_a_question_starts_leaves_no_file_and_sees_no_process() {
    let source = Source::start().await;
    let left = tempfile::tempdir_in("/tmp").unwrap();
    let mode = fs::Permissions::from_mode(0o777);
    fs::set_permissions(left.path(), mode).unwrap();
    let beside = tempfile::Builder::new().make_in("/tmp", |path| Ok(path.to_owned()));
    let beside = beside.unwrap().path().to_owned();
    // Whatever it can do it does, and ends well: the proof is to go on.
    let program = format!(
        "touch {} {}; touch {}/told; ls /proc | grep -c . ; true",
        beside.display(),
        left.path().join("told").display(),
        source.directory
    );
    let fill = format!(
        "CREATE TABLE t (n int); INSERT INTO t VALUES (1); \
         CREATE FUNCTION run() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
           EXECUTE $x$ COPY (SELECT 1) TO PROGRAM '{program}' $x$; RETURN true; END $$"
    );
    source.cluster.psql("app", &fill).await;
    let site = Site::of(&source.cluster).await;
    source.prove(&site, "select run()", &[]).await.ended(0);
    assert!(!beside.exists() && !left.path().join("told").exists());
    let in_source = std::path::Path::new(&source.directory).join("told");
    assert!(!in_source.exists());
    source.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_says_whether_its_server_was_apart() {
    let source = Source::start().await;
    source.cluster.psql("app", "CREATE TABLE t (n int)").await;
    let site = Site::of(&source.cluster).await;
    let asked = "select count(*) = 0 from t";
    let ran = source.prove(&site, asked, &[]).await.ended(0);
    assert!(!ran.stdout.contains("isolate"), "{ran:#?}");
    let without = ["prove", "--identity", "recovery.key", "--not-isolated"];
    let report = [&without[..], &["--report", "page.html"]].concat();
    let ran = site.run(&report).await.ended(0);
    assert!(ran.stdout.contains("not isolated"), "{ran:#?}");
    let page = fs::read_to_string(site.path("page.html")).unwrap();
    assert!(page.contains("not isolated"), "{page}");
    source.cluster.stop().await;
}
