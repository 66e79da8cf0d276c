//! What is in force, by file and environment, and what is refused.

use std::time::Duration;

use super::*;
use crate::{CheckSettings, Isolation, Origin};

fn settings(text: &str, environment: &Environment) -> Result<Settings, ConfigError> {
    let path = PathBuf::from("/etc/pgkeep/pgkeep.toml");
    let file = file::parse(&path, text)?;
    Settings::resolve(file, Some(path), environment)
}

fn environment() -> Environment {
    Environment::new("/home/app")
}

fn directory_text(path: &str) -> StorageText {
    StorageText::Directory(path.into())
}

const FILE: &str = "[repository.local]\nurl = \"backups\"\n\
    [encryption]\nhost_key_file = \"host.key\"\n\
    [cluster.main]\nconnection = \"postgres://u:pw@h/db\"\n";

#[test]
fn paths_of_the_file_start_from_the_files_directory() {
    let settings = settings(FILE, &environment()).unwrap();
    let storage = &settings.repositories["local"].storage;
    assert_eq!(*storage, directory_text("/etc/pgkeep/backups"));
    let key = settings.encryption.host_key_file.unwrap();
    assert_eq!(key, Path::new("/etc/pgkeep/host.key"));
}

#[test]
fn the_environment_goes_before_the_file() {
    let environment = environment()
        .with_variable("PGKEEP_REPOSITORY", "elsewhere")
        .with_variable("PGKEEP_DATABASE_URL", "postgres://other/db");
    let settings = settings(FILE, &environment).unwrap();
    let storage = &settings.repositories["local"].storage;
    assert_eq!(*storage, directory_text("/home/app/elsewhere"));
    let main = &settings.clusters[&"main".parse().unwrap()];
    assert_eq!(main.connection.expose(), "postgres://other/db");
}

#[test]
fn the_environment_alone_is_enough() {
    let environment = environment()
        .with_variable("PGKEEP_REPOSITORY", "file:///b")
        .with_variable("PGKEEP_DATABASE_URL", "postgres://h/db");
    let settings = Settings::resolve(File::default(), None, &environment).unwrap();
    let main = &settings.clusters[&"main".parse().unwrap()];
    assert_eq!(main.repositories, ["default"]);
    assert_eq!(
        settings.repositories["default"].storage,
        directory_text("/b")
    );
}

#[test]
fn a_repository_that_is_not_there_is_named() {
    let text = format!("{FILE}repositories = [\"offsite\"]\n");
    let error = settings(&text, &environment()).unwrap_err();
    assert!(error.to_string().contains("\"offsite\""));
    assert!(error.hint().unwrap().contains("local"));
}

#[test]
fn a_cluster_without_a_repository_is_refused() {
    let text = format!("{FILE}repositories = []\n");
    let error = settings(&text, &environment()).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("cluster main names no repository"), "{told}");
    assert!(error.hint().unwrap().contains("local"));
    for nothing in [" ", ",", " , "] {
        let name = "PGKEEP_CLUSTER_MAIN_REPOSITORIES";
        let environment = environment().with_variable(name, nothing);
        let told = settings(FILE, &environment).unwrap_err().to_string();
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_not_ignored() {
    use std::os::unix::ffi::OsStrExt;
    let value = std::ffi::OsStr::from_bytes(b"/b\xff");
    let environment = environment().with_variable("PGKEEP_REPOSITORY", value);
    let error = settings(FILE, &environment).unwrap_err();
    assert!(error.to_string().contains("PGKEEP_REPOSITORY"));
}

fn origin_of(settings: &Settings, key: &str) -> String {
    let found = settings.in_force.iter().find(|entry| entry.key == key);
    found.map_or_else(|| "nowhere".to_owned(), |entry| entry.origin.to_string())
}

#[test]
fn of_each_value_it_is_known_where_it_came_from() {
    let environment = environment()
        .with_variable("PGKEEP_ENCRYPTION_RECIPIENTS", "age1a, age1b")
        .with_variable("PGKEEP_POSTGRES_BIN", "/pg/18:tools");
    let text = format!("{FILE}[postgres]\nbin = [\"pg\"]\n");
    let settings = settings(&text, &environment).unwrap();
    let file = "/etc/pgkeep/pgkeep.toml";
    for (key, expected) in [
        ("repository.local.url", format!("{file}:2")),
        ("encryption.mode", "default".to_owned()),
        (
            "encryption.recipients",
            "PGKEEP_ENCRYPTION_RECIPIENTS".to_owned(),
        ),
        ("encryption.host_key_file", format!("{file}:4")),
        ("cluster.main.connection", format!("{file}:6")),
        ("cluster.main.repositories", "default".to_owned()),
        ("postgres.bin", "PGKEEP_POSTGRES_BIN".to_owned()),
    ] {
        assert_eq!(origin_of(&settings, key), expected, "{key}");
    }
    assert_eq!(settings.encryption.recipients, ["age1a", "age1b"]);
    let directories = ["/pg/18", "/home/app/tools", "/etc/pgkeep/pg"].map(PathBuf::from);
    assert_eq!(settings.postgres_directories, directories);
}

#[test]
fn a_value_of_one_cluster_or_repository_has_a_variable_of_its_own() {
    let text = "[repository.off-site]\nurl = \"/a\"\n[repository.local]\nurl = \"/b\"\n\
                [cluster.one]\n[cluster.two]\n";
    let environment = environment()
        .with_variable("PGKEEP_REPOSITORY_OFF_SITE_URL", "s3://bucket/x")
        .with_variable("PGKEEP_CLUSTER_TWO_CONNECTION", "postgres://two/db")
        .with_variable("PGKEEP_CLUSTER_TWO_REPOSITORIES", "local");
    let settings = settings(text, &environment).unwrap();
    let url = StorageText::Url("s3://bucket/x".to_owned());
    assert_eq!(settings.repositories["off-site"].storage, url);
    let of = |name: &str| &settings.clusters[&name.parse().unwrap()];
    assert_eq!(of("two").connection.expose(), "postgres://two/db");
    assert_eq!(of("two").repositories, ["local"]);
    assert_eq!(of("one").connection.expose(), "");
    assert_eq!(of("one").repositories, ["local", "off-site"]);
}

#[test]
fn every_value_may_be_in_a_file_that_a_variable_names() {
    let directory = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let environment = environment()
        .with_variable("PGKEEP_REPOSITORY_FILE", written("a", "/b\n"))
        .with_variable("PGKEEP_DATABASE_URL_FILE", written("b", "host=h\n"))
        .with_variable("PGKEEP_ENCRYPTION_MODE_FILE", written("c", "none\n"))
        .with_variable("PGKEEP_ENCRYPTION_RECIPIENTS_FILE", written("d", "x\ny\n"));
    let settings = Settings::load(None, &environment).unwrap();
    assert_eq!(
        settings.repositories["default"].storage,
        directory_text("/b")
    );
    let main = &settings.clusters[&"main".parse().unwrap()];
    assert_eq!(main.connection.expose(), "host=h");
    assert_eq!(settings.encryption.mode, EncryptionMode::None);
    assert_eq!(settings.encryption.recipients, ["x", "y"]);
    let told = origin_of(&settings, "cluster.main.connection");
    assert!(told.starts_with("PGKEEP_DATABASE_URL_FILE="), "{told}");
}

#[test]
fn two_variables_for_one_value_are_one_too_many() {
    let environment = environment()
        .with_variable("PGKEEP_DATABASE_URL", "host=a")
        .with_variable("PGKEEP_CLUSTER_MAIN_CONNECTION", "host=b");
    let error = settings(FILE, &environment).unwrap_err().to_string();
    assert!(error.contains("PGKEEP_DATABASE_URL"), "{error}");
    assert!(error.contains("PGKEEP_CLUSTER_MAIN_CONNECTION"), "{error}");
}

#[test]
fn a_variable_that_stands_for_two_names_is_refused() {
    let text = "[repository.r]\nurl = \"/b\"\n[cluster.a-b]\n[cluster.a_b]\n";
    assert!(settings(text, &environment()).is_ok());
    let environment = environment().with_variable("PGKEEP_CLUSTER_A_B_CONNECTION", "host=h");
    let error = settings(text, &environment).unwrap_err().to_string();
    assert!(
        error.contains("\"a-b\"") && error.contains("\"a_b\""),
        "{error}"
    );
}

#[test]
fn a_word_that_a_variable_does_not_take_is_refused_and_not_repeated() {
    let environment = environment().with_variable("PGKEEP_ENCRYPTION_MODE", "hunter2");
    let error = settings(FILE, &environment).unwrap_err();
    let told = format!("{error} {error:?} {:?}", error.hint());
    assert!(told.contains("PGKEEP_ENCRYPTION_MODE"), "{told}");
    assert!(
        told.contains("age or none") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn a_wait_for_locks_has_a_unit() {
    let text = |value: &str| format!("{FILE}[cluster.main.dump]\nlock_timeout = {value}\n");
    let wait = |text: &str, environment: &Environment| {
        let settings = settings(text, environment)?;
        Ok(settings.clusters[&"main".parse().unwrap()]
            .dump
            .lock_timeout)
    };
    let seconds = |n| Some(Duration::from_secs(n));
    let of_file = wait(&text("\"30s\""), &environment());
    assert_eq!(of_file.unwrap(), seconds(30));
    assert_eq!(wait(FILE, &environment()).unwrap(), None);
    let environment = environment().with_variable("PGKEEP_CLUSTER_MAIN_DUMP_LOCK_TIMEOUT", "2min");
    let of_variable = wait(&text("\"30s\""), &environment);
    assert_eq!(of_variable.unwrap(), seconds(120));

    let wrong: ConfigError = wait(&text("\"30\""), &Environment::new("/")).unwrap_err();
    let told = wrong.to_string();
    assert!(
        told.contains("line 8, column 16") && told.contains("unit"),
        "{told}"
    );
    let environment = environment.with_variable("PGKEEP_CLUSTER_MAIN_DUMP_LOCK_TIMEOUT", "soon");
    let told = wait(FILE, &environment).unwrap_err().to_string();
    assert!(
        told.contains("PGKEEP_CLUSTER_MAIN_DUMP_LOCK_TIMEOUT"),
        "{told}"
    );
}

#[test]
fn names_that_cannot_be_are_told_with_their_place() {
    let error = settings(
        "[repository.r]\nurl = \"b\"\n[cluster.Main]\n",
        &environment(),
    );
    let told = error.unwrap_err().to_string();
    assert!(
        told.starts_with("/etc/pgkeep/pgkeep.toml, line 3, column "),
        "{told}"
    );
    let dotted = settings(
        "[cluster]\nMain.repositories = []\n[repository.r]\nurl=\"b\"",
        &environment(),
    );
    let told = dotted.unwrap_err().to_string();
    assert!(
        told.starts_with("/etc/pgkeep/pgkeep.toml, line 2, column "),
        "{told}"
    );
    let text = format!("{FILE}repositories = [\"offsite\"]\n");
    let told = settings(&text, &environment()).unwrap_err().to_string();
    assert!(
        told.starts_with("/etc/pgkeep/pgkeep.toml, line 7, column "),
        "{told}"
    );
}

#[test]
fn passwords_are_not_printed() {
    let settings = settings(FILE, &environment()).unwrap();
    assert!(!format!("{settings:?}").contains("pw"));
}

/// What is asked, of a file with these `queries`.
fn questions(queries: &str) -> Result<Vec<crate::Question>, ConfigError> {
    let text = format!("{FILE}[cluster.main.prove]\nqueries = {queries}\n");
    let settings = settings(&text, &environment())?;
    Ok(settings.clusters[&"main".parse().unwrap()]
        .prove
        .queries
        .clone())
}

#[test]
fn a_question_has_one_thing_that_it_must_answer() {
    let asked = questions(
        "[{ database = 'app', sql = 'select   true' }, \
         { name = 'n', database = 'app', sql = 'select 1', min = 1, max = 2.5, timeout = '1min' }, \
         { database = 'app', sql = 'x', expect = 'no rows' }, \
         { database = 'app', sql = 'x', newer_than = '30d' }]",
    );
    let told = asked.unwrap().into_iter().map(|q| {
        let seconds = q.timeout.as_secs();
        format!("{} | {} | {seconds}", q.name, q.expected)
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "select true | true | 30",
            "n | a number from 1 to 2.5 | 60",
            "x | no rows | 30",
            "x | a time within the last 720 h | 30",
        ]
    );
}

#[test]
fn a_question_that_cannot_be_is_told_with_its_place() {
    let base = "database = 'app', sql = 'x'";
    for (more, problem) in [
        (", expect = 'row'", "\"rows\" or \"no rows\""),
        (", expect = false", "\"rows\" or \"no rows\""),
        (", min = 'one'", "a number"),
        (", min = 2, max = 1", "not above the 'max'"),
        (", min = 1, newer_than = '1h'", "one of 'expect'"),
        (", newer_than = '24'", "a number with a unit"),
        (", timeout = 'soon'", "a number with a unit"),
        (", name = ' '", "some text"),
        (", expct = 'rows'", "no key `expct`"),
    ] {
        let error = questions(&format!("[{{ {base}{more} }}]")).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("line 8, column"), "{told}");
        assert!(told.contains(problem), "{told}");
    }
    let error = questions("[{ database = 'app', sqll = 'x' }]").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean 'sql'");
}

#[test]
fn what_is_asked_can_come_from_the_environment() {
    let name = "PGKEEP_CLUSTER_MAIN_PROVE_QUERIES";
    let asked = |text: &str| settings(FILE, &environment().with_variable(name, text));
    let settings = asked("[{ database = 'app', sql = 'select true' }]").unwrap();
    let prove = &settings.clusters[&"main".parse().unwrap()].prove;
    assert_eq!(prove.queries[0].sql, "select true");
    for (text, problem) in [
        ("[{ database = 'app' }]", "the key `sql` is missing"),
        (
            "[{ database = 'app', sql = 'x', min = 'a' }]",
            "a value that it does not take",
        ),
        ("select true", name),
    ] {
        let told = asked(text).unwrap_err().to_string();
        assert!(told.contains(name) && told.contains(problem), "{told}");
    }
    let more = environment()
        .with_variable("PGKEEP_CLUSTER_MAIN_PROVE_MAX_AGE", "24h")
        .with_variable("PGKEEP_CLUSTER_MAIN_PROVE_TIMEOUT", "90min")
        .with_variable("PGKEEP_CLUSTER_MAIN_PROVE_SCRATCH", "work");
    let settings = self::settings(FILE, &more).unwrap();
    let prove = &settings.clusters[&"main".parse().unwrap()].prove;
    assert_eq!(prove.max_age, Some(Duration::from_secs(86_400)));
    assert_eq!(prove.timeout, Duration::from_secs(90 * 60));
    assert!(prove.scratch.as_ref().unwrap().is_absolute());
    assert_eq!(prove.isolation, Isolation::Namespaces);
    let isolated = |word: &str| {
        let name = "PGKEEP_CLUSTER_MAIN_PROVE_ISOLATION";
        self::settings(FILE, &environment().with_variable(name, word))
    };
    let without = isolated("none").unwrap();
    let prove = &without.clusters[&"main".parse().unwrap()].prove;
    assert_eq!(prove.isolation, Isolation::None);
    assert!(isolated("some").is_err());
    let mistyped = environment().with_variable("PGKEEP_CLUSTER_MAIN_PROVE_QUERY", "x");
    assert!(self::settings(FILE, &mistyped).is_err());
}

#[test]
fn limits_of_check_come_from_the_file_and_the_environment_over_it() {
    let text = format!(
        "{FILE}[cluster.main.check]\nmax_age = \"2h\"\nmax_shrink = \"20%\"\nmin_rows = 5\n"
    );
    let environment = environment().with_variable("PGKEEP_CLUSTER_MAIN_CHECK_SPACE", "30d");
    let settings = settings(&text, &environment).unwrap();
    let check = &settings.clusters[&"main".parse().unwrap()].check;
    assert_eq!(
        *check,
        CheckSettings {
            max_age: Duration::from_secs(7200),
            critical_age: Duration::from_secs(14400),
            max_shrink: 20,
            min_rows: 5,
            space: Duration::from_secs(30 * 86_400),
            ..CheckSettings::default()
        }
    );
    let told = |key: &str| origin_of(&settings, &format!("cluster.main.check.{key}"));
    assert_eq!(told("max_age"), "/etc/pgkeep/pgkeep.toml:8");
    assert_eq!(told("space"), "PGKEEP_CLUSTER_MAIN_CHECK_SPACE");
    assert_eq!(told("critical_space"), Origin::Default.to_string());
}

#[test]
fn a_limit_that_is_none_is_told_with_its_place_or_its_nearest_name() {
    for (key, place, words) in [
        (
            "max_age = \"1\"",
            "line 8, column 11",
            "a number with a unit",
        ),
        ("max_shrink = \"100%\"", "line 8, column 14", "below 100"),
        ("max_growth = \"4\"", "line 8, column 14", "percent"),
        ("min_rows = -1", "line 8, column 12", ""),
        (
            "max_ago = \"1h\"",
            "line 8, column 1",
            "did you mean 'max_age'",
        ),
    ] {
        let text = format!("{FILE}[cluster.main.check]\n{key}\n");
        let error = settings(&text, &environment()).unwrap_err();
        let told = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(told.contains(place) && told.contains(words), "{told}");
    }
    let environment = environment().with_variable("PGKEEP_CLUSTER_MAIN_CHECK_MAX_AGO", "1h");
    let error = settings(FILE, &environment).unwrap_err();
    assert!(error.hint().unwrap().contains("CHECK_MAX_AGE"), "{error}");
}
