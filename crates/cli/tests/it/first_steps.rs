//! What a newcomer does first, and what can go wrong then.

use std::os::unix::fs::PermissionsExt;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::{Site, restore};

#[tokio::test]
async fn init_tells_what_to_keep_offline_and_writes_private_files() {
    let site = Site::empty();
    let ran = site
        .run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    assert!(ran.stdout.contains("Keep offline"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("SECRET") && !ran.stderr.contains("SECRET"));
    for file in [
        "pgkeep.toml",
        "host.key",
        "recovery.key",
        "backups/pgkeep.json",
    ] {
        assert!(
            ran.stdout.contains(file) || file.starts_with("backups"),
            "{file}"
        );
        let mode = std::fs::metadata(site.path(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let key = std::fs::read_to_string(site.path("recovery.key")).unwrap();
    assert!(key.contains("\nAGE-SECRET-KEY-1"));
    // The repository holds no private key.
    for file in site.repository_files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            !bytes.windows(14).any(|w| w == b"AGE-SECRET-KEY"),
            "{file:?}"
        );
    }
}

#[tokio::test]
async fn a_new_configuration_keeps_everything_and_says_how_to_keep_less() {
    let site = Site::empty();
    let init = ["init", "--repository", "backups", "--cluster", "shop"];
    site.run(&init).await.ended(0);
    let file = site.path("pgkeep.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    assert!(!configuration.lines().any(|line| line.starts_with("keep")));
    let refused = site.run(&["backup", "--prune"]).await.ended(2);
    refused.says(&["nothing says what of cluster shop is to be kept"]);
    // What is a comment there is right.
    let said = configuration.replace("# [cluster", "[cluster");
    let said = said.replace("# keep =", "keep =");
    assert_eq!(
        said.lines().last(),
        Some("keep = { daily = 7, weekly = 4, monthly = 12 }")
    );
    std::fs::write(&file, said).unwrap();
    let shown = site.run(&["config"]).await.ended(0).stdout;
    assert!(shown.contains("daily=7, weekly=4, monthly=12"), "{shown}");
}

#[tokio::test]
async fn a_second_init_changes_nothing() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let content = || {
        let mut files = site.repository_files();
        files.extend(["pgkeep.toml", "host.key", "recovery.key"].map(|f| site.path(f)));
        files
            .into_iter()
            .map(|f| (f.clone(), std::fs::read(f).unwrap()))
            .collect::<Vec<_>>()
    };
    let before = content();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(1)
        .says(&["exists already"]);
    site.run(&[
        "init",
        "--repository",
        "backups",
        "--config",
        "other/pgkeep.toml",
    ])
    .await
    .ended(1)
    .says(&["there is a repository in"]);
    assert_eq!(content(), before);
    assert!(!site.path("other/host.key").exists());
}

#[tokio::test]
async fn a_password_is_never_taken_as_an_argument() {
    let site = Site::empty();
    let connection = "postgres://me:hunter2@localhost/app";
    let ran = site
        .run(&[
            "init",
            "--repository",
            "backups",
            "--connection",
            connection,
        ])
        .await
        .ended(2);
    assert!(!ran.stderr.contains("hunter2"));
    assert!(!site.path("pgkeep.toml").exists() && !site.path("backups").exists());
}

#[tokio::test]
async fn a_recovery_key_can_stay_elsewhere_from_the_first() {
    let site = Site::empty();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let ran = site
        .run(&["init", "--repository", "backups", "--recipient", recipient])
        .await
        .ended(0);
    assert!(ran.stdout.contains(recipient));
    assert!(
        ran.stdout.contains("# pgkeep repository: "),
        "{}",
        ran.stdout
    );
    assert!(!site.path("recovery.key").exists());
}

#[tokio::test]
async fn unencrypted_is_only_by_name() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    cluster
        .psql("app", "CREATE TABLE t AS SELECT 'visible' AS what")
        .await;
    let connection = crate::site::socket_of(&cluster);
    let site = Site::with(&connection, &["--encryption", "none"]).await;
    site.back_up("app").await;
    // Nothing is sealed: no key is needed.
    site.run(&["restore", "--database", "app", "--as", "again"])
        .await
        .ended(0);
    assert_eq!(
        cluster.psql("again", "SELECT what FROM t").await.trim(),
        "visible"
    );

    // A configuration that does not say so refuses such a repository.
    let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    assert!(config.contains("mode = \"none\""));
    std::fs::write(
        site.path("pgkeep.toml"),
        config.replace("mode = \"none\"\n", ""),
    )
    .unwrap();
    site.run(&["backup", "--database", "app"])
        .await
        .ended(1)
        .says(&["not encrypted"]);
    cluster.stop().await;
}

#[tokio::test]
async fn without_a_configuration_the_way_to_one_is_told() {
    let site = Site::empty();
    site.run(&["list"])
        .await
        .ended(1)
        .says(&["found no configuration", "pgkeep init"]);
    site.run(&["init"]).await.ended(2).says(&["--repository"]);
    assert!(site.repository_files().is_empty());
}

#[tokio::test]
async fn an_unknown_key_of_the_configuration_is_named_with_its_place() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let config = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    std::fs::write(
        site.path("pgkeep.toml"),
        format!("{config}repositores = []\n"),
    )
    .unwrap();
    site.run(&["list"]).await.ended(1).says(&[
        "pgkeep.toml, line",
        "`repositores`",
        "repositories",
    ]);
}

#[tokio::test]
async fn a_key_file_that_others_can_read_is_refused() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let permissions = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(site.path("host.key"), permissions).unwrap();
    site.run(&["list"])
        .await
        .ended(1)
        .says(&["host.key", "chmod 600"]);
}

#[tokio::test]
async fn an_empty_repository_lists_nothing() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    assert!(site.list().await.is_empty());
    site.run(&restore(&["--database", "app"]))
        .await
        .ended(4)
        .says(&["\"app\""]);
}

#[tokio::test]
async fn the_environment_alone_is_enough_once_there_is_a_host_key() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let mut site = Site::of(&cluster).await;
    std::fs::remove_file(site.path("pgkeep.toml")).unwrap();
    site.set("PGKEEP_DATABASE_URL", crate::site::socket_of(&cluster));
    site.set("PGKEEP_REPOSITORY", site.path("backups"));
    site.set("PGKEEP_HOST_KEY_FILE", site.path("host.key"));
    site.back_up("postgres").await;
    assert_eq!(site.good().await.len(), 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_with_the_key_and_the_address_lists_and_restores() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    let mut elsewhere = Site::empty();
    elsewhere.set("PGKEEP_REPOSITORY", site.path("backups"));
    elsewhere.set("PGKEEP_IDENTITY_FILE", site.path("recovery.key"));
    assert_eq!(elsewhere.good().await, std::slice::from_ref(&id));
    elsewhere
        .run(&["show", &id, "--cluster", "main"])
        .await
        .ended(0);
    let restore = ["restore", "main", "--backup", &id, "--to-file", "x.dump"];
    elsewhere.run(&restore).await.ended(0);
    // It holds no host key: it writes nothing.
    elsewhere
        .run(&["backup", "main"])
        .await
        .ended(1)
        .says(&["found no host key"]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn show_tells_what_is_known_also_of_an_attempt_that_failed() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster
        .psql(
            "postgres",
            "CREATE DATABASE app; COMMENT ON DATABASE app IS 'orders'",
        )
        .await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("app").await;
    let shown = site.run(&["show", &id[..18]]).await.ended(0).stdout;
    for word in [
        id.as_str(),
        "complete",
        "PostgreSQL 15",
        "pg_dump 15",
        "orders",
        "plpgsql",
    ] {
        assert!(shown.contains(word), "{word:?} is not in {shown}");
    }
    // The list shows the random part, and that is enough.
    let listed = site.run(&["list"]).await.ended(0).stdout;
    let short = id.rsplit('-').next().unwrap();
    assert!(listed.contains(short), "{listed}");
    assert!(
        listed.lines().all(|line| line.chars().count() <= 80),
        "{listed}"
    );
    site.run(&["show", short]).await.ended(0);
    let json = site.run(&["show", &id, "--json"]).await.ended(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["facts"]["database"]["comment"], "orders");

    site.run(&["backup", "--database", "nope"]).await.ended(1);
    let failed = site.list().await.pop().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = site.run(&["show", &failed]).await.ended(0).stdout;
    assert!(
        shown.contains("FAILED") && shown.contains("there is no database"),
        "{shown}"
    );
    let of_failed = restore(&["--backup", &failed, "--as", "new"]);
    let ran = site.run(&of_failed).await;
    ran.ended(4)
        .says(&[&failed, "failed", "there is no database"]);
    let ran = site.run(&["show", "1999"]).await;
    ran.ended(4).says(&["\"1999\""]);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_what_it_was_not_given() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    let short = id.rsplit('-').next().unwrap();
    let nothing = ["restore", "--to-file", "x"];
    let named = ["--database NAME", "--backup ID"];
    site.run(&nothing).await.ended(2).says(&named);
    // An id that stands where the cluster does.
    let misplaced = ["restore", short, "--to-file", "x"];
    let ran = site.run(&misplaced).await.ended(2);
    ran.says(&named).says(&[short, "taken for the cluster"]);
    let with_key = ["restore", "--backup", short, "--identity", "host.key"];
    let with_key = [&with_key[..], &["--to-file", "x"]].concat();
    let ran = site.run(&with_key).await;
    ran.ended(1)
        .says(&["host.key", "a host's key, which opens no backup"])
        .says(&["recovery key", "--identity"]);
    assert!(!site.path("x").exists());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_lost_its_host_key_still_restores() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    site.back_up("postgres").await;
    std::fs::remove_file(site.path("host.key")).unwrap();
    assert_eq!(site.good().await.len(), 1);
    let restore = restore(&["--database", "postgres", "--as", "new"]);
    site.run(&restore)
        .await
        .ended(0)
        .says(&["warning:", "host.key"]);
    site.run(&["backup", "--database", "postgres"])
        .await
        .ended(1)
        .says(&["host.key"]);
    cluster.stop().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_printed_is_a_failure() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    let full = std::fs::File::create("/dev/full").unwrap();
    let child = site
        .command(&["list", "--json"])
        .stdout(full)
        .spawn()
        .unwrap();
    crate::site::ended(child)
        .await
        .ended(1)
        .says(&["cannot write to stdout"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_no_key_knows_is_restored_only_when_told_so() {
    let cluster = Cluster::start(Major::Fifteen).await;
    let site = Site::of(&cluster).await;
    let id = site.back_up("postgres").await;
    // The key alone, as age-keygen writes it, on another machine.
    let key = std::fs::read_to_string(site.path("recovery.key")).unwrap();
    let bare: String = key.lines().filter(|l| !l.starts_with('#')).collect();
    let mut elsewhere = Site::empty();
    std::fs::write(elsewhere.path("bare.key"), bare).unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(elsewhere.path("bare.key"), private).unwrap();
    elsewhere.set("PGKEEP_REPOSITORY", site.path("backups"));
    let restore = [
        "restore",
        "main",
        "--backup",
        &id,
        "--to-file",
        "x",
        "--identity",
        "bare.key",
    ];
    elsewhere
        .run(&restore)
        .await
        .ended(1)
        .says(&["no key file at hand knows", "--unpinned"]);
    assert!(!elsewhere.path("x").exists());
    elsewhere
        .run(&[&restore[..], &["--unpinned"]].concat())
        .await
        .ended(0);
    cluster.stop().await;
}

#[tokio::test]
async fn an_empty_name_of_a_database_is_not_taken_for_another_one() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    site.run(&["backup", "--database", ""])
        .await
        .ended(2)
        .says(&["cannot be the name"]);
    site.run(&["restore", "--database", ""])
        .await
        .ended(2)
        .says(&["cannot be the name"]);
    assert!(site.list().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_file_may_have_a_line_for_each_database() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE DATABASE app").await;
    let port = cluster.tcp_connection("app").port();
    let connection = format!("host=127.0.0.1 port={port} user=postgres dbname=postgres");
    let site = Site::with(&connection, &[]).await;
    let password = Cluster::PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    let lines = format!("127.0.0.1:{port}:app:postgres:{password}\n*:*:*:*:wrong\n");
    std::fs::write(site.path(".pgpass"), lines).unwrap();
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(site.path(".pgpass"), private).unwrap();
    site.back_up("app").await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_repository_is_made_in_no_directory_that_holds_something_else() {
    let site = Site::empty();
    let place = site.path("photos");
    std::fs::create_dir_all(place.join("lost+found")).unwrap();
    std::fs::write(place.join("holiday.jpg"), "beach").unwrap();
    let ran = site.run(&["init", "--repository", "photos"]).await.ended(1);
    ran.says(&["photos", "holiday.jpg", "new directory"]);
    let names = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&place), ["holiday.jpg", "lost+found"]);
    assert_eq!(names(site.home.path()), ["photos"]);

    std::fs::remove_file(place.join("holiday.jpg")).unwrap();
    site.run(&["init", "--repository", "photos"]).await.ended(0);
}
