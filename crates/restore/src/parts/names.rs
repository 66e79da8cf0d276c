//! What the user names, found in a table of contents.
//!
//! Invariant: a name means one thing or it is an error that tells what there is.

use std::collections::BTreeSet;

use pgkeep_postgres::client::identifier;

use super::Wish;
use super::choose::Contents;

/// How many names are offered.
const OFFERED: usize = 5;

/// A name that a backup does not have, or has several times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// There is no such table, view or sequence.
    #[error("has no table {name:?}")]
    Table {
        /// What was named.
        name: String,
        /// Names that are like it.
        near: Vec<String>,
    },
    /// There is nothing in a schema of that name.
    #[error("has nothing in a schema {name:?}")]
    Schema {
        /// What was named.
        name: String,
        /// Schemas that there are.
        near: Vec<String>,
    },
    /// There are several.
    #[error("has {name:?} in several schemas")]
    Several {
        /// What was named.
        name: String,
        /// All that can be meant.
        all: Vec<String>,
    },
    /// It reads tables that were not named.
    #[error("has {name} as a view, which needs what was not chosen: {}", .needs.join(", "))]
    Needs {
        /// The view.
        name: String,
        /// What it needs.
        needs: Vec<String>,
    },
}

impl NotThere {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Table { near, .. } | Self::Schema { near, .. } if near.is_empty() => {
                "'pgkeep show ID' tells its tables".to_owned()
            }
            Self::Table { near, .. } | Self::Schema { near, .. } => {
                let verb = if near.len() == 1 { "is" } else { "are" };
                format!("there {verb} {}", near.join(", "))
            }
            Self::Several { all, .. } => format!("name one: {}", all.join(", ")),
            Self::Needs { .. } => "name these with --table too".to_owned(),
        }
    }
}

/// Finds the entries that are named: tables with their children, everything that is in
/// the schemas.
pub(super) fn find(contents: &Contents, wish: &Wish) -> Result<BTreeSet<usize>, NotThere> {
    let mut chosen = BTreeSet::new();
    let mut named = BTreeSet::new();
    for name in &wish.tables {
        let at = table(contents, name)?;
        named.insert(at);
        chosen.insert(at);
    }
    for name in &wish.schemas {
        let mut inside = contents.inside(name.as_bytes()).peekable();
        if inside.peek().is_none() {
            return Err(NotThere::Schema {
                name: name.clone(),
                near: schemas(contents, name),
            });
        }
        chosen.extend(inside);
    }
    contents.add_children(&mut chosen);
    for at in named {
        let needs = contents.relations_needed_by_view(at);
        let needs = needs.into_iter().filter(|needed| !chosen.contains(needed));
        let needs: Vec<String> = needs.map(|needed| contents.name(needed)).collect();
        if !needs.is_empty() {
            let name = contents.name(at);
            return Err(NotThere::Needs { name, needs });
        }
    }
    Ok(chosen)
}

fn table(contents: &Contents, wanted: &str) -> Result<usize, NotThere> {
    let relations: Vec<(usize, String, String)> = contents.relations().collect();
    let whole = |schema: &str, name: &str| {
        wanted == format!("{schema}.{name}")
            || wanted == format!("{}.{}", identifier(schema), identifier(name))
            || wanted == format!("{schema}.{}", identifier(name))
            || wanted == format!("{}.{name}", identifier(schema))
    };
    let short = |name: &str| wanted == name || wanted == identifier(name);
    let mut found: Vec<usize> = relations
        .iter()
        .filter(|(_, schema, name)| whole(schema, name))
        .map(|(at, ..)| *at)
        .collect();
    if found.is_empty() {
        let named = relations.iter().filter(|(.., name)| short(name));
        found = named.map(|(at, ..)| *at).collect();
    }
    match found.as_slice() {
        [at] => Ok(*at),
        [] => {
            let names = relations.iter().map(|(_, schema, name)| {
                let whole = format!("{schema}.{name}");
                (near(wanted, name).min(near(wanted, &whole)), whole)
            });
            Err(NotThere::Table {
                name: wanted.to_owned(),
                near: nearest(wanted, names),
            })
        }
        several => Err(NotThere::Several {
            name: wanted.to_owned(),
            all: several.iter().map(|at| contents.name(*at)).collect(),
        }),
    }
}

/// The schemas that have something in them, the nearest ones first.
fn schemas(contents: &Contents, wanted: &str) -> Vec<String> {
    let all: BTreeSet<String> = contents.relations().map(|(_, schema, _)| schema).collect();
    let mut all: Vec<(usize, String)> = all
        .into_iter()
        .map(|name| (near(wanted, &name), name))
        .collect();
    all.sort();
    all.into_iter()
        .take(OFFERED)
        .map(|(_, name)| name)
        .collect()
}

/// Names that may be meant, the nearest first.
fn nearest(wanted: &str, names: impl Iterator<Item = (usize, String)>) -> Vec<String> {
    let limit = wanted.chars().count().div_ceil(3);
    let mut names: Vec<_> = names.filter(|(far, _)| *far <= limit).collect();
    names.sort();
    let names = names.into_iter().take(OFFERED);
    names.map(|(_, name)| name).collect()
}

/// How many letters differ, small ones and capitals alike (Levenshtein's distance).
fn near(wanted: &str, name: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (wanted, name) = (letters(wanted), letters(name));
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (line, wanted) in wanted.iter().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, name) in row.iter_mut().skip(1).zip(&name) {
            let changed = diagonal + usize::from(wanted != name);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters_that_differ() {
        for (wanted, name, far) in [
            ("orders", "orders", 0),
            ("Orders", "orders", 0),
            ("order", "orders", 1),
            ("odrers", "orders", 2),
            ("", "abc", 3),
            ("abc", "", 3),
            ("ünal", "unal", 1),
        ] {
            assert_eq!(near(wanted, name), far, "{wanted} {name}");
        }
    }
}
