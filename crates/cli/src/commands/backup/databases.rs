//! Which databases a backup is of.
//!
//! Invariants: all of a server's but `template0` and `template1`, new ones too, unless
//! some are chosen; one that cannot be dumped is a failure, not left out; one that is
//! named has to be there. What a restore left half-filled and what is dropped in part is no
//! database of anybody's, and told.

use std::collections::BTreeSet;

use pgkeep_config::Databases;
use pgkeep_postgres::client::{
    ConnectionParameters, ListedDatabase, connect, databases, identifier, system_id,
};
use pgkeep_repository::Catalogue;
use pgkeep_restore::is_unfinished;
use pgkeep_types::{ClusterName, SystemId};

use crate::context::Context;
use crate::error::CliError;

/// Databases of hosted PostgreSQL that belong to the provider, with the role that owns
/// them; nobody else gets into them: Azure, Google Cloud SQL, Amazon RDS.
const PROVIDERS_OWN: [(&str, &str); 4] = [
    ("azure_maintenance", "azuresu"),
    ("azure_sys", "azuresu"),
    ("cloudsqladmin", "cloudsqladmin"),
    ("rdsadmin", "rdsadmin"),
];

/// What the configuration chooses of the databases that a server has: all, where it
/// chooses none.
pub(in crate::commands) struct Choice {
    /// Those that are there.
    pub(in crate::commands) here: Vec<ListedDatabase>,
    /// The names of those that have to be there and are not.
    pub(in crate::commands) missing: Vec<String>,
    /// The patterns that choose databases and match none.
    pub(in crate::commands) unmatched: Vec<String>,
    /// The patterns that leave databases out and match none.
    pub(in crate::commands) idle: Vec<String>,
    /// The names of the provider's own, which are left out.
    pub(in crate::commands) providers: Vec<String>,
    /// The names of those of which a `DROP DATABASE` was interrupted: nothing can be read of
    /// them, and those that are not named are left out, as by pg_dumpall.
    pub(in crate::commands) invalid: Vec<String>,
    /// The names of what restores that were cut off have left, which is left out.
    pub(in crate::commands) unfinished: Vec<String>,
}

impl Choice {
    pub(in crate::commands) fn new(chosen: &Databases, listed: Vec<ListedDatabase>) -> Self {
        let names_here: Vec<&str> = listed.iter().map(|d| d.name.as_str()).collect();
        let unmatched = chosen.unmatched(&names_here).map(str::to_owned).collect();
        let idle = chosen.without_effect(&names_here).map(str::to_owned);
        let idle = idle.collect();
        let meant = listed.into_iter().filter(|d| chosen.has(&d.name));
        let (providers, here): (Vec<_>, Vec<_>) = meant.partition(|database| {
            PROVIDERS_OWN.contains(&(database.name.as_str(), database.owner.as_str()))
        });
        let is_named = |database: &ListedDatabase| chosen.named().any(|n| n == database.name);
        let (unfinished, here): (Vec<_>, Vec<_>) = (here.into_iter())
            .partition(|database| is_unfinished(&database.name) && !is_named(database));
        let (invalid, here): (Vec<_>, Vec<_>) =
            (here.into_iter()).partition(|database| database.is_invalid && !is_named(database));
        let is_here = |name: &str| here.iter().any(|known| known.name == name);
        let missing = chosen.named().filter(|name| !is_here(name));
        let missing = missing.map(str::to_owned).collect();
        Self {
            here,
            missing,
            unmatched,
            idle,
            providers: names(providers),
            unfinished: names(unfinished),
            invalid: names(invalid),
        }
    }

    /// The names of the databases that a backup is of; of those that are missing it fails.
    pub(in crate::commands) fn into_names(self) -> Vec<String> {
        let mut names = names(self.here);
        names.extend(self.missing);
        names
    }
}

fn names(databases: Vec<ListedDatabase>) -> Vec<String> {
    let names = databases.into_iter().map(|database| database.name);
    names.collect()
}

/// What a backup is of.
pub(super) struct Meant {
    /// The names of the databases.
    pub(super) databases: Vec<String>,
    /// The server, where it tells.
    pub(super) system: Option<SystemId>,
}

/// The databases that were named. Which server it is decides what they are compared with;
/// why it does not answer each dump tells.
pub(super) async fn named(named: &[String], connection: &ConnectionParameters) -> Meant {
    let mut once = BTreeSet::new();
    let databases = named.iter().filter(|name| once.insert(*name));
    let system = match connect(connection).await {
        Ok(session) => system_id(&session).await.ok().flatten(),
        Err(_) => None,
    };
    Meant {
        databases: databases.cloned().collect(),
        system,
    }
}

/// The databases of the connection's server that the configuration chooses.
///
/// # Errors
/// Where the server cannot be asked; then no backup can be made.
pub(super) async fn chosen(
    context: &Context,
    cluster: &ClusterName,
    chosen: &Databases,
    connection: &ConnectionParameters,
) -> Result<Meant, CliError> {
    let cluster = || cluster.to_string();
    let session = connect(connection)
        .await
        .map_err(|source| CliError::NoServer {
            cluster: cluster(),
            source,
        })?;
    let asked = |source| CliError::NoAnswer {
        cluster: cluster(),
        source,
    };
    let listed = databases(&session).await.map_err(asked)?;
    let system = system_id(&session).await.map_err(asked)?;
    let choice = Choice::new(chosen, listed);
    for pattern in &choice.unmatched {
        context.output.warning(format_args!(
            "no database matches {pattern:?}, which 'databases' chooses"
        ));
    }
    // A pattern may be for what comes and goes; of that the doctor tells.
    for pattern in choice.idle.iter().filter(|p| !p.contains(['*', '?'])) {
        context.output.warning(format_args!(
            "no database matches {pattern:?}, which 'databases' leaves out"
        ));
    }
    for name in &choice.providers {
        context.output.say(format_args!(
            "database {name:?} is the provider's own and is left out"
        ));
    }
    for name in &choice.unfinished {
        context.output.warning(format_args!(
            "database {name:?} is what a restore has left that was cut off, by its name: it is \
             left out; drop it, or name it in 'databases' to have it backed up"
        ));
    }
    for name in &choice.invalid {
        context.output.warning(format_args!(
            "database {name:?} is INVALID, since a DROP DATABASE of it was interrupted: nothing \
             can be read of it any more, and it is left out; DROP DATABASE {}",
            identifier(name)
        ));
    }
    Ok(Meant {
        databases: choice.into_names(),
        system,
    })
}

/// The databases of a server that cannot be asked, as far as they are known: those that have to
/// be there, and those that are chosen and of which there are backups; none where none is.
pub(super) fn known(catalogue: &Catalogue, chosen: &Databases) -> Vec<String> {
    let backed_up = catalogue.complete().map(|record| record.database.as_str());
    let backed_up = backed_up.filter(|database| chosen.has(database));
    let known: BTreeSet<&str> = chosen.named().chain(backed_up).collect();
    known.into_iter().map(str::to_owned).collect()
}
