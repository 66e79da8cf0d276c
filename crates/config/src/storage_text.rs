//! A repository's address, as far as the configuration reads it.
//!
//! Invariants: a path is absolute; an address of a kind that nobody can use is
//! refused; a URL is neither printed nor repeated, since it could hold a password
//! by mistake.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{ConfigError, Origin};

/// Where a storage is: an absolute path, or a URL that is still to be read. A URL
/// could hold a password by mistake, so it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub enum StorageText {
    /// A directory.
    Directory(PathBuf),
    /// A URL of another kind than `file://`.
    Url(String),
}

impl fmt::Debug for StorageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            Self::Url(_) => f.write_str("Url(…)"),
        }
    }
}

/// What an address means: a path, a `file://` or an `s3://` URL. Relative paths
/// start from `base`; what is only `.` in a path is left out.
///
/// # Errors
/// `Address` for any other kind of address.
pub fn storage_text(repository: &str, url: &str, base: &Path) -> Result<StorageText, ConfigError> {
    let refused = || ConfigError::Address {
        origin: Origin::Default,
        repository: repository.to_owned(),
        kind: match url.split_once("://") {
            Some((scheme, _)) => format!("a {scheme}:// URL"),
            None => "an empty text".to_owned(),
        },
    };
    match url.split_once("://") {
        None if url.is_empty() => Err(refused()),
        None => Ok(StorageText::Directory(
            base.join(url).components().collect(),
        )),
        Some(("file", path)) if path.starts_with('/') => Ok(StorageText::Directory(
            Path::new(path).components().collect(),
        )),
        Some(("s3", _)) => Ok(StorageText::Url(url.to_owned())),
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_kind_is_refused() {
        for url in ["ftp://host/x", "file://relative", ""] {
            assert!(storage_text("r", url, Path::new("/")).is_err(), "{url}");
        }
    }

    #[test]
    fn a_path_says_nothing_that_is_only_a_dot_and_keeps_where_links_may_lead() {
        for (url, path) in [
            ("./x", "/home/x"),
            (".", "/home"),
            ("x/./y/", "/home/x/y"),
            ("../x", "/home/../x"),
            ("file:///a/./b/../c", "/a/b/../c"),
        ] {
            let storage = storage_text("r", url, Path::new("/home")).unwrap();
            // Paths that differ in dots are equal, as paths.
            let StorageText::Directory(found) = storage else {
                panic!("{url} is no directory");
            };
            assert_eq!(found.to_str(), Some(path), "{url}");
        }
    }

    #[test]
    fn a_bucket_is_kept_as_it_was_given_and_not_printed() {
        let url = "s3://key:hunter2@bucket/prefix?region=x";
        let storage = storage_text("r", url, Path::new("/")).unwrap();
        assert!(!format!("{storage:?}").contains("hunter2"));
        assert_eq!(storage, StorageText::Url(url.to_owned()));
    }

    #[test]
    fn an_address_that_is_refused_is_not_repeated() {
        let error = storage_text("r", "sftp://u:hunter2@h/x", Path::new("/")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(error.to_string().contains("sftp://"));
    }
}
