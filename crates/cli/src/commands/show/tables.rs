//! The tables and sequences of a backup, as people read them.
//!
//! Invariant: what is left out is counted.

use pgkeep_format::records::{DumpFacts, TableFacts};

use crate::words::{self, Align};

/// So many of each are shown; JSON has all.
const SHOWN: usize = 20;
/// What stands beside a name, at most.
const BESIDE: usize = 20;

/// The tables, those with the most data first, and the sequences, for a terminal of so many
/// columns; nothing where there are none.
pub(super) fn describe(facts: &DumpFacts, columns: usize) -> String {
    let known = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let name = |schema: &str, name: &str| words::printable(&format!("{schema}.{name}"));
    let mut largest: Vec<&TableFacts> = facts.tables.iter().collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    let tables = largest.into_iter().map(|table| {
        vec![
            name(&table.schema, &table.name),
            known(table.rows.map(|rows| rows.to_string())),
            known(table.bytes.map(words::size)),
        ]
    });
    let sequences = facts.sequences.iter().map(|sequence| {
        vec![
            name(&sequence.schema, &sequence.name),
            known(sequence.last_value.map(|value| value.to_string())),
        ]
    });
    let headings = [
        ("TABLE", Align::Left),
        ("ROWS", Align::Right),
        ("DUMPED", Align::Right),
    ];
    let of_tables = set(&headings, tables.collect(), columns);
    let headings = [("SEQUENCE", Align::Left), ("LAST VALUE", Align::Right)];
    of_tables + &set(&headings, sequences.collect(), columns)
}

/// A name that is longer has the rest of its row below it.
fn set(headings: &[(&str, Align)], mut rows: Vec<Vec<String>>, columns: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let more = rows.len().saturating_sub(SHOWN);
    rows.truncate(SHOWN);
    let widest = columns.saturating_sub(BESIDE);
    let mut text = format!("\n{}", words::table_below(headings, &rows, 0, widest));
    if more > 0 {
        text.push_str(&format!("and {more} more; --json tells all\n"));
    }
    text
}
