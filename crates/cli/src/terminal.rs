//! Asking whoever sits at the terminal.
//!
//! Invariants: nobody is asked where nobody sits: stdin and stderr are terminals.
//! A passphrase is not shown while it is typed, and the terminal shows again what
//! is typed afterwards, however the question ended.

use std::io::{self, BufRead, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;

/// Whether there is anybody to ask.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a yes; where nobody sits, refuses and tells of `--yes`.
pub(crate) async fn confirm(context: &Context, question: &str, yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !is_there() {
        return Err(CliError::Usage {
            problem: format!("nobody is there to answer: {question}"),
            hint: "look at what was told, and give --yes".to_owned(),
        });
    }
    let answer = ask(context, &format!("{question} [y/N] ")).await?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(CliError::Declined)
    }
}

/// Asks for a line that is not to be seen.
pub(crate) async fn ask_secretly(
    context: &Context,
    question: &str,
) -> Result<Zeroizing<String>, CliError> {
    let hidden = Hidden::start();
    let answer = ask(context, question).await;
    drop(hidden);
    // The line's end that was typed was not shown either.
    context.output.say("");
    answer
}

async fn ask(context: &Context, question: &str) -> Result<Zeroizing<String>, CliError> {
    context.output.ask(question);
    let read = tokio::task::spawn_blocking(|| {
        let mut line = Zeroizing::new(String::new());
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = async {
        let failed = |source| CliError::Process {
            what: "read the answer",
            source,
        };
        let line = read.await.map_err(|error| failed(error.into()))?;
        let line = line.map_err(failed)?;
        let text = line.strip_suffix('\n').unwrap_or(&line);
        Ok(Zeroizing::new(
            text.strip_suffix('\r').unwrap_or(text).to_owned(),
        ))
    };
    context.unless_interrupted("the question", line).await
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn start() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            // Where it cannot be hidden it is better typed than not at all.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &hidden);
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
