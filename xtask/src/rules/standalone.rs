//! The project stands alone: no file points outside the repository, to what only
//! one machine has.

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::tree::Tree;

/// In pieces, so that this file keeps its own rule.
const OUTSIDE: [&str; 4] = [
    concat!("..", "/shared"),
    concat!("/work", "/shared"),
    concat!("/work", "/main"),
    concat!("/tmp", "/w/"),
];

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for path in tree.files() {
        let Some(text) = tree.text(path)? else {
            continue;
        };
        looked_at += 1;
        for (index, line) in text.lines().enumerate() {
            if let Some(outside) = OUTSIDE.iter().find(|outside| points_to(line, outside)) {
                let message = format!("points outside the repository: `{outside}`");
                findings.push(Finding::error(path, message).at(index + 1));
            }
        }
    }
    Ok(Report {
        rule: "standalone",
        looked_at,
        what: "texts",
        findings,
    })
}

/// Whether the path begins in this line, and is not the end of a longer one.
fn points_to(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "}_-.".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    fn findings(text: &str) -> usize {
        let (_root, tree) = synthetic::tree(&[("docs/a.md", text)]);
        check(&tree).unwrap().findings.len()
    }

    #[test]
    fn a_path_of_one_machine_is_an_error() {
        for outside in OUTSIDE {
            assert_eq!(
                findings(&format!("first\nsee `{outside}design.md`\n")),
                1,
                "{outside}"
            );
        }
    }

    #[test]
    fn a_longer_path_that_ends_alike_is_none() {
        for outside in &OUTSIDE[1..] {
            assert_eq!(
                findings(&format!("docs/frame{outside} and ${{x}}{outside}")),
                0
            );
        }
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        let (root, _) = synthetic::tree(&[]);
        std::fs::write(root.path().join("a.bin"), [0xff, 0xfe]).unwrap();
        let tree = Tree::read(root.path()).unwrap();
        assert_eq!(check(&tree).unwrap().looked_at, 0);
    }
}
