//! Holding what a restored database contains against the facts of its backup.
//!
//! Invariants: every table of which the archive's rows were counted is counted
//! again, whole; a table or sequence that is missing is a difference, one that is
//! there in addition too.

use std::collections::{BTreeMap, BTreeSet};

use pgkeep_format::records::{Selection, SequenceFacts, TableFacts};
use pgkeep_postgres::client::{
    Contents, ExportedSnapshot, QueryError, Sequence, count_rows, see_all_rows,
};
use pgkeep_types::counted;

/// In what the snapshot's database differs from what was recorded, in words.
pub(crate) async fn differences(
    snapshot: &ExportedSnapshot,
    tables: &[TableFacts],
    sequences: &[SequenceFacts],
    selection: &Selection,
) -> Result<Vec<String>, QueryError> {
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
        return Ok(differences);
    }
    let found = found.sequences.iter();
    let found: BTreeMap<_, _> = found.map(|s| ((&s.schema, &s.name), s)).collect();
    for expected in sequences {
        let found = found.get(&(&expected.schema, &expected.name));
        differences.extend(found.and_then(|found| behind(expected, found)));
    }
    let session = snapshot.connection();
    see_all_rows(session).await?;
    for table in tables {
        let Some(expected) = table.rows else {
            continue;
        };
        let found = count_rows(session, &table.schema, &table.name).await?;
        if found != expected {
            differences.push(format!(
                "table {:?}.{:?} has {}, not {expected}",
                table.schema,
                table.name,
                counted(found, "row")
            ));
        }
    }
    Ok(differences)
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
