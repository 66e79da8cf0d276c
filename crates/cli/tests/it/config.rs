//! What is in force is shown whole, with the place of each value and no secret.

use std::os::unix::fs::PermissionsExt as _;

use pgkeep_testkit::cluster::{Cluster, Major};

use crate::site::Site;

/// What `config` prints, with the home's path as `HOME`.
fn told(site: &Site, text: &str) -> String {
    let home = site.home.path().canonicalize().unwrap();
    text.replace(&home.display().to_string(), "HOME")
        .replace(&site.home.path().display().to_string(), "HOME")
}

const FILE: &str = r#"[repository.local]
url = "backups"

[repository.off-site]
url = "s3://bucket/pg?region=eu-west-1"

[encryption]
recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
host_key_file = "host.key"

[cluster.main]
connection = "postgres://backup:hunter2@db1,db2:6000/app?sslmode=require"
repositories = ["local"]

[cluster.main.dump]
lock_timeout = "30s"
databases = { exclude = ["scratch_*"] }
keep = { daily = 6, weekly = 4 }
keep_for = { app = { last = 5 } }

[cluster.other]
connection = "service=other"
"#;

const TABLE: &str = "\
Configuration: HOME/pgkeep.toml

KEY                                        VALUE                            FROM
repository.local.url                       HOME/backups                     HOME/pgkeep.toml:2
repository.off-site.url                    s3://bucket/pg?region=eu-west-1  HOME/pgkeep.toml:5
encryption.mode                            age                              default
encryption.recipients                      age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p                            HOME/pgkeep.toml:8
encryption.identity_file                   HOME/id                          PGKEEP_IDENTITY_FILE
encryption.host_key_file                   HOME/host.key                    HOME/pgkeep.toml:9
cluster.main.connection                    (hidden)                         HOME/pgkeep.toml:12
cluster.main.connection.user               backup                           the connection
cluster.main.connection.password           (hidden)                         the connection
cluster.main.connection.connect_timeout    7                                PGCONNECT_TIMEOUT
cluster.main.connection.dbname             app                              the connection
cluster.main.connection.host               db1,db2                          the connection
cluster.main.connection.port               ,6000                            the connection
cluster.main.connection.sslmode            require                          the connection
cluster.main.repositories                  local                            HOME/pgkeep.toml:13
cluster.main.dump.lock_timeout             30s                              HOME/pgkeep.toml:16
cluster.main.dump.databases.include               -                                default
cluster.main.dump.databases.exclude               scratch_*                        HOME/pgkeep.toml:17
cluster.main.dump.jobs                            2                                default
cluster.main.dump.rate_limit                      -                                default
cluster.main.dump.schemas.include                 -                                default
cluster.main.dump.schemas.exclude                 -                                default
cluster.main.dump.tables.include                  -                                default
cluster.main.dump.tables.exclude                  -                                default
cluster.main.dump.table_data.exclude              -                                default
cluster.main.dump.arguments                       -                                default
cluster.main.dump.keep                            daily=6, weekly=4                HOME/pgkeep.toml:18
cluster.main.dump.keep_for.app                    last=5                           HOME/pgkeep.toml:19
cluster.main.prove.queries                        -                                default
cluster.main.prove.max_age                        -                                default
cluster.main.prove.scratch                        -                                default
cluster.main.prove.isolation                      namespaces                       default
cluster.main.prove.timeout                        12h                              default
cluster.main.check.max_age                        26h                              default
cluster.main.check.critical_age                   50h                              default
cluster.main.check.max_run                        24h                              default
cluster.main.check.max_shrink                     50%                              default
cluster.main.check.max_growth                     400%                             default
cluster.main.check.min_rows                       100                              default
cluster.main.check.space                          14d                              default
cluster.main.check.critical_space                 3d                               default
cluster.other.connection                   (hidden)                         HOME/pgkeep.toml:22
cluster.other.connection.service           other                            the connection
cluster.other.connection.user              me                               HOME/.pg_service.conf, line 3
cluster.other.connection.password          (hidden)                         HOME/.pgpass
cluster.other.connection.connect_timeout   7                                PGCONNECT_TIMEOUT
cluster.other.connection.dbname            me                               default
cluster.other.connection.host              db3                              HOME/.pg_service.conf, line 2
cluster.other.connection.port              5432                             default
cluster.other.connection.sslmode           prefer                           default
cluster.other.repositories                 local, off-site                  default
cluster.other.dump.lock_timeout            -                                default
cluster.other.dump.databases.include               -                                default
cluster.other.dump.databases.exclude               -                                default
cluster.other.dump.jobs                            2                                default
cluster.other.dump.rate_limit                      -                                default
cluster.other.dump.schemas.include                 -                                default
cluster.other.dump.schemas.exclude                 -                                default
cluster.other.dump.tables.include                  -                                default
cluster.other.dump.tables.exclude                  -                                default
cluster.other.dump.table_data.exclude              -                                default
cluster.other.dump.arguments                       -                                default
cluster.other.dump.keep                            all                              default
cluster.other.prove.queries                       -                                default
cluster.other.prove.max_age                       -                                default
cluster.other.prove.scratch                       -                                default
cluster.other.prove.isolation                     namespaces                       default
cluster.other.prove.timeout                       12h                              default
cluster.other.check.max_age                       26h                              default
cluster.other.check.critical_age                  50h                              default
cluster.other.check.max_run                       24h                              default
cluster.other.check.max_shrink                    50%                              default
cluster.other.check.max_growth                    400%                             default
cluster.other.check.min_rows                      100                              default
cluster.other.check.space                         14d                              default
cluster.other.check.critical_space                3d                               default
";

/// A home with that file and more around it.
fn home(site: &mut Site) {
    std::fs::write(site.path("pgkeep.toml"), FILE).unwrap();
    std::fs::write(
        site.path(".pg_service.conf"),
        "[other]\nhost=db3\nuser=me\n",
    )
    .unwrap();
    let passwords = site.path(".pgpass");
    std::fs::write(&passwords, "db3:*:*:me:hunter2\n").unwrap();
    std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o600)).unwrap();
    site.set("PGKEEP_POSTGRES_BIN", "");
    site.set("PGKEEP_IDENTITY_FILE", "id");
    site.set("PGCONNECT_TIMEOUT", "7");
}

/// A table's lines, however wide its columns are.
fn rows(table: &str) -> Vec<String> {
    let cells = |line: &str| {
        let cells = line.split("  ").filter(|cell| !cell.is_empty());
        cells.map(str::trim).collect::<Vec<_>>().join(" | ")
    };
    table.lines().map(cells).collect()
}

#[tokio::test]
async fn each_value_is_told_with_its_place_and_secrets_are_hidden() {
    let mut site = Site::empty();
    home(&mut site);
    let ran = site.run(&["config"]).await.ended(0);
    let mut shown = rows(&told(&site, &ran.stdout));
    shown.retain(|row| !row.starts_with("postgres.bin"));
    assert_eq!(shown, rows(TABLE));
    assert!(!format!("{ran:?}").contains("hunter2"));
}

#[tokio::test]
async fn programs_get_the_same_as_json() {
    let mut site = Site::empty();
    home(&mut site);
    site.set("PGKEEP_SERVICE_HOST", "10.0.0.1");
    let ran = site.run(&["config", "--json"]).await.ended(0);
    let ran = ran.says(&["PGKEEP_SERVICE_HOST is set, and nothing reads it"]);
    assert!(!format!("{ran:?}").contains("hunter2"));
    let report: serde_json::Value = serde_json::from_str(&told(&site, &ran.stdout)).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["file"], "HOME/pgkeep.toml");
    assert_eq!(report["unread_variables"][0], "PGKEEP_SERVICE_HOST");
    let value = |key: &str| {
        let values = report["values"].as_array().unwrap();
        let found = values.iter().find(|value| value["key"] == key);
        found.unwrap_or_else(|| panic!("{key}: {report:#}")).clone()
    };
    assert_eq!(
        value("repository.local.url"),
        serde_json::json!({
            "key": "repository.local.url", "value": "HOME/backups", "hidden": false,
            "origin": {"kind": "file", "path": "HOME/pgkeep.toml", "line": 2, "column": 7},
        })
    );
    assert_eq!(
        value("cluster.other.connection.password"),
        serde_json::json!({
            "key": "cluster.other.connection.password", "value": null, "hidden": true,
            "origin": {"kind": "password_file", "path": "HOME/.pgpass"},
        })
    );
    let repositories = value("cluster.other.repositories");
    assert_eq!(
        repositories["value"],
        serde_json::json!(["local", "off-site"])
    );
    assert_eq!(
        repositories["origin"],
        serde_json::json!({"kind": "default"})
    );
}

#[tokio::test]
async fn two_variables_are_enough_and_a_mistyped_one_is_an_error() {
    let mut site = Site::empty();
    std::fs::write(site.path("url"), "host=h user=u dbname=d\n").unwrap();
    site.set("PGKEEP_REPOSITORY", "backups");
    site.set("PGKEEP_DATABASE_URL_FILE", "url");
    let ran = site.run(&["config"]).await.ended(0);
    let stdout = told(&site, &ran.stdout);
    assert!(
        stdout.contains("PGKEEP_DATABASE_URL_FILE=HOME/url"),
        "{stdout}"
    );
    assert!(stdout.contains("repository.default.url"), "{stdout}");
    site.set("PGKEEP_DATABSE_URL", "host=other");
    let ran = site.run(&["config"]).await.ended(1);
    ran.says(&["PGKEEP_DATABSE_URL", "did you mean PGKEEP_DATABASE_URL"]);
}

#[tokio::test]
async fn what_cannot_be_used_is_told_after_what_can() {
    let mut site = Site::empty();
    let text = FILE
        .replace("eu-west-1", "x&regoin=hunter2")
        .replace("sslmode=require", "sslcrl=x");
    std::fs::write(site.path("pgkeep.toml"), text).unwrap();
    site.set("PGSERVICEFILE", "nowhere");
    let ran = site.run(&["config"]).await.ended(1);
    assert!(ran.stdout.contains("encryption.recipients"), "{ran:#?}");
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:#?}");
    ran.says(&["regoin", "sslcrl", "nowhere"]);

    std::fs::write(
        site.path("pgkeep.toml"),
        "[cluster.main]\nconection = \"x\"\n",
    )
    .unwrap();
    let ran = site.run(&["config"]).await.ended(1);
    ran.says(&["pgkeep.toml, line 2, column 1", "did you mean 'connection'"]);
}

#[tokio::test]
async fn a_value_that_cannot_be_used_is_told_with_line_and_column() {
    let site = Site::empty();
    let base = "[repository.a]\nurl = \"/a\"\n[cluster.main]\nconnection = \"host=h\"\n";
    for (old, new, place, says) in [
        (
            "\"/a\"",
            "\"ftp://x\"",
            "line 2, column 7: ",
            "a ftp:// URL",
        ),
        (
            "\"/a\"",
            "\"s3://b?regoin=x\"",
            "line 2, column 7: ",
            "regoin",
        ),
        (
            "host=h\"",
            "postgres://h/x?sslmod=x\"",
            "line 4, column 14: ",
            "sslmod",
        ),
        (
            "host=h\"",
            "postgres://h:99999/x\"",
            "line 4, column 14: ",
            "99999",
        ),
        (
            "[cluster.main]",
            "[encryption]\nrecipients = [\"age1zz\"]\n[cluster.main]",
            "line 4, column 14: ",
            "\"age1zz\" is no age recipient",
        ),
        (
            "connection",
            "dump.jobs = \"two\"\nconnection",
            "line 4, column 13: ",
            "wanted is a whole number",
        ),
    ] {
        std::fs::write(site.path("pgkeep.toml"), base.replace(old, new)).unwrap();
        let ran = site.run(&["config"]).await.ended(1);
        ran.says(&[&format!("pgkeep.toml, {place}"), says]);
    }
}

#[tokio::test]
async fn a_host_key_file_that_is_not_there_is_told_with_who_names_it() {
    let site = Site::empty();
    site.run(&["init", "--repository", "backups"])
        .await
        .ended(0);
    std::fs::rename(site.path("host.key"), site.path("away.key")).unwrap();
    let lines = std::fs::read_to_string(site.path("pgkeep.toml")).unwrap();
    let line = lines
        .lines()
        .position(|line| line.starts_with("host_key_file"));
    let named = format!("pgkeep.toml, line {}, column 17: ", line.unwrap() + 1);
    let ran = site.run(&["backup", "--database", "app"]).await.ended(1);
    ran.says(&[&named, "cannot read the host's key file", "host.key"]);
}

#[tokio::test]
async fn directories_of_programs_can_stand_in_a_file() {
    let mut site = Site::empty();
    home(&mut site);
    std::fs::write(site.path("bin"), "/opt/one:two\n").unwrap();
    site.set("PGKEEP_POSTGRES_BIN_FILE", "bin");
    let shown = site.run(&["config"]).await.ended(0).stdout;
    let shown = told(&site, &shown);
    assert!(shown.contains("/opt/one, HOME/two"), "{shown}");
    assert!(
        shown.contains("PGKEEP_POSTGRES_BIN_FILE=HOME/bin"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_waits_for_a_lock_no_longer_than_configured() {
    let cluster = Cluster::start(Major::Fifteen).await;
    cluster.psql("postgres", "CREATE TABLE busy ()").await;
    let mut site = Site::of(&cluster).await;
    let lock = cluster.connect("postgres").await;
    let locked = "BEGIN; LOCK TABLE public.busy IN ACCESS EXCLUSIVE MODE";
    lock.batch(locked).await.unwrap();
    site.set("PGKEEP_CLUSTER_MAIN_DUMP_LOCK_TIMEOUT", "100ms");
    let backup = ["backup", "--database", "postgres"];
    let ran = site.run(&backup).await.ended(1);
    ran.says(&["LOCK TABLE public.busy", "lock_timeout"]);
    lock.batch("ROLLBACK").await.unwrap();
    site.run(&backup).await.ended(0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_named_and_not_there_is_told_as_such() {
    let mut site = Site::empty();
    site.set("PGKEEP_CONFIG", "gone.toml");
    let path = site.path("gone.toml").display().to_string();
    site.run(&["list"]).await.ended(1).says(&[
        &format!("cannot read the configuration in {path}"),
        "No such file or directory",
        "--config or PGKEEP_CONFIG",
        "'pgkeep init' writes one",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_or_a_table_that_is_there_twice_is_named() {
    let site = Site::empty();
    for (text, named) in [
        ("[repository.a]\nurl = \"/a\"\nurl = \"/b\"\n", "`url`"),
        (
            "[cluster.main.dump]\njobs = 1\n[cluster.main.dump]\njobs = 2\n",
            "dump",
        ),
    ] {
        std::fs::write(site.path("pgkeep.toml"), text).unwrap();
        let ran = site.run(&["config"]).await.ended(1);
        ran.says(&[named, "is there twice", "pgkeep.toml, line 3"]);
    }
}
