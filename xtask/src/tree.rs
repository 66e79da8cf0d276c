//! The files that belong to the project: everything below its root but Git's own
//! directory and what the root's `.gitignore` leaves out. New files count before
//! they are committed, and a tree without Git is checked the same.
//!
//! Paths are relative to the root and sorted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A project's files.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Tree {
    /// The files that are below `root` now.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let mut files = Vec::new();
        walk(root, Path::new(""), &ignored(root)?, &mut files)?;
        files.sort();
        Ok(Self {
            root: root.to_owned(),
            files,
        })
    }

    /// Every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// Every Rust source file.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Path> {
        self.files()
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    }

    /// A file's text; `None` when it is not there or not UTF-8.
    pub(crate) fn text(&self, path: &Path) -> Result<Option<String>, Error> {
        let path = self.root.join(path);
        match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }
}

/// Writes a file and the directories above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

/// The names at the root that `.gitignore` leaves out, as `/name`.
fn ignored(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let path = root.join(".gitignore");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::File { path, source }),
    };
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('/'));
    Ok(names
        .map(|name| PathBuf::from(name.trim_end_matches('/')))
        .chain([PathBuf::from(".git")])
        .collect())
}

fn walk(
    root: &Path,
    below: &Path,
    ignored: &[PathBuf],
    files: &mut Vec<PathBuf>,
) -> Result<(), Error> {
    let directory = root.join(below);
    let failed = |source| Error::File {
        path: directory.clone(),
        source,
    };
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = below.join(entry.file_name());
        if ignored.contains(&path) {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(root, &path, ignored, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod synthetic {
    //! Small trees in a temporary directory, for the tests of the rules.

    use super::{Path, Tree, write};

    /// A tree of these files, and what keeps it on disk.
    pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(&root.path().join(path), text).unwrap();
        }
        let tree = Tree::read(root.path()).unwrap();
        (root, tree)
    }

    #[test]
    fn what_gitignore_leaves_out_at_the_root_does_not_belong_to_the_project() {
        let (_root, tree) = tree(&[
            (".gitignore", "/target\n"),
            (".git/config", ""),
            ("target/a.rs", ""),
            ("crates/target/a.rs", ""),
        ]);
        let files: Vec<_> = tree.files().collect();
        assert_eq!(
            files,
            [Path::new(".gitignore"), Path::new("crates/target/a.rs")]
        );
    }

    #[test]
    fn a_file_that_is_absent_has_no_text() {
        let (_root, tree) = tree(&[("a", "b")]);
        assert_eq!(tree.text(Path::new("a")).unwrap().as_deref(), Some("b"));
        assert_eq!(tree.text(Path::new("c")).unwrap(), None);
    }
}
