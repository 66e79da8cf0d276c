//! What must know no runtime: the nouns, the format and PostgreSQL's files are
//! read and written by plain code, which any thread can run and a fuzzer can call.

use std::path::Path;

use crate::error::Error;
use crate::finding::{Finding, Report};
use crate::manifest;
use crate::tree::Tree;

const CRATES: [&str; 2] = ["pgkeep-types", "pgkeep-format"];

/// Parts of crates that elsewhere may know one.
const DIRECTORIES: [&str; 1] = ["crates/postgres/src/files"];

const RUNTIMES: [&str; 6] = [
    "tokio",
    "async-trait",
    "async-std",
    "smol",
    "futures",
    "futures-util",
];
const SIGNS: [&str; 5] = ["tokio", "async_trait", "async fn", "async move", ".await"];

pub(crate) fn check(tree: &Tree) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for manifest in manifest::read_all(tree)? {
        if !CRATES.contains(&manifest.package.as_str()) {
            continue;
        }
        looked_at += 1;
        for dependency in &manifest.dependencies {
            let package = dependency.package.as_str();
            if RUNTIMES.contains(&package) || package.starts_with("tokio-") {
                findings.push(Finding::error(
                    &manifest.path,
                    format!(
                        "{} must know no runtime, and depends on {package}",
                        manifest.package
                    ),
                ));
            }
        }
    }
    for path in tree.sources() {
        if !DIRECTORIES
            .iter()
            .any(|directory| path.starts_with(directory))
        {
            continue;
        }
        looked_at += 1;
        let text = tree.text(path)?.unwrap_or_default();
        findings.extend(signs(path, &text));
    }
    Ok(Report {
        rule: "runtime",
        looked_at,
        what: "places",
        findings,
    })
}

fn signs(path: &Path, text: &str) -> Vec<Finding> {
    let code = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter_map(|(index, line)| {
        let sign = SIGNS.iter().find(|sign| line.contains(**sign))?;
        let message = format!("knows no runtime, and says `{sign}`");
        Some(Finding::error(path, message).at(index + 1))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    #[test]
    fn a_runtime_below_the_format_is_an_error() {
        for (dependency, broken) in [
            ("tokio = \"1\"", 1),
            ("async-trait = \"0.1\"", 1),
            ("tokio-util = \"0.7\"", 1),
            ("serde = \"1\"", 0),
        ] {
            let text =
                format!("[package]\nname = \"pgkeep-format\"\n[dependencies]\n{dependency}\n");
            let (_root, tree) = synthetic::tree(&[("crates/format/Cargo.toml", &text)]);
            let report = check(&tree).unwrap();
            assert_eq!(report.findings.len(), broken, "{dependency}");
            assert_eq!(report.looked_at, 1);
        }
    }

    #[test]
    fn other_crates_may_know_one() {
        let text = "[package]\nname = \"pgkeep-storage\"\n[dependencies]\ntokio = \"1\"\n";
        let (_root, tree) = synthetic::tree(&[("crates/storage/Cargo.toml", text)]);
        assert!(check(&tree).unwrap().findings.is_empty());
    }

    #[test]
    fn what_reads_the_files_of_postgres_does_not_wait() {
        let text = "//! No tokio here.\npub async fn read() {}\n";
        let (_root, tree) = synthetic::tree(&[
            ("crates/postgres/src/files/control.rs", text),
            ("crates/postgres/src/client.rs", text),
        ]);
        assert_eq!(
            check(&tree).unwrap().lines(),
            [
                "error: crates/postgres/src/files/control.rs:2: knows no runtime, and says `async fn`"
            ]
        );
    }
}
