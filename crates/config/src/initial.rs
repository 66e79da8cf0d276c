//! What the environment says where there is no configuration yet.

use std::path::PathBuf;

use pgkeep_types::{ClusterName, Environment};
use zeroize::Zeroizing;

use crate::lookup::Found;
use crate::resolve::{MAIN, one_of};
use crate::{ConfigError, ConnectionText, lookup, variables};

/// The connection that the variables have for a cluster, and the one that has it.
/// `PGKEEP_DATABASE_URL` stands for whatever the only cluster will be called.
///
/// # Errors
/// Where a variable and its file are set, or two variables for cluster `main`; where a file
/// cannot be read.
pub fn connection_in(
    environment: &Environment,
    cluster: &ClusterName,
) -> Result<Option<ConnectionText>, ConfigError> {
    let of_cluster = variables::of_cluster(cluster.as_str(), "CONNECTION");
    let own = lookup::text(environment, &of_cluster)?;
    let short = lookup::text(environment, variables::DATABASE_URL)?;
    let said = match cluster.as_str() {
        MAIN => one_of(short, own)?,
        _ => own.or(short),
    };
    Ok(said.map(|(text, origin)| ConnectionText::new(text, origin)))
}

/// The address in `PGKEEP_REPOSITORY`, or in the file that `PGKEEP_REPOSITORY_FILE` names.
///
/// # Errors
/// Where both are set; where the file cannot be read.
pub fn repository_in(environment: &Environment) -> Result<Option<Zeroizing<String>>, ConfigError> {
    let said: Found<Zeroizing<String>> = lookup::text(environment, variables::REPOSITORY)?;
    Ok(said.map(|(text, _)| text))
}

/// The directories in `PGKEEP_POSTGRES_BIN`, or in the file that `PGKEEP_POSTGRES_BIN_FILE`
/// names.
///
/// # Errors
/// Where both are set; where the file cannot be read.
pub fn postgres_directories_in(environment: &Environment) -> Result<Vec<PathBuf>, ConfigError> {
    let said = lookup::paths(environment, variables::POSTGRES_BIN)?;
    Ok(said.map(|(paths, _)| paths).unwrap_or_default())
}
