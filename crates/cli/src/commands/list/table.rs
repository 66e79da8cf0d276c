//! The list for people.
//!
//! Invariants: with sizes, names and one word as they are most often it fits a terminal of
//! 80 columns; one that is longer goes on in a new line, and not in the middle of what
//! belongs together. Programs get lines whole.

use std::fmt::Write as _;

use super::line::BackupLine;
use crate::output::Output;
use crate::words::{self, Align};

/// How far right a line goes on: behind the id.
const MORE: usize = 10;

/// A terminal that has no room for names of this length has the rest of lines below them.
const NARROWEST: usize = 12;

/// A column of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Kind,
    Database,
    Started,
    Size,
    New,
    Status,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Id,
        Self::Kind,
        Self::Database,
        Self::Started,
        Self::Size,
        Self::New,
        Self::Status,
    ];

    fn heading(self) -> (&'static str, Align) {
        match self {
            Self::Id => ("ID", Align::Left),
            Self::Kind => ("KIND", Align::Left),
            Self::Database => ("DATABASE", Align::Left),
            Self::Started => ("STARTED", Align::Left),
            Self::Size => ("SIZE", Align::Right),
            Self::New => ("NEW", Align::Right),
            Self::Status => ("STATUS", Align::Left),
        }
    }
}

/// A table for each cluster, under its name where there are several.
pub(super) fn tables(lines: &[BackupLine], output: Output) -> String {
    let mut clusters = lines.chunk_by(|a, b| a.cluster() == b.cluster()).peekable();
    let mut text = String::new();
    let mut is_alone = true;
    while let Some(of_one) = clusters.next() {
        let more = clusters.peek().is_some();
        is_alone &= !more;
        if !is_alone {
            // Writing into a string does not fail.
            let _ = writeln!(text, "cluster {}", of_one[0].cluster());
        }
        let told = output.folded(&table(of_one, output.columns()), MORE);
        text.push_str(&words::with_blanks(&told));
        if more {
            text.push('\n');
        }
    }
    text
}

fn table(lines: &[BackupLine], terminal: Option<usize>) -> String {
    // One kind needs no column.
    let mut kinds = lines.iter().filter_map(BackupLine::kind);
    let first = kinds.next();
    let one = kinds.all(|kind| Some(kind) == first);
    let columns = Column::ALL.iter().copied();
    let columns: Vec<Column> = columns.filter(|c| !(one && *c == Column::Kind)).collect();
    let headings: Vec<_> = columns.iter().map(|column| column.heading()).collect();
    let cell = |line: &BackupLine, column: Column| {
        let texts = line.cell(column).into_iter();
        let texts = texts.map(|text| words::unbroken(&text));
        texts.collect::<Vec<_>>().join(", ")
    };
    let row = |line: &BackupLine| columns.iter().map(|column| cell(line, *column)).collect();
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let Some(terminal) = terminal else {
        return words::table_of(&headings, &rows, words::WIDEST);
    };
    let names = columns
        .iter()
        .position(|column| *column == Column::Database);
    let of_width = |widest| words::table_below(&headings, &rows, names.unwrap_or(0), widest);
    let too_long = |table: &String| {
        let lines = table.lines().map(|line| line.chars().count());
        lines.filter(|length| *length > terminal).count()
    };
    // The widest column of names with which the fewest lines are too long.
    let tables = (NARROWEST..=words::WIDEST).rev().map(of_width);
    tables.min_by_key(too_long).unwrap_or_default()
}
