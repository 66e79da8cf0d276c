//! From a repository of the configuration to its storage.
//!
//! Invariant: an address is read whole before anything is done with it, so that a
//! secret in it is refused before it could be shown.

use std::path::Path;
use std::sync::Arc;

use pgkeep_config::StorageText;
use pgkeep_storage::{Delay, Storage, StorageAddress};
use pgkeep_types::Environment;

use crate::error::CliError;
use crate::output::Output;
use crate::process::SystemRandom;

/// Reads the address of the repository that is called `name`.
pub(crate) fn address(name: &str, storage: &StorageText) -> Result<StorageAddress, CliError> {
    match storage {
        StorageText::Directory(path) => Ok(StorageAddress::Directory(path.clone())),
        StorageText::Url(url) => {
            // A URL has no base.
            StorageAddress::parse(url, Path::new("/")).map_err(|source| CliError::Address {
                repository: name.to_owned(),
                source,
            })
        }
    }
}

/// The storage of the repository that is called `name`. It is told when it does not
/// answer for a while.
pub(crate) fn open(
    name: &str,
    storage: &StorageText,
    environment: &Environment,
    output: Output,
) -> Result<Arc<dyn Storage>, CliError> {
    let address = address(name, storage)?;
    let told = Arc::new(move |delay: &Delay| output.say(delay));
    Ok(address.open(environment, Arc::new(SystemRandom), told)?)
}
