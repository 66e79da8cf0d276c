//! Values from the environment: in a variable, or in a file that one names.
//!
//! Invariants: of a variable and its `_FILE` only one may be set; a file that is
//! named is there and holds something; the line's end after it does not count. No
//! value is repeated in an error.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use crate::ConfigError;
use crate::origin::Origin;

/// A value and its place.
pub(crate) type Found<T> = Option<(T, Origin)>;

/// The text of a variable, or of the file that `<name>_FILE` names.
pub(crate) fn text(
    environment: &Environment,
    name: &str,
) -> Result<Found<Zeroizing<String>>, ConfigError> {
    let file_variable = format!("{name}_FILE");
    let file = environment.variable(&file_variable);
    let Some(value) = environment.variable(name) else {
        return file
            .map(|file| {
                let path = environment.working_directory().join(Path::new(file));
                in_file(file_variable, path)
            })
            .transpose();
    };
    if file.is_some() {
        return Err(ConfigError::Both {
            name: name.to_owned(),
            other: file_variable,
        });
    }
    let text = value.to_str().ok_or_else(|| ConfigError::NotText {
        name: name.to_owned(),
    })?;
    let name = name.to_owned();
    Ok(Some((
        Zeroizing::new(text.to_owned()),
        Origin::Variable { name },
    )))
}

fn in_file(variable: String, path: PathBuf) -> Result<(Zeroizing<String>, Origin), ConfigError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(source) => {
            return Err(ConfigError::VariableFile {
                variable,
                path,
                source,
            });
        }
    };
    let text = Zeroizing::new(text.trim().to_owned());
    if text.is_empty() {
        return Err(ConfigError::EmptyFile { variable, path });
    }
    Ok((
        text,
        Origin::VariableFile {
            name: variable,
            path,
        },
    ))
}

/// The path that a variable holds, from the working directory on.
pub(crate) fn path(environment: &Environment, name: &str) -> Found<PathBuf> {
    let value = environment.variable(name)?;
    let path = environment.working_directory().join(Path::new(value));
    let name = name.to_owned();
    Some((path, Origin::Variable { name }))
}

/// The paths that a variable holds, or the file that `<name>_FILE` names, with `:` between
/// them; from the working directory on.
pub(crate) fn paths(
    environment: &Environment,
    name: &str,
) -> Result<Found<Vec<PathBuf>>, ConfigError> {
    let here = environment.working_directory();
    let split = |text: &OsStr| {
        let paths = std::env::split_paths(text).map(|path| here.join(path));
        paths.collect::<Vec<_>>()
    };
    let file = environment.variable(&format!("{name}_FILE"));
    // A path need not be text.
    if let (Some(value), None) = (environment.variable(name), file) {
        let name = name.to_owned();
        return Ok(Some((split(value), Origin::Variable { name })));
    }
    let said = text(environment, name)?;
    Ok(said.map(|(text, origin)| (split(OsStr::new(text.as_str())), origin)))
}

/// A list: its parts stand between commas or blanks.
pub(crate) fn list(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn a_file_that_is_named_holds_the_value_without_its_lines_end() {
        let (_directory, path) = written("hunter2 x\r\n");
        let environment = Environment::new("/").with_variable("PGKEEP_X_FILE", &path);
        let (value, origin) = text(&environment, "PGKEEP_X").unwrap().unwrap();
        assert_eq!(value.as_str(), "hunter2 x");
        assert_eq!(
            origin.to_string(),
            format!("PGKEEP_X_FILE={}", path.display())
        );
    }

    #[test]
    fn a_secret_that_is_missing_is_told_by_variable_and_file() {
        let (_directory, empty) = written("\n");
        for path in [Path::new("/no/such/file"), &empty] {
            let environment = Environment::new("/").with_variable("PGKEEP_X_FILE", path);
            let error = text(&environment, "PGKEEP_X").unwrap_err().to_string();
            assert!(error.contains("PGKEEP_X_FILE"), "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_variable_and_its_file_are_one_too_many() {
        let (_directory, path) = written("hunter2");
        let environment = Environment::new("/")
            .with_variable("PGKEEP_X_FILE", &path)
            .with_variable("PGKEEP_X", "other");
        let error = text(&environment, "PGKEEP_X").unwrap_err();
        assert!(matches!(error, ConfigError::Both { .. }), "{error}");
    }

    #[test]
    fn a_list_has_commas_or_blanks_between() {
        assert_eq!(list("a, b\nc,,"), ["a", "b", "c"]);
        assert!(list(" ,").is_empty());
    }
}
