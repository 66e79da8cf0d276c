//! What every command works with: the process's seams, the settings, and the
//! ways from these to a repository, a key and a connection.
//!
//! Invariant: settings are read when a command first needs them, so that a
//! command that needs none works without.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgkeep_config::{
    CheckSettings, ClusterSettings, ConfigError, ConnectionText, DumpSettings, EncryptionMode,
    ProveSettings, Settings, postgres_directories_in,
};
use pgkeep_format::{Encryption, Trust};
use pgkeep_postgres::client::ConnectionParameters;
use pgkeep_postgres::tools::Tools;
use pgkeep_repository::{
    Catalogue, Repository, RepositoryError, WriteAccess, lost_all_but_backups,
};
use pgkeep_types::{ClusterName, Environment};

use crate::arguments::Arguments;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::keys::{KeysAtHand, unlock};
use crate::live::{self, Row, Shown};
use crate::output::Output;
use crate::process::{self, SystemClock, SystemRandom};
use crate::{server_password, storage};

/// What every command works with.
pub(crate) struct Context {
    pub(crate) environment: Environment,
    pub(crate) clock: SystemClock,
    pub(crate) random: SystemRandom,
    pub(crate) output: Output,
    pub(crate) interrupt: Interrupt,
    pub(crate) config: Option<PathBuf>,
    /// The repository that the command line names.
    pub(crate) repository: Option<String>,
}

impl Context {
    pub(crate) fn new(arguments: &Arguments, output: &Output) -> Result<Self, CliError> {
        Ok(Self {
            environment: process::environment()?,
            clock: SystemClock::read()?,
            random: SystemRandom,
            output: *output,
            interrupt: Interrupt::listen()?,
            config: arguments.config.clone(),
            repository: arguments.command.repository().map(ToOwned::to_owned),
        })
    }

    /// What is in force.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        Settings::load(self.config.as_deref(), &self.environment)
    }

    /// Shows a line of progress until what it gives is dropped.
    pub(crate) fn live(&self, row: impl Row + 'static) -> Shown {
        live::show(&self.environment, Arc::new(row))
    }

    /// A path from the command line; what is only `.` in it is left out.
    pub(crate) fn path(&self, given: &Path) -> PathBuf {
        let path = self.environment.working_directory().join(given);
        path.components().collect()
    }

    /// PostgreSQL's programs on this machine.
    pub(crate) async fn tools(&self, settings: &Settings) -> Tools {
        let tools = Tools::find(&settings.postgres_directories, &self.environment).await;
        for folder in tools.empty() {
            self.output.warning(format_args!(
                "there is no pg_dump that answers in {}, which the configuration names for \
                 PostgreSQL's programs",
                folder.display()
            ));
        }
        tools
    }

    /// PostgreSQL's programs, where nothing is configured.
    pub(crate) async fn unconfigured_tools(&self) -> Result<Tools, ConfigError> {
        let named = postgres_directories_in(&self.environment)?;
        Ok(Tools::find(&named, &self.environment).await)
    }

    /// The cluster that is meant, with its settings. Where none is configured any
    /// may be named: a new machine that has the repository and the key.
    pub(crate) fn cluster(
        &self,
        settings: &Settings,
        named: Option<&ClusterName>,
    ) -> Result<(ClusterName, ClusterSettings), CliError> {
        let known = || {
            let names: Vec<&str> = settings.clusters.keys().map(ClusterName::as_str).collect();
            names.join(", ")
        };
        let usage = |problem: String, hint: String| Err(CliError::Usage { problem, hint });
        match named {
            Some(name) if settings.clusters.is_empty() => {
                Ok((name.clone(), unconfigured(settings)))
            }
            Some(name) => match settings.clusters.get(name) {
                Some(found) => Ok((name.clone(), found.clone())),
                None => usage(
                    format!("cluster {name} is not configured"),
                    format!("there is {}", known()),
                ),
            },
            None => match settings.clusters.iter().next() {
                Some((name, found)) if settings.clusters.len() == 1 => {
                    Ok((name.clone(), found.clone()))
                }
                Some(_) => usage(
                    "several clusters are configured, and none is named".to_owned(),
                    format!("name one of {}", known()),
                ),
                None => usage(
                    "no cluster is configured, and none is named".to_owned(),
                    "name one, add a [cluster.main] with a connection, or set PGKEEP_DATABASE_URL"
                        .to_owned(),
                ),
            },
        }
    }

    /// How to connect to a cluster.
    pub(crate) fn connection(
        &self,
        cluster: &ClusterName,
        settings: &ClusterSettings,
    ) -> Result<ConnectionParameters, CliError> {
        self.connection_to(cluster, settings, None)
    }

    /// How to connect to one database of a cluster; to the connection's own where
    /// none is named.
    pub(crate) fn connection_to(
        &self,
        cluster: &ClusterName,
        settings: &ClusterSettings,
        database: Option<&str>,
    ) -> Result<ConnectionParameters, CliError> {
        ConnectionParameters::parse(settings.connection.expose())
            .map(|parsed| match database {
                Some(database) => parsed.with_database(database),
                None => parsed,
            })
            .and_then(|parsed| parsed.with_defaults(&self.environment, &self.random))
            .map_err(|source| CliError::Connection {
                origin: settings.connection.origin().clone(),
                cluster: cluster.to_string(),
                source,
            })
    }

    /// How to connect to what `option` gives on the command line.
    pub(crate) fn connection_argument(
        &self,
        option: &'static str,
        given: &str,
    ) -> Result<ConnectionParameters, CliError> {
        let failed = |source| CliError::ConnectionArgument { option, source };
        let parsed = ConnectionParameters::parse(given).map_err(failed)?;
        server_password::refuse_as_argument(&parsed)?;
        parsed
            .with_defaults(&self.environment, &self.random)
            .map_err(failed)
    }

    /// The private keys at hand; `identity` is the file that was named.
    pub(crate) fn keys(
        &self,
        settings: &Settings,
        identity: Option<&Path>,
    ) -> Result<KeysAtHand, CliError> {
        let named = identity.map(|path| self.path(path));
        let identity = named.or_else(|| settings.encryption.identity_file.clone());
        let host = settings.encryption.host_key_file.as_deref();
        let host = host.map(|path| (path, settings.origin_of("encryption.host_key_file")));
        KeysAtHand::read(host, identity.as_deref(), self.output)
    }

    /// Opens the repository that a cluster's backups are in.
    pub(crate) async fn repository(
        &self,
        settings: &Settings,
        cluster: &ClusterSettings,
        keys: &KeysAtHand,
    ) -> Result<Repository, CliError> {
        let name = self.name_of(settings, cluster)?;
        self.open_repository(settings, name, &keys.pins()).await
    }

    /// The repository of a cluster that is meant: the one that the command line names, or the
    /// first one.
    pub(crate) fn name_of<'a>(
        &self,
        settings: &'a Settings,
        cluster: &'a ClusterSettings,
    ) -> Result<&'a str, CliError> {
        if let Some(named) = &self.repository {
            return self.repository_name(settings, Some(named));
        }
        let first = cluster.repositories.first();
        first.map(String::as_str).ok_or_else(|| CliError::Usage {
            problem: "the cluster names no repository".to_owned(),
            hint: "name one in the cluster's 'repositories'".to_owned(),
        })
    }

    /// The repository that is meant: the one that is named, or the only one.
    pub(crate) fn repository_name<'a>(
        &self,
        settings: &'a Settings,
        named: Option<&str>,
    ) -> Result<&'a str, CliError> {
        let known = || {
            let names: Vec<&str> = settings.repositories.keys().map(String::as_str).collect();
            names.join(", ")
        };
        let mut all = settings.repositories.keys();
        let found = match named {
            Some(name) => all.find(|known| *known == name),
            None => all.next().filter(|_| settings.repositories.len() == 1),
        };
        found.map(String::as_str).ok_or_else(|| CliError::Usage {
            problem: match named {
                Some(name) => format!("repository {name:?} is not configured"),
                None => "several repositories are configured, and none is named".to_owned(),
            },
            hint: format!("name one with --repository; there is {}", known()),
        })
    }

    /// Opens the repository of this name, holding it against `pins`.
    pub(crate) async fn open_repository(
        &self,
        settings: &Settings,
        name: &str,
        pins: &[Trust],
    ) -> Result<Repository, CliError> {
        let configured = settings.repositories.get(name);
        let configured = configured.ok_or_else(|| CliError::Usage {
            problem: format!("repository {name:?} is not configured"),
            hint: "add a [repository.NAME] with a url".to_owned(),
        })?;
        let storage = storage::open(
            name,
            &configured.storage,
            &configured.origin,
            &self.environment,
            self.output,
        )?;
        let opened = Repository::open(Arc::clone(&storage), pins).await;
        if let Err(RepositoryError::Missing { .. }) = opened {
            let mut clusters: Vec<ClusterName> = settings.clusters.keys().cloned().collect();
            clusters.extend("main".parse());
            clusters.dedup();
            if let Some(lost) = lost_all_but_backups(storage.as_ref(), &clusters).await {
                return Err(lost.into());
            }
        }
        Ok(opened?)
    }

    /// Opens a cluster's repository for reading, and tells what there is to be
    /// wary of.
    pub(crate) async fn open_for_reading(
        &self,
        named: Option<&ClusterName>,
        identity: Option<&Path>,
    ) -> Result<Opened, CliError> {
        let settings = self.settings()?;
        let (cluster, cluster_settings) = self.cluster(&settings, named)?;
        let keys = self.keys(&settings, identity)?;
        let repository = self.repository(&settings, &cluster_settings, &keys).await?;
        for key in repository.unreadable_keys() {
            self.output
                .warning(format_args!("of the keys, this counts as nothing: {key}"));
        }
        let catalogue = repository.catalogue(&cluster, &keys.all()).await?;
        Ok(Opened {
            settings,
            cluster,
            cluster_settings,
            keys,
            repository,
            catalogue,
        })
    }

    /// The right to write backups.
    pub(crate) fn write_access(
        &self,
        settings: &Settings,
        repository: &Repository,
        keys: KeysAtHand,
    ) -> Result<WriteAccess, CliError> {
        // What was lost there is no disagreement with the configuration.
        repository.check_keys()?;
        agree(settings, repository)?;
        Ok(repository.write_access(&keys.into_host()?)?)
    }

    /// What `work` comes to, unless somebody asks to stop first; `what` is done then.
    pub(crate) async fn unless_interrupted<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            done = work => done,
            () = self.interrupt.requested() => Err(CliError::Interrupted { what: what.to_owned() }),
        }
    }
}

/// A cluster's repository, open for reading.
pub(crate) struct Opened {
    pub(crate) settings: Settings,
    pub(crate) cluster: ClusterName,
    pub(crate) cluster_settings: ClusterSettings,
    pub(crate) keys: KeysAtHand,
    pub(crate) repository: Repository,
    pub(crate) catalogue: Catalogue,
}

impl Opened {
    /// Brings back a recovery key that is in the repository under a passphrase,
    /// where no other is at hand; `ask` for the passphrase if need be.
    pub(crate) async fn unlock(self, context: &Context, ask: bool) -> Result<Self, CliError> {
        let mut keys = self.keys;
        let repository = unlock(context, self.repository, &mut keys, ask).await?;
        Ok(Self {
            keys,
            repository,
            ..self
        })
    }
}

/// A cluster of which nothing is configured: libpq's variables say where it is.
pub(crate) fn unconfigured(settings: &Settings) -> ClusterSettings {
    ClusterSettings {
        connection: ConnectionText::default(),
        repositories: settings.repositories.keys().cloned().collect(),
        dump: DumpSettings::default(),
        prove: ProveSettings::default(),
        check: CheckSettings::default(),
    }
}

/// Refuses to write to a repository that is not sealed as the configuration says.
fn agree(settings: &Settings, repository: &Repository) -> Result<(), CliError> {
    let expected = match settings.encryption.mode {
        EncryptionMode::Age => Encryption::Age,
        EncryptionMode::None => Encryption::None,
    };
    let word = |encryption| match encryption {
        Encryption::Age => "sealed with age",
        Encryption::None => "not encrypted",
    };
    if repository.encryption() != expected {
        return Err(CliError::Disagrees {
            problem: format!(
                "the repository in {} is {}, and the configuration says {}",
                repository.location(),
                word(repository.encryption()),
                word(expected)
            ),
            hint: "set 'mode' in [encryption] to \"age\" or \"none\", as the repository is"
                .to_owned(),
        });
    }
    let wanted = &settings.encryption.recipients;
    let has: Vec<String> = repository
        .recovery_recipients()
        .iter()
        .map(ToString::to_string)
        .collect();
    let foreign = has.iter().find(|recipient| !wanted.contains(recipient));
    let missing = wanted.iter().find(|recipient| !has.contains(recipient));
    let (side, hint) = match (foreign, missing) {
        _ if wanted.is_empty() => return Ok(()),
        (Some(recipient), _) => (
            format!("the repository has {recipient}, and the configuration has not"),
            "where that key is yours, add it to 'recipients' in [encryption]",
        ),
        (None, Some(recipient)) => (
            format!("the configuration has {recipient}, and the repository has not"),
            "add it with 'pgkeep key add', or take it out of 'recipients' in [encryption]",
        ),
        (None, None) => return Ok(()),
    };
    Err(CliError::Disagrees {
        problem: format!(
            "the recovery keys of the repository in {} are not those of the configuration: {side}",
            repository.location()
        ),
        hint: hint.to_owned(),
    })
}
