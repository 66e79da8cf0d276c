//! The ten lines of the README, taken out of it and run: dumps into a directory and a bucket,
//! what is kept, a proof, and an alarm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pgkeep_testkit::cluster::{Cluster, Major};
use pgkeep_testkit::s3::S3s;
use serde_json::Value;

use crate::buckets::site_with;
use crate::site::{PROGRAM, Ran, Site, ended, socket_of};

const README: &str = include_str!("../../../../README.md");

/// The lines of the README's only block of this language.
fn block(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let (_, after) = README.split_once(&begin).unwrap();
    assert!(!after.contains(&begin), "one {language} block");
    after.split_once("```").unwrap().0.lines().collect()
}

/// What cron would run.
fn commands() -> Vec<&'static str> {
    let command = |line: &'static str| line.split_once("  ").unwrap().1;
    block("cron").into_iter().map(command).collect()
}

/// Runs a line as cron does; `pgkeep` and `curl` are found.
async fn cron(site: &Site, line: &str) -> Ran {
    let bin = site.path("bin");
    let mut command = site.other_program("sh");
    let child = command
        .args(["-c", line])
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .spawn();
    ended(child.unwrap()).await
}

/// A `curl` that leaves a file, and the program by its name.
fn put_into_path(site: &Site) {
    let bin = site.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(Path::new(PROGRAM), bin.join("pgkeep")).unwrap();
    fs::write(bin.join("curl"), "#!/bin/sh\necho \"$@\" > pinged\n").unwrap();
    fs::set_permissions(bin.join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes the repositories and the keys, and writes the README's lines into the configuration.
async fn set_up(site: &mut Site, connection: &str, bucket: &str) {
    let init = [
        "init",
        "--repository",
        "backups",
        "--connection",
        connection,
    ];
    site.run(&init).await.ended(0);
    let file = site.path("pgkeep.toml");
    let text = fs::read_to_string(&file).unwrap();
    let begin = text.find("[encryption]").unwrap();
    let end = text.find("[cluster.main]").unwrap();
    let lines = block("toml").join("\n");
    fs::write(&file, format!("{}\n{lines}\n", &text[begin..end])).unwrap();
    // Where they are is said by the environment, so that the lines are as they stand.
    site.set("PGKEEP_REPOSITORY_LOCAL_URL", site.path("backups"));
    site.set("PGKEEP_REPOSITORY_OFFSITE_URL", bucket);
    site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", connection);
    let like = [
        "init",
        "--like",
        "local",
        "--repository",
        "offsite",
        "--json",
    ];
    let made: Value = serde_json::from_str(&site.run(&like).await.ended(0).stdout).unwrap();
    let key = fs::read_to_string(site.path("recovery.key")).unwrap();
    let trust = made["trust"].as_str().unwrap();
    fs::write(site.path("recovery.key"), format!("{trust}\n{key}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_lines_of_the_readme_do_what_they_say() {
    assert_eq!(block("toml").len() + block("cron").len(), 10);
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let fill = "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n";
    cluster.psql("app", fill).await;
    let server = S3s::start();
    let mut site = site_with(server.access());
    put_into_path(&site);
    let bucket = server.access().url("pg/main");
    set_up(&mut site, &socket_of(&cluster), &bucket).await;

    let [backup, prove, check] = commands().try_into().unwrap();
    cron(&site, check).await.ended(2);
    assert!(!site.path("pinged").exists());
    cron(&site, backup).await.ended(0);
    cron(&site, prove).await.ended(0);
    let ran = cron(&site, check).await.ended(0);
    assert!(ran.stdout.contains("main: OK: 2 databases"), "{ran:#?}");
    let pinged = fs::read_to_string(site.path("pinged")).unwrap();
    assert!(pinged.contains("https://hc.example/ping/main"), "{pinged}");

    // In both there are as many as there were nights, and of these no more than is kept.
    for repository in ["local", "offsite"] {
        cron(&site, backup).await.ended(0);
        let list = ["list", "--json", "--repository", repository];
        let ran = site.run(&list).await.ended(0);
        let listing: Value = serde_json::from_str(&ran.stdout).unwrap();
        let kept = listing["backups"].as_array().unwrap().len();
        // Of a day the newest is kept, and of each database the newest that was restored.
        assert!((2..=4).contains(&kept), "{kept}");
    }
    cluster.psql("postgres", "CREATE DATABASE forgotten").await;
    fs::remove_file(site.path("pinged")).unwrap();
    let ran = cron(&site, check).await.ended(1);
    assert!(
        ran.stdout.contains("\"forgotten\" has no backup yet"),
        "{ran:#?}"
    );
    assert!(!site.path("pinged").exists());
    cluster.stop().await;
}
