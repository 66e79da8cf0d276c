//! Which patterns that leave something out of a run's dumps leave out anything at all.
//!
//! Invariant: they hold for every database of the run, so that one has no effect is only
//! known once all were looked at.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pgkeep_format::records::Selection;
use pgkeep_postgres::client::{ExportedSnapshot, QueryError, unmatched_schemas, unmatched_tables};

/// The patterns that have matched something in a database of the run.
#[derive(Debug, Default)]
pub struct Excluded(Mutex<BTreeSet<Pattern>>);

/// The key of the configuration, and the pattern.
type Pattern = (&'static str, String);

const SCHEMAS: &str = "schemas.exclude";
const TABLES: &str = "tables.exclude";
const TABLE_DATA: &str = "table_data.exclude";

/// Each list with its key.
fn lists(selection: &Selection) -> [(&'static str, &[String]); 3] {
    [
        (SCHEMAS, &selection.exclude_schemas),
        (TABLES, &selection.exclude_tables),
        (TABLE_DATA, &selection.exclude_table_data),
    ]
}

impl Excluded {
    /// Looks at the snapshot's database.
    pub(crate) async fn look(
        &self,
        snapshot: &ExportedSnapshot,
        selection: &Selection,
    ) -> Result<(), QueryError> {
        for (key, patterns) in lists(selection) {
            let unmatched = match key {
                SCHEMAS => unmatched_schemas(snapshot, patterns).await?,
                _ => unmatched_tables(snapshot, patterns).await?,
            };
            let matched = patterns
                .iter()
                .filter(|pattern| !unmatched.contains(pattern));
            self.matched()
                .extend(matched.map(|pattern| (key, pattern.clone())));
        }
        Ok(())
    }

    /// In words, the names that have matched nothing in any database that was looked at.
    /// A pattern may be for what comes and goes: that is no alarm each night.
    #[must_use]
    pub fn without_effect(&self, selection: &Selection) -> Vec<String> {
        let matched = self.matched();
        let all = lists(selection).into_iter().flat_map(|(key, patterns)| {
            let patterns = patterns.iter();
            patterns.map(move |pattern| (key, pattern.clone()))
        });
        let others = all.filter(|(key, pattern)| {
            let is_name = !pattern.contains(['*', '?']);
            is_name && !matched.contains(&(*key, pattern.clone()))
        });
        let told = others.map(|(key, pattern)| {
            format!("'{key}' leaves out {pattern:?}, and no database of this backup has such")
        });
        told.collect()
    }

    fn matched(&self) -> MutexGuard<'_, BTreeSet<Pattern>> {
        // What is inside is whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
