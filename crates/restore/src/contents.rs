//! Holding what a restored database contains against the facts of its backup.
//!
//! Invariants: every table of which the archive's rows were counted is counted
//! again, whole; a table or sequence that is missing is a difference, one that is
//! there in addition too. Rows that lie in another partition of the same table are none:
//! where a partition of hashes is loaded through its root, they go where this server's
//! hashes tell.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::{Selection, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{
    Contents, ExportedSnapshot, QueryError, Sequence, count_rows, partition_roots, see_all_rows,
};
use pgkeep_types::counted;

/// What came of it, in words.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In what the database differs.
    pub(crate) differences: Vec<String>,
    /// What is right, and not where it was.
    pub(crate) notes: Vec<String>,
}

/// Holds what the snapshot's database contains against what was recorded.
pub(crate) async fn differences(
    snapshot: &ExportedSnapshot,
    tables: &[TableFacts],
    sequences: &[SequenceFacts],
    selection: &Selection,
) -> Result<Found, QueryError> {
    let found = Contents::read(snapshot).await?;
    let mut differences = Vec::new();
    if selection.is_everything() {
        differences.extend(existence(tables, sequences, &found));
    } else {
        // Which of the others were to be dumped only pg_dump knows.
        let there: BTreeSet<_> = found.tables.iter().map(|t| (&t.schema, &t.name)).collect();
        let dumped = tables.iter().filter(|table| table.rows.is_some());
        let lost = dumped.filter(|table| !there.contains(&(&table.schema, &table.name)));
        let told = |t: &TableFacts| format!("table {:?}.{:?} is missing", t.schema, t.name);
        differences.extend(lost.map(told));
    }
    if !differences.is_empty() {
        return Ok(Found {
            differences,
            notes: Vec::new(),
        });
    }
    let found = found.sequences.iter();
    let found: BTreeMap<_, _> = found.map(|s| ((&s.schema, &s.name), s)).collect();
    for expected in sequences {
        let found = found.get(&(&expected.schema, &expected.name));
        differences.extend(found.and_then(|found| behind(expected, found)));
    }
    let session = snapshot.connection();
    see_all_rows(session).await?;
    let mut counts = BTreeMap::new();
    for TableFacts {
        schema, name, rows, ..
    } in tables
    {
        if let Some(expected) = *rows {
            let found = count_rows(session, schema, name).await?;
            counts.insert((schema.clone(), name.clone()), Count { expected, found });
        }
    }
    let mut found = match counts.values().all(Count::is_right) {
        true => Found::default(),
        false => rows(&counts, &partition_roots(snapshot).await?),
    };
    differences.append(&mut found.differences);
    Ok(Found {
        differences,
        ..found
    })
}

/// Schema and name.
type Name = (String, String);

/// How many rows a table has.
#[derive(Clone, Copy, Debug)]
struct Count {
    expected: u64,
    found: u64,
}

impl Count {
    fn is_right(&self) -> bool {
        self.expected == self.found
    }
}

/// Where tables have other numbers of rows. Each of `partitions` is named with the table at
/// the root of its tree.
fn rows(counts: &BTreeMap<Name, Count>, partitions: &[[Name; 2]]) -> Found {
    let root_of: BTreeMap<&Name, &Name> =
        partitions.iter().map(|[leaf, root]| (leaf, root)).collect();
    let mut found = Found::default();
    let mut moved = BTreeMap::new();
    for (table, count) in counts.iter().filter(|(_, count)| !count.is_right()) {
        let sum = root_of
            .get(table)
            .map(|root| (*root, sum(counts, partitions, root)));
        match sum {
            Some((root, Some(sum))) if sum.is_right() => {
                moved.insert(root, sum);
            }
            _ => found.differences.push(differs(table, *count)),
        }
    }
    let told = |((schema, name), sum): (&Name, Count)| {
        format!(
            "the rows of table {schema:?}.{name:?} lie in other partitions than they did, as \
             many in all ({})",
            counted(sum.found, "row")
        )
    };
    found.notes.extend(moved.into_iter().map(told));
    found
}

/// How many rows all partitions of a table have; none where some were not counted.
fn sum(counts: &BTreeMap<Name, Count>, partitions: &[[Name; 2]], of: &Name) -> Option<Count> {
    let of_it = partitions.iter().filter(|[_, root]| root == of);
    let mut sum = Count {
        expected: 0,
        found: 0,
    };
    for [leaf, _] in of_it {
        let count = counts.get(leaf)?;
        sum.expected += count.expected;
        sum.found += count.found;
    }
    Some(sum)
}

fn differs((schema, name): &Name, Count { expected, found }: Count) -> String {
    let found = counted(found, "row");
    format!("table {schema:?}.{name:?} has {found}, not {expected}")
}

/// Tables and sequences that are missing, or there in addition.
fn existence(tables: &[TableFacts], sequences: &[SequenceFacts], found: &Contents) -> Vec<String> {
    let mut differences = Vec::new();
    names(
        "table",
        tables.iter().map(|t| (t.schema.as_str(), t.name.as_str())),
        found
            .tables
            .iter()
            .map(|t| (t.schema.as_str(), t.name.as_str())),
        &mut differences,
    );
    names(
        "sequence",
        sequences
            .iter()
            .map(|s| (s.schema.as_str(), s.name.as_str())),
        found
            .sequences
            .iter()
            .map(|s| (s.schema.as_str(), s.name.as_str())),
        &mut differences,
    );
    differences
}

/// What is missing, and what is there in addition.
fn names<'a>(
    what: &str,
    expected: impl Iterator<Item = (&'a str, &'a str)>,
    found: impl Iterator<Item = (&'a str, &'a str)>,
    differences: &mut Vec<String>,
) {
    let mut seen: BTreeMap<(&str, &str), i8> = expected.map(|name| (name, -1)).collect();
    for name in found {
        *seen.entry(name).or_default() += 1;
    }
    for ((schema, name), count) in seen {
        let problem = match count {
            0 => continue,
            ..0 => "is missing",
            _ => "is there and was not in the backup's database",
        };
        differences.push(format!("{what} {schema:?}.{name:?} {problem}"));
    }
}

/// A sequence that would draw values again that had been drawn. It may have gone on
/// between the facts and the dump, so only what lies behind is a difference.
fn behind(expected: &SequenceFacts, found: &Sequence) -> Option<String> {
    let last = expected.last_value?;
    let is_behind = match found.last_value {
        None => true,
        Some(_) if found.cycles => false,
        Some(value) if found.increment < 0 => value > last,
        Some(value) => value < last,
    };
    let found = found.last_value.map_or_else(
        || "at its beginning".to_owned(),
        |value| format!("at {value}"),
    );
    is_behind.then(|| {
        format!(
            "sequence {:?}.{:?} is {found}, and had drawn {last}",
            expected.schema, expected.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(last_value: Option<i64>, increment: i64, cycles: bool) -> Sequence {
        Sequence {
            schema: "s".to_owned(),
            name: "q".to_owned(),
            increment,
            cycles,
            last_value,
        }
    }

    #[test]
    fn a_sequence_may_have_gone_on_and_not_back() {
        let expected = SequenceFacts {
            schema: "s".to_owned(),
            name: "q".to_owned(),
            last_value: Some(7),
        };
        let is_behind = |found| behind(&expected, &found).is_some();
        assert!(!is_behind(sequence(Some(7), 1, false)));
        assert!(!is_behind(sequence(Some(8), 1, false)));
        assert!(is_behind(sequence(Some(6), 1, false)));
        assert!(is_behind(sequence(None, 1, false)));
        assert!(is_behind(sequence(Some(8), -1, false)));
        assert!(!is_behind(sequence(Some(6), -1, false)));
        assert!(!is_behind(sequence(Some(1), 1, true)));
    }

    fn name(name: &str) -> Name {
        ("s".to_owned(), name.to_owned())
    }

    /// What is told of tables of which `expected` and `found` rows are known, where `a` and
    /// `b` are partitions of one.
    fn told(tables: &[(&str, u64, u64)]) -> Found {
        let count = |&(table, expected, found)| (name(table), Count { expected, found });
        let partitions = ["a", "b"].map(|leaf| [name(leaf), name("root")]);
        rows(&tables.iter().map(count).collect(), &partitions)
    }

    #[test]
    fn rows_may_lie_in_another_partition_of_the_same_table_and_nowhere_else() {
        let moved = told(&[("a", 3, 4), ("b", 2, 1)]);
        assert!(moved.differences.is_empty(), "{moved:?}");
        let note = r#"the rows of table "s"."root" lie in other partitions than they did, as many in all (5 rows)"#;
        assert_eq!(moved.notes, [note]);

        let lost = told(&[("a", 3, 4), ("b", 2, 0)]);
        assert_eq!(
            lost.differences,
            [
                r#"table "s"."a" has 4 rows, not 3"#,
                r#"table "s"."b" has 0 rows, not 2"#
            ]
        );
        assert!(lost.notes.is_empty());
        let elsewhere = told(&[("a", 3, 2), ("b", 2, 2), ("c", 0, 1)]);
        assert_eq!(elsewhere.differences.len(), 2, "{elsewhere:?}");
        let uncounted = told(&[("a", 3, 2)]);
        assert_eq!(uncounted.differences.len(), 1, "{uncounted:?}");
    }

    #[test]
    fn what_is_missing_and_what_came_in_addition_are_named() {
        let mut differences = Vec::new();
        let expected = [("a", "b"), ("a", "c")];
        let found = [("a", "c"), ("a", "d")];
        names(
            "table",
            expected.into_iter(),
            found.into_iter(),
            &mut differences,
        );
        assert_eq!(
            differences,
            [
                r#"table "a"."b" is missing"#,
                r#"table "a"."d" is there and was not in the backup's database"#
            ]
        );
    }
}
