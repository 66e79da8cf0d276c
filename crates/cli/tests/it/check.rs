//! `pgkeep check`: whatever keeps somebody from being safe is found, and told with the exit
//! code of monitoring.

mod keys;
mod proofs;
mod room;
mod servers;
mod sizes;
mod usage;

use std::fs;

use jiff::{SignedDuration, Timestamp};
use pgkeep_postgres::client::system_id;
use pgkeep_testkit::cluster::{Cluster, Major};

use crate::clocks::redate;
use crate::keeping::pins::copy_folder;
use crate::keeping::shelf::{APP, Dump, Shelf};
use crate::site::{Ran, Site, socket_of};

/// A server with a database `app` alone to be backed up, and a shelf for its backups; `more` is
/// added to the configuration.
async fn shelf(more: &str) -> (Cluster, Shelf) {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let choice = format!("databases = {{ exclude = [\"postgres\"] }}\n{more}");
    let mut shelf = Shelf::new(&choice).await;
    let connection = socket_of(&cluster);
    shelf.site.set("PGKEEP_CLUSTER_MAIN_CONNECTION", connection);
    let session = cluster.connect("postgres").await;
    shelf.system = system_id(&session).await.unwrap();
    (cluster, shelf)
}

/// So many hours before now, as the storage's clock has it.
fn hours_ago(site: &Site, hours: i64) -> String {
    fs::write(site.path("now"), "").unwrap();
    let now = fs::metadata(site.path("now")).unwrap().modified().unwrap();
    let now = Timestamp::try_from(now).unwrap();
    let then = now - SignedDuration::from_hours(hours);
    then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Checks, and has it end with `code` and say all of `words`.
#[track_caller]
fn says(ran: Ran, code: i32, words: &[&str]) -> Ran {
    let ran = ran.ended(code);
    for word in words {
        assert!(ran.stdout.contains(word), "{word:?} is not in {ran:#?}");
    }
    ran
}

impl Shelf {
    async fn check(&self, more: &[&str]) -> Ran {
        self.site.run(&[&["check"], more].concat()).await
    }

    /// A backup of `app` that was made so many hours ago.
    async fn app(&self, hours: i64) -> String {
        self.dump(APP, &hours_ago(&self.site, hours)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_older_than_wanted_warns_and_one_that_is_much_older_is_critical() {
    let (cluster, shelf) = shelf("").await;
    says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: database \"app\" has no good backup",
            "verdict: CRITICAL",
        ],
    );
    shelf.app(73).await;
    says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: database \"app\" has had no good backup for 3 days (newest 20",
            "wanted every 26 h)",
        ],
    );
    says(
        shelf.check(&["--max-age", "4d"]).await,
        0,
        &["main: OK: 1 database"],
    );
    shelf.app(27).await;
    says(
        shelf.check(&[]).await,
        1,
        &["main: WARNING: database \"app\" has had no good backup for 27 h"],
    );
    says(
        shelf.check(&["--critical-age", "26h"]).await,
        2,
        &["CRITICAL"],
    );
    shelf
        .site
        .set_limit("max_age = \"1h\"\ncritical_age = \"28h\"");
    says(shelf.check(&[]).await, 1, &["wanted every 1 h"]);
    shelf.app(0).await;
    says(
        shelf.check(&[]).await,
        0,
        &[
            "main: OK: 1 database, its newest backup is ",
            " old, never proven\n",
            "verdict: OK\n",
        ],
    );
    cluster.stop().await;
}

impl Site {
    /// Adds limits to the configuration.
    fn set_limit(&self, limits: &str) {
        let file = self.path("pgkeep.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{text}\n[cluster.main.check]\n{limits}\n")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_become_of_the_last_run_is_told() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(4).await;
    let failed = shelf.failure(APP, &hours_ago(&shelf.site, 3)).await;
    let short = failed.rsplit('-').next().unwrap();
    says(
        shelf.check(&[]).await,
        1,
        &[
            "main: WARNING: the last backup of database \"app\" failed (",
            short,
        ],
    );
    // One that goes on is no finding, until it takes too long.
    let run = shelf.begin(APP, &hours_ago(&shelf.site, 2)).await;
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    says(
        shelf.check(&["--max-run", "30min"]).await,
        1,
        &[
            "the running backup of database \"app\"",
            "has been going on for 2 h",
        ],
    );
    let begin = format!("backups/main/runs/{}/begin", run.id());
    let begin = shelf.site.path(&begin);
    drop(run);
    let set_back = |minutes| {
        let now: Timestamp = hours_ago(&shelf.site, 0).parse().unwrap();
        let then = now - SignedDuration::from_mins(minutes);
        let file = fs::File::options().append(true).open(&begin).unwrap();
        file.set_modified(then.into()).unwrap();
    };
    set_back(30);
    says(
        shelf.check(&[]).await,
        1,
        &["has given no sign of life since"],
    );
    set_back(90);
    says(
        shelf.check(&[]).await,
        1,
        &["the last backup of database \"app\" was cut off"],
    );
    shelf.app(1).await;
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    let bare = Dump {
        globals: false,
        ..APP
    };
    shelf.dump(bare, &hours_ago(&shelf.site, 0)).await;
    says(
        shelf.check(&[]).await,
        1,
        &["is partial: the cluster's globals are not with it"],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_told_and_critical_where_it_is_the_newest() {
    let (cluster, shelf) = shelf("").await;
    let older = shelf.app(20).await;
    let newer = shelf.app(10).await;
    let cut = |id: &str| {
        let manifest = shelf
            .site
            .path(&format!("backups/main/backups/{id}/manifest"));
        let bytes = fs::read(&manifest).unwrap();
        fs::write(&manifest, &bytes[..bytes.len() - 1]).unwrap();
    };
    cut(&older);
    says(
        shelf.check(&[]).await,
        1,
        &[
            "main: WARNING: backup ",
            "of database \"app\" is no good one",
            "/manifest",
        ],
    );
    cut(&newer);
    says(
        shelf.check(&[]).await,
        2,
        &["database \"app\" has no good backup"],
    );
    shelf.app(5).await;
    cut(&shelf.app(4).await);
    says(shelf.check(&[]).await, 2, &["main: CRITICAL: backup "]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_verification_has_found_is_told() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(2).await;
    let id = shelf.app(1).await;
    let pack = shelf
        .site
        .path(&format!("backups/main/backups/{id}/packs/0"));
    let mut bytes = fs::read(&pack).unwrap();
    bytes[99] ^= 1;
    fs::write(&pack, bytes).unwrap();
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    shelf.site.run(&["verify"]).await.ended(1);
    says(
        shelf.check(&[]).await,
        2,
        &[
            "main: CRITICAL: backup ",
            "of database \"app\" is no good one",
            "/packs/0",
        ],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newest_that_clocks_make_uncertain_is_critical() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(2).await;
    let id = shelf.app(1).await;
    redate(&shelf.site, &id, SignedDuration::from_hours(72));
    says(
        shelf.check(&[]).await,
        2,
        &[
            "which backup of database \"app\" is the newest cannot be told",
            "which has not come",
        ],
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_database_is_no_backup_of_it() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(27).await;
    let part = Dump {
        selected: true,
        ..APP
    };
    shelf.dump(part, &hours_ago(&shelf.site, 1)).await;
    says(
        shelf.check(&[]).await,
        1,
        &["has had no good backup for 27 h", "has a part of it alone"],
    );
    // Where a part is what is wanted it is one.
    let wanted = ["PGKEEP_CLUSTER_MAIN_DUMP_SCHEMAS_INCLUDE", "public"];
    let mut command = shelf.site.command(&["check"]);
    let ran = crate::site::ended(command.env(wanted[0], wanted[1]).spawn().unwrap()).await;
    says(ran, 0, &["main: OK"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_chosen_for_deletion_and_stays_for_its_pin_alone_is_no_good_one() {
    let (cluster, shelf) = shelf("").await;
    shelf.app(27).await;
    let newest = shelf.app(1).await;
    let pin = ["pin", &newest, "--reason", "audit"];
    shelf.site.run(&pin).await.ended(0);
    says(shelf.check(&[]).await, 0, &["main: OK"]);
    // As if its pin had come while somebody deleted it: the tombstone is there alone.
    let files = |of: &str| shelf.site.path(&format!("backups/main/{of}"));
    fs::rename(files("pins"), files("pins.aside")).unwrap();
    let (folder, aside) = (
        files(&format!("backups/{newest}")),
        shelf.site.path("aside"),
    );
    copy_folder(&folder, &aside);
    let by_id = ["prune", "--id", &newest, "--yes"];
    shelf.site.run(&by_id).await.ended(0);
    copy_folder(&aside, &folder);
    fs::rename(files("pins.aside"), files("pins")).unwrap();
    says(
        shelf.check(&[]).await,
        1,
        &["database \"app\" has had no good backup for 27 h"],
    );
    cluster.stop().await;
}
