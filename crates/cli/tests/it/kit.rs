//! The kit is enough: a stranger types what it says, and has the database.

use std::path::Path;
use std::process::Stdio;

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::S3s;

use crate::site::{PROGRAM, Ran, Site, ended, socket_of};

/// An empty directory, and nothing but what is on every machine, and pgkeep.
struct Stranger {
    home: tempfile::TempDir,
}

impl Stranger {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(PROGRAM, home.path().join("pgkeep")).unwrap();
        Self { home }
    }

    /// Types every command of the page, from top to bottom.
    async fn follow(&self, page: &str) -> Ran {
        self.follow_with(page, &[]).await
    }

    /// The same, with variables that are set.
    async fn follow_with(&self, page: &str, variables: &[(&str, String)]) -> Ran {
        let page = page.split("#!/usr/bin/env python3").next().unwrap();
        let lines = page.lines().map(str::trim_start);
        let commands: Vec<&str> = lines.filter_map(|line| line.strip_prefix("$ ")).collect();
        assert!(commands.len() >= 6, "{commands:?}");
        let path = format!("{}:/usr/bin:/bin", self.home.path().display());
        let child = tokio::process::Command::new("sh")
            .args(["-e", "-c", &commands.join("\n")])
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home.path())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        ended(child).await
    }

    /// Types what the page says of a server after `file` was written, for a new one.
    async fn follow_on(&self, page: &str, file: &str, server: &Cluster) {
        let page = page.split("#!/usr/bin/env python3").next().unwrap();
        let lines = page.lines().map(str::trim_start);
        let of_a_server =
            |line: &&str| line.starts_with("psql ") || line.starts_with("pg_restore ");
        let commands = lines.filter(of_a_server).filter(|line| line.contains(file));
        let commands: Vec<&str> = commands.collect();
        assert_eq!(commands.len(), 2, "{page}");
        let connection = server.connection("postgres");
        let path = format!("{}:/usr/bin:/bin", Major::Fifteen.programs().display());
        for command in commands {
            let ran = tokio::process::Command::new("sh")
                .args(["-c", command])
                .current_dir(self.home.path())
                .env_clear()
                .env("PATH", &path)
                .env("PGHOST", connection.socket_directory().unwrap())
                .env("PGPORT", connection.port().to_string())
                .env("PGUSER", connection.user())
                .output()
                .await
                .unwrap();
            assert!(ran.status.success(), "{command}: {ran:?}");
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.home.path().join(name)).unwrap()
    }
}

/// A repository with two databases, of which one has an awkward name.
async fn filled(cluster: &Cluster, more: &[&str]) -> Site {
    cluster
        .psql(
            "postgres",
            "CREATE DATABASE \"a'b $(x)\"; CREATE DATABASE shop",
        )
        .await;
    cluster
        .psql("a'b $(x)", "CREATE TABLE t AS SELECT 42 AS answer")
        .await;
    let site = Site::with(&socket_of(cluster), more).await;
    site.back_up("a'b $(x)").await;
    site.back_up("shop").await;
    site
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_the_kit_and_the_key_restores_with_and_without_pgkeep() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = filled(&cluster, &[]).await;
    let note = "in the safe of the office, second drawer";
    let kit = ["kit", "--output", "pgkeep-kit.txt", "--note", note];
    site.run(&kit).await.ended(0);
    let page = std::fs::read_to_string(site.path("pgkeep-kit.txt")).unwrap();
    assert!(!page.contains("AGE-SECRET-KEY-1") || page.contains("AGE-SECRET-KEY-1…"));
    for told in [note, "main", "shop", "recovery", "age1", "PostgreSQL 15"] {
        assert!(page.contains(told), "{told}");
    }
    let stranger = Stranger::new();
    for file in ["pgkeep-kit.txt", "recovery.key"] {
        copy(&site.path(file), &stranger.home.path().join(file));
    }
    stranger.follow(&page).await.ended(0);
    let (with, without) = (
        stranger.read("restored.dump"),
        stranger.read("without.dump"),
    );
    assert!(with == without && with.starts_with(b"PGDMP"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_new_server_the_roles_and_the_database_come_back_with_and_without_pgkeep() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let roles = "CREATE ROLE keeper LOGIN PASSWORD 'geheim'; CREATE ROLE readers; \
         GRANT readers TO keeper; CREATE DATABASE shop OWNER keeper";
    cluster.psql("postgres", roles).await;
    let table = "SET ROLE keeper; CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 42 AS answer; \
         GRANT SELECT ON s.t TO readers";
    cluster.psql("shop", table).await;
    let passwords = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ 'keeper|readers'";
    let site = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    site.back_up("shop").await;
    let page = site.run(&["kit"]).await.ended(0).stdout;
    let stranger = Stranger::new();
    std::fs::write(stranger.home.path().join("pgkeep-kit.txt"), &page).unwrap();
    stranger.follow(&page).await.ended(0);
    assert!(stranger.read("restored.sql") == stranger.read("without.sql"));
    for file in ["restored.", "without."] {
        let new = Cluster::start(Major::Fifteen).await;
        stranger.follow_on(&page, file, &new).await;
        assert!(new.pg_dump_c("shop").await == cluster.pg_dump_c("shop").await);
        let found = new.psql("postgres", passwords).await;
        assert!(found.contains("SCRAM") && found == cluster.psql("postgres", passwords).await);
        new.stop().await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_with_the_key_in_it_is_enough_alone() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = filled(&cluster, &[]).await;
    let kit = ["kit", "--output", "all.txt", "--include-identity"];
    site.run(&kit).await.ended(2).says(&["--identity"]);
    let kit = [&kit[..], &["--identity", "recovery.key"]].concat();
    let made = site.run(&[&kit[..], &["--json"]].concat()).await.ended(0);
    assert!(!made.stdout.contains("SECRET"), "{made:?}");
    made.says(&["holds the private key"]);
    let stranger = Stranger::new();
    copy(&site.path("all.txt"), &stranger.home.path().join("all.txt"));
    let page = String::from_utf8(stranger.read("all.txt")).unwrap();
    stranger.follow(&page).await.ended(0);
    assert!(stranger.read("restored.dump") == stranger.read("without.dump"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_of_an_unencrypted_repository_needs_no_key() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = filled(&cluster, &["--encryption", "none"]).await;
    let page = site.run(&["kit"]).await.ended(0).stdout;
    let stranger = Stranger::new();
    std::fs::write(stranger.home.path().join("pgkeep-kit.txt"), &page).unwrap();
    stranger.follow(&page).await.ended(0);
    assert!(stranger.read("restored.dump") == stranger.read("without.dump"));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_of_a_bucket_tells_its_address_and_no_access() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let server = S3s::start();
    let mut site = Site::empty();
    for (name, value) in server.access().variables() {
        site.set(name, value);
    }
    let (url, connection) = (server.access().url("pg/main"), socket_of(&cluster));
    let init = ["init", "--repository", &url, "--connection", &connection];
    site.run(&init).await.ended(0);
    site.back_up("postgres").await;
    let page = site.run(&["kit"]).await.ended(0).stdout;
    assert!(page.contains(&url) && !page.contains(&server.access().secret));
    let stranger = Stranger::new();
    std::fs::write(stranger.home.path().join("pgkeep-kit.txt"), &page).unwrap();
    copy(
        &site.path("recovery.key"),
        &stranger.home.path().join("recovery.key"),
    );
    // As any tool would copy it.
    let from = server.bucket_directory().join("pg/main");
    let copied = tokio::process::Command::new("cp")
        .args(["-r", &from.display().to_string(), "repository"])
        .current_dir(stranger.home.path())
        .status()
        .await;
    assert!(copied.unwrap().success());
    let ran = stranger
        .follow_with(&page, &server.access().variables())
        .await;
    ran.ended(0);
    assert!(stranger.read("restored.dump") == stranger.read("without.dump"));
    cluster.stop().await;
}
