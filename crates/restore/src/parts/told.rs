//! Names of a dump's parts, in words.
//!
//! Invariant: a name reads as SQL has it, and gives the terminal no orders.

use pgkeep_postgres::client::identifier;

/// Schema and name.
pub(super) fn dotted(schema: &str, name: &str) -> String {
    format!("{}.{}", word(schema), word(name))
}

/// One name, in SQL's quotes where it is not written in small letters, digits and `_` alone.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| is_plain(c) && !c.is_ascii_digit());
    match begins && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => printable(&identifier(name)),
    }
}

/// Without what a terminal would take for orders.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => printable.extend(c.escape_default()),
            false => printable.push(c),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_quotes_where_sql_needs_them() {
        assert_eq!(dotted("sales", "orders_2"), "sales.orders_2");
        assert_eq!(
            dotted("public", "Weird.\"q\""),
            "public.\"Weird.\"\"q\"\"\""
        );
        assert_eq!(dotted("größe", "2x"), "größe.\"2x\"");
        assert_eq!(dotted("a", "b\u{1b}[31m"), "a.\"b\\u{1b}[31m\"");
    }
}
