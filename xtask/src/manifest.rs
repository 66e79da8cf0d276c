//! What the Cargo.toml files say of who depends on whom, renames resolved.
//!
//! Read from the manifests and not from Cargo's resolved graph: a rule then holds
//! for every target and feature, and the finding is where it is to be mended.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::Error;
use crate::tree::Tree;

/// For what a dependency is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// A package that another one names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's own name, whatever it is renamed to.
    pub(crate) package: String,
    pub(crate) kind: Kind,
    /// Whether it lies in this workspace.
    pub(crate) own: bool,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) path: PathBuf,
    pub(crate) package: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// Every package of the tree.
pub(crate) fn read_all(tree: &Tree) -> Result<Vec<Manifest>, Error> {
    let root = match tree.text(Path::new("Cargo.toml"))? {
        Some(text) => parse(Path::new("Cargo.toml"), &text)?,
        None => Table::new(),
    };
    let shared = table(&root, &["workspace", "dependencies"]);
    let mut manifests = Vec::new();
    for path in tree.files() {
        if path.file_name().is_none_or(|name| name != "Cargo.toml") {
            continue;
        }
        let Some(text) = tree.text(path)? else {
            continue;
        };
        let manifest = parse(path, &text)?;
        let Some(package) = table(&manifest, &["package"])
            .and_then(|package| package.get("name"))
            .and_then(Value::as_str)
        else {
            continue;
        };
        manifests.push(Manifest {
            path: path.to_owned(),
            package: package.to_owned(),
            dependencies: dependencies(&manifest, shared),
        });
    }
    Ok(manifests)
}

fn parse(path: &Path, text: &str) -> Result<Table, Error> {
    text.parse().map_err(|source| Error::Manifest {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn table<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter()
        .try_fold(table, |table, key| table.get(*key)?.as_table())
}

fn dependencies(manifest: &Table, shared: Option<&Table>) -> Vec<Dependency> {
    let mut found = Vec::new();
    let for_targets = table(manifest, &["target"])
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    for place in std::iter::once(manifest).chain(for_targets) {
        for (name, kind) in [
            ("dependencies", Kind::Normal),
            ("build-dependencies", Kind::Build),
            ("dev-dependencies", Kind::Dev),
        ] {
            let named = place.get(name).and_then(Value::as_table);
            for (key, value) in named.into_iter().flatten() {
                found.push(dependency(key, value, kind, shared));
            }
        }
    }
    found
}

fn dependency(key: &str, value: &Value, kind: Kind, shared: Option<&Table>) -> Dependency {
    let inherited = value.get("workspace").and_then(Value::as_bool) == Some(true);
    let value = if inherited {
        shared.and_then(|shared| shared.get(key))
    } else {
        Some(value)
    };
    let text = |name| {
        value
            .and_then(|value| value.get(name))
            .and_then(Value::as_str)
    };
    Dependency {
        package: text("package").unwrap_or(key).to_owned(),
        kind,
        own: text("path").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::synthetic;

    #[test]
    fn renamed_inherited_and_target_specific_dependencies_are_seen_by_their_own_names() {
        let (_root, tree) = synthetic::tree(&[
            (
                "Cargo.toml",
                "[workspace.dependencies]\nshort = { path = \"crates/b\", package = \"b\" }\n",
            ),
            (
                "crates/a/Cargo.toml",
                "[package]\nname = \"a\"\n\
                 [dependencies]\nshort.workspace = true\n\
                 [target.'cfg(unix)'.build-dependencies]\nc = \"1\"\n\
                 [dev-dependencies]\nd = { version = \"1\", package = \"e\" }\n",
            ),
        ]);
        let manifests = read_all(&tree).unwrap();
        assert_eq!(manifests.len(), 1);
        let dependency = |package: &str, kind, own| Dependency {
            package: package.to_owned(),
            kind,
            own,
        };
        assert_eq!(
            manifests[0].dependencies,
            [
                dependency("b", Kind::Normal, true),
                dependency("e", Kind::Dev, false),
                dependency("c", Kind::Build, false),
            ]
        );
    }

    #[test]
    fn a_manifest_that_is_no_toml_stops_the_check() {
        let (_root, tree) = synthetic::tree(&[("crates/a/Cargo.toml", "[package")]);
        assert!(matches!(read_all(&tree), Err(Error::Manifest { .. })));
    }
}
