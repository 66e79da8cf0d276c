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
use crate::origin::{InForce, Origin};
use crate::resolve::Resolver;
use crate::storage_text::StorageText;
use crate::{
    CheckSettings, ConfigError, DumpSettings, FILE_NAME, ProveSettings, mistyped, variables,
};

#[cfg(test)]
mod tests;

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
    /// Where that is said.
    pub origin: Origin,
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
    /// How its databases are dumped.
    pub dump: DumpSettings,
    /// How its backups are proved.
    pub prove: ProveSettings,
    /// What is taken for fresh, for plausible and for room enough.
    pub check: CheckSettings,
}

/// A connection string, which may hold a password, and where it is given.
#[derive(Clone)]
pub struct ConnectionText {
    text: Zeroizing<String>,
    origin: Origin,
}

impl Default for ConnectionText {
    fn default() -> Self {
        Self::new(Zeroizing::default(), Origin::Default)
    }
}

impl ConnectionText {
    pub(crate) fn new(text: Zeroizing<String>, origin: Origin) -> Self {
        Self { text, origin }
    }

    /// The text, to be parsed and not to be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Where it is given.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
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
    /// Where the value of a key came from, such as of `encryption.host_key_file`.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Origin {
        let found = self.in_force.iter().find(|entry| entry.key == key);
        found.map_or(Origin::Default, |entry| entry.origin.clone())
    }

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
                mistyped::check(environment)?;
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
