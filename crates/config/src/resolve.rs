//! The file's values and the environment's, one over the other.
//!
//! Invariants: every key of the file has a variable; each value that is in force is
//! written down with its place; what two would stand for is refused, never chosen.

mod check;
mod dump;
mod keep;
mod prove;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use pgkeep_types::{ClusterName, Environment};
use zeroize::Zeroizing;

use crate::file::{ClusterTable, EncryptionTable, File, Places, PostgresTable, RepositoryTable};
use crate::lookup::{self, Found};
use crate::origin::{InForce, Origin, Shown};
use crate::settings::{
    ClusterSettings, ConnectionText, EncryptionMode, EncryptionSettings, RepositorySettings,
    Settings,
};
use crate::storage_text::{StorageText, storage_text};
use crate::{ConfigError, mistyped, variables};

/// The cluster that the environment describes.
pub(crate) const MAIN: &str = "main";
/// The repository that the environment describes.
const DEFAULT: &str = "default";

/// What works the settings out.
pub(crate) struct Resolver<'a> {
    environment: &'a Environment,
    /// Where the file's relative paths start.
    base: PathBuf,
    in_force: Vec<InForce>,
    /// Every variable that has been looked for, and the name that it stood for.
    looked_for: BTreeMap<String, String>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(file: Option<&Path>, environment: &'a Environment) -> Self {
        let base = file.and_then(Path::parent);
        Self {
            environment,
            base: base.unwrap_or(environment.working_directory()).to_owned(),
            in_force: Vec::new(),
            looked_for: BTreeMap::new(),
        }
    }

    pub(crate) fn settings(
        mut self,
        file: File,
        path: Option<PathBuf>,
    ) -> Result<Settings, ConfigError> {
        let places = &file.places;
        let repositories = self.repositories(file.repository, places)?;
        let encryption = self.encryption(file.encryption, places)?;
        let clusters = self.clusters(file.cluster, places, &repositories)?;
        let postgres_directories = self.directories(file.postgres, places)?;
        self.passphrase();
        let texts = self.looked_for.into_keys();
        let texts = texts.flat_map(|name| [format!("{name}_FILE"), name]);
        let others = variables::VARIABLES.iter().map(|known| known.name);
        let known: Vec<String> = texts.chain(others.map(str::to_owned)).collect();
        Ok(Settings {
            file: path,
            repositories,
            encryption,
            clusters,
            postgres_directories,
            in_force: self.in_force,
            unread_variables: mistyped::unread(self.environment, &known)?,
        })
    }

    /// A variable's text; `stands_for` is what two may not share a variable for.
    fn text(
        &mut self,
        variable: &str,
        stands_for: &str,
    ) -> Result<Found<Zeroizing<String>>, ConfigError> {
        let found = lookup::text(self.environment, variable)?;
        let before = self
            .looked_for
            .insert(variable.to_owned(), stands_for.to_owned());
        match before {
            Some(first) if first != stands_for && found.is_some() => {
                Err(ConfigError::SameVariable {
                    variable: variable.to_owned(),
                    first,
                    second: stands_for.to_owned(),
                })
            }
            _ => Ok(found),
        }
    }

    /// What a key's one text comes to: its variable's, else the file's; nothing where neither
    /// has one. `shown` is what is then in force.
    fn value<T>(
        &mut self,
        key: Key<'_>,
        in_file: Found<Zeroizing<String>>,
        parse: impl FnOnce(&str) -> Option<T>,
        wanted: &'static str,
        shown: impl FnOnce(Option<(&str, &T)>) -> Shown,
    ) -> Result<Option<T>, ConfigError> {
        let said = self.text(&key.variable(), key.cluster)?.or(in_file);
        let Some((text, origin)) = said else {
            self.note(key.to_string(), shown(None), Origin::Default);
            return Ok(None);
        };
        let Some(value) = parse(&text) else {
            return Err(ConfigError::value(origin, wanted));
        };
        self.note(key.to_string(), shown(Some((&text, &value))), origin);
        Ok(Some(value))
    }

    fn note(&mut self, key: String, value: Shown, origin: Origin) {
        self.in_force.push(InForce { key, value, origin });
    }

    fn repositories(
        &mut self,
        tables: BTreeMap<String, RepositoryTable>,
        places: &Places,
    ) -> Result<BTreeMap<String, RepositorySettings>, ConfigError> {
        let here = self.environment.working_directory();
        let mut only = self.text(variables::REPOSITORY, "the repository")?;
        if only.is_some() && tables.len() > 1 {
            return Err(ConfigError::WhichRepository {
                count: tables.len(),
            });
        }
        let mut urls: Vec<(String, Zeroizing<String>, PathBuf, Origin)> = Vec::new();
        for (name, table) in tables {
            let variable = variables::of_repository(&name, "URL");
            let own = self.text(&variable, &name)?;
            let (url, base, origin) = match one_of(only.take(), own)? {
                Some((url, origin)) => (url, here.to_owned(), origin),
                None => {
                    let (url, origin) = places.found(table.url);
                    (Zeroizing::new(url), self.base.clone(), origin)
                }
            };
            urls.push((name, url, base, origin));
        }
        if let Some((url, origin)) = only {
            urls.push((DEFAULT.to_owned(), url, here.to_owned(), origin));
        }
        if urls.is_empty() {
            return Err(ConfigError::NoRepository);
        }
        let mut repositories = BTreeMap::new();
        for (name, url, base, origin) in urls {
            let storage = storage_text(&name, &url, &base).map_err(|error| error.at(&origin))?;
            let shown = match &storage {
                StorageText::Directory(path) => Shown::Text(path.display().to_string()),
                StorageText::Url(_) => Shown::Address(name.clone()),
            };
            self.note(format!("repository.{name}.url"), shown, origin.clone());
            repositories.insert(name, RepositorySettings { storage, origin });
        }
        Ok(repositories)
    }

    fn encryption(
        &mut self,
        table: EncryptionTable,
        places: &Places,
    ) -> Result<EncryptionSettings, ConfigError> {
        let mode = match self.text(variables::ENCRYPTION_MODE, "the encryption")? {
            Some((word, origin)) => match mode_of(&word) {
                Some(mode) => Some((mode, origin)),
                None => return Err(ConfigError::value(origin, "age or none")),
            },
            None => table.mode.map(|mode| places.found(mode)),
        };
        let (mode, origin) = mode.unwrap_or((EncryptionMode::default(), Origin::Default));
        let shown = Shown::Text(mode.as_str().to_owned());
        self.note("encryption.mode".to_owned(), shown, origin);

        let recipients = self.text(variables::ENCRYPTION_RECIPIENTS, "the recipients")?;
        let recipients = recipients.map(|(text, origin)| (lookup::list(&text), origin));
        let recipients = recipients.or_else(|| Some(places.found(table.recipients?)));
        let recipients = self.list("encryption.recipients", recipients);

        let base = self.base.clone();
        let mut path = |key: &str, variable, of_file: Option<toml::Spanned<PathBuf>>| {
            let in_file = || {
                let (path, origin) = places.found(of_file?);
                Some((base.join(path), origin))
            };
            let found = lookup::path(self.environment, variable).or_else(in_file);
            let (path, origin) = found.unzip();
            let shown = path.as_ref().map_or(Shown::Nothing, |path: &PathBuf| {
                Shown::Text(path.display().to_string())
            });
            self.note(key.to_owned(), shown, origin.unwrap_or(Origin::Default));
            path
        };
        Ok(EncryptionSettings {
            mode,
            recipients,
            identity_file: path(
                "encryption.identity_file",
                variables::IDENTITY_FILE,
                table.identity_file,
            ),
            host_key_file: path(
                "encryption.host_key_file",
                variables::HOST_KEY_FILE,
                table.host_key_file,
            ),
        })
    }

    fn clusters(
        &mut self,
        mut tables: BTreeMap<toml::Spanned<String>, ClusterTable>,
        places: &Places,
        repositories: &BTreeMap<String, RepositorySettings>,
    ) -> Result<BTreeMap<ClusterName, ClusterSettings>, ConfigError> {
        let url = self.text(variables::DATABASE_URL, "the connection of main")?;
        let of_main = variables::of_cluster(MAIN, "CONNECTION");
        let described = url.is_some() || lookup::text(self.environment, &of_main)?.is_some();
        if described && !tables.keys().any(|name| name.get_ref() == MAIN) {
            let name = toml::Spanned::new(0..0, MAIN.to_owned());
            tables.insert(name, ClusterTable::default());
        }
        let mut url = url;
        let mut clusters = BTreeMap::new();
        for (name, table) in tables {
            let (name, named_at) = places.found(name);
            let wrong = |source| ConfigError::Cluster {
                origin: named_at,
                source,
            };
            let cluster: ClusterName = name.parse().map_err(wrong)?;

            let own = self.text(&variables::of_cluster(&name, "CONNECTION"), &name)?;
            let short = if name == MAIN { url.take() } else { None };
            let said = one_of(short, own)?;
            let said = said.or_else(|| Some(places.found(table.connection?)));
            let (connection, origin) = said.unwrap_or((Zeroizing::default(), Origin::Default));
            let shown = Shown::Connection(name.clone());
            self.note(format!("cluster.{name}.connection"), shown, origin.clone());
            let connection = ConnectionText::new(connection, origin);

            let own = self.text(&variables::of_cluster(&name, "REPOSITORIES"), &name)?;
            let own = own.map(|(text, origin)| (lookup::list(&text), origin));
            let own = own.or_else(|| Some(places.found(table.repositories?)));
            let all = || (repositories.keys().cloned().collect(), Origin::Default);
            let (wanted, origin): (Vec<String>, Origin) = own.unwrap_or_else(all);
            if let Some(unknown) = wanted.iter().find(|name| !repositories.contains_key(*name)) {
                return Err(ConfigError::UnknownRepository {
                    origin,
                    cluster: name,
                    repository: unknown.clone(),
                    known: repositories.keys().cloned().collect(),
                });
            }
            if wanted.is_empty() {
                return Err(ConfigError::NoRepositoryNamed {
                    origin,
                    cluster: name,
                    known: repositories.keys().cloned().collect(),
                });
            }
            let mut once = BTreeSet::new();
            if let Some(twice) = wanted.iter().find(|name| !once.insert(*name)) {
                return Err(ConfigError::RepositoryTwice {
                    origin,
                    cluster: name,
                    repository: twice.clone(),
                });
            }
            let shown = Shown::List(wanted.clone());
            self.note(format!("cluster.{name}.repositories"), shown, origin);
            let settings = ClusterSettings {
                connection,
                repositories: wanted,
                dump: self.dump(&name, table.dump, places)?,
                prove: self.prove(&name, table.prove, places)?,
                check: self.check(&name, table.check, places)?,
            };
            clusters.insert(cluster, settings);
        }
        Ok(clusters)
    }

    /// The environment's directories go before the file's, and do not replace them.
    fn directories(
        &mut self,
        table: PostgresTable,
        places: &Places,
    ) -> Result<Vec<PathBuf>, ConfigError> {
        let name = variables::POSTGRES_BIN;
        let of_environment = lookup::paths(self.environment, name)?;
        self.looked_for.insert(name.to_owned(), name.to_owned());
        let of_file = table.bin.map(|paths| {
            let (paths, origin) = places.found(paths);
            let paths = paths.into_iter().map(|path| self.base.join(path));
            (paths.collect(), origin)
        });
        let mut all: Vec<PathBuf> = Vec::new();
        let said: Vec<(Vec<PathBuf>, Origin)> = of_environment.into_iter().chain(of_file).collect();
        if said.is_empty() {
            self.note("postgres.bin".to_owned(), Shown::Nothing, Origin::Default);
        }
        for (paths, origin) in said {
            let shown = paths.iter().map(|path| path.display().to_string());
            let shown = Shown::List(shown.collect());
            self.note("postgres.bin".to_owned(), shown, origin);
            all.extend(paths);
        }
        Ok(all)
    }

    /// A passphrase is only ever in the environment.
    fn passphrase(&mut self) {
        for name in [variables::PASSPHRASE, variables::PASSPHRASE_FILE] {
            if let Some(value) = self.environment.variable(name) {
                let name = name.to_owned();
                let origin = match name == variables::PASSPHRASE {
                    true => Origin::Variable { name },
                    false => Origin::VariableFile {
                        name,
                        path: self.environment.working_directory().join(value),
                    },
                };
                self.note("passphrase".to_owned(), Shown::Secret, origin);
                return;
            }
        }
    }

    fn list(&mut self, key: &str, found: Found<Vec<String>>) -> Vec<String> {
        let (list, origin) = found.unwrap_or((Vec::new(), Origin::Default));
        let shown = match list.as_slice() {
            [] => Shown::Nothing,
            some => Shown::List(some.to_vec()),
        };
        self.note(key.to_owned(), shown, origin);
        list
    }
}

/// A key of a cluster's table.
#[derive(Clone, Copy)]
struct Key<'a> {
    cluster: &'a str,
    table: &'a str,
    name: &'a str,
}

impl Key<'_> {
    fn variable(&self) -> String {
        let name = format!("{}_{}", self.table, self.name);
        let capitals = name.to_ascii_uppercase().replace('.', "_");
        variables::of_cluster(self.cluster, &capitals)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cluster,
            table,
            name,
        } = self;
        write!(f, "cluster.{cluster}.{table}.{name}")
    }
}

/// A text as it was written, without the blanks around it.
fn as_written<T>(said: Option<(&str, &T)>) -> Shown {
    said.map_or(Shown::Nothing, |(text, _)| {
        Shown::Text(text.trim().to_owned())
    })
}

/// A text of the file's, with its place.
fn in_file(text: Option<toml::Spanned<String>>, places: &Places) -> Found<Zeroizing<String>> {
    let (text, origin) = places.found(text?);
    Some((Zeroizing::new(text), origin))
}

/// The one of two that is there.
pub(crate) fn one_of<T>(first: Found<T>, second: Found<T>) -> Result<Found<T>, ConfigError> {
    match (first, second) {
        (Some((_, first)), Some((_, second))) => Err(ConfigError::Both {
            name: first.to_string(),
            other: second.to_string(),
        }),
        (first, second) => Ok(first.or(second)),
    }
}

fn mode_of(word: &str) -> Option<EncryptionMode> {
    let both = [EncryptionMode::Age, EncryptionMode::None];
    both.into_iter().find(|mode| mode.as_str() == word)
}
