//! Holding a restored database against the facts of its backup.
//!
//! Invariants: every fact is compared or named here with the reason why it is
//! not; a new one does not compile until it has its place.

use std::collections::BTreeSet;
use std::fmt::Debug;

use pgkeep_postgres::client::{Counts, DatabaseFacts, Extension, Locale, LocaleProvider};

use pgkeep_types::counted;

use crate::contents::Found;
use crate::database::Expected;
use crate::left_out::LeftOut;

const PLPGSQL: &str = "plpgsql";
const PUBLIC: &str = "public";

/// Holds `found` against what is `expected`.
/// What was left out is not looked at, but for the owner: `expected` says who that is.
pub(crate) fn differences(
    expected: &Expected,
    found: &DatabaseFacts,
    left_out: LeftOut,
    is_whole: bool,
) -> Found {
    let DatabaseFacts {
        owner,
        encoding,
        locale,
        tablespace,
        comment,
        security_labels,
        privileges,
        settings,
        extensions,
        schemas,
        tablespaces,
        objects,
        not_dumped,
        tables,
        // Of the place, not of the database.
        name: _,
        size_bytes: _,
        server_version: _,
        system_id: _,
        // pg_restore fails where it cannot give an object its owner, and says where it
        // cannot give its rights; the owner of an extension's objects is whoever restores.
        roles: _,
        // Set after the comparison, by statements that fail if they cannot.
        connection_limit: _,
        is_template: _,
        allow_connections: _,
    } = &expected.properties;
    let mut notes = Vec::new();
    let mut differences = Differences(Vec::new());
    differences.of("the owner", owner, &found.owner);
    differences.of("the encoding", encoding, &found.encoding);
    differences.of("the locale", &sorting(locale), &sorting(&found.locale));
    differences.of("the tablespace", tablespace, &found.tablespace);
    differences.of("the comment", comment, &found.comment);
    // The catalogs keep lists in the order in which things were done.
    differences.of_lists("security labels", security_labels, &found.security_labels);
    if !left_out.privileges {
        differences.of(
            "whether privileges are set",
            &privileges.is_some(),
            &found.privileges.is_some(),
        );
        let none = Vec::new();
        differences.of_lists(
            "privileges",
            privileges.as_ref().unwrap_or(&none),
            found.privileges.as_ref().unwrap_or(&none),
        );
    }
    differences.of_lists("settings", settings, &found.settings);
    // What of these was to be dumped only pg_dump knows, where something was chosen.
    if expected.selection.is_everything() {
        // An archive does not say which version of an extension it wants.
        let mut there = named(&found.extensions);
        if !has_plpgsql(extensions) && has_plpgsql(&found.extensions) {
            there.retain(|(name, _)| *name != PLPGSQL);
            notes.push(
                "extension \"plpgsql\" is there, which the backup's database did not have: a \
                 superuser may drop it"
                    .to_owned(),
            );
        }
        differences.of_lists("extensions", &named(extensions), &there);
        if is_whole {
            if let (Some(expected), Some(found)) = (schemas, &found.schemas) {
                differences.of_schemas(expected, found);
            }
            if let (Some(expected), Some(found), false) =
                (tablespaces, &found.tablespaces, left_out.tablespaces)
            {
                differences.of_lists("tablespaces of tables and indexes", expected, found);
            }
            differences.of_counts(objects, not_dumped, &found.objects);
            notes.extend(not_dumped.iter().map(|(kind, count)| {
                format!("{kind} of the backup's database are not in the backup: {count}")
            }));
        }
        // Those of extensions count too, and are not told apart where a part was chosen.
        if is_whole {
            match (
                tables == &found.tables,
                versions(extensions) == versions(&found.extensions),
            ) {
                (false, false) => notes.push(other_tables(*tables, found.tables)),
                _ => differences.of("the number of tables", tables, &found.tables),
            }
        }
    }
    Found {
        differences: differences.0,
        notes,
    }
}

/// What decides how a database sorts; the version of the rules is the server's.
fn sorting(locale: &Locale) -> impl Debug + PartialEq {
    let Locale {
        provider,
        collate,
        ctype,
        locale,
        icu_rules,
        collation_version: _,
    } = locale.clone();
    let locale = locale.map(|name| match provider {
        LocaleProvider::Icu => language_tag(name),
        LocaleProvider::Libc | LocaleProvider::Builtin => name,
    });
    (provider, collate, ctype, locale, icu_rules)
}

/// ICU's name of a locale as a language tag: 16 and later write it so, and made `de_DE`,
/// which is the same, `de-DE` when they were asked for it (`icu_language_tag` in
/// src/backend/utils/adt/pg_locale_icu.c). One with keywords is left as it is.
fn language_tag(name: String) -> String {
    match name.contains('@') {
        true => name,
        false => name.replace('_', "-"),
    }
}

/// The tables of a database by name are compared with its contents; these are extensions'.
fn other_tables(expected: u64, found: u64) -> String {
    format!(
        "it has {}, those of extensions too, and had {expected}: extensions have other versions \
         here",
        counted(found, "table")
    )
}

/// Whether the language is among them that every new database has.
pub(crate) fn has_plpgsql(extensions: &[Extension]) -> bool {
    extensions.iter().any(|extension| extension.name == PLPGSQL)
}

/// Whether the schema may be among them that every new database has; where schemas were not
/// noted it may.
pub(crate) fn may_have_public(schemas: Option<&[String]>) -> bool {
    schemas.is_none_or(|schemas| schemas.iter().any(|schema| schema == PUBLIC))
}

fn versions(extensions: &[Extension]) -> BTreeSet<(&str, &str)> {
    let extensions = extensions.iter();
    extensions
        .map(|e| (e.name.as_str(), e.version.as_str()))
        .collect()
}

fn named(extensions: &[Extension]) -> Vec<(&str, &str)> {
    let extensions = extensions.iter();
    extensions
        .map(|e| (e.name.as_str(), e.schema.as_str()))
        .collect()
}

struct Differences(Vec<String>);

impl Differences {
    fn of_schemas(&mut self, expected: &[String], found: &[String]) {
        let expected: BTreeSet<_> = expected.iter().collect();
        let found: BTreeSet<_> = found.iter().collect();
        let missing = expected.difference(&found);
        self.0
            .extend(missing.map(|name| format!("schema {name:?} is missing")));
        let added = found.difference(&expected);
        self.0.extend(
            added.map(|name| {
                format!("schema {name:?} is there and was not in the backup's database")
            }),
        );
    }

    /// Kinds that both sides have counted.
    fn of_counts(&mut self, expected: &Counts, not_dumped: &Counts, found: &Counts) {
        for (kind, expected) in expected {
            let hidden = not_dumped.get(kind).copied().unwrap_or_default();
            if let Some(found) = found.get(kind) {
                let expected = expected.saturating_sub(hidden);
                self.of(&format!("the number of {kind}"), &expected, found);
            }
        }
    }

    fn of<T: Debug + PartialEq>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.0
                .push(format!("{what} is {found:?}, not {expected:?}"));
        }
    }

    fn of_lists<T: Debug>(&mut self, what: &str, expected: &[T], found: &[T]) {
        let sorted = |list: &[T]| {
            let mut texts: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
            texts.sort();
            texts
        };
        let (expected, found) = (sorted(expected), sorted(found));
        let lost: Vec<&String> = expected
            .iter()
            .filter(|item| !found.contains(item))
            .collect();
        let gained: Vec<&String> = found
            .iter()
            .filter(|item| !expected.contains(item))
            .collect();
        if expected != found {
            self.0.push(format!(
                "of the {what} it lacks {lost:?} and has {gained:?} besides"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_one_side_has_not_counted_are_not_compared_and_all_others_are() {
        let counts = |counts: &[(&str, u64)]| -> Counts {
            let counts = counts.iter();
            counts
                .map(|(kind, count)| ((*kind).to_owned(), *count))
                .collect()
        };
        let expected = counts(&[("views", 2), ("rules", 0), ("subscriptions", 3), ("old", 1)]);
        let found = counts(&[("views", 1), ("rules", 1), ("subscriptions", 1), ("new", 1)]);
        let mut differences = Differences(Vec::new());
        differences.of_counts(&expected, &counts(&[("subscriptions", 2)]), &found);
        assert_eq!(
            differences.0,
            [
                "the number of rules is 1, not 0",
                "the number of views is 1, not 2"
            ]
        );
    }

    #[test]
    fn an_icu_locale_is_the_same_in_the_spelling_of_newer_servers_and_a_libc_one_is_not() {
        let locale = |provider, name: &str| Locale {
            provider,
            collate: "C".to_owned(),
            ctype: "C".to_owned(),
            locale: Some(name.to_owned()),
            icu_rules: None,
            collation_version: None,
        };
        let differ = |provider, expected, found| {
            let mut differences = Differences(Vec::new());
            let (expected, found) = (locale(provider, expected), locale(provider, found));
            differences.of("the locale", &sorting(&expected), &sorting(&found));
            !differences.0.is_empty()
        };
        assert!(!differ(LocaleProvider::Icu, "de_DE", "de-DE"));
        assert!(differ(LocaleProvider::Icu, "de_DE", "de-AT"));
        assert!(differ(LocaleProvider::Icu, "de_DE@x=y", "de-DE@x=y"));
        assert!(differ(LocaleProvider::Builtin, "C_UTF8", "C-UTF8"));
    }
}
