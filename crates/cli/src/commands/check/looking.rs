//! What is looked at: the server and the repositories of a cluster.
//!
//! Invariants: nothing is written; each is waited for no longer than was said, and who does
//! not answer keeps no other from being looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use pgkeep_config::{CheckSettings, ClusterSettings, Content, Settings, StorageText};
use pgkeep_format::Identities;
use pgkeep_maintenance::check::{self, Asked, Clusters, Look, Server, Space};
use pgkeep_postgres::client::{ConnectionParameters, connect, databases, system_id};
use pgkeep_repository::{Catalogue, Repository};
use pgkeep_types::{Clock, ClusterName};
use tokio::time::timeout;

use crate::commands::backup::databases::Choice;
use crate::commands::doctor::server::server_now;
use crate::context::Context;
use crate::error::{CliError, sentence};
use crate::keys::KeysAtHand;
use crate::storage;

/// What is to be looked at.
pub(super) struct Asking<'a> {
    pub(super) context: &'a Context,
    pub(super) settings: &'a Settings,
    pub(super) cluster: &'a ClusterName,
    pub(super) of_cluster: &'a ClusterSettings,
    /// How long each is waited for.
    pub(super) timeout: Duration,
}

/// A repository that is open.
struct Opened {
    repository: Repository,
    catalogue: Catalogue,
    identities: Identities,
    may_not_write: Option<Option<String>>,
}

/// Why there is nothing to judge.
enum Shut {
    /// It cannot be opened or listed.
    Unreachable(String),
    /// It took too long.
    TooSlow,
}

impl Asking<'_> {
    /// Looks at all of it.
    ///
    /// # Errors
    /// Where what is configured cannot be used.
    pub(super) async fn look(
        &self,
    ) -> Result<(Server, BTreeMap<String, check::Repository>), CliError> {
        let parameters = self.context.connection(self.cluster, self.of_cluster)?;
        let names = &self.of_cluster.repositories;
        // Before anything is waited for.
        let keys = names.iter().map(|_| self.context.keys(self.settings, None));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let opening = names
            .iter()
            .zip(keys)
            .map(|(name, keys)| self.open(name, keys));
        let (server, opened) = tokio::join!(self.server(&parameters), join_all(opening));
        let rows_of = match &server {
            Server::Asked(asked) => Some(&asked.databases),
            Server::Unreachable(_) => None,
        };
        let looking = names.iter().zip(opened).map(|(name, opened)| async move {
            let seen = match opened {
                Ok(opened) => Ok(self.repository(name, opened, rows_of).await),
                Err(shut) => Err(shut),
            };
            let seen = match seen {
                Ok(seen) => check::Repository::Seen(Box::new(seen)),
                Err(Shut::Unreachable(problem)) => check::Repository::Unreachable(problem),
                Err(Shut::TooSlow) => check::Repository::TooSlow(self.timeout),
            };
            (name.clone(), seen)
        });
        let looked = join_all(looking).await;
        Ok((server, looked.into_iter().collect()))
    }

    async fn server(&self, parameters: &ConnectionParameters) -> Server {
        let asked = timeout(self.timeout, self.ask(parameters)).await;
        match asked {
            Ok(Ok(asked)) => Server::Asked(asked),
            Ok(Err(error)) => Server::Unreachable(sentence(&error)),
            Err(_) => Server::Unreachable(format!(
                "{} has not answered within {}",
                parameters.server(),
                CheckSettings::in_words(self.timeout)
            )),
        }
    }

    async fn ask(&self, parameters: &ConnectionParameters) -> Result<Asked, CliError> {
        let session = connect(parameters).await?;
        let no_answer = |source| CliError::NoAnswer {
            cluster: self.cluster.to_string(),
            source,
        };
        let listed = databases(&session).await.map_err(no_answer)?;
        let choice = Choice::new(&self.of_cluster.dump.databases, listed);
        let here = choice.here.into_iter().map(|database| database.name);
        let now = server_now(&session).await.map_err(no_answer)?;
        Ok(Asked {
            databases: here.collect(),
            missing: choice.missing.into_iter().collect(),
            unmatched: choice.unmatched,
            ahead: now - self.context.clock.now().as_second(),
            system: system_id(&session).await.map_err(no_answer)?,
        })
    }

    async fn open(&self, name: &str, keys: KeysAtHand) -> Result<Opened, Shut> {
        let opening = async {
            let identities = keys.all();
            let pins = keys.pins();
            let opened = self.context.open_repository(self.settings, name, &pins);
            let repository = opened.await?;
            let catalogue = repository.catalogue(self.cluster, &identities).await?;
            Ok::<_, CliError>((repository, catalogue, identities))
        };
        let opened = timeout(self.timeout, opening)
            .await
            .map_err(|_| Shut::TooSlow)?;
        let unreachable = |error| Shut::Unreachable(sentence(&error));
        let (repository, catalogue, identities) = opened.map_err(unreachable)?;
        let access = self.context.write_access(self.settings, &repository, keys);
        let may_not_write = match access {
            Ok(_) => Some(None),
            Err(CliError::NoHostKey) => None,
            Err(error) => Some(Some(sentence(&error))),
        };
        Ok(Opened {
            repository,
            catalogue,
            identities,
            may_not_write,
        })
    }

    async fn repository(
        &self,
        name: &str,
        opened: Opened,
        rows_of: Option<&BTreeSet<String>>,
    ) -> check::Seen {
        let look = Look {
            repository: &opened.repository,
            catalogue: &opened.catalogue,
            identities: &opened.identities,
            databases: &self.of_cluster.dump.databases,
            part: self.of_cluster.dump.content != Content::default(),
            rows_of,
            timeout: self.timeout,
            now: self.context.clock.now(),
        };
        let mut seen = check::look(look).await;
        seen.may_not_write = opened.may_not_write;
        seen.space = self.space(name);
        if matches!(seen.space, Space::Free(_)) {
            seen.clusters = self.clusters(&opened.repository).await;
        }
        seen
    }

    async fn clusters(&self, repository: &Repository) -> Clusters {
        match timeout(self.timeout, repository.clusters()).await {
            Ok(Ok(clusters)) => Clusters::Listed(clusters.into_iter().collect()),
            Ok(Err(error)) => Clusters::Unknown(sentence(&CliError::Repository(error))),
            Err(_) => Clusters::Unknown(format!(
                "they were not listed within {}",
                CheckSettings::in_words(self.timeout)
            )),
        }
    }

    fn space(&self, repository: &str) -> Space {
        let configured = self.settings.repositories.get(repository);
        match configured.map(|configured| &configured.storage) {
            Some(StorageText::Directory(path)) => match storage::room(path) {
                Ok(Some(room)) => Space::Free(room.free),
                Ok(None) => Space::Untold,
                Err(error) => Space::Unknown(error.to_string()),
            },
            Some(StorageText::Url(_)) | None => Space::Untold,
        }
    }
}
