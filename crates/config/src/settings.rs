//! What is in force: the file, with what the environment says over it.
//!
//! Invariants: paths are absolute: those of the file start from the file's
//! directory, those of the environment from the working directory. The
//! environment goes before the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use pgkeep_types::{ClusterName, Environment};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::file::{self, File};
use crate::storage_text::{StorageText, storage_text};
use crate::{ConfigError, FILE_NAME, variables};

/// The cluster that the environment describes.
const MAIN: &str = "main";
/// The repository that the environment describes.
const DEFAULT: &str = "default";

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
            Err(looked) if environment.variable(variables::REPOSITORY).is_none() => {
                return Err(ConfigError::Missing { looked });
            }
            Err(_) => (File::default(), None),
        };
        Self::resolve(file, path, environment)
    }

    fn resolve(
        file: File,
        path: Option<PathBuf>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let base = path.as_deref().and_then(Path::parent).map_or_else(
            || environment.working_directory().to_owned(),
            Path::to_owned,
        );
        let here = environment.working_directory();
        let from_environment = |name| {
            environment
                .variable(name)
                .map(|value| here.join(Path::new(value)))
        };

        let repositories = repositories(&file, &base, environment)?;
        let clusters = clusters(file.cluster, path.as_deref(), &repositories, environment)?;
        let in_environment = environment.variable(variables::POSTGRES_BIN);
        let of_environment = in_environment
            .map(|value| {
                std::env::split_paths(value)
                    .map(|path| here.join(path))
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default();
        let of_file = file
            .postgres
            .bin
            .iter()
            .map(|directory| base.join(directory));
        let encryption = file.encryption;
        Ok(Self {
            encryption: EncryptionSettings {
                mode: encryption.mode.unwrap_or_default(),
                recipients: encryption.recipients.unwrap_or_default(),
                identity_file: from_environment(variables::IDENTITY_FILE)
                    .or_else(|| encryption.identity_file.map(|file| base.join(file))),
                host_key_file: from_environment(variables::HOST_KEY_FILE)
                    .or_else(|| encryption.host_key_file.map(|file| base.join(file))),
            },
            postgres_directories: of_environment.into_iter().chain(of_file).collect(),
            repositories,
            clusters,
            file: path,
        })
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

fn repositories(
    file: &File,
    base: &Path,
    environment: &Environment,
) -> Result<BTreeMap<String, RepositorySettings>, ConfigError> {
    let mut repositories = BTreeMap::new();
    for (name, table) in &file.repository {
        let storage = storage_text(name, &table.url, base)?;
        repositories.insert(name.clone(), RepositorySettings { storage });
    }
    if let Some(url) = text(environment, variables::REPOSITORY)? {
        let name = match repositories.keys().next() {
            None => DEFAULT.to_owned(),
            Some(only) if repositories.len() == 1 => only.clone(),
            Some(_) => {
                return Err(ConfigError::WhichRepository {
                    count: repositories.len(),
                });
            }
        };
        let storage = storage_text(&name, url, environment.working_directory())?;
        repositories.insert(name, RepositorySettings { storage });
    }
    if repositories.is_empty() {
        return Err(ConfigError::NoRepository);
    }
    Ok(repositories)
}

fn clusters(
    tables: BTreeMap<String, file::ClusterTable>,
    path: Option<&Path>,
    repositories: &BTreeMap<String, RepositorySettings>,
    environment: &Environment,
) -> Result<BTreeMap<ClusterName, ClusterSettings>, ConfigError> {
    let mut clusters = BTreeMap::new();
    for (name, table) in tables {
        let cluster: ClusterName = name.parse().map_err(|source| ConfigError::Cluster {
            path: path.unwrap_or(Path::new("")).to_owned(),
            source,
        })?;
        let wanted = table.repositories;
        let wanted = wanted.unwrap_or_else(|| repositories.keys().cloned().collect());
        if let Some(unknown) = wanted.iter().find(|name| !repositories.contains_key(*name)) {
            return Err(ConfigError::UnknownRepository {
                cluster: name,
                repository: unknown.clone(),
                known: repositories.keys().cloned().collect(),
            });
        }
        let connection = ConnectionText(table.connection.unwrap_or_default());
        clusters.insert(
            cluster,
            ClusterSettings {
                connection,
                repositories: wanted,
            },
        );
    }
    if let Some(connection) = connection_of(environment)? {
        let main: ClusterName = MAIN.parse().map_err(|source| ConfigError::Cluster {
            path: PathBuf::new(),
            source,
        })?;
        let all = || repositories.keys().cloned().collect();
        clusters
            .entry(main)
            .or_insert_with(|| ClusterSettings {
                connection: ConnectionText::default(),
                repositories: all(),
            })
            .connection = connection;
    }
    Ok(clusters)
}

/// A variable that has to be text.
fn text<'a>(
    environment: &'a Environment,
    name: &'static str,
) -> Result<Option<&'a str>, ConfigError> {
    match environment.variable(name) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Some(text) => Ok(Some(text)),
            None => Err(ConfigError::NotText { name }),
        },
    }
}

fn connection_of(environment: &Environment) -> Result<Option<ConnectionText>, ConfigError> {
    if let Some(url) = text(environment, variables::DATABASE_URL)? {
        return Ok(Some(ConnectionText(Zeroizing::new(url.to_owned()))));
    }
    let Some(file) = environment.variable(variables::DATABASE_URL_FILE) else {
        return Ok(None);
    };
    let path = environment.working_directory().join(Path::new(file));
    let text = std::fs::read_to_string(&path);
    let text = Zeroizing::new(text.map_err(|source| ConfigError::Read { path, source })?);
    Ok(Some(ConnectionText(Zeroizing::new(text.trim().to_owned()))))
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

    fn directory(path: &str) -> StorageText {
        StorageText::Directory(path.into())
    }

    const FILE: &str = "[repository.local]\nurl = \"backups\"\n\
        [encryption]\nhost_key_file = \"host.key\"\n\
        [cluster.main]\nconnection = \"postgres://u:pw@h/db\"\n";

    #[test]
    fn paths_of_the_file_start_from_the_files_directory() {
        let settings = settings(FILE, &environment()).unwrap();
        let storage = &settings.repositories["local"].storage;
        assert_eq!(*storage, directory("/etc/pgkeep/backups"));
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
        assert_eq!(*storage, directory("/home/app/elsewhere"));
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
        assert_eq!(settings.repositories["default"].storage, directory("/b"));
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

    #[test]
    fn passwords_are_not_printed() {
        let settings = settings(FILE, &environment()).unwrap();
        assert!(!format!("{settings:?}").contains("pw"));
    }
}
