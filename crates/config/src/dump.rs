//! How a cluster's databases are dumped.
//!
//! Invariant: what is not chosen here is dumped: all databases, all of each.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use crate::{Keep, Pattern};

/// How a cluster's databases are dumped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpSettings {
    /// For how long a dump waits for a table that is locked; for ever, where nothing
    /// is said.
    pub lock_timeout: Option<Duration>,
    /// Which databases.
    pub databases: Databases,
    /// How many databases at the same time.
    pub jobs: NonZeroUsize,
    /// How many bytes a second are read from the server, of all dumps of a run
    /// together; as many as there are, where nothing is said.
    pub rate_limit: Option<NonZeroU64>,
    /// What of each database.
    pub content: Content,
    /// What is kept of the dumps.
    pub keep: Keep,
}

/// Which databases of a cluster are meant where none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databases {
    /// These alone; all, where there are none.
    pub include: Vec<Pattern>,
    /// But not these.
    pub exclude: Vec<Pattern>,
}

/// What of a database is dumped; `pg_dump`'s patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// These schemas alone (`--schema`).
    pub schemas: Vec<String>,
    /// Not these (`--exclude-schema`).
    pub exclude_schemas: Vec<String>,
    /// These tables alone (`--table`).
    pub tables: Vec<String>,
    /// Not these (`--exclude-table`).
    pub exclude_tables: Vec<String>,
    /// Of these not the rows (`--exclude-table-data`).
    pub exclude_table_data: Vec<String>,
    /// Further arguments of `pg_dump`'s.
    pub arguments: Vec<String>,
}

impl DumpSettings {
    /// How many databases at the same time, where nothing is said.
    pub const JOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);
}

impl Default for DumpSettings {
    fn default() -> Self {
        Self {
            lock_timeout: None,
            databases: Databases::default(),
            jobs: Self::JOBS,
            rate_limit: None,
            content: Content::default(),
            keep: Keep::default(),
        }
    }
}

impl Databases {
    /// Whether a database is meant.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// The patterns that choose some and match none of `names`; what is just named is none.
    pub fn unmatched<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let patterns = self.include.iter().filter(|p| p.name().is_none());
        let unmatched = patterns.filter(|p| !names.iter().any(|name| p.matches(name)));
        unmatched.map(Pattern::as_str)
    }

    /// The patterns and names that leave out none of `names`.
    pub fn without_effect<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let patterns = self.exclude.iter();
        let unmatched = patterns.filter(|p| !names.iter().any(|name| p.matches(name)));
        unmatched.map(Pattern::as_str)
    }

    /// The databases that are named and not just matched: they have to be there.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let names = self.include.iter().filter_map(Pattern::name);
        names.filter(|name| self.has(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_databases_are_meant_but_those_that_are_left_out() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text)).collect();
        let all = Databases::default();
        assert!(all.has("app"));
        let some = Databases {
            include: patterns(&["app*", "shop", "gone"]),
            exclude: patterns(&["*_tmp", "gone"]),
        };
        let meant = ["app", "app_tmp", "shop", "shop2", "gone"];
        let meant: Vec<&str> = meant.into_iter().filter(|name| some.has(name)).collect();
        assert_eq!(meant, ["app", "shop"]);
        assert_eq!(some.named().collect::<Vec<_>>(), ["shop"]);
        assert_eq!(some.unmatched(&["shop"]).collect::<Vec<_>>(), ["app*"]);
        assert_eq!(some.unmatched(&["app_tmp"]).count(), 0);
        let idle: Vec<&str> = some.without_effect(&["app_tmp", "gone2"]).collect();
        assert_eq!(idle, ["gone"]);
    }
}
