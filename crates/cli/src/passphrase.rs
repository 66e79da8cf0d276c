//! Passphrases: from the environment, or from whoever sits at the terminal.
//!
//! Invariant: a passphrase is never an argument. A new one is typed twice, and is
//! long enough to stand against whoever has the storage.

use std::path::Path;

use pgkeep_config::passphrase_in;
use pgkeep_format::Passphrase;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;
use crate::terminal;

/// The passphrase of a key that is in the repository; none where nobody is there
/// to ask.
pub(crate) async fn known(context: &Context, ask: bool) -> Result<Option<Passphrase>, CliError> {
    if let Some(text) = pgkeep_config::passphrase(&context.environment)? {
        return usable(text).map(Some);
    }
    if !ask || !terminal::is_there() {
        return Ok(None);
    }
    let text = terminal::ask_secretly(context, "Passphrase of the recovery key: ").await?;
    usable(text).map(Some)
}

/// A new passphrase: of `file` where one is named, of the environment, or typed
/// twice.
pub(crate) async fn new(context: &Context, file: Option<&Path>) -> Result<Passphrase, CliError> {
    let given = match file {
        Some(file) => Some(passphrase_in(&context.path(file))?),
        None => pgkeep_config::passphrase(&context.environment)?,
    };
    match given {
        Some(text) => long_enough(usable(text)?),
        None => typed_twice(context).await,
    }
}

/// A new passphrase beside one that the environment may have: of `file`, or typed
/// twice.
pub(crate) async fn another(
    context: &Context,
    file: Option<&Path>,
) -> Result<Passphrase, CliError> {
    match file {
        Some(_) => new(context, file).await,
        None => typed_twice(context).await,
    }
}

async fn typed_twice(context: &Context) -> Result<Passphrase, CliError> {
    if !terminal::is_there() {
        return Err(CliError::Usage {
            problem: "there is no new passphrase, and nobody to ask for one".to_owned(),
            hint: "run this on a terminal, or name a file that holds it".to_owned(),
        });
    }
    let question = format!(
        "New passphrase, at least {} characters; several words at random are best: ",
        Passphrase::SHORTEST
    );
    let first = long_enough(usable(terminal::ask_secretly(context, &question).await?)?)?;
    let second = usable(terminal::ask_secretly(context, "The same again: ").await?)?;
    if first.is(&second) {
        Ok(first)
    } else {
        Err(CliError::Usage {
            problem: "the two were not the same".to_owned(),
            hint: "nothing was changed; try again".to_owned(),
        })
    }
}

fn usable(text: Zeroizing<String>) -> Result<Passphrase, CliError> {
    Passphrase::new(text).ok_or_else(|| CliError::Usage {
        problem: "the passphrase is empty".to_owned(),
        hint: "nothing was changed".to_owned(),
    })
}

fn long_enough(passphrase: Passphrase) -> Result<Passphrase, CliError> {
    if passphrase.is_long_enough() {
        return Ok(passphrase);
    }
    Err(CliError::Usage {
        problem: format!(
            "the passphrase has fewer than {} characters",
            Passphrase::SHORTEST
        ),
        hint: "whoever has the storage can try passphrases for as long as they like; \
               several words at random are best"
            .to_owned(),
    })
}
