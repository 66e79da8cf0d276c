//! Parts of a dump: chosen tables and schemas, with what they need.
//!
//! Invariants: what is named and is not in the backup is an error before anything is
//! touched; of what belongs to a chosen table, whatever does not come is told.

mod choose;
mod kind;
mod names;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pgkeep_format::records::{DUMP_FILE, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{Relation, RelationKind};
use pgkeep_postgres::tools::{ContentsReader, TocEntry};
use pgkeep_repository::OpenBackup;

use crate::RestoreError;
use crate::database::{Expected, read_facts};

use self::choose::{Choice, Contents};
use self::kind::Kind;

pub use self::names::NotThere;

/// What of a database is wanted; all of it where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Tables, as `SCHEMA.NAME` or `NAME`, with or without SQL's quotes; views and
    /// sequences too.
    pub tables: Vec<String>,
    /// Schemas.
    pub schemas: Vec<String>,
}

impl Wish {
    /// Whether nothing is named.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.tables.is_empty() && self.schemas.is_empty()
    }
}

/// What of an archive is restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// For `pg_restore --use-list`: the numbers of the entries, in the archive's order.
    list: Vec<i32>,
    /// Tables that come with their rows, and views that were chosen.
    chosen: BTreeSet<Name>,
    /// Sequences that were chosen.
    chosen_sequences: BTreeSet<Name>,
    /// Tables that others need, which come without rows.
    empty: BTreeSet<Name>,
    /// Views and foreign tables that come: no backup counts what these show.
    others: BTreeMap<Name, RelationKind>,
    /// Tables whose rows come, and materialized views that are filled.
    filled: BTreeSet<Name>,
    sequences: BTreeSet<Name>,
    extensions: BTreeSet<String>,
    /// Extensions that stay away.
    other_extensions: BTreeSet<String>,
    left_out: Vec<String>,
}

/// Schema and name.
type Name = (String, String);

impl Parts {
    /// Finds in the archive's table of contents what is wanted.
    ///
    /// # Errors
    /// Where something of it is not there, needs what was not chosen, or the table of
    /// contents cannot be read.
    pub async fn find(backup: &OpenBackup, wish: &Wish) -> Result<Self, RestoreError> {
        let entries = read_contents(backup).await?;
        let contents = Contents::new(entries);
        let chosen = names::find(&contents, wish).map_err(|problem| RestoreError::NoSuchPart {
            backup: backup.record().id.clone(),
            problem,
        })?;
        let choice = Choice::new(&contents, &chosen);
        // An archive's names are in its database's encoding; what was put into one that
        // asks nothing (SQL_ASCII) is most likely UTF-8, where it can be that.
        let encoding = read_facts(backup).await?.database.encoding;
        let is_utf8 = matches!(encoding.as_str(), "UTF8" | "SQL_ASCII");
        Self::of(&contents, &choice, is_utf8).map_err(|table| RestoreError::StrangeName {
            backup: backup.record().id.clone(),
            table,
        })
    }

    /// Its parts in words; the name that cannot be read where there is one.
    fn of(contents: &Contents, choice: &Choice, is_utf8: bool) -> Result<Self, String> {
        let text = |name: &[u8]| text(name, is_utf8);
        let mut parts = Self {
            left_out: choice.left_out.clone(),
            ..Self::default()
        };
        for (at, entry) in contents.entries.iter().enumerate() {
            let is_in = choice.is_in(at);
            if contents.kinds[at] == Kind::Extension {
                let extensions = match is_in {
                    true => &mut parts.extensions,
                    false => &mut parts.other_extensions,
                };
                extensions.insert(text(&entry.tag)?);
            }
            if !is_in {
                continue;
            }
            parts.list.push(entry.dump_id);
            let namespace = entry.namespace.as_deref().unwrap_or_default();
            let name = || Ok::<_, String>((text(namespace)?, text(&entry.tag)?));
            if let Some(kind) = other(&entry.description) {
                parts.others.insert(name()?, kind);
            }
            match contents.kinds[at] {
                Kind::Table | Kind::View if choice.chosen.contains(&at) => {
                    parts.chosen.insert(name()?);
                }
                Kind::Table => {
                    parts.empty.insert(name()?);
                }
                Kind::Rows => {
                    parts.filled.insert(name()?);
                }
                Kind::Sequence => {
                    if choice.chosen.contains(&at) {
                        parts.chosen_sequences.insert(name()?);
                    }
                    parts.sequences.insert(name()?);
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    /// What `pg_restore --use-list` reads.
    pub(crate) fn list(&self) -> String {
        let mut list = String::new();
        for id in &self.list {
            // Writing into a string does not fail.
            let _ = writeln!(list, "{id};");
        }
        list
    }

    /// The tables that come with their rows, and views and sequences that were chosen.
    #[must_use]
    pub fn chosen(&self) -> Vec<String> {
        let chosen = self.chosen.iter().chain(&self.chosen_sequences);
        chosen.map(dotted).collect()
    }

    /// The tables that others need, which come without rows.
    #[must_use]
    pub fn empty(&self) -> Vec<String> {
        self.empty.iter().map(dotted).collect()
    }

    /// What belongs to them and does not come, and why.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Leaves of what is expected what comes.
    pub(crate) fn narrow(&self, expected: &mut Expected) {
        expected.tables.retain_mut(|table| {
            if is_in(&self.empty, &table.schema, &table.name) {
                table.rows = Some(0);
                return true;
            }
            is_in(&self.chosen, &table.schema, &table.name)
        });
        let sequences = &mut expected.sequences;
        sequences.retain(|SequenceFacts { schema, name, .. }| is_in(&self.sequences, schema, name));
        let extensions = &mut expected.properties.extensions;
        extensions.retain(|extension| !self.other_extensions.contains(&extension.name));
        expected.properties.tables = expected.tables.len() as u64;
    }

    /// Views and foreign tables that come. Their rows are other tables', or of elsewhere,
    /// and no backup counts them.
    #[must_use]
    pub fn not_compared(&self) -> Vec<String> {
        let others = self.others.iter();
        let named = others.map(|(name, kind)| format!("{} {}", kind.as_str(), dotted(name)));
        named.collect()
    }

    /// Whether the archive has rows of a table.
    pub(crate) fn has_rows(&self, table: &TableFacts) -> bool {
        is_in(&self.filled, &table.schema, &table.name)
    }

    /// What of partitioned tables, views and foreign tables is missing among those that
    /// were `found`, where `tables` are all others that come.
    pub(crate) fn lost(&self, found: &[Relation], tables: &[TableFacts]) -> Vec<String> {
        let ordinary: BTreeSet<_> = tables.iter().map(|t| (&t.schema, &t.name)).collect();
        let is_ordinary = |(schema, name): &Name| ordinary.contains(&(schema, name));
        let of_tables = self.chosen.iter().chain(&self.empty);
        let partitioned = of_tables
            .filter(|name| !self.others.contains_key(*name) && !is_ordinary(name))
            .map(|name| (name, RelationKind::PartitionedTable));
        let others = self.others.iter().map(|(name, kind)| (name, *kind));
        let mut lost = Vec::new();
        for ((schema, name), kind) in partitioned.chain(others) {
            let what = format!("{} {schema:?}.{name:?}", kind.as_str());
            let is_it = |r: &&Relation| r.schema == *schema && r.name == *name && r.kind == kind;
            match found.iter().find(is_it) {
                None => lost.push(format!("{what} is missing")),
                Some(found) if !found.is_filled && is_in(&self.filled, schema, name) => {
                    lost.push(format!("{what} was not filled"));
                }
                Some(_) => {}
            }
        }
        lost
    }

    /// Tells of which chosen tables the backup was not to have the rows.
    pub(crate) fn note_missing_rows(&mut self, tables: &[TableFacts]) {
        for table in tables {
            let TableFacts { schema, name, .. } = table;
            if !self.has_rows(table) && is_in(&self.chosen, schema, name) {
                let name = dotted(&(schema.clone(), name.clone()));
                let rows = format!("the rows of {name}, which the backup does not have");
                self.left_out.push(rows);
            }
        }
    }
}

/// What an entry with this description is, where it is read like a table and no backup
/// counts its rows.
fn other(description: &[u8]) -> Option<RelationKind> {
    match description {
        b"VIEW" => Some(RelationKind::View),
        b"MATERIALIZED VIEW" => Some(RelationKind::MaterializedView),
        b"FOREIGN TABLE" => Some(RelationKind::ForeignTable),
        _ => None,
    }
}

fn is_in(names: &BTreeSet<Name>, schema: &str, name: &str) -> bool {
    names.contains(&(schema.to_owned(), name.to_owned()))
}

fn dotted((schema, name): &Name) -> String {
    told::dotted(schema, name)
}

/// The schemas of what comes that do not come with it: where tables were chosen, `pg_dump`
/// takes what was chosen and nothing around it.
///
/// # Errors
/// Where the table of contents cannot be read.
pub(crate) async fn bare_schemas(
    backup: &OpenBackup,
    parts: Option<&Parts>,
) -> Result<BTreeSet<String>, RestoreError> {
    let entries = read_contents(backup).await?;
    let chosen: Option<BTreeSet<i32>> = parts.map(|parts| parts.list.iter().copied().collect());
    let comes = |entry: &&TocEntry| chosen.as_ref().is_none_or(|c| c.contains(&entry.dump_id));
    let schemas = entries.iter().filter(comes);
    let schemas = schemas.filter(|entry| *entry.description == *b"SCHEMA");
    let made: BTreeSet<&[u8]> = schemas.map(|entry| &*entry.tag).collect();
    let needed = entries.iter().filter(comes);
    let needed = needed.filter_map(|entry| entry.namespace.as_deref());
    let bare = needed.filter(|schema| !made.contains(schema));
    let bare = bare.filter_map(|schema| std::str::from_utf8(schema).ok());
    // Those that every new database has.
    let is_own = |schema: &&str| {
        schema.is_empty()
            || schema.starts_with("pg_")
            || ["public", "information_schema"].contains(schema)
    };
    let bare = bare.filter(|schema| !is_own(schema));
    Ok(bare.map(str::to_owned).collect())
}

/// A name as it is; as well as it can be told, where it is not in UTF-8.
fn text(name: &[u8], is_utf8: bool) -> Result<String, String> {
    let told = || String::from_utf8_lossy(name).into_owned();
    match std::str::from_utf8(name) {
        // Bytes of another encoding may look like UTF-8, and be another name.
        Ok(text) if is_utf8 || text.is_ascii() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(told()),
    }
}

/// The archive's table of contents: its beginning is read, and no more.
async fn read_contents(backup: &OpenBackup) -> Result<Vec<TocEntry>, RestoreError> {
    let id = || backup.record().id.clone();
    let read = |source| RestoreError::Read {
        backup: id(),
        source,
    };
    let mut reader = backup.read(DUMP_FILE).map_err(read)?;
    let mut contents = ContentsReader::default();
    loop {
        let bytes = match reader.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let problem = "the archive ends in it".to_owned();
                return Err(RestoreError::Contents {
                    backup: id(),
                    problem,
                });
            }
            Err(error) => return Err(read(backup.explain(error).await)),
        };
        let pushed = contents.push(&bytes);
        let pushed = pushed.map_err(|gave_up| RestoreError::Contents {
            backup: id(),
            problem: gave_up.to_string(),
        })?;
        if let Some(entries) = pushed {
            return Ok(entries);
        }
    }
}
