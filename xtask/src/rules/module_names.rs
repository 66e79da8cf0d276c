//! Names that explain nothing and so invite everything: no file, directory or
//! module is called by one of them.

use std::path::{Component, Path};

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

const NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "misc"];

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for path in tree.sources() {
        looked_at += 1;
        if let Some(name) = in_path(path) {
            findings.push(Finding::error(path, objection(name)));
        }
        let text = tree.text(path)?.unwrap_or_default();
        for (index, line) in text.lines().enumerate() {
            if let Some(name) = inline(line) {
                findings.push(Finding::error(path, objection(name)).at(index + 1));
            }
        }
    }
    Ok(Report {
        rule: "module names",
        looked_at,
        what: "sources",
        findings,
    })
}

fn objection(name: &str) -> String {
    format!("`{name}` explains nothing: name it after what it holds")
}

fn forbidden(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|forbidden| *forbidden == name)
}

fn in_path(path: &Path) -> Option<&'static str> {
    path.with_extension("")
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .find_map(forbidden)
}

/// The name of a module that has its body in this line and those after.
fn inline(line: &str) -> Option<&'static str> {
    let (before, rest) = line.split_once("mod ")?;
    let visibility = before.trim();
    if !(visibility.is_empty() || visibility.starts_with("pub")) {
        return None;
    }
    let name = rest.trim_end().strip_suffix('{')?.trim();
    forbidden(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let (_root, tree) = synthetic::tree(&[(path, text)]);
        check(&tree).unwrap().lines()
    }

    #[test]
    fn a_file_is_called_by_what_it_holds() {
        assert_eq!(findings("crates/x/src/utils.rs", "").len(), 1);
        assert_eq!(findings("crates/x/src/packs.rs", "").len(), 0);
    }

    #[test]
    fn so_is_a_directory_in_tests_too() {
        assert_eq!(findings("crates/x/tests/common/mod.rs", "").len(), 1);
        assert_eq!(findings("crates/helpers/src/lib.rs", "").len(), 1);
    }

    #[test]
    fn so_is_a_module_within_a_file() {
        let found = findings("crates/x/src/lib.rs", "\npub(crate) mod misc {\n}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("lib.rs:2"), "{found:?}");
        assert!(findings("crates/x/src/lib.rs", "// a mod common {\nmod pages {\n").is_empty());
    }

    #[test]
    fn a_name_that_only_begins_alike_is_no_breach() {
        assert!(findings("crates/x/src/common_prefix.rs", "mod utilisation {\n").is_empty());
    }
}
