//! The rules of the house that no compiler knows, and the pages that are made
//! from the program itself.
//!
//! `cargo xtask check` tells every breach and fails if there is one that is an
//! error; `cargo xtask reference` writes docs/reference/. Each rule is one file
//! below `rules`, reads nothing but the [`tree::Tree`] that it is given, and says
//! how many things it looked at: a rule that found nothing to look at has failed.

mod check;
mod error;
mod finding;
mod manifest;
mod program;
mod rules;
mod tree;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use error::Error;
use tree::Tree;

const USAGE: &str = "usage: cargo xtask check | reference";

#[expect(clippy::disallowed_methods, reason = "this is a program's main")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(),
        ["reference"] => reference().map(|()| true),
        _ => Err(Error::Usage(USAGE)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to be done about a stderr that is closed.
            let _ = writeln!(std::io::stderr(), "xtask: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn check() -> Result<bool, Error> {
    let tree = Tree::read(root())?;
    let program = program::built(root())?;
    let mut rules = check::of_the_tree(&tree)?;
    rules.push(rules::reference::check(&tree, |page| {
        program::page(&program, page)
    })?);
    check::tell(&rules, &mut std::io::stdout().lock())
}

fn reference() -> Result<(), Error> {
    let program = program::built(root())?;
    for page in &rules::reference::PAGES {
        let text = program::page(&program, page)?;
        tree::write(&root().join(page.path), &text)?;
    }
    Ok(())
}
