//! `keep` and `keep_for` of `[cluster.NAME.dump]`.
//!
//! Invariant: a variable stands in the place of its whole key: what it does not say, the
//! file does not add.

use pgkeep_retention::Policy;
use toml::Spanned;

use super::dump::Keys;
use crate::keep_text::{ByDatabase, Written, Wrong, by_database_in, in_order, policy_in};
use crate::origin::{Origin, Shown};
use crate::{ConfigError, Keep, Pattern};

impl Keys<'_, '_> {
    pub(super) fn keep(
        &mut self,
        of_all: Option<Spanned<Written>>,
        of_some: ByDatabase,
    ) -> Result<Keep, ConfigError> {
        let (policy, origin) = match (self.variable("keep")?, of_all) {
            (Some((text, origin)), _) => {
                let policy = policy_in(&origin.to_string(), &text, &Policy::default())?;
                (policy, origin)
            }
            (None, Some(written)) => self.written(written, &Policy::default())?,
            (None, None) => (Policy::default(), Origin::Default),
        };
        self.shown("keep", &policy, origin);

        let mut of_databases = Vec::new();
        if let Some((text, origin)) = self.variable("keep_for")? {
            of_databases = by_database_in(&origin.to_string(), &text, &policy)?;
            for (of, own) in &of_databases {
                self.shown(&format!("keep_for.{}", of.as_str()), own, origin.clone());
            }
        } else {
            for (name, written) in in_order(of_some) {
                let (own, origin) = self.written(written, &policy)?;
                let name = name.into_inner();
                self.shown(&format!("keep_for.{name}"), &own, origin);
                of_databases.push((Pattern::new(&name), own));
            }
        }
        Ok(Keep {
            policy,
            of_databases,
        })
    }

    /// A policy of the file, with its place.
    fn written(
        &self,
        written: Spanned<Written>,
        beside: &Policy,
    ) -> Result<(Policy, Origin), ConfigError> {
        let whole = written.span();
        let (_, origin) = self.places.found(Spanned::new(whole.clone(), ()));
        let policy = written.into_inner().policy(beside);
        let policy = policy.map_err(|wrong| {
            let Wrong {
                at,
                problem,
                nearest,
            } = wrong;
            let at = at.unwrap_or(whole.start);
            match self.places.found(Spanned::new(at..at, ())).1 {
                Origin::File { path, line, column } => ConfigError::Syntax {
                    path,
                    line,
                    column,
                    problem,
                    nearest,
                },
                origin => ConfigError::Policy {
                    of: origin.to_string(),
                    column: 1,
                    problem,
                    nearest,
                },
            }
        })?;
        Ok((policy, origin))
    }

    fn shown(&mut self, key: &str, policy: &Policy, origin: Origin) {
        let key = format!("cluster.{}.dump.{key}", self.cluster);
        let shown = Shown::Text(policy.to_string());
        self.resolver.note(key, shown, origin);
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use pgkeep_types::Environment;

    use super::*;
    use crate::{Settings, file};

    fn settings(dump: &str, environment: &Environment) -> Result<Settings, ConfigError> {
        let text = format!("[repository.x]\nurl = \"/b\"\n[cluster.main.dump]\n{dump}");
        let file = file::parse(Path::new("c.toml"), &text)?;
        Settings::resolve(file, Some(PathBuf::from("c.toml")), environment)
    }

    fn of(settings: &Settings, database: &str) -> String {
        let main = &settings.clusters[&"main".parse().unwrap()];
        main.dump.keep.of(database).to_string()
    }

    const DUMP: &str = "keep = { daily = 6, weekly = 4, timezone = \"Europe/Berlin\" }\n\
        [cluster.main.dump.keep_for]\n\"app_*\" = { last = 2 }\napp = \"all\"\n";

    #[test]
    fn each_database_has_what_is_kept_of_it_and_each_value_its_place() {
        let settings = settings(DUMP, &Environment::new("/")).unwrap();
        let rest = "timezone='Europe/Berlin'";
        assert_eq!(of(&settings, "x"), format!("daily=6, weekly=4, {rest}"));
        assert_eq!(of(&settings, "app_archive"), format!("last=2, {rest}"));
        assert_eq!(of(&settings, "app"), "all");
        let mut told = settings.in_force.iter();
        let mut shown = |key: &str| {
            let found = told.find(|entry| entry.key == format!("cluster.main.dump.{key}"));
            let found = found.unwrap();
            format!("{:?} {}", found.value, found.origin)
        };
        assert!(shown("keep").ends_with("c.toml:4"));
        assert!(shown("keep_for.app_*").ends_with("c.toml:6"));
        assert_eq!(shown("keep_for.app"), "Text(\"all\") c.toml:7");
    }

    #[test]
    fn a_variable_stands_in_the_place_of_its_key() {
        let environment = Environment::new("/")
            .with_variable("PGKEEP_CLUSTER_MAIN_DUMP_KEEP", "last=5")
            .with_variable("PGKEEP_CLUSTER_MAIN_DUMP_KEEP_FOR", "shop={last=9}");
        let settings = settings(DUMP, &environment).unwrap();
        assert_eq!(of(&settings, "app"), "last=5");
        assert_eq!(of(&settings, "shop"), "last=9");
    }

    #[test]
    fn who_says_nothing_keeps_everything() {
        let settings = settings("", &Environment::new("/")).unwrap();
        assert_eq!(of(&settings, "app"), "all");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column_and_the_nearest_name() {
        for (dump, line, column, hint) in [
            ("keep = { dayly = 6 }", 4, 10, "daily"),
            ("kep = { daily = 6 }", 4, 1, "keep"),
            ("keep = { last = 0 }", 4, 8, ""),
            ("keep = {}", 4, 8, ""),
            ("keep = 5", 4, 8, ""),
            ("keep = \"some\"", 4, 8, ""),
            (
                "keep = { daily = 6, timezone = \"Europe/Berlim\" }",
                4,
                32,
                "Europe/Berlin",
            ),
            (
                "[cluster.main.dump.keep_for.app]\ndaily = 1\nfirst_weekday = \"mon\"",
                6,
                17,
                "",
            ),
            ("keep_for = { app = { lst = 1 } }", 4, 22, "last"),
        ] {
            let error = settings(dump, &Environment::new("/")).unwrap_err();
            let told = error.to_string();
            let begin = format!("c.toml, line {line}, column {column}: ");
            assert!(told.starts_with(&begin), "{dump}: {told}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{told}");
        }
        let variable = "PGKEEP_CLUSTER_MAIN_DUMP_KEEP";
        let environment = Environment::new("/").with_variable(variable, "last=1, dayly=6");
        let error = settings("", &environment).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("{variable}, column 9: "))
        );
        assert!(error.hint().unwrap().contains("daily"));
    }
}
