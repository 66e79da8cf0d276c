//! Passphrases from the environment: in a variable, or in a file that one names.
//!
//! Invariant: a passphrase is text, without the line's end that a file has after
//! it; it is never printed.

use std::path::Path;

use pgkeep_types::Environment;
use zeroize::Zeroizing;

use crate::{ConfigError, variables};

/// The passphrase of a recovery key, where the environment has one.
///
/// # Errors
/// Where it is no text, or its file cannot be read.
pub fn passphrase(environment: &Environment) -> Result<Option<Zeroizing<String>>, ConfigError> {
    if let Some(value) = environment.variable(variables::PASSPHRASE) {
        let name = variables::PASSPHRASE;
        let text = value.to_str().ok_or_else(|| ConfigError::NotText {
            name: name.to_owned(),
        })?;
        return Ok(Some(Zeroizing::new(text.to_owned())));
    }
    let file = environment.variable(variables::PASSPHRASE_FILE);
    file.map(|file| passphrase_in(&environment.working_directory().join(Path::new(file))))
        .transpose()
}

/// The passphrase in a file: all of it, without one line's end after it.
///
/// # Errors
/// Where it cannot be read.
pub fn passphrase_in(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = Zeroizing::new(text);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_end_with_a_line_end_and_the_variable_goes_before_it() {
        let directory =
            std::env::temp_dir().join(format!("pgkeep-passphrase-{}", std::process::id()));
        std::fs::write(&directory, " two words \r\n").unwrap();
        let environment =
            Environment::new("/").with_variable(variables::PASSPHRASE_FILE, &directory);
        let of_file = passphrase(&environment).unwrap().unwrap();
        assert_eq!(of_file.as_str(), " two words ");
        let environment = environment.with_variable(variables::PASSPHRASE, "another");
        assert_eq!(
            passphrase(&environment).unwrap().unwrap().as_str(),
            "another"
        );
        std::fs::remove_file(&directory).unwrap();
        assert!(passphrase(&Environment::new("/")).unwrap().is_none());
    }
}
