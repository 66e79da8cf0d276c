//! Long files are told, and no more: one idea a file is the rule, and a count of
//! lines only hints at where it is not kept.

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

const LINES: usize = 400;

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for path in tree.sources() {
        looked_at += 1;
        let lines = tree.text(path)?.unwrap_or_default().lines().count();
        if lines > LINES {
            let message = format!("{lines} lines: does it hold more than one idea?");
            findings.push(Finding::warning(path, message));
        }
    }
    Ok(Report {
        rule: "length",
        looked_at,
        what: "sources",
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Weight;
    use crate::tree::synthetic;

    #[test]
    fn a_long_file_is_a_warning_and_no_error() {
        let (_root, tree) = synthetic::tree(&[
            ("crates/x/src/long.rs", &"\n".repeat(401)),
            ("crates/x/src/short.rs", &"\n".repeat(400)),
            ("crates/x/src/long.sql", &"\n".repeat(401)),
        ]);
        let report = check(&tree).unwrap();
        assert_eq!(report.looked_at, 2);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].weight, Weight::Warning);
    }
}
