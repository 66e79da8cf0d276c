//! From a repository's address to its storage.
//!
//! Invariant: an address that exists has been read whole; what it cannot be used
//! for is told before anything is asked of a storage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgkeep_types::{Environment, Random};

use crate::s3::{self, AddressError, S3Address, S3Settings};
use crate::{LocalStorage, OnDelay, Patience, Retrying, S3Storage, Storage};

/// Where a storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageAddress {
    /// A directory.
    Directory(PathBuf),
    /// A bucket.
    S3(Box<S3Address>),
}

/// A storage that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its address, or its credentials.
    #[error("{location}: {source}")]
    Settings {
        /// Where it is.
        location: String,
        /// Why not.
        source: s3::SettingsError,
    },
    /// Its client.
    #[error("{location}: {source}")]
    Client {
        /// Where it is.
        location: String,
        /// Why not.
        source: s3::ClientError,
    },
}

impl OpenError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Settings { source, .. } => match source {
                s3::SettingsError::Address(error) => error.hint(),
                s3::SettingsError::Credentials(error) => error.hint(),
            },
            Self::Client { .. } => None,
        }
    }
}

impl StorageAddress {
    /// Reads an address: a path, a `file://` or an `s3://` URL. A relative path
    /// starts from `base`.
    ///
    /// # Errors
    /// Whatever is wrong with it first.
    pub fn parse(text: &str, base: &Path) -> Result<Self, AddressError> {
        let refused = |kind: String| Err(AddressError::Kind { kind });
        match text.split_once("://") {
            None if text.is_empty() => refused("an empty text".to_owned()),
            None => Ok(Self::Directory(base.join(text))),
            Some(("file", path)) if path.starts_with('/') => {
                Ok(Self::Directory(PathBuf::from(path)))
            }
            Some(("s3", _)) => Ok(Self::S3(Box::new(S3Address::parse(text)?))),
            Some((scheme, _)) => refused(format!("a {scheme}:// URL")),
        }
    }

    /// The address for people.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Directory(path) => path.display().to_string(),
            Self::S3(address) => address.display(),
        }
    }

    /// The storage there. Calls to a bucket are tried again with the usual
    /// [`Patience`], and `told` of those that wait; a directory's are not.
    ///
    /// # Errors
    /// Where credentials, certificates or a proxy cannot be used. Nothing is asked
    /// of the storage.
    pub fn open(
        &self,
        environment: &Environment,
        random: Arc<dyn Random>,
        told: OnDelay,
    ) -> Result<Arc<dyn Storage>, OpenError> {
        let address = match self {
            Self::Directory(path) => return Ok(Arc::new(LocalStorage::new(path))),
            Self::S3(address) => address,
        };
        let location = || address.display();
        let settings = S3Settings::resolve(address, environment);
        let settings = settings.map_err(|source| OpenError::Settings {
            location: location(),
            source,
        })?;
        let storage = S3Storage::new(&settings).map_err(|source| OpenError::Client {
            location: location(),
            source,
        })?;
        let retrying = Retrying::new(Arc::new(storage), Patience::default(), random);
        Ok(Arc::new(retrying.telling(told)))
    }
}
