//! Every source file opens by saying what it is for: a `//!` block on its first
//! line, of a few words at least.

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

/// A shorter header only repeats the file's name.
const WORDS: usize = 6;

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for path in tree.sources() {
        looked_at += 1;
        let text = tree.text(path)?.unwrap_or_default();
        let words = header(&text).split_whitespace().count();
        let message = match words {
            0 => "does not open with `//!`: say what it is for and its invariants".to_owned(),
            1..WORDS => {
                "opens with too few words: say what it is for and its invariants".to_owned()
            }
            _ => continue,
        };
        findings.push(Finding::error(path, message));
    }
    Ok(Report {
        rule: "headers",
        looked_at,
        what: "sources",
        findings,
    })
}

/// The text of the `//!` lines that a file begins with.
fn header(text: &str) -> String {
    text.lines()
        .map_while(|line| line.strip_prefix("//!"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    fn findings(text: &str) -> Vec<String> {
        let (_root, tree) = synthetic::tree(&[("crates/x/tests/it/main.rs", text)]);
        let report = check(&tree).unwrap();
        assert_eq!(report.looked_at, 1);
        report.lines()
    }

    #[test]
    fn a_header_of_some_substance_is_enough() {
        assert!(
            findings("//! Segments as they come in,\n//! each only once.\n\nfn a() {}\n")
                .is_empty()
        );
    }

    #[test]
    fn a_header_must_be_there() {
        assert!(findings("fn a() {}\n")[0].contains("does not open"));
        assert!(findings("")[0].contains("does not open"));
    }

    #[test]
    fn a_header_must_be_first() {
        let late = "use std::fs;\n//! What this file is for, and more words.\n";
        assert!(findings(late)[0].contains("does not open"));
    }

    #[test]
    fn a_header_must_say_something() {
        assert!(findings("//! (to be written)\nfn main() {}\n")[0].contains("too few words"));
    }
}
