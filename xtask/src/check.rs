//! All rules, one after the other, and how their findings are told.

use std::io::Write;

use crate::error::Error;
use crate::finding::{Report, Weight};
use crate::rules;
use crate::tree::Tree;

/// What the rules that need only the tree find in it.
pub(crate) fn of_the_tree(tree: &Tree) -> Result<Vec<Report>, Error> {
    [
        rules::layers::check,
        rules::runtime::check,
        rules::headers::check,
        rules::module_names::check,
        rules::standalone::check,
        rules::decisions::check,
        rules::length::check,
    ]
    .into_iter()
    .map(|rule| rule(tree))
    .collect()
}

/// Writes every finding and a line a rule; whether the check is passed.
pub(crate) fn tell(reports: &[Report], out: &mut impl Write) -> Result<bool, Error> {
    let mut passed = true;
    for report in reports {
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
        let errors = report
            .findings
            .iter()
            .filter(|finding| finding.weight == Weight::Error)
            .count();
        let verdict = match (report.looked_at, errors) {
            (0, _) => "looked at nothing".to_owned(),
            (_, 0) => "ok".to_owned(),
            (_, errors) => format!("{errors} broken"),
        };
        passed &= report.looked_at > 0 && errors == 0;
        let (rule, looked_at, what) = (report.rule, report.looked_at, report.what);
        writeln!(out, "{rule:<14}{looked_at:>4} {what:<10} {verdict}")?;
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::finding::Finding;

    fn told(looked_at: usize, findings: Vec<Finding>) -> (bool, String) {
        let report = Report {
            rule: "rule",
            looked_at,
            what: "files",
            findings,
        };
        let mut out = Vec::new();
        let passed = tell(&[report], &mut out).unwrap();
        (passed, String::from_utf8(out).unwrap())
    }

    #[test]
    fn an_error_fails_the_check() {
        let (passed, out) = told(3, vec![Finding::error(Path::new("a.rs"), "bad").at(7)]);
        assert!(!passed);
        assert!(out.starts_with("error: a.rs:7: bad\n"), "{out}");
        assert!(out.ends_with("1 broken\n"), "{out}");
    }

    #[test]
    fn a_warning_is_told_and_passes() {
        let (passed, out) = told(3, vec![Finding::warning(Path::new("a.rs"), "long")]);
        assert!(passed);
        assert!(out.starts_with("warning: a.rs: long\n"), "{out}");
        assert!(out.ends_with("ok\n"), "{out}");
    }

    #[test]
    fn a_rule_that_looked_at_nothing_has_failed() {
        let (passed, out) = told(0, Vec::new());
        assert!(!passed);
        assert!(out.ends_with("looked at nothing\n"), "{out}");
    }
}
