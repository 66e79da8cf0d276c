//! The rows of a database's backups, out of their facts.
//!
//! Invariant: what keeps rows from being compared is told, of the newest backup and of those
//! before it; facts that are damaged are damage, however old.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use pgkeep_format::records::{BackupRecord, DumpFacts, Selection};
use pgkeep_repository::RepositoryError;
use tokio::time::sleep;

use super::{Look, in_words};
use crate::check::seen::{Damaged, Rows, Tables};
use crate::check::sizes::HISTORY;

/// So many facts are read at the same time.
const AT_ONCE: usize = 8;

/// What was seen of the rows of a database.
pub(super) struct Seen {
    pub(super) rows: Rows,
    /// Backups before the newest of which the facts are damaged.
    pub(super) damaged: Vec<Damaged>,
    /// Whether some facts have not come in time.
    pub(super) is_late: bool,
}

/// What the facts of a backup tell of rows.
struct Told {
    /// Which part of the database it has.
    part: Selection,
    tables: Tables,
}

/// Why facts were not read.
enum Unread {
    /// No key at hand opens them.
    Sealed,
    /// They are damaged, or cannot be had.
    Damaged(String),
    /// They have not come in time.
    Late,
}

impl Look<'_> {
    /// The rows of each database's backups, which come with the newest first.
    pub(super) async fn rows(&self, of: Vec<(String, Vec<BackupRecord>)>) -> Vec<(String, Seen)> {
        let all = of.iter().flat_map(|(_, records)| records);
        let reads = stream::iter(all).map(|record| async move {
            let facts = self.repository.facts(record, self.identities).await;
            (record.id.clone(), unsealed(facts))
        });
        let reads = reads.buffer_unordered(AT_ONCE);
        let in_time = reads.take_until(Box::pin(sleep(self.timeout)));
        let mut facts: BTreeMap<_, _> = in_time.collect().await;
        let mut told = Vec::new();
        for (name, records) in of {
            let mut reads = Vec::new();
            let mut damaged = Vec::new();
            let mut is_late = false;
            for (at, backup) in records.iter().enumerate() {
                let facts = facts.remove(&backup.id).unwrap_or(Err(Unread::Late));
                is_late |= matches!(facts, Err(Unread::Late));
                if let (Err(Unread::Damaged(problem)), 1..) = (&facts, at) {
                    damaged.push(damage(backup, problem.clone()));
                }
                reads.push(facts);
            }
            let rows = counted(reads);
            let seen = Seen {
                rows,
                damaged,
                is_late,
            };
            told.push((name, seen));
        }
        told
    }
}

fn unsealed(facts: Result<Vec<u8>, RepositoryError>) -> Result<Told, Unread> {
    let facts = facts.map_err(|error| match error {
        RepositoryError::NoIdentity { .. } | RepositoryError::SealedToOthers { .. } => {
            Unread::Sealed
        }
        error => Unread::Damaged(in_words(&error)),
    })?;
    let facts = DumpFacts::from_json(&facts);
    let facts = facts.map_err(|error| Unread::Damaged(in_words(&error)))?;
    let tables = facts.tables.into_iter();
    let tables = tables.map(|table| ((table.schema, table.name), table.rows));
    Ok(Told {
        part: facts.selection,
        tables: tables.collect(),
    })
}

/// What is to be compared; the newest comes first.
fn counted(reads: Vec<Result<Told, Unread>>) -> Rows {
    let mut reads = reads.into_iter();
    let newest = match reads.next() {
        None => return Rows::default(),
        Some(Err(Unread::Damaged(problem))) => return Rows::Damaged(problem),
        Some(Err(Unread::Sealed)) => {
            return Rows::Unseen("no key at hand opens the facts of the newest backup".to_owned());
        }
        Some(Err(Unread::Late)) => {
            return Rows::Unseen("the facts of the newest backup have not come in time".to_owned());
        }
        Some(Ok(newest)) => newest,
    };
    if !newest.tables.is_empty() && newest.tables.values().all(Option::is_none) {
        return Rows::Unseen("they were not counted when the newest was dumped".to_owned());
    }
    let mut before = Vec::new();
    let (mut sealed, mut damaged, mut late, mut others) = (0_usize, 0_usize, 0_usize, 0_usize);
    for read in reads {
        match read {
            Ok(told) if told.part == newest.part => before.push(told.tables),
            Ok(_) => others += 1,
            Err(Unread::Sealed) => sealed += 1,
            Err(Unread::Damaged(_)) => damaged += 1,
            Err(Unread::Late) => late += 1,
        }
    }
    let whys = [
        (sealed, "cannot be opened with a key at hand"),
        (damaged, "cannot be read"),
        (late, "have not come in time"),
        (others, "are of another part of the database"),
    ];
    let whys = whys.iter().filter(|(count, _)| *count > 0);
    let whys: Vec<String> = whys.map(|(count, why)| format!("{count} {why}")).collect();
    let is_short = before.len() < HISTORY && !whys.is_empty();
    let why = || format!("of the facts of the backups before, {}", whys.join(", "));
    Rows::Counted {
        newest: newest.tables,
        before,
        missing: is_short.then(why),
    }
}

fn damage(backup: &BackupRecord, problem: String) -> Damaged {
    Damaged {
        id: Some(backup.id.clone()),
        database: Some(backup.database.clone()),
        begun: Some(backup.id.time()),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rows: Option<u64>) -> Result<Told, Unread> {
        let name = ("public".to_owned(), "t".to_owned());
        Ok(Told {
            part: Selection::default(),
            tables: Tables::from([(name, rows)]),
        })
    }

    fn of_a_part() -> Result<Told, Unread> {
        let part = Selection {
            tables: vec!["u".to_owned()],
            ..Selection::default()
        };
        told(Some(5)).map(|told| Told { part, ..told })
    }

    fn damaged() -> Result<Told, Unread> {
        Err(Unread::Damaged("it is cut off".to_owned()))
    }

    #[test]
    fn what_keeps_rows_from_being_compared_is_told() {
        let five = || told(Some(5));
        let seen = |before: Vec<Result<Told, Unread>>| {
            let mut reads = vec![five()];
            reads.extend(before);
            match counted(reads) {
                Rows::Counted {
                    before, missing, ..
                } => (before.len(), missing.unwrap_or_default()),
                other => panic!("{other:?}"),
            }
        };
        let before = |what: &str| format!("of the facts of the backups before, {what}");
        assert_eq!(seen(vec![]), (0, String::new()));
        let sealed = || Err(Unread::Sealed);
        assert_eq!(
            seen(vec![sealed(), sealed()]),
            (0, before("2 cannot be opened with a key at hand"))
        );
        assert_eq!(
            seen(vec![five(), five(), of_a_part()]),
            (2, before("1 are of another part of the database"))
        );
        assert_eq!(
            seen(vec![damaged(), sealed()]),
            (
                0,
                before("1 cannot be opened with a key at hand, 1 cannot be read")
            )
        );
        assert_eq!(
            seen(vec![five(), Err(Unread::Late)]),
            (1, before("1 have not come in time"))
        );
        // Enough of them can be compared.
        assert_eq!(
            seen(vec![five(), five(), five(), sealed()]),
            (3, String::new())
        );
    }

    #[test]
    fn a_newest_that_was_not_counted_cannot_be_opened_or_is_damaged_is_not_looked_at() {
        for (newest, words) in [
            (told(None), "not counted"),
            (Err(Unread::Sealed), "no key at hand"),
            (Err(Unread::Late), "not come in time"),
        ] {
            let rows = counted(vec![newest, told(Some(5))]);
            assert!(
                matches!(&rows, Rows::Unseen(why) if why.contains(words)),
                "{rows:?}"
            );
        }
        assert!(matches!(counted(vec![damaged()]), Rows::Damaged(_)));
    }
}
