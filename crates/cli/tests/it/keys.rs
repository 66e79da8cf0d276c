//! Who may read and write, as people go about it: several hosts, provers,
//! keys that come and go.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, socket_of};

/// Another machine, which knows the address and the cluster.
fn elsewhere(site: &Site, cluster: &Cluster) -> Site {
    let mut other = Site::empty();
    other.set("PGKEEP_REPOSITORY", site.path("backups"));
    other.set("PGKEEP_DATABASE_URL", socket_of(cluster));
    other.set("PGKEEP_HOST_KEY_FILE", other.path("host.key"));
    other
}

/// Makes a key there, and tells the request.
pub(crate) async fn new_key(site: &Site, more: &[&str]) -> String {
    let ran = site.run(&[&["key", "new"], more].concat()).await.ended(0);
    assert!(!ran.stdout.contains("SECRET") && !ran.stderr.contains("SECRET"));
    assert_eq!(ran.stdout.lines().count(), 1, "{ran:?}");
    ran.stdout.trim().to_owned()
}

/// Has the owner add what is asked for.
async fn add(site: &Site, request: &str, more: &[&str]) {
    let add = ["key", "add", request, "--identity", "recovery.key", "--yes"];
    site.run(&[&add, more].concat()).await.ended(0);
}

/// A second host that has joined.
async fn second_host(site: &Site, cluster: &Cluster) -> Site {
    let second = elsewhere(site, cluster);
    let request = new_key(&second, &["--name", "db2"]).await;
    add(site, &request, &[]).await;
    second.run(&["key", "trust", "--yes"]).await.ended(0);
    second
}

/// Whether `restore` with this identity's file brings a backup back.
pub(crate) async fn restores(site: &Site, id: &str, more: &[&str]) {
    let file = format!("{id}.dump");
    let restore = ["restore", "main", "--backup", id, "--to-file", &file];
    site.run(&[&restore, more].concat()).await.ended(0);
    assert!(
        std::fs::read(site.path(&file))
            .unwrap()
            .starts_with(b"PGDMP")
    );
    std::fs::remove_file(site.path(&file)).unwrap();
}

fn key_named(listing: &str, name: &str) -> serde_json::Value {
    let listing: serde_json::Value = serde_json::from_str(listing).unwrap();
    assert_eq!(listing["version"], 1);
    let keys = listing["keys"].as_array().unwrap();
    keys.iter().find(|key| key["name"] == name).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_joins_step_by_step() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let first = site.back_up("postgres").await;
    let second = elsewhere(&site, &cluster);
    let request = new_key(&second, &["--name", "db2"]).await;
    let back_up = ["backup", "main", "--database", "postgres"];
    let refused = second.run(&back_up).await.ended(1);
    refused.says(&["no writer", "pgkeep key add"]);
    // Without a yes nothing is added, and a host's own key adds nobody.
    let add_it = ["key", "add", &request];
    site.run(&add_it)
        .await
        .ended(1)
        .says(&["may change the keys", "--identity"]);
    let with_key = [&add_it[..], &["--identity", "recovery.key"]].concat();
    let shown = site.run(&with_key).await.ended(2);
    shown.says(&["fingerprint", "db2", "--yes"]);
    let refused = second.run(&back_up).await.ended(1);
    refused.says(&["host db2 is no writer of the repository", "pgkeep key add"]);
    add(&site, &request, &[]).await;

    let refused = second.run(&back_up).await.ended(1);
    refused.says(&["does not know the repository", "pgkeep key trust"]);
    let asked = second.run(&["key", "trust"]).await.ended(2);
    asked.says(&["root key", "recovery", "--yes"]);
    let refused = second.run(&back_up).await.ended(1);
    refused.says(&["does not know the repository", "pgkeep key trust"]);
    second.run(&["key", "trust", "--yes"]).await.ended(0);
    let mode = std::fs::metadata(second.path("host.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let by_second = second.back_up("postgres").await;
    assert_eq!(second.good().await.len(), 2);
    for id in [&first, &by_second] {
        restores(&site, id, &["--identity", "recovery.key"]).await;
    }
    // Each host opens the facts of its own.
    let shown = second.run(&["show", &by_second]).await.ended(0).stdout;
    assert!(shown.contains("pg_dump"), "{shown}");
    let shown = second.run(&["show", &first]).await.ended(0).stdout;
    assert!(shown.contains("sealed"), "{shown}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_take_turns_with_keys_of_their_own_are_told_once_what_sharing_gives() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let second = second_host(&site, &cluster).await;
    let by_first = site.back_up("postgres").await;
    let back_up = ["backup", "main", "--database", "postgres"];
    let told = second.run(&back_up).await.ended(0);
    let short = by_first.rsplit('-').next().unwrap();
    told.says(&["stored whole", short, "copy the host key file of"]);
    // From then on each has one of its own to compare with.
    for host in [&site, &second] {
        let ran = host.run(&back_up).await.ended(0);
        assert!(!ran.stderr.contains("warning"), "{ran:?}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_one_cluster_may_share_a_key_file() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let twin = elsewhere(&site, &cluster);
    std::fs::copy(site.path("host.key"), twin.path("host.key")).unwrap();
    let by_first = site.back_up("postgres").await;
    let by_twin = twin.back_up("postgres").await;
    let again = site.back_up("postgres").await;
    // Each is compared with the other's, whose manifest it opens.
    for (id, parent) in [(&by_twin, &by_first), (&again, &by_twin)] {
        let shown = site.run(&["show", id, "--json"]).await.ended(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["backup"]["parent"], **parent);
    }
    for (host, id) in [(&twin, by_first), (&site, by_twin), (&twin, again)] {
        let shown = host.run(&["show", &id]).await.ended(0).stdout;
        assert!(shown.contains("pg_dump"), "{shown}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_host_writes_no_more_and_its_backups_stay() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let second = second_host(&site, &cluster).await;
    let old = second.back_up("postgres").await;
    let retire = ["key", "remove", "db2", "--identity", "recovery.key"];
    site.run(&retire)
        .await
        .ended(2)
        .says(&["--yes", "stays good"]);
    site.run(&[&retire[..], &["--yes"]].concat()).await.ended(0);

    let refused = second
        .run(&["backup", "main", "--database", "postgres"])
        .await;
    refused.ended(1).says(&["was retired", "pgkeep key new"]);
    assert_eq!(site.good().await, std::slice::from_ref(&old));
    restores(&site, &old, &["--identity", "recovery.key"]).await;
    let listed = site.run(&["key", "list", "--json"]).await.ended(0).stdout;
    assert!(key_named(&listed, "db2")["retired"].is_string(), "{listed}");
    let table = site.run(&["key", "list"]).await.ended(0).stdout;
    assert!(table.contains("retired 20"), "{table}");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    site.back_up("postgres").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_exchanges_a_hosts_key() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    let old = site.back_up("postgres").await;
    let request = new_key(&site, &["--name", "db1", "--output", "new.key"]).await;
    let host = site.key_of("host").await;
    let print = &host["fingerprint"].as_str().unwrap()[..8];
    add(&site, &request, &["--replaces", print]).await;
    site.run(&["backup", "main"])
        .await
        .ended(1)
        .says(&["was retired"]);
    site.set("PGKEEP_HOST_KEY_FILE", site.path("new.key"));
    site.run(&["key", "trust", "--yes"]).await.ended(0);
    let new = site.back_up("postgres").await;
    assert_eq!(site.good().await, [old.clone(), new]);
    restores(&site, &old, &["--identity", "recovery.key"]).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prover_restores_what_was_made_since_it_came_and_adds_nobody() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let before = site.back_up("postgres").await;
    let prover = elsewhere(&site, &cluster);
    let request = new_key(&prover, &["--role", "prover", "--name", "ci"]).await;
    add(&site, &request, &[]).await;
    // A host seals to nobody whom it was not told of.
    let refused = site
        .run(&["backup", "main", "--database", "postgres"])
        .await;
    refused
        .ended(1)
        .says(&["new prover key age1", "pgkeep key trust"]);
    site.run(&["key", "trust", "--yes"])
        .await
        .ended(0)
        .says(&["NEW", "ci"]);
    let since = site.back_up("postgres").await;

    let with_key = ["--identity", "prover.key"];
    let restore = ["restore", "main", "--backup", &since, "--to-file", "x"];
    let unknown = prover.run(&[&restore[..], &with_key].concat()).await;
    unknown.ended(1).says(&["no key file at hand knows"]);
    let trust = ["key", "trust", "--identity", "prover.key", "--yes"];
    prover.run(&trust).await.ended(0);
    restores(&prover, &since, &with_key).await;
    let restore = ["restore", "main", "--backup", &before, "--to-file", "x"];
    let shut = prover.run(&[&restore[..], &with_key].concat()).await;
    shut.ended(1).says(&["prover \"ci\"", "was added on"]);
    let add = [
        "key",
        "add",
        "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    ];
    let more = [
        "--role",
        "prover",
        "--name",
        "x",
        "--yes",
        "--identity",
        "prover.key",
    ];
    let refused = prover.run(&[&add[..], &more].concat()).await;
    refused.ended(1).says(&["may change the keys"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_of_age_keygen_is_added_and_the_first_one_retired() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let request = new_key(&site, &["--role", "recovery", "--output", "second.key"]).await;
    let recipient = request.split(':').nth(3).unwrap();
    let more = ["--role", "recovery", "--name", "offsite"];
    add(&site, recipient, &more).await;
    // Both the host and the configuration say whom they seal to.
    let back_up = ["backup", "main", "--database", "postgres"];
    site.run(&back_up).await.ended(1).says(&[recipient]);
    site.run(&["key", "trust", "--yes"]).await.ended(0);
    site.run(&back_up)
        .await
        .ended(1)
        .says(&["'recipients' in [encryption]"])
        .says(&[&format!("the repository has {recipient}")]);
    let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    let line = config
        .lines()
        .find(|line| line.starts_with("recipients"))
        .unwrap();
    let both = line.replace(']', &format!(", \"{recipient}\"]"));
    std::fs::write(site.path("pgkeep.toml"), config.replace(line, &both)).unwrap();
    let id = site.back_up("postgres").await;
    site.run(&["key", "trust", "--identity", "second.key", "--yes"])
        .await
        .ended(0);
    for key in ["recovery.key", "second.key"] {
        restores(&site, &id, &["--identity", key]).await;
    }
    let retire = [
        "key",
        "retire",
        "recovery",
        "--identity",
        "second.key",
        "--yes",
    ];
    let told = site.run(&retire).await.ended(0);
    told.says(&["it has seen the root key", "only a new repository helps"]);
    // What it opens it opens still.
    let kit = site.run(&["kit"]).await.ended(0).stdout;
    let first = site.key_of("recovery").await["fingerprint"].to_string();
    assert!(kit.contains(first.trim_matches('"')), "{kit}");
    assert!(
        kit.contains("retired: keep it as long as a backup needs it"),
        "{kit}"
    );
    let last = [
        "key",
        "retire",
        "offsite",
        "--identity",
        "second.key",
        "--yes",
    ];
    site.run(&last)
        .await
        .ended(1)
        .says(&["the last recovery key"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_an_unencrypted_repository_adds_hosts() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::with(&socket_of(&cluster), &["--encryption", "none"]).await;
    let second = elsewhere(&site, &cluster);
    let request = new_key(&second, &["--name", "db2"]).await;
    let add = ["key", "add", &request, "--yes", "--identity", "owner.key"];
    site.run(&add).await.ended(0);
    second.run(&["key", "trust", "--yes"]).await.ended(0);
    std::fs::write(
        second.path("pgkeep.toml"),
        format!(
            "[repository.local]\nurl = {:?}\n[encryption]\nmode = \"none\"\n",
            site.path("backups")
        ),
    )
    .unwrap();
    second.back_up("postgres").await;
    let prover = new_key(&second, &["--role", "prover", "--name", "ci"]).await;
    let add = ["key", "add", &prover, "--yes", "--identity", "owner.key"];
    site.run(&add).await.ended(1).says(&["not encrypted"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_repository_in_the_place_of_another_is_not_trusted_unseen() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let other = Site::empty();
    other
        .run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    std::fs::rename(site.path("backups"), site.path("before")).unwrap();
    std::fs::rename(other.path("backups"), site.path("backups")).unwrap();
    let asked = site.run(&["key", "trust"]).await.ended(2);
    asked.says(&["may have replaced it", "was not added"]);
    site.run(&["key", "list"])
        .await
        .ended(1)
        .says(&["is not the one"]);
}

#[tokio::test]
async fn keys_that_were_taken_away_are_told_and_given_up_only_when_asked() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let request = new_key(&site, &["--name", "db2", "--output", "second.key"]).await;
    add(&site, &request, &[]).await;
    let print = request.rsplit(':').next().unwrap();
    std::fs::remove_file(site.path("backups/keys").join(print)).unwrap();
    let told = site.run(&["key", "list"]).await.ended(1);
    told.says(&[print, "it is not there, though keys/ring-2 lists it"]);
    let repair = ["key", "repair", "--identity", "recovery.key"];
    site.run(&repair).await.ended(2).says(&[print, "--yes"]);
    site.run(&[&repair[..], &["--yes"]].concat()).await.ended(0);
    site.run(&["key", "list"]).await.ended(0);
    add(&site, &request, &[]).await;
}
