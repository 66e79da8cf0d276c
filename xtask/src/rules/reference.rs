//! Reference pages are made from the program, never written: what stands in
//! docs/reference is what the program of this very tree prints.

use std::path::Path;

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

/// A page that the program prints as `pgkeep reference <argument>`.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) argument: &'static str,
    /// Relative to the root.
    pub(crate) path: &'static str,
}

pub(crate) const PAGES: [Page; 2] = [
    Page {
        argument: "cli",
        path: "docs/reference/cli.md",
    },
    Page {
        argument: "environment",
        path: "docs/reference/configuration.md",
    },
];

/// Compares each page with what `print` gives for it.
pub(crate) fn check(
    tree: &Tree,
    print: impl Fn(&Page) -> Result<String, Error>,
) -> Result<Report, Error> {
    let mut findings = Vec::new();
    for page in &PAGES {
        let path = Path::new(page.path);
        let printed = print(page)?;
        if printed.trim().is_empty() {
            let message = format!("`pgkeep reference {}` prints nothing", page.argument);
            findings.push(Finding::error(path, message));
            continue;
        }
        match tree.text(path)? {
            Some(text) if text == printed => {}
            Some(_) => findings.push(Finding::error(
                path,
                "is not what the program prints: run `cargo xtask reference`",
            )),
            None => findings.push(Finding::error(
                path,
                "is not there: run `cargo xtask reference`",
            )),
        }
    }
    Ok(Report {
        rule: "reference",
        looked_at: PAGES.len(),
        what: "pages",
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    #[expect(clippy::unnecessary_wraps, reason = "stands in for the program")]
    fn print(page: &Page) -> Result<String, Error> {
        Ok(format!("# {}\n\n", page.argument))
    }

    fn findings(cli: &str, environment: &str) -> Vec<String> {
        let (_root, tree) = synthetic::tree(&[
            ("docs/reference/cli.md", cli),
            ("docs/reference/configuration.md", environment),
        ]);
        check(&tree, print).unwrap().lines()
    }

    fn current(page: &Page) -> String {
        print(page).unwrap()
    }

    #[test]
    fn pages_that_are_up_to_date_pass() {
        assert!(findings(&current(&PAGES[0]), &current(&PAGES[1])).is_empty());
    }

    #[test]
    fn a_page_that_is_behind_is_an_error() {
        let found = findings("# cli of last week\n", &current(&PAGES[1]));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("cli.md"), "{found:?}");
    }

    #[test]
    fn a_program_that_prints_nothing_has_no_page() {
        let (_root, tree) = synthetic::tree(&[]);
        let report = check(&tree, |_| Ok(String::new())).unwrap();
        assert!(report.lines()[0].contains("prints nothing"), "{report:?}");
    }

    #[test]
    fn a_page_that_is_missing_is_an_error() {
        let (_root, tree) = synthetic::tree(&[]);
        assert_eq!(check(&tree, print).unwrap().findings.len(), 2);
    }
}
