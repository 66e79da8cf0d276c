//! The pgkeep that is built from this tree, asked for its reference pages.
//!
//! It is asked in an empty environment, so that a page depends on nothing but the
//! code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::error::Error;
use crate::rules::reference::Page;

/// Has Cargo bring the development build up to date; where it is.
pub(crate) fn built(root: &Path) -> Result<PathBuf, Error> {
    // Features are those of the whole workspace, as in its tests: otherwise
    // every dependency would be compiled a second time.
    run(Command::new("cargo").current_dir(root).args([
        "build",
        "--quiet",
        "--workspace",
        "--bin",
        "pgkeep",
    ]))?;
    let this = std::env::current_exe().map_err(|source| Error::Start {
        program: "xtask".to_owned(),
        source,
    })?;
    Ok(this.with_file_name("pgkeep"))
}

/// A page of markdown, as the program prints it.
pub(crate) fn page(program: &Path, page: &Page) -> Result<String, Error> {
    let output = run(Command::new(program)
        .env_clear()
        .args(["reference", page.argument]))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run(command: &mut Command) -> Result<Output, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|source| Error::Start { program, source })?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed {
        command: format!("{command:?}"),
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page {
        argument: "cli",
        path: "unused",
    };

    #[test]
    fn a_program_that_fails_gives_no_page_but_what_it_said() {
        let error = page(Path::new("/bin/ls"), &PAGE).unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{error}");
        assert!(error.to_string().contains("reference"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = page(Path::new("/nowhere/pgkeep"), &PAGE).unwrap_err();
        assert!(error.to_string().contains("/nowhere/pgkeep"), "{error}");
    }
}
