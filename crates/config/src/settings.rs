//! What is in force: the file, with what the environment says over it.
//!
//! Invariants: paths are absolute: those of the file start from the file's
//! directory, those of the environment from the working directory. The
//! environment goes before the file. Of each value it is kept where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use pgkeep_types::{ClusterName, Environment};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::file::{self, File};
use crate::origin::InForce;
use crate::resolve::Resolver;
use crate::storage_text::StorageText;
use crate::{ConfigError, FILE_NAME, variables};

/// What is in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file that was read, where there is one.
    pub file: Option<PathBuf>,
    /// Repositories, by name.
    pub repositories: BTreeMap<String, RepositorySettings>,
    /// How backups are sealed.
    pub encryption: EncryptionSettings,
    /// Clusters, by name.
    pub clusters: BTreeMap<ClusterName, ClusterSettings>,
    /// Directories with PostgreSQL's programs, searched first.
    pub postgres_directories: Vec<PathBuf>,
    /// Every key, in the order of the file's tables.
    pub in_force: Vec<InForce>,
    /// Variables that begin as ours do and that nothing reads.
    pub unread_variables: Vec<String>,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySettings {
    /// Where its storage is.
    pub storage: StorageText,
}

/// How backups are sealed.
#[derive(Clone, Debug, Default)]
pub struct EncryptionSettings {
    /// Whether they are.
    pub mode: EncryptionMode,
    /// The recovery keys that a repository must have; those that it has where
    /// there are none.
    pub recipients: Vec<String>,
    /// The file with a recovery key, for reading.
    pub identity_file: Option<PathBuf>,
    /// The file with the host's keys, for writing.
    pub host_key_file: Option<PathBuf>,
}

/// Whether backups are sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncryptionMode {
    /// With age.
    #[default]
    Age,
    /// Not at all.
    None,
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// How to connect to it.
    pub connection: ConnectionText,
    /// The names of the repositories that its backups go to.
    pub repositories: Vec<String>,
}

/// A connection string; it may hold a password.
#[derive(Clone, Default)]
pub struct ConnectionText(Zeroizing<String>);

impl From<Zeroizing<String>> for ConnectionText {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl ConnectionText {
    /// The text, to be parsed and not to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConnectionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionText(…)")
    }
}

impl EncryptionMode {
    /// The word for it in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::None => "none",
        }
    }
}

impl Settings {
    /// Finds and reads the configuration: `--config`, `PGKEEP_CONFIG`,
    /// `pgkeep.toml` in the working directory, in the user's configuration
    /// directory and in `/etc/pgkeep`; or no file, where the environment says
    /// enough.
    ///
    /// # Errors
    /// Where there is nothing, or what there is cannot be used.
    pub fn load(explicit: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let (file, path) = match find(explicit, environment) {
            Ok(path) => (file::read(&path)?, Some(path)),
            Err(looked) if !variables::describe_a_repository(environment) => {
                return Err(ConfigError::Missing { looked });
            }
            Err(_) => (File::default(), None),
        };
        Self::resolve(file, path, environment)
    }

    pub(crate) fn resolve(
        file: File,
        path: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        Resolver::new(path.as_deref(), environment).settings(file, path)
    }
}

/// The first configuration file that is there, or all that were looked for.
fn find(explicit: Option<&Path>, environment: &Environment) -> Result<PathBuf, Vec<PathBuf>> {
    let here = environment.working_directory();
    let named = explicit
        .map(Path::to_owned)
        .or_else(|| environment.variable(variables::CONFIG).map(PathBuf::from));
    // A file that was named is read, so that its absence is told as such.
    if let Some(named) = named {
        return Ok(here.join(named));
    }
    let of_user = environment
        .variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| environment.home().map(|home| home.join(".config")));
    let mut places = vec![here.join(FILE_NAME)];
    places.extend(of_user.map(|directory| directory.join("pgkeep").join(FILE_NAME)));
    places.push(Path::new("/etc/pgkeep").join(FILE_NAME));
    let found = places.iter().find(|place| place.exists()).cloned();
    found.ok_or(places)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn names_that_cannot_be_are_told_with_their_place() {
        let error = settings(
            "[repository.r]\nurl = \"b\"\n[cluster.Main]\n",
            &environment(),
        );
        let told = error.unwrap_err().to_string();
        assert!(told.starts_with("/etc/pgkeep/pgkeep.toml:3"), "{told}");
        let dotted = settings(
            "[cluster]\nMain.repositories = []\n[repository.r]\nurl=\"b\"",
            &environment(),
        );
        let told = dotted.unwrap_err().to_string();
        assert!(told.starts_with("/etc/pgkeep/pgkeep.toml:2"), "{told}");
        let text = format!("{FILE}repositories = [\"offsite\"]\n");
        let told = settings(&text, &environment()).unwrap_err().to_string();
        assert!(told.starts_with("/etc/pgkeep/pgkeep.toml:7"), "{told}");
    }

    #[test]
    fn passwords_are_not_printed() {
        let settings = settings(FILE, &environment()).unwrap();
        assert!(!format!("{settings:?}").contains("pw"));
    }
}
