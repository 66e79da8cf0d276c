//! The process's surroundings, as a value.
//!
//! Invariant: only the program's main looks at the real process. Everything
//! else is handed an [`Environment`], so that a test can describe any.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Environment variables, home directory and working directory of a process.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    working_directory: PathBuf,
    user: Option<String>,
}

impl Environment {
    /// Describes a process that runs in `working_directory` with nothing set.
    #[must_use]
    pub fn new(working_directory: impl Into<PathBuf>) -> Self {
        Self {
            working_directory: working_directory.into(),
            ..Self::default()
        }
    }

    /// The same surroundings, with one more variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same surroundings, with a home directory.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// The same surroundings, with the name of the operating system's user.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The value of a variable; an empty one counts as not set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a variable that has to be text; `None` where it is not set
    /// or no UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variable(name).and_then(OsStr::to_str)
    }

    /// The names of the variables that are set and begin so, in their order.
    pub fn names_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let set = self.variables.iter().filter(|(_, value)| !value.is_empty());
        let names = set.filter_map(|(name, _)| name.to_str());
        names.filter(move |name| name.starts_with(prefix))
    }

    /// The home directory, where there is one.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The operating system's name of the user, where it is known.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The directory that relative paths start from.
    #[must_use]
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// The directories of `PATH`, in order.
    #[must_use]
    pub fn search_path(&self) -> Vec<PathBuf> {
        self.variable("PATH")
            .map(|path| std::env::split_paths(path).collect())
            .unwrap_or_default()
    }
}
