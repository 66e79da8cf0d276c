//! Values of rows that the server repeats in the message of an error.
//!
//! Invariant: what stands in quotes is told only behind a word for what a database has by
//! name; all from any other quote on is not, since a value may have quotes in it.

/// Words behind which a name is quoted, never a value.
const NAMED: [&str; 48] = [
    "aggregate",
    "attribute",
    "class",
    "collation",
    "column",
    "configuration",
    "constraint",
    "conversion",
    "database",
    "dictionary",
    "domain",
    "encoding",
    "extension",
    "family",
    "field",
    "file",
    "function",
    "index",
    "language",
    "library",
    "locale",
    "member",
    "method",
    "near",
    "object",
    "operator",
    "option",
    "parameter",
    "parser",
    "partition",
    "policy",
    "procedure",
    "provider",
    "publication",
    "relation",
    "role",
    "rule",
    "schema",
    "sequence",
    "server",
    "slot",
    "subscription",
    "table",
    "tablespace",
    "trigger",
    "type",
    "view",
    "wrapper",
];

/// What begins and ends a quotation, in the languages that the server speaks.
const QUOTES: [char; 7] = ['"', '»', '«', '“', '”', '„', '‘'];

/// What may come behind a value and tells what is wrong with it.
const OUT_OF_RANGE: &str = " is out of range for type ";

/// The message as it may be told, where that is not all of it.
pub(crate) fn without_values(message: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = message[from..].find(QUOTES) {
        let at = from + found;
        let word = message[..at].trim_end().rsplit([' ', '(']).next();
        let word = word.unwrap_or_default().to_lowercase();
        if !NAMED.contains(&word.as_str()) {
            let mut told = format!("{}…", &message[..at]);
            if let Some(end) = message.rfind(OUT_OF_RANGE).filter(|end| *end > at) {
                told.push_str(&message[end..]);
            }
            return Some(told);
        }
        let mut behind = message[at..].char_indices().skip(1);
        let end = behind.find(|(_, c)| QUOTES.contains(c));
        from = end.map_or(message.len(), |(end, c)| at + end + c.len_utf8());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_and_values_are_not() {
        for told in [
            "relation \"t\" does not exist",
            "new row for relation \"t\" violates check constraint \"c\"",
            "extension \"postgis\" is not available",
            "must be able to SET ROLE \"app\"",
            "syntax error at or near \"x\"",
            "division by zero",
        ] {
            assert_eq!(without_values(told), None, "{told}");
        }
        for (message, told) in [
            (
                "invalid input syntax for type integer: \"SECRET\"",
                "invalid input syntax for type integer: …",
            ),
            (
                "value \"SECRET\" is out of range for type integer",
                "value … is out of range for type integer",
            ),
            (
                "invalid input value for enum mood: \"a\" type \"SECRET\"",
                "invalid input value for enum mood: …",
            ),
            (
                "column \"c\": time zone \"SECRET\" not recognized",
                "column \"c\": time zone …",
            ),
            (
                "ungültige Eingabesyntax für Typ integer: »SECRET«",
                "ungültige Eingabesyntax für Typ integer: …",
            ),
        ] {
            assert_eq!(without_values(message).unwrap(), told);
        }
    }
}
