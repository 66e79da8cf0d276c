//! Sizes, times and tables, as people read them.
//!
//! Invariant: nothing here is read by programs; those get JSON with bytes and
//! RFC 3339 instants.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use pgkeep_types::Timestamp;
pub(crate) use pgkeep_types::{counted, size};

/// Text from elsewhere, without what a terminal would take for orders.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}

/// One word for a shell (POSIX, 2.2.2), in quotes where it needs them.
pub(crate) fn shell_word(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

/// An instant in the local zone, such as `2026-11-20 03:00:00 +01:00`.
pub(crate) fn time(instant: Timestamp) -> String {
    let local = instant.to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// The same without the seconds, such as `2026-11-20 03:00 +01`.
pub(crate) fn time_to_the_minute(instant: Timestamp) -> String {
    let local = instant.to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d %H:%M %:::z").to_string()
}

/// The day of an instant in the local zone, such as `2026-11-20`.
pub(crate) fn day(instant: Timestamp) -> String {
    let local = instant.to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d").to_string()
}

/// How long it took from one instant to another, such as `2.1 s`.
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).as_secs_f64();
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    span(u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0))
}

/// So many seconds, such as `2 min 5 s`.
pub(crate) fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A name that is longer pushes no other row of a table to the right.
pub(crate) const WIDEST: usize = 24;

/// What stands in the place of a blank at which no line is broken: none that is told has it.
const KEPT_BLANK: &str = "\u{1f}";

/// A text that goes into one line, until [`with_blanks`] was asked.
pub(crate) fn unbroken(text: &str) -> String {
    text.replace(' ', KEPT_BLANK)
}

/// Lines that were broken, with all their blanks.
pub(crate) fn with_blanks(lines: &str) -> String {
    lines.replace(KEPT_BLANK, " ")
}

/// Rows under headings, columns as wide as they need to be.
pub(crate) fn table(headings: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    table_of(headings, rows, usize::MAX)
}

/// The same, where a cell that is wider than `widest` pushes the rest of its own row to the
/// right and no other.
pub(crate) fn table_of(headings: &[(&str, Align)], rows: &[Vec<String>], widest: usize) -> String {
    set(headings, rows, |_| widest)
}

/// The same, where a cell of one column that is wider than `widest` has the rest of its row
/// below it.
pub(crate) fn table_below(
    headings: &[(&str, Align)],
    rows: &[Vec<String>],
    column: usize,
    widest: usize,
) -> String {
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let is_wide = |cell: &String| cell.chars().count() > widest;
        if !row.get(column).is_some_and(is_wide) {
            lines.push(row.clone());
            continue;
        }
        let (above, below) = row.split_at(column + 1);
        lines.push(above.to_vec());
        let blanks = above.iter().map(|_| String::new());
        lines.push(blanks.chain(below.iter().cloned()).collect());
    }
    set(headings, &lines, |at| match at == column {
        true => widest,
        false => usize::MAX,
    })
}

/// Rows under headings; cells that are wider than the `widest` of their column do not count
/// for how wide it is.
fn set(
    headings: &[(&str, Align)],
    rows: &[Vec<String>],
    widest: impl Fn(usize) -> usize,
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let heading = headings.get(column).map_or(0, |(text, _)| text.len());
        cells
            .map(|cell| cell.chars().count())
            .filter(|length| *length <= widest(column))
            .max()
            .unwrap_or(0)
            .max(heading)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut table = String::new();
    let mut line = |cells: &[String]| {
        let mut text = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(headings) {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => text.push_str(&format!("{cell}{pad}")),
                Align::Right => text.push_str(&format!("{pad}{cell}")),
            }
            text.push_str("  ");
        }
        // Writing into a string does not fail.
        let _ = writeln!(table, "{}", text.trim_end());
    };
    line(
        &headings
            .iter()
            .map(|(text, _)| (*text).to_owned())
            .collect::<Vec<_>>(),
    );
    for row in rows {
        line(row);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_elsewhere_gives_the_terminal_orders() {
        assert_eq!(printable("ünï \"q\""), "ünï \"q\"");
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
    }

    #[test]
    fn durations_are_told_in_what_people_count_in() {
        let start: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
        for (end, expected) in [
            ("2026-11-20T03:00:02.15Z", "2.1 s"),
            ("2026-11-20T03:02:05Z", "2 min 5 s"),
            ("2026-11-20T05:02:05Z", "2 h 2 min"),
        ] {
            assert_eq!(duration(start, end.parse().unwrap()), expected);
        }
    }

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let rows = [
            vec!["ä".to_owned(), "1".to_owned()],
            vec!["bcd".to_owned(), "100".to_owned()],
        ];
        let told = table(&[("NAME", Align::Left), ("N", Align::Right)], &rows);
        assert_eq!(told, "NAME    N\nä       1\nbcd   100\n");
        let rows = [vec!["abcde".to_owned(), "1".to_owned()], rows[1].clone()];
        let told = table_of(&[("NAME", Align::Left), ("N", Align::Right)], &rows, 4);
        assert_eq!(told, "NAME    N\nabcde    1\nbcd   100\n");
        let told = table_below(&[("NAME", Align::Left), ("N", Align::Right)], &rows, 0, 4);
        assert_eq!(told, "NAME    N\nabcde\n        1\nbcd   100\n");
    }
}
