//! Names and values as SQL text.
//!
//! Invariant: what comes out is one token, whatever goes in. It relies on
//! `standard_conforming_strings`, which every session of ours switches on.

/// A quoted identifier.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_are_doubled() {
        assert_eq!(identifier(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal(r"it's a \ "), r"'it''s a \ '");
    }
}
