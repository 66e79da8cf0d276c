//! Servers of which the machine has no client programs are backed up with newer ones, which is
//! told, and come back where they were and on newer servers.

use pgkeep_testkit::cluster::{Cluster, Major};

use super::SUFFIX;
use crate::site::{Site, restore, socket_of};

/// Restores `database` beside itself, and compares what pg_dump makes of the two.
async fn comes_back(cluster: &Cluster, site: &Site, database: &str) {
    let name = format!("{database}{SUFFIX}");
    let to = ["--database", database, "--as", &name];
    site.run(&restore(&to)).await.ended(0);
    let before = cluster.pg_dump_c(database).await;
    let after = cluster.pg_dump_c(&name).await.replace(SUFFIX, "");
    for (before, after) in before.lines().zip(after.lines()) {
        assert_eq!(before, after, "{database}");
    }
    assert_eq!(before.lines().count(), after.lines().count(), "{database}");
}

/// Restores `database` into a server of that version, which holds it against its facts.
async fn comes_back_on(major: Major, site: &Site, database: &str) {
    let newer = Cluster::start(major).await;
    let into = socket_of(&newer);
    let to = ["--database", database, "--into", &into, "--create-roles"];
    site.run(&restore(&to)).await.ended(0);
    newer.stop().await;
}

/// A backup of that server's database, made with programs of another version.
async fn backed_up(cluster: &Cluster, database: &str, with: u32) -> Site {
    let site = Site::of(cluster).await;
    let ran = site.run(&["backup", "--database", database]).await.ended(0);
    let major = cluster.major();
    let told =
        format!("this machine has no pg_dump {major}; database \"{database}\" is dumped with");
    ran.says(&[&told, &format!("is dumped with {with}.")]);
    site
}

#[cfg(target_arch = "x86_64")]
async fn old_ones_come_back(major: Major) {
    let cluster = Cluster::start(major).await;
    cluster.load_small_zoo().await;
    let site = backed_up(&cluster, "small", 15).await;
    comes_back(&cluster, &site, "small").await;
    for newer in Major::ALL {
        comes_back_on(newer, &site, "small").await;
    }
    cluster.stop().await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread")]
async fn of_13_there_and_on_all_newer_ones() {
    old_ones_come_back(Major::Thirteen).await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread")]
async fn of_14_there_and_on_all_newer_ones() {
    old_ones_come_back(Major::Fourteen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_17_there_and_on_18() {
    let cluster = Cluster::start(Major::Seventeen).await;
    for database in cluster.load_zoo_of_17().await {
        let site = backed_up(&cluster, database, 18).await;
        comes_back(&cluster, &site, database).await;
        comes_back_on(Major::Eighteen, &site, database).await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_on_logins_of_17_keeps_nobody_out() {
    let cluster = Cluster::start(Major::Seventeen).await;
    let make = "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'closed'; END$$; \
         CREATE EVENT TRIGGER watch ON login EXECUTE FUNCTION watch()";
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster.psql("app", make).await;
    let site = backed_up(&cluster, "app", 18).await;
    let to = ["--database", "app", "--as", "new"];
    site.run(&restore(&to)).await.ended(0);
    cluster.stop().await;
}
