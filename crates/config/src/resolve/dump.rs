//! `[cluster.NAME.dump]`: which databases are dumped, what of each, and how.
//!
//! Invariant: each key has a variable, which goes before the file, and a place.

use std::num::NonZeroU64;

use zeroize::Zeroizing;

use super::{Key, Resolver, as_written};
use crate::dump::{Content, Databases};
use crate::file::{Choice, DumpTable, Places};
use crate::lookup::{self, Found};
use crate::origin::Origin;
use crate::{ConfigError, DumpSettings, Pattern, jobs, size, span};

/// The keys of one cluster's table.
pub(super) struct Keys<'r, 'e> {
    pub(super) resolver: &'r mut Resolver<'e>,
    pub(super) cluster: &'r str,
    pub(super) places: &'r Places,
}

impl Resolver<'_> {
    pub(super) fn dump(
        &mut self,
        cluster: &str,
        table: DumpTable,
        places: &Places,
    ) -> Result<DumpSettings, ConfigError> {
        let mut keys = Keys {
            resolver: self,
            cluster,
            places,
        };
        let (jobs, origin) = match table.jobs {
            Some(jobs) => {
                let (jobs, origin) = places.found(jobs);
                (jobs.to_string(), origin)
            }
            None => (DumpSettings::JOBS.to_string(), Origin::Default),
        };
        let jobs = Some((Zeroizing::new(jobs), origin));
        let lock_timeout = super::in_file(table.lock_timeout, places);
        let rate_limit = super::in_file(table.rate_limit, places);
        Ok(DumpSettings {
            lock_timeout: keys.parsed("lock_timeout", lock_timeout, span::parse, span::WANTED)?,
            databases: keys.databases(table.databases)?,
            jobs: keys
                .parsed("jobs", jobs, jobs::parse, jobs::WANTED)?
                .unwrap_or(DumpSettings::JOBS),
            rate_limit: keys.parsed(
                "rate_limit",
                rate_limit,
                |text| size::parse(text).and_then(NonZeroU64::new),
                size::WANTED,
            )?,
            content: Content {
                schemas: keys.list("schemas.include", table.schemas.include)?,
                exclude_schemas: keys.list("schemas.exclude", table.schemas.exclude)?,
                tables: keys.list("tables.include", table.tables.include)?,
                exclude_tables: keys.list("tables.exclude", table.tables.exclude)?,
                exclude_table_data: keys.list("table_data.exclude", table.table_data.exclude)?,
                arguments: keys.list("arguments", table.arguments)?,
            },
            keep: keys.keep(table.keep, table.keep_for)?,
        })
    }
}

impl Keys<'_, '_> {
    fn key<'k>(&'k self, name: &'k str) -> Key<'k> {
        Key {
            cluster: self.cluster,
            table: "dump",
            name,
        }
    }

    pub(super) fn variable(&mut self, key: &str) -> Result<Found<Zeroizing<String>>, ConfigError> {
        let variable = self.key(key).variable();
        self.resolver.text(&variable, self.cluster)
    }

    /// A value that is one text.
    fn parsed<T>(
        &mut self,
        key: &str,
        in_file: Found<Zeroizing<String>>,
        parse: impl Fn(&str) -> Option<T>,
        wanted: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let key = Key {
            cluster: self.cluster,
            table: "dump",
            name: key,
        };
        let resolver = &mut self.resolver;
        resolver.value(key, in_file, parse, wanted, as_written)
    }

    /// A value that is several texts.
    fn list(
        &mut self,
        key: &str,
        in_file: Option<toml::Spanned<Vec<String>>>,
    ) -> Result<Vec<String>, ConfigError> {
        let said = self.variable(key)?;
        let said = said.map(|(text, origin)| (lookup::list(&text), origin));
        let said = said.or_else(|| Some(self.places.found(in_file?)));
        let key = self.key(key).to_string();
        Ok(self.resolver.list(&key, said))
    }

    fn databases(&mut self, choice: Choice) -> Result<Databases, ConfigError> {
        let patterns = |texts: Vec<String>| texts.iter().map(|text| Pattern::new(text)).collect();
        Ok(Databases {
            include: patterns(self.list("databases.include", choice.include)?),
            exclude: patterns(self.list("databases.exclude", choice.exclude)?),
        })
    }
}
