//! The decisions are numbered: `docs/decisions/0007-name.md`, each number once,
//! and each opens with a title, so that code and talk can refer to them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

const DIRECTORY: &str = "docs/decisions";

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for path in tree.files().filter(|path| path.starts_with(DIRECTORY)) {
        looked_at += 1;
        let Some(number) = number(path) else {
            let message = "is not called `0000-name.md`, in lower case with hyphens";
            findings.push(Finding::error(path, message));
            continue;
        };
        if let Some(other) = seen.insert(number, path) {
            let message = format!("has the number of {}", other.display());
            findings.push(Finding::error(path, message));
        }
        if !tree.text(path)?.unwrap_or_default().starts_with("# ") {
            findings.push(Finding::error(path, "does not open with a title: `# …`"));
        }
    }
    Ok(Report {
        rule: "decisions",
        looked_at,
        what: "records",
        findings,
    })
}

fn number(path: &Path) -> Option<&str> {
    let name = path.strip_prefix(DIRECTORY).ok()?.to_str()?;
    let (number, rest) = name.strip_suffix(".md")?.split_once('-')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let words = !rest.is_empty()
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (digits && words).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let (_root, tree) = synthetic::tree(files);
        check(&tree).unwrap().lines()
    }

    #[test]
    fn numbered_records_pass() {
        assert!(
            findings(&[
                ("docs/decisions/0001-one.md", "# One\n"),
                ("docs/decisions/0002-the-other.md", "# Other\n"),
            ])
            .is_empty()
        );
    }

    #[test]
    fn a_record_without_a_number_is_an_error() {
        for name in [
            "notes.md",
            "1-one.md",
            "0001-One.md",
            "0001-.md",
            "0001-one.txt",
        ] {
            let path = format!("docs/decisions/{name}");
            assert_eq!(findings(&[(&path, "# One\n")]).len(), 1, "{name}");
        }
    }

    #[test]
    fn no_two_records_have_one_number() {
        let found = findings(&[
            ("docs/decisions/0001-a.md", "# A\n"),
            ("docs/decisions/0001-b.md", "# B\n"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("0001-a.md"), "{found:?}");
    }

    #[test]
    fn a_record_opens_with_its_title() {
        assert_eq!(findings(&[("docs/decisions/0001-a.md", "text\n")]).len(), 1);
    }
}
