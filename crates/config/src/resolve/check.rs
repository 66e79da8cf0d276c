//! `[cluster.NAME.check]`: the limits of `pgkeep check`.
//!
//! Invariant: each key has a variable, which goes before the file, and a place.

use std::time::Duration;

use toml::Spanned;

use super::{Key, Resolver};
use crate::check::CheckSettings;
use crate::file::{CheckTable, Places};
use crate::origin::Shown;
use crate::{ConfigError, span};

impl Resolver<'_> {
    pub(super) fn check(
        &mut self,
        cluster: &str,
        table: CheckTable,
        places: &Places,
    ) -> Result<CheckSettings, ConfigError> {
        let mut limits = Limits {
            resolver: self,
            cluster,
            places,
        };
        let otherwise = CheckSettings::default();
        let max_age = limits.length("max_age", table.max_age, otherwise.max_age)?;
        let critical_age = CheckSettings::critical_after(max_age);
        let critical_age = limits.length("critical_age", table.critical_age, critical_age)?;
        let max_run = limits.length("max_run", table.max_run, otherwise.max_run)?;
        let share = Kind {
            parse: CheckSettings::part,
            tell: |percent| format!("{percent}%"),
            wanted: "a number of percent below 100, such as 50%",
        };
        let max_shrink = limits.of(&share, "max_shrink", table.max_shrink, otherwise.max_shrink)?;
        let share = Kind {
            parse: CheckSettings::percent,
            wanted: CheckSettings::PERCENT,
            ..share
        };
        let max_growth = limits.of(&share, "max_growth", table.max_growth, otherwise.max_growth)?;
        let min_rows = limits.rows(table.min_rows, otherwise.min_rows)?;
        let space = limits.length("space", table.space, otherwise.space)?;
        let critical = otherwise.critical_space.min(space);
        let critical_space = limits.length("critical_space", table.critical_space, critical)?;
        Ok(CheckSettings {
            max_age,
            critical_age,
            max_run,
            max_shrink,
            max_growth,
            min_rows,
            space,
            critical_space,
        })
    }
}

/// The keys of one cluster's table.
struct Limits<'r, 'e> {
    resolver: &'r mut Resolver<'e>,
    cluster: &'r str,
    places: &'r Places,
}

/// How values of a kind are read and told.
struct Kind<T> {
    parse: fn(&str) -> Option<T>,
    tell: fn(&T) -> String,
    wanted: &'static str,
}

impl Limits<'_, '_> {
    fn length(
        &mut self,
        key: &str,
        in_file: Option<Spanned<String>>,
        otherwise: Duration,
    ) -> Result<Duration, ConfigError> {
        let length = Kind {
            parse: CheckSettings::length,
            tell: |length| span::tell(*length),
            wanted: CheckSettings::LENGTH,
        };
        self.of(&length, key, in_file, otherwise)
    }

    fn rows(&mut self, in_file: Option<Spanned<u64>>, otherwise: u64) -> Result<u64, ConfigError> {
        let rows = Kind {
            parse: CheckSettings::rows,
            tell: u64::to_string,
            wanted: CheckSettings::ROWS,
        };
        let in_file = in_file.map(|rows| Spanned::new(rows.span(), rows.get_ref().to_string()));
        self.of(&rows, "min_rows", in_file, otherwise)
    }

    fn of<T>(
        &mut self,
        kind: &Kind<T>,
        key: &str,
        in_file: Option<Spanned<String>>,
        otherwise: T,
    ) -> Result<T, ConfigError> {
        let key = Key {
            cluster: self.cluster,
            table: "check",
            name: key,
        };
        let in_file = super::in_file(in_file, self.places);
        let shown = |said: Option<(&str, &T)>| {
            Shown::Text((kind.tell)(said.map_or(&otherwise, |(_, value)| value)))
        };
        let resolver = &mut self.resolver;
        let value = resolver.value(key, in_file, kind.parse, kind.wanted, shown)?;
        Ok(value.unwrap_or(otherwise))
    }
}
