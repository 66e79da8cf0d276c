//! The tables of a backup, as people read them.
//!
//! Invariant: what is left out is counted.

use pgkeep_format::records::TableFacts;

use crate::words::{self, Align};

/// So many tables are shown; JSON has all.
const SHOWN: usize = 20;

/// A table of the tables, those with the most data first; nothing where there are
/// none.
pub(super) fn describe(tables: &[TableFacts]) -> String {
    if tables.is_empty() {
        return String::new();
    }
    let mut largest: Vec<&TableFacts> = tables.iter().collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    let headings = [
        ("TABLE", Align::Left),
        ("ROWS", Align::Right),
        ("IN THE DUMP", Align::Right),
    ];
    let known = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    let rows = largest.iter().take(SHOWN).map(|table| {
        vec![
            words::printable(&format!("{}.{}", table.schema, table.name)),
            known(table.rows.map(|rows| rows.to_string())),
            known(table.bytes.map(words::size)),
        ]
    });
    let mut text = format!("\n{}", words::table(&headings, &rows.collect::<Vec<_>>()));
    if let more @ 1.. = tables.len().saturating_sub(SHOWN) {
        text.push_str(&format!("and {more} more; --json tells all\n"));
    }
    text
}
